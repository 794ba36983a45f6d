"""Figures of curves with bands and means with intervals."""

import math

import numpy as np
import pytest
from matplotlib.figure import Figure

from whence.errors import InvalidInput
from whence.viz import Measured, draw_bands, draw_intervals, draw_measured, render

X = np.linspace(0.0, 1.0, 5)
CURVED = Measured(
    "flipping",
    {"lrp": (0.8, 0.7, 0.9), "random": (0.5, 0.4, 0.6)},
    {"lrp": (X, 1 - X, 0.9 - X, 1.1 - X), "random": (X, 1 - X / 2, 1 - X / 2, 1 - X / 2)},
    xlabel="share",
    ylabel="probability",
    better=1,
)
PLAIN = Measured("gini", {"random": (0.3, 0.2, 0.4), "lrp": (0.6, 0.5, 0.7)}, better=-1)


def test_a_metric_with_curves_has_two_panels_and_one_without_has_one() -> None:
    assert [each.axison for each in draw_measured([CURVED]).axes] == [True, True]
    assert [each.axison for each in draw_measured([PLAIN]).axes] == [True]
    assert [each.axison for each in draw_measured([CURVED, PLAIN]).axes] == [
        True,
        True,
        False,
        True,
    ]


def test_a_method_has_one_colour_everywhere() -> None:
    figure = draw_measured([CURVED, PLAIN])
    curves, first, _, second = figure.axes
    colours = [line.get_color() for line in curves.lines]

    assert [line.get_color() for line in first.lines[::2]] == colours
    assert [line.get_color() for line in second.lines[::2]] == colours[::-1]


def test_intervals_end_where_they_should() -> None:
    axis = draw_measured([PLAIN]).axes[0]

    assert axis.lines[0].get_xdata().tolist() == [0.2, 0.4]
    assert axis.lines[1].get_xdata().tolist() == [0.3]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["random", "lrp"]
    assert axis.get_xlabel() == "mean, smaller is better"


def test_a_method_without_a_score_leaves_its_row_empty() -> None:
    nothing = Measured("flipping", {"lrp": (math.nan, math.nan, math.nan), "b": (1.0, 0.0, 2.0)})
    figure = draw_measured([nothing])

    assert isinstance(figure, Figure)
    assert [each.get_text() for each in figure.axes[0].texts] == ["1"]
    assert render(figure).size[0] > 100


def test_something_must_be_there_to_draw() -> None:
    with pytest.raises(InvalidInput, match="nothing to draw"):
        draw_measured([])


def test_curves_and_means_apart_have_the_colours_of_both_together() -> None:
    both, apart = draw_measured([CURVED]), (draw_bands(CURVED), draw_intervals(CURVED))
    curves = [line.get_color() for line in apart[0].axes[0].lines]
    means = [line.get_color() for line in apart[1].axes[0].lines[::2]]

    assert curves == means == [line.get_color() for line in both.axes[0].lines]


def test_curves_alone_are_named_below() -> None:
    row = Measured("m", {"_a": (0.5, 0.4, 0.6), "b": (0.5, 0.4, 0.6)}, {"b": CURVED.bands["lrp"]})
    (legend,) = draw_bands(row).legends

    assert [each.get_text() for each in legend.get_texts()] == [" b"]
    assert legend.get_lines()[0].get_color() == draw_intervals(row).axes[0].lines[2].get_color()


def test_means_alone_say_which_way_is_better() -> None:
    (axis,) = draw_intervals(PLAIN).axes

    assert axis.get_xlabel() == "mean, smaller is better"
    assert axis.get_title(loc="left") == "gini"


def test_no_curves_is_an_error() -> None:
    with pytest.raises(InvalidInput, match="gini has no curves"):
        draw_bands(PLAIN)
