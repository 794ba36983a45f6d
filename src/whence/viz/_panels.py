"""Several sets of curves beside each other, as one figure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from matplotlib.figure import Figure

from whence.errors import InvalidInput
from whence.viz._arrays import Values, to_array
from whence.viz._figure import new_panels, plain
from whence.viz._series import LINES, draw_lines


@dataclass(frozen=True, eq=False)
class Panel:
    """One panel of curves over the same x.

    - `lines`: name -> (T,), or (runs, T), drawn as the mean with a band of one standard error.
    - `x`: (T,), by default 0, 1, 2, ...
    - `theory`: name -> (T,), a thin broken line in the colour of the curve of that name.
    - `marks`: whether each point has a dot, for curves of few points.
    """

    title: str
    lines: Mapping[str, Values]
    x: Values | None = None
    xlabel: str = ""
    ylabel: str = ""
    theory: Mapping[str, Values] = field(default_factory=dict)
    marks: bool = False


def draw_panels(panels: Sequence[Panel], *, columns: int = 3) -> Figure:
    """Draw panels row by row, each with its own axes and names.

    Raises `InvalidInput` if there is no panel, or theory for a curve that is not there.

    >>> len(draw_panels([Panel("slope", {"lrp": [3.0, 1.0]})]).axes)
    1
    """
    if not panels:
        raise InvalidInput("There is nothing to draw: no panel was given.")
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    figure, grid = new_panels(4.2 * columns, 3.4 * rows, rows, columns)
    axes = [axis for row in grid for axis in row]
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    for axis, panel in zip(axes, panels, strict=False):
        draw_lines(axis, panel.lines, panel.x)
        if panel.marks:
            for line in axis.lines:
                line.set_marker("o")
                line.set_markersize(4)
        names = list(panel.lines)
        for name, values in panel.theory.items():
            if name not in names:
                raise InvalidInput(f"There is theory for {name!r}, and no curve of that name.")
            y = to_array(values, f"theory {name!r}")
            places = range(len(y)) if panel.x is None else to_array(panel.x, "x")
            colour = LINES[names.index(name) % len(LINES)]
            axis.plot(places, y, color=colour, linestyle=":", linewidth=1.2)
        axis.set_title(plain(panel.title), fontsize=10, loc="left", fontweight="bold")
        axis.set_xlabel(plain(panel.xlabel), fontsize=9, color="0.25")
        axis.set_ylabel(plain(panel.ylabel), fontsize=9, color="0.25")
        axis.grid(color="0.92")
        axis.legend(frameon=False, fontsize=8)
    return figure
