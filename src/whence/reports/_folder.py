"""What lies in the folder of a run: explanations, evaluations, prototypes, and what is broken."""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from whence.errors import InvalidInput
from whence.reports._methods import about
from whence.reports._page import Picture, colour_key
from whence.reports._record import Record
from whence.reports._spelling import spell
from whence.runs._evaluate_store import PARTS, QUESTION, Store

_DEPTH = 3
_TYPES = {".png": "image/png", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class Result:
    """One result of a folder: its record, its pictures, and where it lies below the folder."""

    record: Record
    pictures: tuple[Picture, ...]
    place: str


@dataclass
class Found:
    """All results of a folder, and what is wrong there, in words."""

    results: list[Result] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read_folder(folder: Path) -> Found:
    """Read what explain, evaluate and maximize left in a folder or up to three folders below."""
    found = Found()
    for path in sorted(_candidates(folder, _DEPTH)):
        try:
            held = json.loads(path.read_text(encoding="utf-8"))
            result = _result(held, path, folder)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            if _is_ours(path):
                told = f"{type(error).__name__}: {error}"
                found.problems.append(f"{_place(path, folder)} cannot be read: {told}")
            continue
        if isinstance(result, Result):
            found.results.append(result)
        elif result is not None:
            found.problems.append(result)
    found.results = _with_overviews(found.results, folder)
    return found


def _candidates(folder: Path, depth: int) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name.startswith(".") or path.is_symlink():
            continue
        if path.is_dir() and depth and path.name != PARTS:
            yield from _candidates(path, depth - 1)
        elif path.suffix == ".json" and path.name != "report.json":
            yield path


def _is_ours(path: Path) -> bool:
    """Whether a file that cannot be read was meant as a result, by what lies beside it."""
    names = ("evaluation.json", "prototypes.json", QUESTION)
    others = (path.with_suffix(each).exists() for each in (".npz", ".html"))
    return path.name in names or any(others)


def _result(held: Any, path: Path, folder: Path) -> Result | str | None:
    """A result; words for a broken one; None for files of other kinds."""
    if path.name == "evaluation.json" and "metrics" in held:
        return _evaluation(held, path, folder)
    if path.name == "prototypes.json" and "made" in held:
        return _prototypes(held, path, folder)
    if path.name == QUESTION and not (path.parent / "evaluation.json").exists():
        parts = len(list((path.parent / PARTS).glob("*.npz")))
        return (
            f"{_place(path.parent, folder)}: an evaluation that was not finished, {parts} batches "
            "are kept. The same command goes on from there."
        )
    if isinstance(held, dict) and {"asked", "method", "score"} <= set(held):
        return _explanation(held, path, folder)
    return None


def _explanation(held: Mapping[str, Any], path: Path, folder: Path) -> Result | str:
    arrays, files = _arrays(held, path, folder)
    if not arrays:
        return f"{_place(path, folder)}: its numbers ({path.stem}.npz) are missing."
    known = held.get("identity") or {}
    told = about(held["method"])
    ledger = held.get("ledger")
    body = {
        "created": known.get("created"),
        "versions": known.get("versions"),
        "model": known.get("model") or {"name": held["asked"]["model"]},
        "name": held["name"],
        "label": held["label"],
        "inputs": known.get("inputs") or {"sha256": None, "tensors": {}},
        "method": {
            "name": held["method"],
            "options": _options(held, arrays),
            "equation": told.equation,
            "decomposes": held["decomposes"],
            "papers": held["papers"],
        },
        "rules": known.get("rules"),
        "target": {"spelled": {"python": known.get("target", "")}, "words": held["target"]},
        "score": [held["score"]],
        "top": [held["top"]],
        "sum": [held["sum"]],
        "ledger": []
        if ledger is None
        else [
            {"verdict": held["verdict"], "conserves": held["conserves"], "rows": ledger}
            | (held.get("ledger_sums") or _sums(held))
            | {"flow": held.get("flow")}
        ],
        "notes": held["notes"],
        "facts": {},
        "asked": held["asked"],
    }
    body |= {key: held[key] for key in ("text", "question", "rows") if held.get(key) is not None}
    if "first_token_share" in held:
        body["first_token_share"] = [held["first_token_share"]]
    record = Record("explanation", body, arrays, files=files)
    signed = any(bool((each < 0).any()) for key, each in arrays.items() if key[0] == "r")
    return Result(record, tuple(_map_pictures(path, held, signed)), _place(path.parent, folder))


def _arrays(
    held: Mapping[str, Any], path: Path, folder: Path
) -> tuple[dict[str, np.ndarray], dict[str, tuple[str, str]]]:
    """Relevance, from the record of a text, or from the .npz beside that of a picture."""
    if isinstance(held.get("relevance"), dict):
        found = {
            f"relevance.{key}": np.asarray(each, dtype="<f4")
            for key, each in held["relevance"].items()
        }
        return found, {}
    numbers = path.with_suffix(".npz")
    if not numbers.exists():
        return {}, {}
    with np.load(numbers, allow_pickle=False) as archive:
        relevance = archive["relevance"][None]  # of a batch of one, as the model saw it
    name = "relevance.0"
    return {name: relevance}, {name: (numbers.relative_to(folder).as_posix(), "relevance")}


def _options(held: Mapping[str, Any], arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    given = (held.get("identity") or {}).get("options")
    if given is None:  # made by a version that kept their text only
        return {"all": {"opaque": held["asked"]["options"]}}
    spelled: dict[str, Any] = {}
    for key, each in given.items():
        if isinstance(each, list):
            arrays[f"option.{key}"] = np.asarray(each, dtype="<f4")
            spelled[key] = {"array": f"option.{key}"}
        else:
            spelled[key] = each if isinstance(each, dict) else spell(each, arrays, key)
    return spelled


def _sums(held: Mapping[str, Any]) -> dict[str, Any]:
    rows = held["ledger"]
    lost = {key: sum(row[key] for row in rows) for key in ("bias", "epsilon", "dropped", "softmax")}
    return {"score": held["score"], "arrived": held["sum"], "lost": lost}


def _map_pictures(path: Path, held: Mapping[str, Any], signed: bool) -> Iterator[Picture]:
    """The map of a picture; words in colour are written as text."""
    place = path.with_suffix(".png")
    if "rows" not in held and place.exists():
        alt = f"relevance by {held['method']} for {held['target']}"
        yield _picture(place, alt, colour_key(signed))


def _with_overviews(results: Sequence[Result], folder: Path) -> list[Result]:
    """Each item's picture beside all of its maps, once: with its first result."""
    found, seen = [], set()
    for each in results:
        path = folder / each.place / "overview.png"
        if each.record.kind == "explanation" and each.place not in seen and path.exists():
            seen.add(each.place)
            told = "The picture, and what each method marks in it."
            whole = _picture(path, f"{each.record.body['name']} and its maps", told)
            each = replace(each, pictures=(whole, *each.pictures))
        found.append(each)
    return found


def _evaluation(held: Mapping[str, Any], path: Path, folder: Path) -> Result:
    protocol = held["protocol"]
    body = {
        "created": None,
        "versions": protocol.get("versions"),
        "model": {**(protocol.get("model") or {}), **(protocol.get("identity") or {})},
        "data_sha256": _data_hash(path.parent),
        **held,
    }
    record = Record("evaluation", body)
    pictures = _beside(path, "evaluation", "curves and means with their intervals")
    return Result(record, pictures, _place(path.parent, folder))


def _data_hash(folder: Path) -> str:
    """One hash over the digests of all measured samples, in the order of their ids."""
    try:
        digests = Store(folder).read()[1]
    except InvalidInput:
        return ""
    lines = sorted(f"{name}\t{digest}\n" for name, digest in digests.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest() if lines else ""


def _prototypes(held: Mapping[str, Any], path: Path, folder: Path) -> Result:
    made = held["made"]
    body = {
        "created": None,
        "versions": made.get("versions") or {"torch": made.get("torch", "unknown")},
        "model": made.get("identity") or {"name": made.get("model", "")},
        **held,
    }
    numbers = path.with_suffix(".npz")
    arrays, files = {}, {}
    if numbers.exists():
        with np.load(numbers, allow_pickle=False) as archive:
            arrays = {"inputs": archive["inputs"]}
        files = {"inputs": (numbers.relative_to(folder).as_posix(), "inputs")}
    record = Record("prototypes", body, arrays, files=files)
    return Result(
        record, _beside(path, "prototypes", "the prototypes"), _place(path.parent, folder)
    )


def _beside(path: Path, stem: str, alt: str) -> tuple[Picture, ...]:
    """The drawing beside the numbers, as SVG, whose letters stay sharp on paper."""
    for suffix in (".svg", ".png"):
        place = path.with_name(stem + suffix)
        if place.exists():
            return (_picture(place, alt),)
    return ()


def _picture(path: Path, alt: str, caption: str = "") -> Picture:
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return Picture(f"data:{_TYPES[path.suffix]};base64,{data}", alt, caption)


def _place(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()
