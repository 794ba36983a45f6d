import numpy as np
import pytest
from PIL import Image

from whence.errors import InvalidInput
from whence.viz import Drawing, draw_strip

FRAMES = np.zeros((3, 1, 4, 4))
FRAMES[0, 0, 1, 1] = FRAMES[1, 0, 1, 2] = FRAMES[2, 0, 1, 3] = 1.0
RELEVANCE = 2 * FRAMES


def pictures(drawing: Drawing) -> list[Image.Image]:
    return [each.image for each in drawing.items if hasattr(each, "image")]  # type: ignore[union-attr]


def colours(picture: Image.Image) -> set[tuple[int, ...]]:
    return {colour for _, colour in picture.getcolors(maxcolors=1 << 20) or []}  # type: ignore[misc]


def test_inputs_stand_over_the_relevance_of_each_method() -> None:
    drawing = draw_strip(FRAMES, {"lrp": RELEVANCE, "other": -RELEVANCE}, names=["a", "b", "c"])
    texts = {each.text for each in drawing.items if hasattr(each, "text")}  # type: ignore[union-attr]

    assert {"input", "lrp", "other", "a", "b", "c"} <= texts
    assert len(pictures(drawing)) == 9 + 1  # and the legend


def test_a_method_has_one_scale_for_all_frames() -> None:
    faint = RELEVANCE.copy()
    faint[1] /= 100
    strip = pictures(draw_strip(FRAMES, {"lrp": faint}))
    alone = pictures(draw_strip(FRAMES[1:2], {"lrp": faint[1:2]}))

    assert (182, 4, 19) in colours(strip[3])
    assert (182, 4, 19) not in colours(strip[4])
    assert (182, 4, 19) in colours(alone[1])


def test_frames_of_another_range_share_black_and_white() -> None:
    frames = np.stack([np.full((1, 2, 2), -1.0), np.full((1, 2, 2), 3.0)])
    black, white = pictures(draw_strip(frames, {"lrp": np.ones((2, 1, 2, 2))}))[:2]

    assert colours(black) == {(0, 0, 0)}
    assert colours(white) == {(255, 255, 255)}


def test_relevance_of_zeros_is_drawn_neutral() -> None:
    strip = pictures(draw_strip(FRAMES, {"lrp": np.zeros((3, 1, 4, 4))}))

    assert (182, 4, 19) not in colours(strip[3])


def test_each_method_needs_each_frame() -> None:
    with pytest.raises(InvalidInput, match="each of 3 frames, got 2"):
        draw_strip(FRAMES, {"lrp": RELEVANCE[:2]})


def test_there_must_be_a_method() -> None:
    with pytest.raises(InvalidInput, match="at least one method"):
        draw_strip(FRAMES, {})


def test_frames_are_pictures() -> None:
    with pytest.raises(InvalidInput, match=r"\(T, C, H, W\) or \(T, H, W\)"):
        draw_strip(np.zeros((3, 4)), {"lrp": np.zeros((3, 4))})
