"""An evaluation as lines of text: the table, and what went wrong."""

from collections.abc import Mapping, Sequence
from itertools import islice

from rich.cells import cell_len

from whence.metrics import Failure

_BETTER = {1: "larger is better", -1: "smaller is better", 0: ""}
_SHOWN = 5


def score_table(
    methods: Sequence[str], columns: Mapping[str, tuple[int, Mapping[str, str]]]
) -> str:
    """Methods by metrics; of each metric its direction and the cells, by method."""
    table = [["", "", *methods]]
    for name, (direction, cells) in columns.items():
        table.append([name, _BETTER[direction], *(cells[method] for method in methods)])
    widths = [max(cell_len(cell) for cell in column) for column in table]
    rows = zip(*table, strict=True)
    return "\n".join(
        "  ".join(
            cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    )


def failure_lines(failures: Sequence[Failure], what: str = "failed on") -> list[str]:
    """Why samples have no number, a line for each kind with the samples it struck."""
    kinds: dict[tuple[str, str, str], list[str]] = {}
    for each in failures:
        kinds.setdefault((each.method, each.metric, each.error), []).append(str(each.id))
    lines = []
    for (method, metric, error), ids in islice(kinds.items(), _SHOWN):
        where = f"{method}, {metric}" if metric else method
        samples = f"{len(ids):,} sample{'s' * (len(ids) != 1)}"
        shown = ", ".join(ids[:3]) + (", ..." if len(ids) > 3 else "")
        lines.append(f"{where} {what} {samples} ({shown}): {error}")
    if len(kinds) > _SHOWN:
        lines.append(f"... and {len(kinds) - _SHOWN} more kinds.")
    return lines
