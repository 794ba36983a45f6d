"""Hostile inputs get their documented errors, and nobody else notices."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hostile import CASES, PICTURES, Case
from serving import Client, Reply, form, ink
from whence.serve import CODES

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
LEAKS = re.compile(rb"Traceback|File \"|site-packages|/src/whence|" + str(Path.home()).encode())


@pytest.fixture
def other(address: str) -> Iterator[Client]:
    """Another user of the same server."""
    made = Client(address)
    yield made
    made.close()


@pytest.fixture(scope="module")
def before(address: str) -> dict[str, object]:
    """What a valid request gets before anything hostile came."""
    made = Client(address)
    found = valid(made)
    made.close()
    return found


def valid(client: Client) -> dict[str, object]:
    found = client.post("api/explain/digit", {"pixels": ink(11), "target": 2, "against": 7})
    assert found.status == 200, found.body
    return {key: value for key, value in found.json.items() if key != "seconds"}


def test_the_table_is_long_and_its_names_differ() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 60


@every_case
def test_it_gets_its_documented_answer_and_nobody_notices(
    case: Case, client: Client, other: Client, before: dict[str, object]
) -> None:
    with ThreadPoolExecutor(1) as elsewhere:
        beside = elsewhere.submit(valid, other)
        found = case.send(client)
        meanwhile = beside.result()

    assert (found.status, found.code) == (case.status, case.code)
    assert_well_formed(found)
    assert meanwhile == before
    assert valid(client) == before


@pytest.mark.parametrize("case", PICTURES, ids=lambda case: case.name)
def test_the_form_of_the_page_gets_the_same_as_a_page(
    case: Case, client: Client, before: dict[str, object]
) -> None:
    body, kind = form({"model": "digits-cnn"}, case.data)
    found = client.post("image", body, {"Content-Type": kind, "Accept": "text/html"})

    assert found.status == case.status
    assert found.headers["content-type"] == "text/html; charset=utf-8"
    assert (case.code or "<h1").encode() in found.body
    assert LEAKS.search(found.body) is None
    assert valid(client) == before


@pytest.mark.parametrize("path", ["nothing", "static/nothing", "image/../../etc"])
def test_a_browser_gets_a_page(client: Client, path: str) -> None:
    found = client.get(path, Accept="text/html,*/*;q=0.8")

    assert found.status == 404
    assert found.headers["content-type"] == "text/html; charset=utf-8"
    assert b"There is nothing at this address." in found.body
    assert b"not_found" in found.body


def test_a_page_of_an_error_escapes_what_came(client: Client) -> None:
    headers = {"Accept": "text/html", "Host": "<script>alert(1)</script>"}
    found = client.ask("GET", "image", headers=headers)

    assert found.status == 400
    assert b"<script>alert" not in found.body
    assert b"&lt;script&gt;alert" in found.body


def test_the_api_answers_browsers_in_json_too(client: Client) -> None:
    found = client.get("api/samples?model=none", Accept="text/html")

    assert found.headers["content-type"] == "application/json"
    assert found.code == "unknown_model"


def assert_well_formed(found: Reply) -> None:
    """An error has the documented form, and tells nothing of the machine."""
    assert LEAKS.search(found.body) is None
    if found.status >= 400:
        error = found.json["error"]
        assert set(found.json) == {"error"}
        assert set(error) == {"code", "message", "what_to_do"}
        assert CODES[error["code"]][0] == found.status
        assert all(error.values())
        assert len(found.body) < 2000
