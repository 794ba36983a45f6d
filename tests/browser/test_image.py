"""The page "Image": a picture of one's own goes in; its map is looked at, and taken away."""

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from browsing import BLANK, Tab
from serving import decoded
from whence import zoo

MARKUP = "<img src=x onerror=alert(1)>"
DROP = """([bytes, name, kind, target]) => {
  const data = new DataTransfer();
  data.items.add(new File([Uint8Array.from(bytes)], name, { type: "image/png" }));
  const place = target ? document.querySelector(target) : window;
  place.dispatchEvent(kind === "paste"
    ? new ClipboardEvent(kind, { clipboardData: data, bubbles: true })
    : new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
}"""


def digit(number: int) -> bytes:
    """A held-out digit as a PNG of 56 x 56 pixels."""
    pixels = zoo.dataset("digits")[number].image[0].numpy()
    large = np.kron(np.rint(pixels * 255).astype(np.uint8), np.ones((2, 2), np.uint8))
    file = io.BytesIO()
    Image.fromarray(large).save(file, "PNG")
    return file.getvalue()


def upload(tab: Tab, content: bytes, name: str = "mine.png") -> Any:
    """Choose a file; what the server answers."""
    with tab.page.expect_response(lambda response: "api/explain" in response.url) as waiting:
        tab.page.set_input_files(
            "#picture", {"name": name, "mimeType": "image/png", "buffer": content}
        )
    tab.settle()
    return waiting.value.json()


@pytest.fixture
def mine(tab: Tab) -> tuple[Tab, Any]:
    """The page after an upload, and the server's answer."""
    tab.open("image?model=digits-cnn")
    return tab, upload(tab, digit(3))


def test_a_picture_of_ones_own_is_explained(mine: tuple[Tab, Any]) -> None:
    tab, answer = mine

    assert tab.text("#picture-label") == "Picture: mine.png"
    assert tab.text("#map-title") == f"Why {answer['target']['name']}?"
    assert tab.page.locator("#result").is_visible()
    assert tab.page.evaluate(BLANK) == []


@pytest.mark.parametrize(("kind", "target"), [("drop", "#drop"), ("drop", "#map"), ("paste", None)])
def test_a_picture_is_dropped_or_pasted(kind: str, target: str | None, tab: Tab) -> None:
    tab.open("image?model=digits-cnn")
    before = tab.look("#map")
    tab.page.evaluate(DROP, [list(digit(5)), "other.png", kind, target])
    tab.settle()

    assert tab.text("#picture-label") == "Picture: other.png"
    assert tab.look("#map") != before


@pytest.mark.parametrize(
    "change",
    [
        "(find) => { find('#look [value=map]').click() }",
        "(find) => { find('#look [value=picture]').click() }",
        "(find) => { find('#look [value=for]').click() }",
        "(find) => { find('#look [value=against]').click() }",
        "(find) => { find('#opacity').value = 0.4 }",
        "(find) => { find('#threshold').value = 0.5 }",
        "(find) => { find('#colours').value = 'hot-cold' }",
        "(find) => { find('#scale').value = 'largest' }",
        "(find) => { find('#scale').value = 'sides' }",
    ],
)
def test_the_look_changes_without_a_request(change: str, mine: tuple[Tab, Any]) -> None:
    tab, _ = mine
    tab.page.select_option("#method", "gradient-times-input")  # has both signs
    tab.settle()
    before, asked = tab.look("#map"), len(tab.asked)
    tab.page.evaluate(f"""() => {{
      ({change})((selector) => document.querySelector(selector));
      document.querySelector("#look").dispatchEvent(new Event("input"));
    }}""")
    tab.settle()

    assert tab.look("#map") != before
    assert len(tab.asked) == asked


@pytest.mark.parametrize(
    ("field", "value"),
    [("method", "gradient-times-input"), ("composite", "epsilon-plus"), ("target", "3")],
)
def test_another_question_brings_another_answer(
    field: str, value: str, mine: tuple[Tab, Any]
) -> None:
    tab, first = mine
    place = tab.page.locator(f"#{field}")
    with tab.page.expect_response(lambda response: "api/explain" in response.url) as waiting:
        if field == "target":
            place.fill(value)
            place.press("Enter")
        else:
            place.select_option(value)
    tab.settle()
    answer = waiting.value.json()

    assert answer["relevance"] != first["relevance"]
    assert tab.text("#map-title") == f"Why {answer['target']['name']}?"


def test_the_map_at_a_layer_is_coarser(mine: tuple[Tab, Any]) -> None:
    tab, first = mine
    layer = tab.page.locator("#depth option").nth(2).get_attribute("value")
    with tab.page.expect_response(lambda response: "api/explain" in response.url) as waiting:
        tab.page.select_option("#depth", layer)
    tab.settle()
    answer = waiting.value.json()

    assert answer["relevance"]["shape"] < first["relevance"]["shape"]
    assert layer in tab.text("#says")


def test_pointing_at_the_map_tells_its_values(mine: tuple[Tab, Any]) -> None:
    tab, answer = mine
    relevance = decoded(answer["relevance"])
    height, width = relevance.shape
    row, column = np.unravel_index(np.abs(relevance).argmax(), relevance.shape)
    tab.page.locator("#map").scroll_into_view_if_needed()
    box = tab.page.locator("#map").bounding_box()
    tab.page.mouse.move(
        box["x"] + box["width"] * (column + 0.5) / width,
        box["y"] + box["height"] * (row + 0.5) / height,
    )
    place, value = tab.text("#readout").split(": ")

    assert place == f"row {row + 1}, column {column + 1}"
    assert float(value.replace("−", "-")) == pytest.approx(relevance[row, column], rel=5e-3)


def saved(tab: Tab, kind: str, folder: Path) -> Path:
    """The file that a button of the page saves."""
    with tab.page.expect_download() as waiting:
        tab.page.locator(f"#save-{kind}").click()
    file = folder / waiting.value.suggested_filename
    waiting.value.save_as(file)
    return file


def test_the_saved_png_is_the_map_on_the_page(mine: tuple[Tab, Any], tmp_path: Path) -> None:
    tab, _ = mine
    file = saved(tab, "png", tmp_path)
    size = tab.page.eval_on_selector("#map", "({ width, height }) => [width, height]")

    with Image.open(file) as picture:
        assert list(picture.size) == size
        assert np.asarray(picture).std() > 0
    assert re.fullmatch(r"whence-digits-cnn-lrp-\d\.png", file.name)


def test_the_saved_svg_is_a_picture_with_a_title(mine: tuple[Tab, Any], tmp_path: Path) -> None:
    tab, _ = mine
    tree = ElementTree.parse(saved(tab, "svg", tmp_path)).getroot()
    tags = [each.tag.rsplit("}")[-1] for each in tree]

    assert tags[0] == "title"
    assert set(tags[1:]) <= {"rect", "image"}
    assert tree[0].text == tab.page.get_attribute("#map", "aria-label")


def test_the_saved_numbers_are_the_relevance(mine: tuple[Tab, Any], tmp_path: Path) -> None:
    tab, answer = mine
    table = np.loadtxt(saved(tab, "csv", tmp_path), delimiter=",").astype(np.float32)
    whole = json.loads(saved(tab, "json", tmp_path).read_text())

    np.testing.assert_array_equal(table, decoded(answer["relevance"]))
    assert whole == answer


def test_the_saved_arrays_are_those_of_the_answer(mine: tuple[Tab, Any], tmp_path: Path) -> None:
    tab, answer = mine
    with np.load(saved(tab, "npz", tmp_path), allow_pickle=False) as held:
        arrays = dict(held)

    assert list(arrays) == ["relevance", "picture", "classes", "scores"]
    np.testing.assert_array_equal(arrays["relevance"], decoded(answer["relevance"]))
    np.testing.assert_array_equal(arrays["picture"], decoded(answer["picture"]))
    assert arrays["classes"].tolist() == [each["index"] for each in answer["classes"]]
    scores = np.array([each["score"] for each in answer["classes"]], dtype=np.float32)
    np.testing.assert_array_equal(arrays["scores"], scores)


def test_a_bad_file_is_told_and_the_page_goes_on(mine: tuple[Tab, Any]) -> None:
    tab, _ = mine
    refused = upload(tab, digit(3)[:90], "half.png")
    told = tab.text("#wrong")
    upload(tab, digit(7))

    assert refused["error"]["message"] in told
    assert refused["error"]["what_to_do"] in told
    assert not tab.page.locator("#wrong").is_visible()
    tab.forgive("status 422", "status of 422")


def test_a_file_name_with_markup_stays_text(tab: Tab) -> None:
    tab.open("image?model=digits-cnn")
    upload(tab, digit(3), f"{MARKUP}.png")

    assert tab.text("#picture-label") == f"Picture: {MARKUP}.png"
    assert tab.page.locator("img[src=x]").count() == 0


def test_class_names_with_markup_stay_text(tab: Tab) -> None:
    def marked(route: Any) -> None:
        found = route.fetch().json()
        for model in found:
            model["classes"] = [f"{MARKUP}{name}" for name in model["classes"]]
        route.fulfill(json=found)

    def answered(route: Any) -> None:
        found = route.fetch().json()
        for entry in (found["target"], *found["classes"]):
            entry["name"] = MARKUP + entry["name"]
        found["notes"] = [MARKUP]
        route.fulfill(json=found)

    tab.page.route("**/api/models", marked)
    tab.page.route("**/api/explain/**", answered)
    tab.open("image?model=digits-cnn")

    assert MARKUP in tab.text("#map-title")
    assert MARKUP in tab.text("#scores")
    assert MARKUP in tab.text("#says")
    assert tab.page.locator("img[src=x]").count() == 0


def test_the_page_works_on_a_phone(tabs: Callable[..., Tab]) -> None:
    tab = tabs("phone", has_touch=True, is_mobile=True).open("image?model=digits-cnn")
    upload(tab, digit(3))
    tab.page.locator("#map").tap()

    assert tab.text("#readout").startswith("row ")
    assert tab.page.evaluate(BLANK) == []
