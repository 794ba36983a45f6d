"""Molecules on paper, with what each atom adds beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, radians, sin

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from molecules.geometry import Molecule, laid_on

_COLOURS = {"H": "#e8e8e8", "C": "#555555", "O": "#c4472b"}
_SIZES = {"H": 130.0, "C": 330.0, "O": 330.0}
_TILT = radians(20)
_MORE, _LESS = "#b2182b", "#2166ac"


@dataclass(frozen=True, eq=False)
class Shown:
    """One row of the figure: places (1, atoms, 3) and what each atom adds, (atoms,)."""

    title: str
    places: Tensor
    added: Tensor


def draw(start: Molecule, rows: Sequence[Shown], title: str) -> Figure:
    """For each row the molecule, the start in pale lines behind it, and bars of what atoms add."""
    figure = Figure(figsize=(7.6, 0.5 + 1.75 * len(rows)), dpi=100, layout="constrained")
    grid = figure.subplots(len(rows), 2, squeeze=False, width_ratios=(1.25, 1))
    plane = _plane(start.places[0])
    most = max(float(row.added.abs().max()) for row in rows)
    for (left, right), row in zip(grid, rows, strict=True):
        _molecule(left, start, row, plane)
        _bars(right, start, row, most)
    figure.suptitle(title, fontsize=11, fontweight="bold", x=0.02, ha="left")
    return figure


def _plane(places: Tensor) -> Tensor:
    """The two directions in which the atoms spread most, (3, 2), always with the same signs.

    Seen a little from above, so that mirrored atoms do not hide each other.
    """
    _, _, (first, second, third) = torch.linalg.svd(places - places.mean(0))
    chosen = torch.stack([first, cos(_TILT) * second + sin(_TILT) * third], 1)
    ends = (places[-1] - places[0]) @ chosen  # the first atom to the left, the last one below
    return chosen * torch.where(ends < 0, -1.0, 1.0)


def _molecule(axis: Axes, start: Molecule, row: Shown, plane: Tensor) -> None:
    before = (start.places[0] - start.places[0].mean(0)) @ plane
    after = (laid_on(row.places, start.places)[0] - start.places[0].mean(0)) @ plane
    for points, colour, width in ((before, "#dddddd", 5.0), (after, "#333333", 1.6)):
        for pair in start.bonds():
            line = points[list(pair)]
            axis.plot(line[:, 0], line[:, 1], color=colour, linewidth=width, zorder=1)
    for number, symbol in enumerate(start.symbols):
        x, y = after[number].tolist()
        colour = _COLOURS[symbol]
        axis.scatter(x, y, s=_SIZES[symbol], c=colour, edgecolors="#333333", zorder=2)
        ink = "black" if symbol == "H" else "white"
        axis.text(x, y, f"{symbol}{number}", color=ink, fontsize=7, ha="center", va="center")
    axis.set_title(row.title, fontsize=9, loc="left")
    axis.set_aspect("equal")
    axis.margins(0.12)
    axis.axis("off")


def _bars(axis: Axes, start: Molecule, row: Shown, most: float) -> None:
    names = [f"{symbol}{number}" for number, symbol in enumerate(start.symbols)]
    values = row.added.tolist()
    axis.bar(names, values, color=[_MORE if each > 0 else _LESS for each in values], width=0.7)
    axis.axhline(0, color="0.3", linewidth=0.8)
    axis.set_ylim(-1.15 * most, 1.15 * most)
    axis.set_ylabel("kcal/mol", fontsize=8)
    axis.tick_params(labelsize=8)
    axis.spines[["top", "right"]].set_visible(False)
    total = sum(values)
    axis.set_title(f"what atoms add to the start's energy: {total:+.1f}", fontsize=8, loc="left")
