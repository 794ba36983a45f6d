"""Matplotlib figures without pyplot: no global state, no windows, the same look everywhere."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from PIL import Image

from whence.viz._text import clean

_DPI = 110


def new_figure(width: float, height: float, rows: int = 1) -> tuple[Figure, list[Axes]]:
    """Create a figure of that many inches with `rows` axes below each other."""
    figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained", facecolor="white")
    axes = figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0].tolist()
    _calm(axes)
    return figure, axes


def new_panels(
    width: float, height: float, rows: int, columns: int
) -> tuple[Figure, list[list[Axes]]]:
    """Create a figure of that many inches with a grid of axes, each for itself."""
    figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained", facecolor="white")
    grid = figure.subplots(rows, columns, squeeze=False).tolist()
    _calm([axis for row in grid for axis in row])
    return figure, grid


def _calm(axes: list[Axes]) -> None:
    """Thin grey frames: the data stand out."""
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.spines[["left", "bottom"]].set_color("0.6")
        axis.tick_params(color="0.6", labelcolor="0.25", labelsize=9)


def plain(text: str) -> str:
    """Keep matplotlib from reading dollar signs as mathematics, and drop control characters."""
    return clean(text).replace("$", r"\$")


def render(figure: Figure) -> Image.Image:
    """Paint a figure as an RGB picture."""
    canvas = FigureCanvasAgg(figure)
    with _quiet():
        canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def figure_to_svg(figure: Figure) -> str:
    """Write a figure as an SVG document; the same figure gives the same text each time."""
    stream = io.StringIO()
    # Text stays text, and ids and dates do not change from run to run.
    with _quiet(), matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "whence"}):
        FigureCanvasSVG(figure).print_svg(stream, metadata={"Date": None})
    return stream.getvalue()


@contextmanager
def _quiet() -> Iterator[None]:
    """A script the font lacks shows as boxes; that is no reason to warn, even less to fail."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
        yield
