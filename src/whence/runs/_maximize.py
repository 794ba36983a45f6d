"""Prototypes of a named model: looked for, and written to files."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from whence import prototypes
from whence.errors import Diverged, InvalidInput
from whence.prototypes import Prior, Prototypes
from whence.runs._prototype_ask import Search
from whence.runs._prototype_files import write_prototypes
from whence.runs._prototype_making import (
    Known,
    box_of,
    filed_expert,
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


@dataclass(frozen=True)
class Effort:
    """How long and how often to climb.

    count: prototypes of each class. rate: the step of Adam, as a share of the range of pixels; by
    default 0.02, and 0.05 of the unit of a code. progress: as `maximize` takes it.
    """

    count: int = 1
    steps: int = 300
    rate: float | None = None
    seed: int = 0
    progress: bool | Callable[[int, Tensor, Tensor], None] = False


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
    effort = Effort(count, steps, rate, seed, progress)
    check_count(search, effort)
    known = read_known(search, say)
    expert = partial(filed_expert, search, folder=folder, seed=seed, progress=progress, say=say)
    prior = prior_of(search, known, expert)
    try:
        found = climb(search, known, prior, effort)
    except Diverged as error:
        if error.found is not None:
            write_prototypes(search, error.found, folder)
        raise
    rows, files = write_prototypes(search, found, folder)
    stopped = any(note.startswith("Stopped by hand") for note in found.notes)
    return Searched(found, rows, files, stopped)


def check_count(search: Search, effort: Effort) -> None:
    """Several of a class need a start that differs."""
    if effort.count > 1 and search.start != "noise":
        raise InvalidInput(
            "Prototypes of one class differ only by where they start: with "
            f"count={effort.count} start from noise, got {search.start}."
        )


def climb(search: Search, known: Known | None, prior: Prior | None, effort: Effort) -> Prototypes:
    """The ascent itself: nothing is read, learnt or written."""
    share = _RATE[search.form] if effort.rate is None else effort.rate
    return prototypes.maximize(
        search.net.module,
        search.objective,
        start=start_of(search, known),
        prior=prior,
        parametrisation=form_of(search, known),
        transformations=search.changes,
        rate=share * span_of(search.net) if search.form == "pixels" else share,
        schedule="cosine",
        steps=effort.steps,
        box=None if search.form == "generator" else box_of(search),
        count=effort.count,
        seed=effort.seed,
        progress=effort.progress,
    )
