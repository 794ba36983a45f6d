"""An evaluation on disk: the question, and every finished batch, written at once."""

import hashlib
import json
import os
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from whence.errors import InvalidInput
from whence.metrics import Tally

QUESTION, PARTS = "question.json", "parts"
_TEXT = "about"  # the JSON text beside the arrays
# What numpy raises at archives that are cut off or damaged, as by a copy that was interrupted.
_BROKEN = (OSError, ValueError, KeyError, EOFError, RuntimeError, BadZipFile, zlib.error)


@dataclass(frozen=True)
class Store:
    """A folder with `question.json` and one .npz for each finished batch; no pickle.

    A file is written under another name first and then renamed, so that it is whole or absent.
    """

    folder: Path

    @classmethod
    def open(cls, folder: str | Path, question: Mapping[str, Any]) -> "Store":
        """The folder for this question; a folder with results of another one is refused."""
        store = cls(Path(folder))
        path = store.folder / QUESTION
        if path.exists() and any((store.folder / PARTS).glob("*.npz")):
            found = _read_question(path)
            other = differences(found, question)
            if other:
                raise InvalidInput(
                    f"{store.folder} holds another evaluation, which differs in "
                    f"{'; '.join(other[:5])}. Give another folder, or delete this one."
                )
            return store
        if store.folder.exists() and not store.folder.is_dir():
            raise InvalidInput(f"out= must be a folder, got the file {store.folder}.")
        (store.folder / PARTS).mkdir(parents=True, exist_ok=True)
        text = json.dumps(question, indent=1, ensure_ascii=False)
        written_whole(path, lambda place: place.write_text(text, encoding="utf-8"))
        return store

    def read(self) -> tuple[Tally, dict[int | str, str]]:
        """What is finished, and the digest of each of its samples, empty where all failed."""
        tally, digests = Tally(), {}
        for path in sorted((self.folder / PARTS).glob("*.npz")):
            try:
                # Opened here: of a damaged archive, numpy leaves its own file open.
                with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                    arrays = {key: archive[key] for key in archive.files if key != _TEXT}
                    about = json.loads(bytes(archive[_TEXT]).decode())
            except _BROKEN as error:
                raise InvalidInput(
                    f"{path} cannot be read ({error}). Delete it; its samples are measured again."
                ) from error
            # Not `add`: shards that run at the same time by other batches may do a sample twice.
            tally.fill(Tally.from_state(arrays, about["tally"]))
            for name, digest in zip(about["ids"], about["digests"], strict=True):
                digests[name] = digest or digests.get(name, "")
        return tally, digests

    def write(
        self,
        tally: Tally,
        ids: Sequence[int | str],
        digests: Sequence[str],
        pairs: Iterable[tuple[str, str]],
    ) -> Path:
        """Keep a finished batch, which holds numbers by these pairs (method, metric).

        Nothing that was kept before is lost: files are named for what they hold, and where one
        says that a sample failed and another has its number, `read` takes the number.
        """
        arrays, text = tally.state()
        about = json.dumps({"tally": text, "ids": list(ids), "digests": list(digests)})
        arrays[_TEXT] = np.frombuffer(about.encode(), dtype=np.uint8)
        name = hashlib.blake2b(repr([list(ids), sorted(pairs)]).encode(), digest_size=8).hexdigest()
        path = self.folder / PARTS / f"{name}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)

        def save(place: Path) -> None:
            with place.open("wb") as file:  # numpy adds a suffix to names, not to files
                np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # names, not options

        written_whole(path, save)
        return path


def differences(found: Any, asked: Any, where: str = "") -> list[str]:
    """Where two questions differ, in words."""
    if isinstance(found, dict) and isinstance(asked, Mapping):
        keys = [*found, *(key for key in asked if key not in found)]
        return [
            each
            for key in keys
            for each in differences(found.get(key), asked.get(key), f"{where} {key}".strip())
        ]
    if isinstance(found, list) and isinstance(asked, (list, tuple)) and len(found) == len(asked):
        pairs = zip(found, asked, strict=True)
        return [each for one, other in pairs for each in differences(one, other, where)]
    if found == asked or (isinstance(asked, tuple) and found == list(asked)):
        return []
    return [f"{where} ({_short(found)} there, {_short(asked)} now)"]


def written_whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Write a file so that it is there in full or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _read_question(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidInput(f"{path} is no question of an evaluation ({error}).") from error


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
