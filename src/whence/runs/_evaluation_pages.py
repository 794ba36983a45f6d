"""An evaluation as lines of text: the table, and what went wrong."""

from collections.abc import Mapping, Sequence
from itertools import islice

from rich.cells import cell_len

from whence.metrics import Failure

_BETTER = {1: "larger is better", -1: "smaller is better", 0: "neither is better"}
_SHOWN, _WIDE = 5, 100
_NAMED = 3  # methods that fit a line


def score_table(
    methods: Sequence[str], columns: Mapping[str, tuple[int, Mapping[str, str]]]
) -> str:
    """Methods by metrics; of each metric its direction and the cells, by method. What does not fit
    the width of a page goes below."""
    names = _column(["", "", *methods])
    blocks: list[list[list[str]]] = []
    for name, (direction, cells) in columns.items():
        column = _column([name, _BETTER[direction], *(cells[method] for method in methods)])
        taken = sum(cell_len(each[0]) + 2 for each in blocks[-1]) if blocks else _WIDE
        if taken + cell_len(column[0]) > _WIDE:
            blocks.append([names])
        blocks[-1].append(column)
    pages = [
        "\n".join("  ".join(row).rstrip() for row in zip(*block, strict=True)) for block in blocks
    ]
    return "\n\n".join(pages)


def _column(cells: list[str]) -> list[str]:
    """Cells of one width."""
    width = max(cell_len(cell) for cell in cells)
    return [cell + " " * (width - cell_len(cell)) for cell in cells]


def failure_lines(failures: Sequence[Failure], what: str = "failed on") -> list[str]:
    """Why samples have no number, a line for each kind with the samples and methods it struck."""
    struck: dict[tuple[str, str, str], list[str]] = {}
    for each in failures:
        struck.setdefault((each.metric, each.error, str(each.id)), []).append(each.method)
    kinds: dict[tuple[str, str, str], list[str]] = {}
    for (metric, error, name), methods in struck.items():
        kinds.setdefault((_together(methods), metric, error), []).append(name)
    lines = []
    for (methods, metric, error), ids in islice(kinds.items(), _SHOWN):
        where = f"{methods}, {metric}" if metric else methods
        samples = f"{len(ids):,} sample{'s' * (len(ids) != 1)}"
        shown = ", ".join(ids[:3]) + (", ..." if len(ids) > 3 else "")
        lines.append(f"{where} {what} {samples} ({shown}): {error}")
    if len(kinds) > _SHOWN:
        lines.append(f"... and {len(kinds) - _SHOWN} more kinds.")
    return lines


def _together(methods: Sequence[str]) -> str:
    names = list(dict.fromkeys(methods))
    return " and ".join(names) if len(names) <= _NAMED else f"{len(names)} methods"
