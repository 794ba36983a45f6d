import numpy as np
import pytest
from matplotlib.colors import to_hex

from whence.errors import InvalidInput
from whence.viz import Panel, draw_panels, render


def test_each_panel_has_its_axes_and_title() -> None:
    figure = draw_panels([Panel(name, {"lrp": [1.0, 2.0]}) for name in "abcd"], columns=3)
    shown = [axis for axis in figure.axes if axis.axison]

    assert len(figure.axes) == 6  # two rows of three, two of them empty
    assert [axis.get_title(loc="left") for axis in shown] == ["a", "b", "c", "d"]
    assert render(figure).mode == "RGB"


def test_several_runs_are_drawn_as_their_mean() -> None:
    (axis,) = draw_panels([Panel("a", {"lrp": [[1.0, 2.0], [3.0, 6.0]]}, [0.0, 5.0])]).axes

    assert np.asarray(axis.lines[0].get_ydata()).tolist() == [2.0, 4.0]
    assert np.asarray(axis.lines[0].get_xdata()).tolist() == [0.0, 5.0]
    assert len(axis.collections) == 1  # the band


def test_theory_has_the_colour_of_its_curve_and_no_name() -> None:
    lines = {"lrp": [1.0, 2.0], "random": [2.0, 3.0]}
    (axis,) = draw_panels([Panel("a", lines, theory={"random": [5.0, 6.0]}, marks=True)]).axes
    first, second, said = axis.lines

    assert np.asarray(said.get_ydata()).tolist() == [5.0, 6.0]
    assert to_hex(said.get_color()) == to_hex(second.get_color()) != to_hex(first.get_color())
    assert said.get_linestyle() == ":"
    assert second.get_marker() == "o"
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["lrp", "random"]


def test_theory_needs_a_curve() -> None:
    with pytest.raises(InvalidInput, match="theory for 'random', and no curve of that name"):
        draw_panels([Panel("a", {"lrp": np.ones(2)}, theory={"random": np.ones(2)})])


def test_no_panels_are_an_error() -> None:
    with pytest.raises(InvalidInput, match="no panel was given"):
        draw_panels([])
