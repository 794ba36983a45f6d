"""The page "Prototypes" without JavaScript: a form, and a page with the gallery."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from serving import Client, decoded, form

QUICK = {"model": "digits-mlp", "classes": "3, 8", "steps": "4", "seed": "9"}


def sent(client: Client, fields: dict[str, str]) -> tuple[int, str]:
    body, kind = form(fields)
    found = client.post("prototypes", body, {"Content-Type": kind, "Accept": "text/html"})
    return found.status, found.body.decode()


def test_the_form_offers_models_priors_and_starts(client: Client) -> None:
    page = client.get("prototypes", Accept="text/html").body.decode()

    assert '<option value="digits-cnn"' in page
    assert '<option value="generator"' in page
    assert "<option>class-means</option>" in page
    assert 'id="plain"' not in page


def test_an_answer_shows_the_gallery_of_the_api(client: Client) -> None:
    status, page = sent(client, QUICK | {"prior": "generator", "strength": "2"})
    asked = {"model": "digits-mlp", "classes": [3, 8], "steps": 4, "seed": 9}
    there = client.post("api/prototypes", asked | {"prior": "generator", "strength": 2}).json
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)" alt="A prototype', page)
    shown = [np.asarray(Image.open(io.BytesIO(base64.b64decode(each)))) for each in pictures]

    assert status == 200
    np.testing.assert_array_equal(shown, np.rint(decoded(there["inputs"])[:, 0] * 255))
    assert f"score {there['prototypes'][0]['score']:.3g}" in page
    assert f"{there['prototypes'][1]['nearest']['distance']:.2f} from a real" in page
    assert there["command"] in page


def test_what_was_chosen_stays_chosen(client: Client) -> None:
    _, page = sent(client, QUICK | {"prior": "l2", "start": "noise", "strength": "0.5"})

    assert re.search(r'value="digits-mlp"[^>]* selected', page)
    assert re.search(r'value="l2"[^>]* selected', page)
    assert re.search(r"<option selected>noise", page)
    assert re.search(r'id="classes"[^>]* value="3, 8"', page)
    assert re.search(r'id="strength"[^>]* value="0.5"', page)


@pytest.mark.parametrize(
    ("fields", "status", "text"),
    [
        ({"strength": "nan"}, 422, "strength"),
        ({"strength": "1e999"}, 422, "strength"),
        ({"strength": "much"}, 422, "write a number"),
        ({"steps": "10000"}, 422, "steps"),
        ({"count": "1.5"}, 422, "write a number"),
        ({"prior": "<b>"}, 422, "prior"),
        ({"start": "../../etc/passwd"}, 422, "start"),
        ({"classes": "<i>"}, 422, "&lt;i&gt;"),
        ({"classes": ",".join(map(str, range(1000)))}, 422, "classes"),
        ({"model": "../etc"}, 404, "There is no model"),
        ({"model": "sst-lstm"}, 422, "wrong_kind"),
        ({"odd": "1"}, 422, "odd"),
    ],
)
def test_what_is_wrong_is_said_on_a_page(
    client: Client, fields: dict[str, str], status: int, text: str
) -> None:
    found, page = sent(client, QUICK | fields)

    assert found == status
    assert text in page
    assert page.startswith("<!doctype html>")
    assert "<b>" not in page
