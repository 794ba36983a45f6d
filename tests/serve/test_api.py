"""What the API says there is, and its own description."""

import io
import re
from pathlib import Path
from urllib.parse import urljoin

import numpy as np
import pytest
from PIL import Image

import whence
from serving import Client, decoded, server
from whence import zoo
from whence.serve import CODES, Settings
from whence.serve._pages import PAGES


def test_models_are_listed_with_their_classes(client: Client) -> None:
    found = {each["name"]: each for each in client.get("api/models").json}

    assert found["digits-cnn"]["classes"] == list("0123456789")
    assert found["digits-cnn"]["input"] == [1, 32, 32]
    assert found["sst-lstm"]["kind"] == "text"
    assert found["sst-lstm"]["input"] is None


def test_methods_are_those_of_the_library_with_their_papers(client: Client) -> None:
    found = client.get("api/methods").json

    assert [each["name"] for each in found["methods"]] == whence.methods()
    assert all(each["summary"] for kind in found.values() for each in kind)
    assert found["methods"][0]["papers"] == "Bach et al. 2015; Montavon et al. 2019"


def test_a_model_without_a_box_gets_no_composite_that_needs_one(client: Client) -> None:
    of_digits = client.get("api/methods?model=digits-cnn").json["composites"]
    of_texts = client.get("api/methods?model=sst-lstm").json["composites"]

    assert "epsilon-gamma-box" in {each["name"] for each in of_digits}
    assert "epsilon-gamma-box" not in {each["name"] for each in of_texts}


def test_a_sample_is_the_picture_of_the_data_set(client: Client) -> None:
    listed = client.get("api/samples?model=digits-cnn").json
    found = client.get(listed[5]["url"])
    pixels = np.asarray(Image.open(io.BytesIO(found.body)))
    item = next(item for item in zoo.dataset("digits") if item.name == listed[5]["name"])

    assert found.headers["content-type"] == "image/png"
    assert {each["label"] for each in listed} == set("0123456789")
    np.testing.assert_array_equal(pixels, np.round(item.image[0].numpy() * 255))


def test_a_sample_of_a_model_of_texts_is_a_text(client: Client) -> None:
    name = client.get("api/samples?model=sst-lstm").json[0]["url"]
    found = client.get(name)

    assert found.headers["content-type"] == "text/plain; charset=utf-8"
    assert len(found.body.decode().split()) > 5


def test_the_description_lists_every_route_and_code(client: Client) -> None:
    page = client.get("api/docs").body.decode()
    paths = client.get("openapi.json").json["paths"]

    assert len(paths) >= 7
    assert all(path.removeprefix("/") in page for path in paths)
    assert all(f"<code>{code}</code>" in page for code in CODES)


def test_the_frameworks_own_pages_are_not_there(client: Client) -> None:
    assert client.get("docs").status == 404
    assert client.get("redoc").status == 404


@pytest.mark.parametrize("path", [*(page.path for page in PAGES), "about", "api/docs"])
def test_links_of_a_page_are_relative_and_lead_somewhere(client: Client, path: str) -> None:
    page = client.get(path).body.decode()
    links = {link.split("#")[0] for link in re.findall(r'(?:href|src)="([^"]+)"', page)} - {""}
    folder = "http://x/" + path
    statuses = {link: client.get(_joined(folder, link)).status for link in links}

    assert len(links) > 4
    assert not any(link.startswith(("/", "http")) for link in links)
    assert set(statuses.values()) == {200}, statuses


def test_a_net_for_photographs_explains_its_sample(data: Path) -> None:
    with server(Settings(port=0, root=data)) as address:
        client = Client(address)
        sample = client.get("api/samples?model=squeezenet-imagenet").json[1]
        asked = {"model": "squeezenet-imagenet", "sample": sample["name"], "target": "tench"}
        found = client.upload("api/explain/image", asked).json
        client.close()
    shown = decoded(found["relevance"])

    assert found["target"]["name"].startswith("tench")
    assert found["picture"]["shape"] == [227, 227, 3]
    assert len(found["classes"]) in (10, 11)
    assert found["conserves"] is True
    assert shown.sum() == pytest.approx(found["score"] - sum(found["ledger"].values()), rel=1e-3)


def _joined(base: str, link: str) -> str:
    """The address a browser asks for, without its server."""
    return urljoin(base, link).removeprefix("http://x/")
