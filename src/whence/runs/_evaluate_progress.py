"""What an evaluation will cost, said before it starts, and a bar while it runs."""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text
from torch import Tensor

from whence.metrics import Batch, Metric
from whence.metrics._cost import foretold
from whence.runs._evaluate_ask import Asked
from whence.runs._evaluate_work import Group


@dataclass
class Told:
    """Told of each chunk of forward passes, as `metrics.Batch` tells; passes it on to the bar."""

    bar: "Bar | None" = None

    def __call__(self, count: int) -> None:
        if self.bar is not None:
            self.bar.advance(count)


@dataclass(frozen=True)
class Budget:
    """Exact counts for one sample, and estimated seconds for it."""

    forwards: int
    explanations: int
    seconds: float

    def line(self, samples: int | None, methods: int, metrics: int) -> str:
        """The budget in words."""
        table = f"{counted(methods, 'method')} x {counted(metrics, 'metric')}"
        times = 1 if samples is None else samples
        what = (
            f"{large(times * self.forwards)} forward passes and "
            f"{counted(times * self.explanations, 'explanation')}, "
            f"about {duration(times * self.seconds)}"
        )
        if samples is None:
            return f"{table}, for each sample: {what}"
        return f"{counted(samples, 'sample')} x {table}: {what}"


def budget_of(
    group: Group, explainers: Sequence[Asked], metrics: Mapping[str, Metric]
) -> Budget | None:
    """The budget of one sample, from what metrics say they cost, one chunk of forward passes that
    is run to be timed, and the explanations of the first batch, which are kept.

    None if the first batch fails, which is reported where it is measured."""
    try:
        batch = group.batch
        one = _seconds(batch)
        begun = time.perf_counter()
        for asked in explainers:
            group.case(asked)
        explaining = (time.perf_counter() - begun) / len(group)
        costs = [metric.cost(batch) for metric in metrics.values()]
    except Exception:  # not ours to report: the same work is done, and told of, in its turn
        return None
    again = 1 + sum(cost.explanations for cost in costs)
    forwards = foretold(costs, len(explainers))
    return Budget(forwards, len(explainers) * again, forwards * one + again * explaining)


def _seconds(batch: Batch) -> float:
    """For one forward pass of a full chunk; the model is warm."""
    points = max(1, batch.chunk // len(batch))
    begun = time.perf_counter()

    def copies(samples: slice, times: slice) -> Tensor:
        return batch.x[samples].repeat_interleave(times.stop - times.start, 0)

    batch.grid(copies, points, batch.read("auto"))
    return (time.perf_counter() - begun) / (points * len(batch))


class Bar:
    """A progress bar on standard error, in forward passes; exact again after each batch."""

    def __init__(self, progress: Progress, budget: Budget | None, samples: int | None) -> None:
        self._progress = progress
        self._each = 1 if budget is None else max(1, budget.forwards)
        self._exact = budget is not None
        total = None if samples is None else samples * self._each
        self._task = progress.add_task("forward passes" if self._exact else "samples", total=total)
        self._done = 0

    def advance(self, count: int) -> None:
        """So many copies went through the model."""
        if self._exact:
            self._progress.advance(self._task, count)

    def finish(self, samples: int) -> None:
        """So many samples are done."""
        self._done += samples
        self._progress.update(self._task, completed=self._done * self._each)


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{large(speed)}/s")


@contextmanager
def shown_bar() -> Iterator[Progress]:
    """The bar's frame."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield progress


def is_watched() -> bool:
    """Whether standard error is a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()


def large(number: float) -> str:
    """2,100,000 as 2.1 million."""
    if number >= 999_950_000:
        return f"{number / 1e9:,.1f} billion"
    if number >= 999_950:
        return f"{number / 1e6:.1f} million"
    return f"{number:,.0f}"


def duration(seconds: float) -> str:
    """A time in the unit people would say it in."""
    for size, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 0.95 * size:
            return counted(round(seconds / size), name)
    return counted(round(seconds), "second") if seconds >= 1 else "a second"


def counted(number: int, word: str) -> str:
    """A number of things, in words."""
    return f"{large(number)} {word}" + ("" if number == 1 else "s")
