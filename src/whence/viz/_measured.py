"""Figures of what was measured: curves with bands, and means with intervals, by method."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from whence.errors import InvalidInput
from whence.viz._figure import new_panels, plain
from whence.viz._series import DASHES, LINES

Row = tuple[float, float, float]
_NARROW = 4.6  # inches: readable on a phone, where figures shrink to the screen
_NAMES = 3  # of methods side by side below the curves


@dataclass(frozen=True, eq=False)
class Measured:
    """What one metric says about several methods.

    - `intervals`: method -> (mean, low, high); NaN where there is none.
    - `bands`: method -> (x, mean, low, high), each of shape (points,).
    - `better`: 1 if larger is better, -1 if smaller is, 0 if neither.
    """

    title: str
    intervals: Mapping[str, Row]
    bands: Mapping[str, Sequence[NDArray[np.float64]]] = field(default_factory=dict)
    xlabel: str = ""
    ylabel: str = ""
    better: int = 0


def draw_measured(rows: Sequence[Measured]) -> Figure:
    """Draw one row for each metric: its curves with bands, and means with their intervals.

    A method has the same colour everywhere. Raises `InvalidInput` if there is nothing to draw.

    >>> row = Measured("flipping", {"lrp": (0.8, 0.7, 0.9), "random": (0.5, 0.4, 0.6)})
    >>> len(draw_measured([row]).axes)
    1
    """
    if not rows:
        raise InvalidInput("There is nothing to draw: no metric was given.")
    methods = list(dict.fromkeys(name for row in rows for name in row.intervals))
    styles = _styles(methods)
    curved = any(row.bands for row in rows)
    height = max(2.6 if curved else 1.2, 1.0 + 0.3 * len(methods))
    figure, grid = new_panels(10.0 if curved else 6.4, height * len(rows), len(rows), 1 + curved)
    for row, axes in zip(rows, grid, strict=True):
        if row.bands:
            _draw_bands(axes[0], row, styles)
        elif curved:
            axes[0].set_axis_off()
        _draw_intervals(axes[-1], row, styles, legend=not row.bands)
    return figure


def draw_bands(row: Measured) -> Figure:
    """Draw the curves of one metric alone, with their bands and the names of the methods below.

    A method has the colour that `draw_intervals` gives it. Raises `InvalidInput` without curves.

    >>> x, y = np.array([0.0, 1.0]), np.array([0.9, 0.1])
    >>> len(draw_bands(Measured("flipping", {"lrp": (0.8, 0.7, 0.9)}, {"lrp": [x, y, y, y]})).axes)
    1
    """
    if not row.bands:
        raise InvalidInput(f"There is nothing to draw: {row.title} has no curves.")
    rows = -(-len(row.bands) // _NAMES)
    figure, ((axis,),) = new_panels(_NARROW, 3.0 + 0.2 * rows, 1, 1)
    styles = _styles(row.intervals)
    _draw_bands(axis, row, styles)
    lines = dict(zip(row.bands, axis.lines, strict=True))
    figure.legend(
        list(lines.values()),
        [f" {plain(name)}" for name in lines],  # a leading underscore would hide the name
        loc="outside lower center", ncols=_NAMES, frameon=False, fontsize=8,
    )  # fmt: skip
    return figure


def draw_intervals(row: Measured) -> Figure:
    """Draw the means of one metric alone, each with its interval: one line for each method.

    >>> len(draw_intervals(Measured("flipping", {"lrp": (0.8, 0.7, 0.9)})).axes)
    1
    """
    height = max(1.2, 1.0 + 0.3 * len(row.intervals))
    figure, ((axis,),) = new_panels(_NARROW, height, 1, 1)
    _draw_intervals(axis, row, _styles(row.intervals), legend=True)
    return figure


def _draw_bands(axis: Axes, row: Measured, styles: Mapping[str, tuple[str, str]]) -> None:
    for name, (x, mean, low, high) in row.bands.items():
        colour, dash = styles[name]
        axis.plot(x, mean, color=colour, linestyle=dash, linewidth=1.8)
        axis.fill_between(x, low, high, color=colour, alpha=0.15, lw=0)
    axis.set_title(plain(row.title), fontsize=11, loc="left", fontweight="bold")
    axis.set_xlabel(plain(row.xlabel), fontsize=9, color="0.25")
    axis.set_ylabel(plain(row.ylabel), fontsize=9, color="0.25")
    axis.grid(color="0.92")


def _draw_intervals(
    axis: Axes, row: Measured, styles: Mapping[str, tuple[str, str]], *, legend: bool
) -> None:
    names = list(row.intervals)
    for place, name in enumerate(names):
        mean, low, high = row.intervals[name]
        colour, dash = styles[name]
        axis.plot(
            [low, high], [place, place], color=colour, linewidth=3.0, linestyle=dash, alpha=0.6
        )
        axis.plot([mean], [place], "o", color=colour, markersize=5)
        if np.isfinite(mean):
            axis.annotate(
                f"{mean:.3g}", (mean, place), (0, 6), textcoords="offset points",
                ha="center", fontsize=8, color="0.25",
            )  # fmt: skip
    axis.set_yticks(range(len(names)), [plain(name) for name in names], fontsize=9)
    axis.set_ylim(len(names) - 0.4, -0.8)
    axis.margins(x=0.1)
    axis.grid(axis="x", color="0.92")
    if legend:
        axis.set_title(plain(row.title), fontsize=11, loc="left", fontweight="bold")
    words = {1: "larger is better", -1: "smaller is better", 0: "neither way is better"}
    axis.set_xlabel(f"mean, {words[row.better]}", fontsize=9, color="0.25")


def _styles(methods: Iterable[str]) -> dict[str, tuple[str, str]]:
    """The colour and dash of each method, by its place."""
    return {
        name: (LINES[place % len(LINES)], DASHES[place // len(LINES) % len(DASHES)])
        for place, name in enumerate(methods)
    }
