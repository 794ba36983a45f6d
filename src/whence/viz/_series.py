"""Figures of numbers in a row: signals over time, features of a table, curves."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from whence.errors import InvalidInput
from whence.viz._arrays import Values, to_array
from whence.viz._colour import ink_colour, lookup, normalise
from whence.viz._figure import new_figure, plain

_MOST_CHANNELS, _MOST_BARS = 16, 20
LINES = ("#1f3b73", "#c4472b", "#2f8f6b", "#8a5fb0", "#b8860b", "#4d4d4d", "#2a9dc4", "#c2568f")
DASHES = ("-", "--", "-.", ":")


def plot_signal(
    relevance: Values,
    signal: Values | None = None,
    *,
    names: Sequence[str] | None = None,
    scale: float | None = None,
    colours: str = "red-blue",
) -> Figure:
    """Draw a signal as a line coloured by relevance, one axis per channel.

    Use it for time series: sound, EEG, sensors. The line is thick and coloured where the relevance
    is, thin and grey where it is not.

    - `relevance`: (T,) or (C, T); of more than 16 channels the most relevant are drawn, in order.
    - `signal`: the same shape; without it the relevance itself is drawn.
    - `names`: one per channel.
    - `scale`: the |R| drawn in full colour, by default the largest of all channels.

    Raises `InvalidInput` for NaN or shapes that differ. Write it with `save`.

    >>> len(plot_signal([[0.0, 1.0], [-1.0, 0.0]]).axes)
    2
    """
    rows = np.atleast_2d(to_array(relevance))
    heights = rows if signal is None else np.atleast_2d(to_array(signal, "signal"))
    if rows.ndim != 2 or heights.shape != rows.shape:
        raise InvalidInput(
            "relevance and signal must both have shape (T,) or (C, T), "
            f"got {rows.shape} and {heights.shape}."
        )
    names = _checked_names(names, rows.shape[0], "channel ")
    strength = normalise(rows, scale)
    chosen = np.sort(np.argsort(-np.abs(rows).sum(axis=1), kind="stable")[:_MOST_CHANNELS])
    figure, axes = new_figure(8.0, 0.9 + 1.1 * len(chosen), len(chosen))
    for axis, channel in zip(axes, chosen.tolist(), strict=True):
        axis.plot(heights[channel], color="0.7", linewidth=0.8, marker="." * (rows.shape[1] == 1))
        axis.add_collection(_coloured_line(heights[channel], strength[channel], colours))
        axis.set_xlim(0, max(1, rows.shape[1] - 1))
        axis.locator_params(axis="y", nbins=3)
        if rows.shape[0] > 1 or names[channel] != "channel 0":
            axis.set_title(plain(names[channel]), fontsize=9, loc="left", color="0.25", pad=3)
    axes[-1].set_xlabel("time step", fontsize=9, color="0.25")
    return figure


def bar_chart(
    names: Sequence[str],
    values: Values,
    *,
    title: str | None = None,
    xlabel: str = "relevance",
    colours: str = "red-blue",
) -> Figure:
    """Draw signed bars, evidence for to the right and evidence against to the left.

    Use it for the features of a table. Of more than 20 bars the largest |values| are drawn, in
    their given order, and the axis says so.

    - `names`, `values`: one name per value.

    Raises `InvalidInput` for NaN or if the numbers of names and values differ.

    >>> len(bar_chart(["age", "income"], [0.4, -0.1]).axes[0].patches)
    2
    """
    array = to_array(values, "values").reshape(-1)
    names = _checked_names(names, array.size, "")
    chosen = np.sort(np.argsort(-np.abs(array), kind="stable")[:_MOST_BARS])
    figure, (axis,) = new_figure(6.0, 1.0 + 0.28 * len(chosen))
    inks = [_unit(ink_colour(colours, 1 if value >= 0 else -1)) for value in array[chosen]]
    places = np.arange(len(chosen))
    bars = axis.barh(places, array[chosen], color=inks, height=0.7)
    axis.bar_label(bars, [f"{value:.3g}" for value in array[chosen]], fontsize=8, padding=3)
    axis.axvline(0, color="0.3", linewidth=0.8)
    axis.margins(x=0.15, y=0.02)
    axis.invert_yaxis()
    axis.set_yticks(places, [plain(names[index]) for index in chosen], fontsize=9)
    cut = f" (the largest {len(chosen)} of {array.size})" if len(chosen) < array.size else ""
    axis.set_xlabel(plain(xlabel) + cut, fontsize=9, color="0.25")
    if title:
        axis.set_title(plain(title), fontsize=11, loc="left", fontweight="bold")
    return figure


def curves(
    curves: Mapping[str, Values],
    x: Values | None = None,
    xlabel: str = "",
    ylabel: str = "",
    *,
    title: str | None = None,
) -> Figure:
    """Draw named curves over the same x, such as the score while pixels are flipped.

    - `curves`: name -> (T,), or (runs, T), drawn as the mean with a band of one standard error.
    - `x`: (T,), by default 0, 1, 2, ...

    Raises `InvalidInput` for NaN, no curves, or lengths that differ.

    >>> len(curves({"lrp": [3.0, 1.0], "random": [3.0, 2.0]}).axes[0].lines)
    2
    """
    if not curves:
        raise InvalidInput('curves must name at least one, got none. Pass {"lrp": values}.')
    figure, (axis,) = new_figure(6.4, 4.0)
    draw_lines(axis, curves, x)
    axis.set_xlabel(plain(xlabel), fontsize=10)
    axis.set_ylabel(plain(ylabel), fontsize=10)
    axis.grid(color="0.92")
    axis.legend(frameon=False, fontsize=9)
    if title:
        axis.set_title(plain(title), fontsize=11, loc="left", fontweight="bold")
    return figure


def draw_lines(axis: Axes, curves: Mapping[str, Values], x: Values | None = None) -> None:
    """Put named curves on an axis; several runs as their mean with a band."""
    for index, (name, values) in enumerate(curves.items()):
        runs = np.atleast_2d(to_array(values, f"curve {name!r}"))
        places = np.arange(runs.shape[-1]) if x is None else to_array(x, "x")
        if runs.ndim != 2 or places.shape != runs.shape[1:]:
            raise InvalidInput(
                f"curve {name!r} must have shape (T,) or (runs, T) with T as in x, "
                f"got {runs.shape} and x of {places.shape}."
            )
        colour = LINES[index % len(LINES)]
        dash = DASHES[index // len(LINES) % len(DASHES)]
        mean = runs.mean(axis=0)
        # A leading underscore would hide the name from the legend.
        label = plain(name) if not name.startswith("_") else f" {plain(name)}"
        axis.plot(places, mean, color=colour, linestyle=dash, linewidth=1.8, label=label)
        if runs.shape[0] > 1:
            error = runs.std(axis=0, ddof=1) / np.sqrt(runs.shape[0])
            axis.fill_between(places, mean - error, mean + error, color=colour, alpha=0.15, lw=0)


def _coloured_line(heights: Values, strength: Values, colours: str) -> LineCollection:
    """Segments between neighbouring points, in the colour and width of their mean relevance."""
    y, amount = np.asarray(heights), np.asarray(strength)
    points = np.stack([np.arange(y.size), y], axis=1)
    segments = np.stack([points[:-1], points[1:]], axis=1)  # (T - 1, 2 ends, x and y)
    # The stronger end decides: relevance on a single step must not cancel against its neighbour.
    left, right = amount[:-1], amount[1:]
    stronger = np.where(np.abs(left) >= np.abs(right), left, right)
    return LineCollection(
        list(segments),
        colors=lookup(stronger, colours) / 255.0,
        linewidths=3.0 * np.sqrt(np.abs(stronger)),
        capstyle="round",
        zorder=3,
    )


def _checked_names(names: Sequence[str] | None, count: int, prefix: str) -> list[str]:
    if names is None:
        return [f"{prefix}{index}" for index in range(count)]
    if len(names) != count:
        raise InvalidInput(f"names must hold one for each of {count} values, got {len(names)}.")
    return [str(name) for name in names]


def _unit(colour: tuple[int, int, int]) -> tuple[float, float, float]:
    return colour[0] / 255, colour[1] / 255, colour[2] / 255
