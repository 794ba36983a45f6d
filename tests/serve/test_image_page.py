"""The page "Image" without JavaScript: a form, and a page with the answer."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from serving import Client, decoded, form
from whence import viz, zoo

DIGITS = zoo.dataset("digits")
SAMPLE = DIGITS[0].name


def png(number: int = 0) -> bytes:
    file = io.BytesIO()
    pixels = np.rint(DIGITS[number].image[0].numpy() * 255).astype(np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def picture_of(page: str) -> np.ndarray:
    found = re.search(r'src="data:image/png;base64,([^"]+)"', page)
    assert found is not None
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(found[1]))))


def sent(client: Client, fields: dict[str, str], picture: bytes | None = None) -> tuple[int, str]:
    body, kind = form(fields, picture)
    found = client.post("image", body, {"Content-Type": kind, "Accept": "text/html"})
    return found.status, found.body.decode()


def test_the_form_offers_models_samples_methods_and_rules(client: Client) -> None:
    page = client.get("image", Accept="text/html").body.decode()

    assert '<option value="digits-cnn"' in page
    assert f'<option value="{SAMPLE}"' in page
    assert '<option value="attnlrp"' in page
    assert '<option value="epsilon-plus"' in page


def test_an_answer_shows_the_picture_of_the_library(client: Client) -> None:
    fields = {"model": "digits-cnn", "sample": SAMPLE, "target": "3", "against": "9"}
    status, page = sent(client, fields)
    answer = client.upload("api/explain/image", fields).json
    R, seen = decoded(answer["relevance"]), decoded(answer["picture"])
    scale = float(np.quantile(np.abs(R[R != 0].astype(float)), 0.99))

    assert status == 200
    assert "Why 3 rather than 9?" in page
    assert f"{answer['score']:.4g}" in page
    np.testing.assert_array_equal(
        picture_of(page), np.asarray(viz.heatmap(R, seen, scale=scale, size=448))
    )


def test_a_picture_goes_before_a_sample(client: Client) -> None:
    fields = {"model": "digits-cnn", "sample": DIGITS[5].name}
    _, mine = sent(client, fields, png())
    _, alone = sent(client, {"model": "digits-cnn"}, png())

    np.testing.assert_array_equal(picture_of(mine), picture_of(alone))


def test_what_was_chosen_stays_chosen(client: Client) -> None:
    fields = {"model": "digits-mlp", "sample": SAMPLE, "method": "sensitivity", "target": "4"}
    _, page = sent(client, fields)

    assert re.search(r'value="digits-mlp"[^>]* selected', page)
    assert re.search(r'value="sensitivity"[^>]* selected', page)
    assert re.search(r'id="target"[^>]* value="4"', page)


@pytest.mark.parametrize(
    ("fields", "status", "text"),
    [
        ({"model": "digits-cnn"}, 422, "Choose a picture or a sample."),
        ({"model": "none", "sample": SAMPLE}, 404, "There is no model"),
        ({"model": "../etc", "sample": SAMPLE}, 404, "There is no model"),
        ({"sample": SAMPLE}, 422, "model"),
        ({"model": "digits-cnn", "sample": "<b>"}, 404, "&lt;b&gt;"),
        ({"model": "digits-cnn", "sample": SAMPLE, "target": "99"}, 422, "99"),
        ({"model": "digits-cnn", "sample": SAMPLE, "odd": "1"}, 422, "odd"),
    ],
)
def test_what_is_wrong_is_said_on_a_page(
    client: Client, fields: dict[str, str], status: int, text: str
) -> None:
    found, page = sent(client, fields)

    assert found == status
    assert text in page
    assert page.startswith("<!doctype html>")


def test_a_broken_file_is_said_on_a_page(client: Client) -> None:
    status, page = sent(client, {"model": "digits-cnn"}, png()[:60])

    assert status == 422
    assert "bad_picture" in page
