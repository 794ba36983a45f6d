import matplotlib
import numpy as np
import pytest
from matplotlib.collections import LineCollection

from whence.errors import InvalidInput
from whence.viz import bar_chart, curves, plot_signal, render


def coloured_line(axis: object) -> LineCollection:
    return next(each for each in axis.collections if isinstance(each, LineCollection))


def test_each_channel_has_its_axis():
    assert len(plot_signal(np.ones((3, 5))).axes) == 3


def test_the_line_is_red_where_relevance_is_positive():
    figure = plot_signal([1.0, 1.0, -1.0, -1.0], [0.0, 1.0, 0.0, 1.0])
    colours = np.rint(coloured_line(figure.axes[0]).get_colors() * 255)

    assert colours[0, :3].tolist() == [182, 4, 19]
    assert colours[-1, :3].tolist() == [0, 86, 207]


def test_the_line_has_no_width_where_relevance_is_zero():
    figure = plot_signal([0.0, 0.0, 1.0])

    assert coloured_line(figure.axes[0]).get_linewidths() == [0.0, 3.0]


def test_of_many_channels_the_most_relevant_are_drawn_in_order():
    relevance = np.arange(20.0)[:, None] * np.ones((20, 4))

    figure = plot_signal(relevance)

    assert len(figure.axes) == 16
    assert figure.axes[0].get_title(loc="left") == "channel 4"


@pytest.mark.parametrize("relevance", [[0.0, 0.0], [1.0]])
def test_an_all_zero_signal_and_a_single_step_are_drawn(relevance: list[float]):
    assert render(plot_signal(relevance)).mode == "RGB"


def test_a_signal_of_another_shape_is_refused():
    with pytest.raises(InvalidInput, match=r"got \(1, 2\) and \(1, 3\)"):
        plot_signal([1.0, 2.0], [1.0, 2.0, 3.0])


def test_bars_are_red_for_and_blue_against():
    bars = bar_chart(["a", "b"], [1.0, -1.0]).axes[0].patches

    assert np.rint(np.array(bars[0].get_facecolor())[:3] * 255).tolist() == [182, 4, 19]
    assert np.rint(np.array(bars[1].get_facecolor())[:3] * 255).tolist() == [0, 86, 207]


def test_of_many_bars_the_largest_are_drawn_and_the_axis_says_so():
    axis = bar_chart([str(index) for index in range(30)], np.arange(30.0)).axes[0]

    assert len(axis.patches) == 20
    assert axis.get_xlabel() == "relevance (the largest 20 of 30)"
    assert axis.get_yticklabels()[0].get_text() == "10"


def test_bars_need_a_name_for_each_value():
    with pytest.raises(InvalidInput, match="names must hold one for each of 2 values, got 1"):
        bar_chart(["a"], [1.0, 2.0])


@pytest.mark.parametrize("name", [r"$\frac{", "a_$b$", "日本", "مرحبا", "_hidden", "\ud800"])
def test_names_in_any_script_and_with_dollar_signs_are_drawn(name: str):
    figure = curves({name: [1.0, 0.5]}, xlabel=name, ylabel=name, title=name)

    assert render(figure).size == (704, 440)


def test_runs_are_drawn_as_their_mean():
    line = curves({"lrp": [[1.0, 3.0], [3.0, 5.0]]}).axes[0].lines[0]

    assert line.get_ydata().tolist() == [2.0, 4.0]


def test_a_name_with_an_underscore_stays_in_the_legend():
    legend = curves({"_lrp": [1.0, 2.0]}).axes[0].get_legend()

    assert [text.get_text().strip() for text in legend.get_texts()] == ["_lrp"]


def test_curves_of_another_length_than_x_are_refused():
    with pytest.raises(InvalidInput, match=r"curve 'lrp' .* got \(1, 2\) and x of \(3,\)"):
        curves({"lrp": [1.0, 2.0]}, [0.0, 1.0, 2.0])


def test_no_curves_are_refused():
    with pytest.raises(InvalidInput, match="curves must name at least one, got none"):
        curves({})


def test_nan_is_refused_by_the_name_of_its_curve():
    with pytest.raises(InvalidInput, match="curve 'random' must be finite"):
        curves({"random": [float("nan")]})


def test_drawing_leaves_the_settings_of_matplotlib_alone():
    before = dict(matplotlib.rcParams)

    render(plot_signal([1.0, 2.0]))

    assert dict(matplotlib.rcParams) == before
