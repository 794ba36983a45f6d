"""The page "Compare" without JavaScript: a form, computed once, and a page with the answer."""

import base64
import re
from xml.etree import ElementTree

import pytest

from serving import BOUNDARY, Client

KIND = f"multipart/form-data; boundary={BOUNDARY}"


def sent(client: Client, *fields: tuple[str, str]) -> tuple[int, str]:
    """The answer to a form, in which a field may come several times."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields
    ]
    body = ("".join(parts) + f"--{BOUNDARY}--\r\n").encode()
    found = client.post("compare", body, {"Content-Type": KIND, "Accept": "text/html"})
    return found.status, found.body.decode()


QUICK = (("model", "digits-cnn"), ("samples", "4"), ("methods", "lrp"), ("methods", "sensitivity"))


def test_the_form_offers_models_metrics_methods_and_rules(client: Client) -> None:
    page = client.get("compare", Accept="text/html").body.decode()

    assert '<option value="digits-mlp"' in page
    assert '<option value="srg"' in page
    assert 'value="integrated-gradients"' in page
    assert 'value="lrp:composite=epsilon-plus"' in page
    assert "random, always" in page


def test_an_answer_shows_maps_charts_scores_and_pairs(client: Client) -> None:
    status, page = sent(client, *QUICK)
    charts = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', page)

    assert status == 200
    assert "What 4 samples say, by flipping" in page
    assert "4 of 4 samples in " in page
    assert "With 4 samples nothing can be shown" in page  # three pairs: 3 x 2 / 2^4 = 0.375
    assert page.count("data:image/png;base64,") == 1
    assert [ElementTree.fromstring(base64.b64decode(each)).tag[-3:] for each in charts] == [
        "svg",
        "svg",
    ]
    assert "lrp less sensitivity" in page
    assert "Heatmaps: a row for each method" in page


def test_what_was_chosen_stays_chosen(client: Client) -> None:
    _, page = sent(client, *QUICK, ("metric", "srg"), ("target", "label"))

    assert re.search(r'value="srg"[^>]* selected', page)
    assert re.search(r'value="label" selected', page)
    assert re.search(r'value="sensitivity" checked', page)
    assert not re.search(r'value="deep-taylor" checked', page)
    assert re.search(r'id="samples"[^>]* value="4"', page)


@pytest.mark.parametrize(
    ("fields", "status", "text"),
    [
        ([("methods", "<b>")], 422, "&lt;b&gt;"),
        ([], 422, "methods"),
        ([("methods", "lrp"), ("samples", "many")], 422, "samples"),
        ([("methods", "lrp"), ("samples", "0")], 422, "samples"),
        ([("methods", "lrp"), ("budget_seconds", "nan")], 422, "budget_seconds"),
        ([("methods", "lrp"), ("budget_seconds", "61")], 422, "budget_seconds"),
        ([("methods", "lrp"), ("model", "../etc")], 404, "There is no model"),
        ([("methods", "lrp"), ("odd", "1")], 422, "odd"),
        ([("methods", "lrp")] * 9, 422, "methods"),
    ],
)
def test_what_is_wrong_is_said_on_a_page(
    client: Client, fields: list[tuple[str, str]], status: int, text: str
) -> None:
    found, page = sent(client, *fields)

    assert found == status
    assert text in page
    assert page.startswith("<!doctype html>")
