"""A bar on standard error while an ascent runs, or a function of the user's that is told."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from whence.prototypes._ascent import Advance


@contextmanager
def shown(
    progress: bool | Callable[[int, Tensor, Tensor], None], steps: int, groups: int
) -> Iterator[Callable[[int], Advance]]:
    """What makes, for each group of prototypes, the function that is told of its steps."""
    if callable(progress):
        yield lambda _: progress
        return
    if not progress:
        yield lambda _: lambda step, objective, prior: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("steps", total=steps * groups)

        def of(group: int) -> Advance:
            def advance(step: int, objective: Tensor, prior: Tensor) -> None:
                mean = float(objective.mean())
                bar.update(
                    task, completed=group * steps + step, description=f"steps, mean {mean:.4g}"
                )

            return advance

        yield of
