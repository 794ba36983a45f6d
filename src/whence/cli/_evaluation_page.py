"""What `whence evaluate` prints."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from whence import viz
from whence.runs import Evaluation, failure_lines, table_rows


def evaluation_page(found: Evaluation, files: Sequence[Path]) -> list[RenderableType]:
    """For each metric the methods with intervals and what sets them apart from the first; what
    failed; where the files are."""
    page: list[RenderableType] = []
    rows = table_rows(found)
    for metric in found.metrics:
        page += [_metric_table([row for row in rows if row["metric"] == metric], found), Text()]
    page += [Text(line) for line in failure_lines(found.failures)]
    page += [Text(line) for line in failure_lines(found.left_out, "left out")]
    if found.stopped:
        page.append(Text(f"Not all samples are measured: {found.stopped}."))
    elif not found.complete:
        page.append(Text("Other shards are missing. Without --shard, the same command joins them."))
    page.append(Text("Files:" if found.complete else "Files, of what is finished so far:"))
    return [*page, *(Text(f"  {path}") for path in files)]


def _metric_table(rows: Sequence[Mapping[str, Any]], found: Evaluation) -> RenderableType:
    share = f"{found.confidence:.0%}"
    counts = {row["count"] for row in rows}
    columns = ["method", f"mean [{share} interval]"]
    if len(rows) > 1:
        columns += ["minus the first, paired", "p"]
    if len(counts) > 1 or any(row["missing"] for row in rows):
        columns.append("samples (without a number)")
    shown = [_entries(row, columns) for row in rows]
    better = rows[0]["better"]
    said = "neither larger nor smaller" if better == "neither" else better
    title = f"{rows[0]['metric']}: {said} is better; {_samples(max(counts))}"
    table = viz.table(columns, shown, title=title)
    table.columns[0].overflow = "fold"  # names are broken before numbers are
    for column in table.columns[1:]:
        column.no_wrap = True
    return table


def _samples(count: int) -> str:
    return f"{count:,} sample" + ("" if count == 1 else "s")


def _entries(row: Mapping[str, Any], columns: Sequence[str]) -> list[str]:
    cells = [row["method"], _told(row["mean"], row["low"], row["high"])]
    if "p" in columns:
        mean, low, high, p = (row[f"difference_{each}"] for each in ("mean", "low", "high", "p"))
        cells += ["", ""] if mean is None else [_told(mean, low, high, "+"), _p(p)]
    if "(" in columns[-1]:
        cells.append(f"{row['count']} ({row['missing']})")
    return cells


def _told(mean: float, low: float, high: float, sign: str = "") -> str:
    """A mean and its interval, in three decimals where these say something."""
    if math.isnan(mean):
        return "none"
    size = max(abs(mean), abs(low), abs(high))
    form = sign + (".3f" if 0.01 <= size < 1000 or size == 0 else ".2e")
    if math.isnan(low):
        return f"{mean:{form}}"
    return f"{mean:{form}} [{low:{form}}, {high:{form}}]"


def _p(value: float) -> str:
    if math.isnan(value):
        return ""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
