"""The scripts of the pages, function by function, in a real browser.

The canvas shows what the files of whence.viz show, pixel by pixel.
"""

import base64
import io
import re
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from whence import viz
from whence.serve._schemas import Numbers

R = np.random.default_rng(0).normal(size=(9, 7)).astype(np.float32)
R[0, :5] = [0, 2, -2, 1.5 / 128, -2.5 / 128]  # zero, the ends, and halves between two steps
SEEN = np.random.default_rng(1).uniform(size=(9, 7)).astype(np.float32)
ASK = """async ([call, values, picture, options]) => {
  const painter = await import("./static/heatmap.js");
  const map = {height: 9, width: 7, values: Float32Array.from(values),
    picture: picture && {shape: [9, 7], values: Float32Array.from(picture)}};
  if (call === "colourise") {
    return [...painter.colourise(map, {...painter.PLAIN, ...options})];
  }
  const canvas = document.createElement("canvas");
  painter.paint(canvas, map, options, 9);
  return [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data];
}"""


@pytest.fixture(scope="module")
def page(browser: Any, address: str) -> Iterator[Any]:
    context = browser.new_context()
    shown = context.new_page()
    shown.goto(address)
    yield shown
    context.close()


def painted(page: Any, call: str, picture: np.ndarray | None = None, **options: Any) -> np.ndarray:
    seen = None if picture is None else picture.ravel().tolist()
    found = page.evaluate(ASK, [call, R.ravel().tolist(), seen, options])
    return np.array(found, dtype=np.uint8).reshape(9, 7, 4)


@pytest.mark.parametrize("name", viz.colour_names())
def test_a_map_has_the_same_bytes(page: Any, name: str) -> None:
    found = painted(page, "colourise", colours=name, scale=2)

    np.testing.assert_array_equal(found[..., :3], viz.colourise(R, scale=2.0, colours=name))
    assert (found[..., 3] == 255).all()


@pytest.mark.parametrize("name", viz.colour_names())
def test_a_map_over_its_picture_agrees_to_rounding(page: Any, name: str) -> None:
    found = painted(page, "paint", SEEN, view="overlay", colours=name, scale=2, opacity=0.6)
    wanted = viz.overlay(R, SEEN, 0.6, scale=2.0, colours=name, size=9)

    # Three roundings to bytes on either way: the grey, the opacity, and their blend.
    np.testing.assert_allclose(found[..., :3].astype(int), np.asarray(wanted).astype(int), atol=3)


def test_what_is_hidden_is_neutral(page: Any) -> None:
    found = painted(page, "colourise", colours="red-blue", scale=2, threshold=0.25, sign="for")
    kept = np.where(R / 2 >= 0.25, R, 0)

    np.testing.assert_array_equal(found[..., :3], viz.colourise(kept, scale=2.0))


def test_each_side_may_have_a_scale_of_its_own(page: Any) -> None:
    found = painted(page, "colourise", colours="red-blue", scale=[2, 1])
    alike = np.where(R < 0, 2 * R, R)

    np.testing.assert_array_equal(found[..., :3], viz.colourise(alike, scale=2.0))


def test_the_picture_alone_is_the_picture(page: Any) -> None:
    found = painted(page, "paint", SEEN, view="picture")
    grey = Image.fromarray(np.rint(SEEN * 255).astype(np.uint8)).convert("RGB")

    np.testing.assert_array_equal(found[..., :3], np.asarray(grey))


def test_an_svg_has_the_same_colours(page: Any) -> None:
    text = page.evaluate(
        """async (values) => {
          const { svg } = await import("./static/svg.js");
          const map = {height: 9, width: 7, values: Float32Array.from(values)};
          const options = {view: "map", colours: "red-blue", scale: 2};
          return svg({height: 9, width: 7}, map, options, "5 < 6 & more");
        }""",
        R.ravel().tolist(),
    )
    rectangle = r'<rect x="(\d+)" y="(\d+)" width="(\d+)" height="1" fill="#(\w{6})"/>'
    runs = re.findall(rectangle, text)  # row by row, from left to right
    colours = np.array([list(bytes.fromhex(fill)) for *_, fill in runs], np.uint8)
    found = np.repeat(colours, [int(width) for _, _, width, _ in runs], axis=0)

    np.testing.assert_array_equal(found.reshape(9, 7, 3), viz.colourise(R, scale=2.0))
    assert "<title>5 &#60; 6 &#38; more</title>" in text


def test_a_file_of_numbers_is_read_by_numpy_without_pickles(page: Any) -> None:
    sent = page.evaluate(
        """async (values) => {
          const { npz } = await import("./static/npz.js");
          const { base64 } = await import("./static/api.js");
          const file = npz({
            relevance: { shape: [9, 7], values: Float32Array.from(values) },
            "größe": { shape: [3], values: Int32Array.of(-1, 0, 2147483647) },
            part: { shape: [2], values: Float32Array.of(1, 2, 3, 4).subarray(1, 3) },
          });
          return base64(new Uint8Array(await file.arrayBuffer()));
        }""",
        R.ravel().tolist(),
    )
    file = io.BytesIO(base64.b64decode(sent))
    held = np.load(file, allow_pickle=False)

    assert zipfile.ZipFile(file).testzip() is None  # every checksum agrees
    assert list(held) == ["relevance", "größe", "part"]
    np.testing.assert_array_equal(held["relevance"], R)
    np.testing.assert_array_equal(held["größe"], np.array([-1, 0, 2147483647], np.int32))
    np.testing.assert_array_equal(held["part"], np.array([2, 3], np.float32))
    assert [held[name].dtype.str for name in held] == ["<f4", "<i4", "<f4"]


def test_numbers_arrive_as_they_were_sent(page: Any) -> None:
    found = page.evaluate(
        """async (sent) => {
          const { numbers } = await import("./static/api.js");
          const { shape, values } = numbers(sent);
          return [shape, [...values]];
        }""",
        Numbers.of(R).model_dump(),
    )

    assert found == [[9, 7], R.ravel().tolist()]


def test_of_many_questions_the_newest_is_asked_and_none_overtakes(page: Any) -> None:
    done = page.evaluate(
        """async () => {
          const { latest } = await import("./static/api.js");
          const done = [];
          const ask = latest(async (stale, k) => {
            await new Promise((wake) => setTimeout(wake, 20));
            done.push([k, stale()]);
          });
          const first = ask(1);
          ask(2);
          ask(3);
          await first;
          return done;
        }"""
    )

    assert done == [[1, True], [3, False]]


@pytest.mark.parametrize(
    ("row", "column", "sign", "words"),
    [
        (0, 0, 1, "at the upper left"),
        (4, 3, 1, "in the centre"),
        (8, 3, -1, "in the lower middle"),
        (4, 6, 1, "at the right"),
        (0, 6, -1, "at the upper right"),
    ],
)
def test_a_place_is_said_in_words(page: Any, row: int, column: int, sign: int, words: str) -> None:
    values = np.zeros((9, 7))
    values[row, column] = 3.0 * sign
    values[2, 2] = -2.0 * sign  # of the other sign: does not count
    found = page.evaluate(
        """async ([values, sign]) => {
          const { place } = await import("./static/page.js");
          return place({height: 9, width: 7, values: Float32Array.from(values)}, sign);
        }""",
        [values.ravel().tolist(), sign],
    )

    assert found == words


@pytest.mark.parametrize(
    ("lost", "score", "words"),
    [
        ({}, 8.0, "Of the score 8, 8 arrived here; nothing was lost on the way."),
        ({"bias": 2.0}, 10.0, "Of the score 10, 8 arrived here; 2 stayed with biases."),
        (None, 8.0, "No account to balance: this method decomposes nothing."),
    ],
)
def test_the_ledger_is_said_in_words(page: Any, lost: Any, score: float, words: str) -> None:
    none = {"bias": 0, "epsilon": 0, "dropped": 0, "softmax": 0}
    ledger = None if lost is None else none | lost
    found = page.evaluate(
        """async ([ledger, score]) => {
          const { plain } = await import("./static/page.js");
          const map = {height: 1, width: 2, values: Float32Array.from([9, -1])};
          return plain({ ledger, score, decomposes: "nothing", depth: null, map });
        }""",
        [ledger, score],
    )

    assert found == words
