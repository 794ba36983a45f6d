"""Explanations written to files, resumable: pictures for people, numbers for programs."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from whence import viz
from whence._explanation import Explanation
from whence.errors import NotConserved, WhenceError
from whence.runs._identified import (
    check_same_model,
    flow_record,
    identified,
    ledger_option,
    ledger_sums,
)
from whence.runs._question import Asked, Question, in_words
from whence.runs._reason import reason
from whence.runs._subjects import Subject
from whence.zoo import Model

_TOP = 5


@dataclass(frozen=True, eq=False)
class Answer:
    """What is known about one picture or text after the run.

    records: one dictionary for each method, as in its .json file. maps: relevance as the net sees
    a picture, (height, width), one for each method; none for texts. new: how many methods were
    run just now. error: what went wrong instead; cause: the exception, where one was raised.
    """

    name: str
    folder: Path
    records: tuple[dict[str, Any], ...] = ()
    maps: tuple[np.ndarray, ...] = ()
    new: int = 0
    error: str | None = None
    cause: Exception | None = None


def explain_pictures(
    subjects: Sequence[Subject], question: Question, out: str | Path, *, again: bool = False
) -> Iterator[Answer]:
    """Explain each picture, write what was found below `out`, and yield it.

    Each picture gets a folder with, for each method, METHOD.png (the map in the picture's own
    pixels), METHOD.npz (the numbers) and METHOD.json (scores, sums, ledger); overview.png shows the
    methods side by side. What is there already, for the same question and picture, is not done
    again unless `again`; if the model's weights have changed since, it is an error before any work.
    A picture that fails does not stop the others, and is tried again the next time.
    """
    folders = [Path(out) / subject.name for subject in subjects]
    if not again:
        check_same_model(question.net, question.known, folders)
    return (
        answered(folder, lambda one=one, folder=folder: _explain(one, question, folder, again))
        for one, folder in zip(subjects, folders, strict=True)
    )


def answered(folder: Path, explain: Callable[[], Answer]) -> Answer:
    """The answer, or what went wrong with this one: the others are explained all the same."""
    try:
        return explain()
    except OSError:  # of the folder that is written to, and so of all
        raise
    except Exception as error:
        told = str(error) if isinstance(error, WhenceError) else reason(error)
        return Answer(folder.name, folder, error=told, cause=error)


def _explain(subject: Subject, question: Question, folder: Path, again: bool) -> Answer:
    picture: Tensor | None = None
    new = 0
    for asked in question.asked:
        stamp = _stamp(question.net, asked, question.words, subject.origin)
        if not again and _is_done(folder, stamp, asked, (".json", ".npz", ".png")):
            continue
        picture = subject.load() if picture is None else picture
        _write(folder, subject, question, asked, picture)
        new += 1
    records = tuple(
        json.loads(_file(folder, asked, ".json").read_text()) for asked in question.asked
    )
    maps = tuple(_map(_file(folder, asked, ".npz"), "relevance") for asked in question.asked)
    overview = folder / "overview.png"
    if new or not overview.exists():
        picture = subject.load() if picture is None else picture
        page = _overview(picture, question, folder, records)
        _safely(overview, lambda path: viz.save(page, path))
    return Answer(subject.name, folder, records, maps, new)


def _write(
    folder: Path, subject: Subject, question: Question, asked: Asked, picture: Tensor
) -> None:
    explainer = asked.kind(question.net.module, **asked.options)
    found = explainer.explain(
        question.preprocess(picture), question.target, **ledger_option(asked.kind)
    )
    height, width = picture.shape[1:]
    pixels = question.preprocess.to_picture(found.relevance, height, width)[0]
    arrays = {
        "relevance": found.relevance[0],
        "pixels": pixels,
        "output": found.output[0],
        "score": found.score[0],
    }
    numbers = {name: each.detach().numpy() for name, each in arrays.items()}
    folder.mkdir(parents=True, exist_ok=True)
    page = viz.heatmap(pixels)
    _safely(_file(folder, asked, ".npz"), lambda path: np.savez_compressed(path, **numbers))
    _safely(_file(folder, asked, ".png"), lambda path: viz.save(page, path))
    # Last, since it says that the others are complete.
    record = _record(subject, question, asked, found, pixels)
    text = json.dumps(record, indent=1, ensure_ascii=False)
    _safely(_file(folder, asked, ".json"), lambda path: path.write_text(text, encoding="utf-8"))


def _record(
    subject: Subject, question: Question, asked: Asked, found: Explanation, pixels: Tensor
) -> dict[str, Any]:
    classes = question.net.classes
    scores, numbers = found.output[0].topk(min(_TOP, len(classes)))
    pairs = zip(numbers.tolist(), scores.tolist(), strict=True)
    target = classes[int(numbers[0])] if question.words == "the highest score" else question.words
    ledger = found.ledger
    return {
        "asked": _stamp(question.net, asked, question.words, subject.origin),
        "method": asked.kind.name,
        "composite": question.composite if "composite" in asked.options else None,
        "name": subject.name,
        "label": subject.label,
        "target": target,
        "score": float(found.score[0]),
        "top": [{"class": classes[k], "number": k, "score": score} for k, score in pairs],
        "sum": float(found.relevance.double().sum()),
        "sum_in_pixels": float(pixels.double().sum()),
        "verdict": None if ledger is None else ledger.verdict,
        "conserves": None if ledger is None else _conserves(ledger),
        "ledger": None if ledger is None else ledger.to_rows(),
        "ledger_sums": ledger_sums(ledger),
        "flow": flow_record(ledger),
        "notes": found.notes,
        "identity": identified(question.net, asked, question.composite, found, question.known),
        **in_words(asked.kind),
    }


def _conserves(ledger: Any) -> bool:
    try:
        ledger.check()
    except NotConserved:
        return False
    return True


def _stamp(net: Model, asked: Asked, words: str, origin: str) -> dict[str, str]:
    """What must be the same for an answer to be the same."""
    return {
        "model": net.name,
        "method": asked.kind.name,
        "options": repr({key: _plain(each) for key, each in asked.options.items()}),
        "target": words,
        "picture": origin,
    }


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, Tensor) else value


def _is_done(folder: Path, stamp: dict[str, str], asked: Asked, suffixes: tuple[str, ...]) -> bool:
    if not all(_file(folder, asked, suffix).exists() for suffix in suffixes):
        return False
    try:
        record = json.loads(_file(folder, asked, ".json").read_text(encoding="utf-8"))
    except ValueError:
        return False
    return record.get("asked") == stamp


def _overview(
    picture: Tensor, question: Question, folder: Path, records: Sequence[dict[str, Any]]
) -> viz.Drawing:
    """All methods side by side: over the picture, or, if it is smaller than what the net sees, in
    the net's pixels with the outline of what it sees."""
    seen = question.preprocess(picture)[0]
    small = picture.shape[1] < seen.shape[1]
    draw, which, ground = (
        (viz.heatmap, "relevance", seen) if small else (viz.overlay, "pixels", picture)
    )
    files = [_file(folder, asked, ".npz") for asked in question.asked]
    names = [f"{each['method']} {each['composite'] or ''}".strip() for each in records]
    return viz.draw_grid(
        [[_show(picture), *(draw(_map(path, which), ground) for path in files)]],
        column_names=["the picture", *names],
        captions=[["", *(f"for {each['target']}: {each['score']:.4g}" for each in records)]],
        title=f"{records[0]['name']}, read as {records[0]['top'][0]['class']}",
    )


def _show(picture: Tensor) -> Image.Image:
    channels = picture.expand(3, -1, -1) if picture.shape[0] == 1 else picture
    pixels = (channels.permute(1, 2, 0) * 255).round().to(torch.uint8)
    return Image.fromarray(pixels.numpy())


def _map(path: Path, which: str) -> np.ndarray:
    with np.load(path) as arrays:
        return arrays[which].sum(0)


def _file(folder: Path, asked: Asked, suffix: str) -> Path:
    return folder / (asked.stem + suffix)


def _safely(path: Path, write: Callable[[Path], Any]) -> None:
    """Write beside the file first, so that no half of one is ever left under its name."""
    part = path.with_name(f".part-{path.name}")
    try:
        write(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
