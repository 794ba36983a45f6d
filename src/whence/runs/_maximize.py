"""Prototypes of a named model: looked for, and written to files."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from whence import prototypes
from whence.errors import Diverged, InvalidInput
from whence.prototypes import Prototypes
from whence.runs._prototype_ask import Search
from whence.runs._prototype_files import write_prototypes
from whence.runs._prototype_making import (
    box_of,
    form_of,
    prior_of,
    read_known,
    span_of,
    start_of,
)

_RATE = {"pixels": 0.02, "fourier": 0.02, "generator": 0.05}


@dataclass(frozen=True, eq=False)
class Searched:
    """What was found: prototypes, the row of scores of each, and the files that were written."""

    prototypes: Prototypes
    rows: list[dict[str, Any]]
    files: list[Path]
    stopped: bool


def find_prototypes(
    search: Search,
    out: str | Path,
    *,
    count: int = 1,
    steps: int = 300,
    rate: float | None = None,
    seed: int = 0,
    progress: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Searched:
    """Look for what was asked, and write what was found below `out`.

    rate: the step of Adam, as a share of the range of pixels; by default 0.02, and 0.05 of the unit
    of a code. A density expert is kept in `out` and used again there. What an interrupted or failed
    search had reached is written too.
    """
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise InvalidInput(f"out= must be a folder, got the file {folder}.")
    if count > 1 and search.start != "noise":
        raise InvalidInput(
            f"Prototypes of one class differ only by where they start: with count={count} start "
            f"from noise, got {search.start}."
        )
    known = read_known(search, say)
    prior = prior_of(search, known, folder, seed, progress, say)
    form, start = form_of(search, known), start_of(search, known)
    share = _RATE[search.form] if rate is None else rate
    options: dict[str, Any] = {
        "start": start,
        "prior": prior,
        "parametrisation": form,
        "transformations": search.changes,
        "rate": share * span_of(search.net) if search.form == "pixels" else share,
        "schedule": "cosine",
        "steps": steps,
        "box": None if search.form == "generator" else box_of(search),
        "count": count,
        "seed": seed,
        "progress": progress,
    }
    try:
        found = prototypes.maximize(search.net.module, search.objective, **options)
    except Diverged as error:
        if error.found is not None:
            write_prototypes(search, error.found, folder)
        raise
    rows, files = write_prototypes(search, found, folder)
    stopped = any(note.startswith("Stopped by hand") for note in found.notes)
    return Searched(found, rows, files, stopped)
