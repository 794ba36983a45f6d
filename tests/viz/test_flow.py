"""Flow diagrams: widths are relevance, nothing overlaps, and names cannot break out."""

import xml.etree.ElementTree as ElementTree
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from whence._flow import Flow, Station, Stream
from whence.errors import InvalidInput
from whence.viz import draw_flow, flow_svg, save
from whence.viz._flow_layout import Band, lay_out

# 6 = 3 through the layer, of which the bias keeps 1, + 3 around it; as in a residual sum.
RESIDUAL = Flow(
    (
        Station("score", received=6, passed=6),
        Station("add", "", "net.py:1", "(sum)", 6, 6, {}, (0,)),
        Station("linear", "linear", "net.py:1", "Zero()", 3, 2, {"bias": 1}, (1,)),
        Station("input", received=5),
    ),
    (Stream(0, 1, 6, 0), Stream(1, 2, 3, 0), Stream(1, 3, 3, 0), Stream(2, 3, 3, -1)),
)
LONG = Flow(
    (
        Station("score", received=1, passed=1),
        *(Station("relu", f"body.{k // 5}.{k % 5}", "", "", 1, 1, {}, (k,)) for k in range(50)),
        Station("input", received=1),
    ),
    tuple(Stream(k, k + 1, 2, -1) for k in range(51)),
)


def span(band: Band, end: int) -> tuple[float, float]:
    """A stream's left and right end where it begins (0) or ends (1)."""
    points, half = band.points, len(band.points) // 2
    left, right = (points[0], points[-1]) if end == 0 else (points[half - 1], points[half])
    assert left[1] == right[1]
    return left[0], right[0]


def elements(svg: str, tag: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}" + tag))


def test_the_widths_of_streams_are_their_relevance() -> None:
    bands = [each for each in lay_out(RESIDUAL, 640).bands if not each.lost]
    widths = [span(each, 0)[1] - span(each, 0)[0] for each in bands]

    assert [each.sign for each in bands] == [1, 1, 1, 1, -1]
    np.testing.assert_allclose(np.array(widths) / widths[0] * 6, [6, 3, 3, 3, 1])


def test_a_stream_is_as_wide_at_its_end_as_where_it_begins() -> None:
    for band in (each for each in lay_out(RESIDUAL, 640).bands if not each.lost):
        ends = [span(band, end)[1] - span(band, end)[0] for end in (0, 1)]
        assert ends[0] == pytest.approx(ends[1])


def test_what_arrives_at_a_station_lies_side_by_side_on_its_bar() -> None:
    layout = lay_out(RESIDUAL, 640)
    bar = layout.rows[-1]
    arriving = sorted(span(each, 1) for each in layout.bands if not each.lost)[1:]
    ends = [end for band in arriving for end in band]

    assert ends[0] >= bar.x - 1e-9
    assert ends[-1] <= bar.x + bar.width + 1e-9


def test_a_loss_is_as_wide_as_its_share_and_leaves_to_the_right() -> None:
    layout = lay_out(RESIDUAL, 640)
    (lost,) = [each for each in layout.bands if each.lost]
    scale = layout.rows[0].width / 6
    heights = [y for x, y in lost.points if x == layout.right]

    assert max(heights) - min(heights) == pytest.approx(scale)
    assert layout.rows[2].losses[0][:2] == ("bias", 1)


def test_a_negative_loss_is_blue() -> None:
    stations = (Station("score"), Station("a", "", "", "", 1, 2, {"bias": -1}, (0,)))
    flow = Flow((*stations, Station("input")), (Stream(0, 1, 1, 0), Stream(1, 2, 2, 0)))

    assert [each.sign for each in lay_out(flow, 640).bands if each.lost] == [-1]


@pytest.mark.parametrize("width", [280, 320, 640, 1200])
@pytest.mark.parametrize("flow", [RESIDUAL, LONG])
def test_streams_stay_between_the_columns_of_text(flow: Flow, width: int) -> None:
    layout = lay_out(flow, width)
    xs = np.array([x for each in layout.bands for x, _ in each.points])

    assert layout.left <= xs.min()
    assert xs.max() <= layout.right
    assert layout.left < layout.right < width


def test_rows_go_down_and_keep_their_distance() -> None:
    ys = [row.y for row in lay_out(LONG, 640).rows]

    assert min(after - before for before, after in pairwise(ys)) >= 40


def test_streams_beside_each_other_do_not_overlap() -> None:
    layout = lay_out(RESIDUAL, 640)
    linear = layout.rows[2]
    beside = [x for each in layout.bands for x, y in each.points if y == linear.y]

    assert min(beside) > linear.x + linear.width + 10


def test_a_long_flow_is_grouped_by_module() -> None:
    texts = [each.text for each in draw_flow(LONG).items if hasattr(each, "text")]  # type: ignore[union-attr]

    assert {"body.0", "body.9", "5 operations", "score", "input"} <= set(texts)
    assert "relu" not in texts


def test_where_modules_do_not_help_neighbours_are_taken_together() -> None:
    stations = tuple(Station("add", "", "", "", 1, 1, {}, (k,)) for k in range(50))
    flow = Flow((Station("score"), *stations, Station("input")), LONG.streams)

    assert len(flow.grouped(12).stations) <= 12
    assert len(flow.grouped(52).stations) == 52


def test_the_element_tells_what_it_shows_in_words() -> None:
    svg = flow_svg(RESIDUAL, name="mine")
    root = ElementTree.fromstring(svg)

    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "mine-title mine-about"
    assert elements(svg, "desc")[0].text == (
        "From the score 6, relevance 5 arrived at the input through 2 operations. Stayed behind: "
        "bias 1."
    )


def test_each_station_is_a_group_with_its_number() -> None:
    found = [each.get("data-station") for each in elements(flow_svg(RESIDUAL), "g")]

    assert found == ["0", "1", "2", "3"]


def test_names_cannot_break_out_of_the_element() -> None:
    evil = "</text><script>alert(1)</script>\"'&\x00"
    station = Station(evil, evil, evil, evil, 1, 1, {evil: 1.0}, (0,))
    flow = Flow((Station("score"), station, Station("input")), LONG.streams[:2])
    svg = flow_svg(flow, width=1200, name='"><script>')

    assert elements(svg, "script") == []
    assert elements(svg, "title")[2].text == f"{evil} ({evil}, {evil})".replace("\x00", " ")
    assert draw_flow(flow).image().mode == "RGB"


@pytest.mark.parametrize("banned", ["style=", "<style", "onclick", "href"])
def test_the_element_needs_no_style_and_no_script(banned: str) -> None:
    assert banned not in flow_svg(LONG)


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_it_is_saved_like_any_drawing(tmp_path: Any, suffix: str) -> None:
    path = save(draw_flow(RESIDUAL), tmp_path / f"flow{suffix}")

    assert path.stat().st_size > 1000


def test_the_painted_streams_have_the_widths_of_the_layout() -> None:
    layout = lay_out(RESIDUAL, 640)
    row = np.asarray(draw_flow(RESIDUAL).image())[round((layout.rows[0].y + layout.rows[1].y) / 2)]
    red = (row[:, 0] > 200) & (row[:, 1] < 100)

    assert abs(red.sum() - layout.rows[0].width) <= 2


def test_a_score_of_zero_draws_no_stream() -> None:
    flow = Flow((Station("score"), Station("input")), (Stream(0, 1, 0.0, 0.0),))

    assert lay_out(flow, 640).bands == ()
    assert flow_svg(flow)


@pytest.mark.parametrize("width", [0, 279, 2001])
def test_a_page_too_narrow_or_too_wide_is_refused(width: int) -> None:
    with pytest.raises(InvalidInput, match="width must be 280 to 2000 pixels"):
        draw_flow(RESIDUAL, width=width)


def test_too_few_stations_are_refused() -> None:
    with pytest.raises(InvalidInput, match="most must be at least 4 stations, got 3"):
        flow_svg(RESIDUAL, most=3)
