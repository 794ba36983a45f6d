"""A record: all that an audit needs of a result, as JSON that gives the same object back."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from whence.errors import InvalidInput
from whence.reports._arrays import beside, read_array, written
from whence.runs._evaluate_store import written_whole
from whence.runs._evaluation_files import plain

SCHEMA, VERSION = "whence.record", 1
NEEDED = {
    "explanation": ("created", "versions", "model", "inputs", "method", "target", "score"),
    "evaluation": ("created", "versions", "protocol", "metrics"),
    "prototypes": ("created", "versions", "made", "objective"),
    "run": ("created", "versions"),
}


@dataclass(frozen=True, eq=False, repr=False)
class Record:
    """What was asked, of whom, and what came out; made by `record_of`, read back by `read`.

    `kind` is "explanation", "evaluation", "prototypes" or "run"; `body` holds plain values,
    `arrays` numbers by name, `parts` the records of a run. Two records are equal if they agree in
    all of it, arrays to the last bit; of a number that is not finite the body says None.

    The file is one JSON object: `schema` ("whence.record"), `version` (1), and these four. An array
    is `dtype`, `shape` and `sha256` of its little-endian bytes, with the bytes as base64 (`data`),
    or the name of a .npz beside the record and of the array in it (`file`, `array`). The body of

    - "explanation": created, versions, model, inputs, method, rules, target, score, top, sum,
      ledger, notes, facts, reproduce; where known name, label, text. Arrays: "relevance.NAME";
    - "evaluation": created, versions, model, and what `Evaluation.record` gives;
    - "prototypes": created, versions, model, and what `Prototypes.record` gives. Array: "inputs";
    - "run": created, versions, folder, reproduce, failures, problems.

    The hashes find accidents and mix-ups. They are no signature: whoever can change a record can
    change its hashes too.
    """

    kind: str
    body: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    parts: tuple["Record", ...] = ()
    files: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in NEEDED:
            raise InvalidInput(f"A record's kind is one of {', '.join(NEEDED)}, got {self.kind!r}.")
        missing = [each for each in NEEDED[self.kind] if each not in self.body]
        if missing:
            raise InvalidInput(f"A record of an {self.kind} needs {', '.join(missing)}.")
        object.__setattr__(self, "body", plain(self.body))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Record):
            return NotImplemented
        same = (self.kind, self.body, self.parts) == (other.kind, other.body, other.parts)
        return same and _bits(self.arrays) == _bits(other.arrays)

    __hash__ = None  # type: ignore[assignment]  # it holds dictionaries

    def __repr__(self) -> str:
        about = self.body.get("method", {}).get("name") or self.body.get("folder") or ""
        more = f", {len(self.parts)} parts" if self.parts else ""
        return f"Record({' '.join(filter(None, [self.kind, str(about)]))}{more})"

    def to_json(self) -> str:
        """The text of the file."""
        about = {"schema": SCHEMA, "version": VERSION}
        return json.dumps(about | self._plain(), indent=1, ensure_ascii=False, allow_nan=False)

    def save(self, path: str | Path) -> Path:
        """Write the record, whole or not at all. Returns the path."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        written_whole(path, lambda place: place.write_text(self.to_json(), encoding="utf-8"))
        return path

    def _plain(self) -> dict[str, Any]:
        arrays = {
            name: beside(each, *self.files[name]) if name in self.files else written(each)
            for name, each in self.arrays.items()
        }
        parts = [each._plain() for each in self.parts]
        return {"kind": self.kind, "body": self.body, "arrays": arrays, "parts": parts}


def read(path: str | Path) -> Record:
    """The record in a file, equal to the one that was saved.

    Raises `InvalidInput` for what is no record, for another version of the schema, and where an
    array does not have the hash that the record states.
    """
    path = Path(path)
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidInput(f"{path} cannot be read as a record ({error}).") from error
    if not isinstance(held, dict) or held.get("schema") != SCHEMA:
        raise InvalidInput(
            f"{path} is no record: it should say schema {SCHEMA!r}. Reports write theirs as "
            "report.json."
        )
    if held.get("version") != VERSION:
        raise InvalidInput(
            f"{path} has version {held.get('version')!r} of the schema; this version of Whence "
            f"reads {VERSION}."
        )
    return _record(held, path.parent)


def _record(held: Any, folder: Path) -> Record:
    form = {"kind": str, "body": dict, "arrays": dict, "parts": list}
    wrong = [n for n, t in form.items() if not isinstance(held, dict) or type(held.get(n)) is not t]
    if wrong:
        raise InvalidInput(f"A record needs kind, body, arrays and parts; {wrong[0]} is not right.")
    arrays = {name: read_array(each, folder) for name, each in held["arrays"].items()}
    files = {
        name: (str(each["file"]), str(each["array"]))
        for name, each in held["arrays"].items()
        if "file" in each
    }
    parts = tuple(_record(each, folder) for each in held["parts"])
    return Record(held["kind"], held["body"], arrays, parts, files)


def _bits(arrays: Mapping[str, np.ndarray]) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    return {name: (each.dtype.str, each.shape, each.tobytes()) for name, each in arrays.items()}
