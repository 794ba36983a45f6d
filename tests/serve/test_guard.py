"""Who may ask, and what every answer says to browsers."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving import Client, ink, server
from whence.serve import Limits, Settings
from whence.serve._guard import POLICY

TOKEN = "four random wörds here"
QUERY = "four%20random%20w%C3%B6rds%20here"
ADDRESS = re.compile(r"""(?:https?:)?//(?=\w+\.\w)[^\s"'<>)]+""")
BODY = {"pixels": ink(0)}


@pytest.fixture(scope="module")
def guarded() -> Iterator[Client]:
    """A user of a server that asks for a token, behind a proxy of another name."""
    limits = Limits(body=5000)
    with server(Settings(port=0, token=TOKEN, hosts=("proxy.test",), limits=limits)) as address:
        made = Client(address)
        yield made
        made.close()


@pytest.mark.parametrize("path", ["", "image", "api/models", "api/nothing", "static/style.css"])
def test_every_answer_carries_the_policy(client: Client, path: str) -> None:
    found = client.get(path).headers

    assert found["content-security-policy"] == POLICY
    assert "default-src 'self'" in POLICY
    assert "unsafe" not in POLICY
    assert "frame-ancestors 'none'" in POLICY
    assert found["x-content-type-options"] == "nosniff"
    assert found["referrer-policy"] == "same-origin"  # without any, forms would have no origin


@pytest.mark.parametrize(
    ("path", "wanted"),
    [("api/models", "no-store"), ("", "no-store"), ("static/api.js", "no-cache")],
)
def test_answers_are_not_kept_and_files_are_asked_for_again(
    client: Client, path: str, wanted: str
) -> None:
    assert client.get(path).headers["cache-control"] == wanted


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8321", "[::1]:99", "LOCALHOST:1"])
def test_names_of_this_machine_are_taken(client: Client, host: str) -> None:
    assert client.get("api/models", Host=host).status == 200


def test_the_own_origin_is_taken(client: Client) -> None:
    headers = {"Host": "localhost:80", "Origin": "http://localhost:80"}

    assert client.post("api/explain/digit", BODY, headers).status == 200


def test_another_port_of_this_machine_is_another_origin(client: Client) -> None:
    headers = {"Host": "localhost:80", "Origin": "http://localhost:81"}

    assert client.post("api/explain/digit", BODY, headers).code == "wrong_origin"


@pytest.mark.parametrize("path", ["", "api/models", "static/style.css", "openapi.json", "x"])
@pytest.mark.parametrize("given", ["", "wrong", "four", QUERY + "x", "%00", "%FF"])
def test_without_the_token_there_is_nothing(guarded: Client, path: str, given: str) -> None:
    found = guarded.get(f"{path}?token={given}" if given else path)

    assert (found.status, found.code) == (401, "token_needed")
    assert found.headers["www-authenticate"] == "Bearer"


def test_the_token_opens_by_header(guarded: Client) -> None:
    sent = {"Authorization": b"Bearer " + TOKEN.encode("latin-1")}

    assert guarded.ask("GET", "api/models", headers=sent).status == 200


def test_the_token_in_the_address_is_swapped_for_a_cookie(guarded: Client) -> None:
    first = guarded.get(f"image?token={QUERY}&x=1")
    cookie = first.headers["set-cookie"]
    again = guarded.get("api/models", Cookie=cookie.split(";")[0])

    assert first.status == 303
    assert first.headers["location"] == "image?x=1"
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie
    assert again.status == 200


def test_a_wrong_cookie_does_not_open(guarded: Client) -> None:
    assert guarded.get("api/models", Cookie="whence-token=" + "0" * 64).status == 401


def test_an_allowed_name_is_taken_as_host_and_origin(guarded: Client) -> None:
    cookie = guarded.get(f"?token={QUERY}").headers["set-cookie"].split(";")[0]
    headers = {"Host": "127.0.0.1", "Origin": "https://proxy.test", "Cookie": cookie}

    assert guarded.get("api/models", Host="proxy.test", Cookie=cookie).status == 200
    assert guarded.post("api/explain/digit", BODY, headers).status == 200


def test_a_body_without_a_length_is_counted_while_it_comes(guarded: Client) -> None:
    cookie = guarded.get(f"?token={QUERY}").headers["set-cookie"].split(";")[0]
    sent = {"Content-Type": "application/json", "Cookie": cookie, "Connection": "close"}
    answer = guarded.begin("api/explain/digit", [b" " * 3000, b" " * 3000], sent)

    assert (answer.status, answer.code) == (413, "too_large")


def test_no_file_of_the_pages_names_another_server() -> None:
    source = Path(__file__).parents[2] / "src" / "whence"
    folders = [source / "serve", source / "reports" / "templates", source / "reports" / "static"]
    there = [each for folder in folders for each in folder.rglob("*")]
    files = [each for each in there if each.suffix in (".html", ".js", ".css", ".svg")]
    found = {address for each in files for address in ADDRESS.findall(each.read_text())}

    assert len(files) > 5
    assert found <= {"http://www.w3.org/2000/svg"}  # the name of a format, which nobody fetches


def test_pages_hold_no_scripts_or_styles_of_their_own(client: Client) -> None:
    pages = [client.get(path).body for path in ("", "image", "about", "api/docs")]

    assert all(b"<main" in page for page in pages)
    assert not any(b"<style" in page or b' style="' in page for page in pages)
    assert not any(b" onclick=" in page or b"javascript:" in page for page in pages)
    assert not any(b"<script>" in page for page in pages)
