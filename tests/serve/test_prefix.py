"""Below a path of a proxy: every link and file of every page is found."""

import re
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

import pytest

from serving import Client, ink, server
from whence.errors import InvalidInput
from whence.serve import Settings, create_app
from whence.serve._guard import placed
from whence.serve._pages import ABOUT, DOCS, PAGES
from whence.serve._settings import _OWN

ADDRESS = re.compile(r'\s(?:href|src|action)="([^"#][^"]*)"')
ERRORS = ["none", "none/", "api", "static/none", "static/none/none.css", "x/y/z", "image/none"]
SHOWN = [page.path for page in (*PAGES, ABOUT, DOCS)] + ERRORS
PREFIX = "/shown/look"
TOKEN = "word"


class Proxied:
    """A browser behind a proxy, which cuts the prefix off or leaves it."""

    def __init__(self, address: str, cut: str) -> None:
        self._client, self._cut = Client(address), cut
        self._seen: dict[str, int] = {}

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        """The status and text at a path of the proxy."""
        assert path.startswith(PREFIX)
        found = self._client.get(path.removeprefix(self._cut).removeprefix("/"), **headers)
        return found.status, found.body.decode("utf-8", "replace")

    def status(self, path: str) -> int:
        """The status at a path, asked for once."""
        if path not in self._seen:
            self._seen[path] = self.get(path, Accept="text/html")[0]
        return self._seen[path]

    def ask(self, path: str, body: object) -> tuple[int, str]:
        found = self._client.post(path.removeprefix(self._cut).removeprefix("/"), body)
        return found.status, found.body.decode()

    def close(self) -> None:
        self._client.close()

    def headers(self, path: str) -> tuple[int, dict[str, str]]:
        found = self._client.get(path.removeprefix(self._cut).removeprefix("/"))
        return found.status, dict(found.headers)


@pytest.fixture(
    scope="module",
    params=["cut, told", "left, told", "cut, uvicorn told", "left, uvicorn told", "cut, untold"],
)
def behind(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxied]:
    told = {
        "told": ({"prefix": PREFIX}, {}),
        "uvicorn told": ({}, {"root_path": PREFIX}),
        "untold": ({}, {}),
    }
    what, who = request.param.split(", ")
    settings, options = told[who]
    root = tmp_path_factory.mktemp("data")
    with server(Settings(port=0, root=root, **settings), **options) as address:
        made = Proxied(address, PREFIX if what == "cut" else "")
        yield made
        made.close()


def addresses(text: str) -> list[str]:
    return [each.replace("&amp;", "&") for each in ADDRESS.findall(text) if ":" not in each]


@pytest.mark.parametrize("path", SHOWN)
def test_every_address_on_a_page_is_there(behind: Proxied, path: str) -> None:
    seen = f"{PREFIX}/{path}"
    status, text = behind.get(seen, Accept="text/html")
    links = {urljoin(f"http://proxy{seen}", each) for each in addresses(text)}
    places = {urlsplit(link).path: urlsplit(link).query for link in links}
    answers = {
        place: behind.status(place + (f"?{query}" if query else ""))
        for place, query in places.items()
    }

    assert status == (404 if path in ERRORS else 200)
    assert "<main" in text
    assert {f"{PREFIX}/", f"{PREFIX}/about", f"{PREFIX}/static/style.css"} <= set(answers)
    assert set(answers.values()) == {200}


def test_the_api_answers_below_the_prefix(behind: Proxied) -> None:
    status, text = behind.ask(f"{PREFIX}/api/explain/digit", {"pixels": ink(0)})
    wrong, told = behind.get(f"{PREFIX}/api/none", Accept="text/html")

    assert status == 200, text
    assert wrong == 404
    assert told.startswith('{"error"')  # a program gets no page


@pytest.mark.parametrize("cut", [PREFIX, ""])
def test_the_cookie_is_for_the_pages_below_the_prefix(cut: str) -> None:
    with server(Settings(port=0, token=TOKEN, prefix=PREFIX)) as address:
        user = Proxied(address, cut)
        status, found = user.headers(f"{PREFIX}/image?token={TOKEN}&x=1")
        user.close()

    assert (status, found["location"]) == (303, "image?x=1")
    assert f"Path={PREFIX}/;" in found["set-cookie"]


def test_the_prefix_alone_leads_to_the_first_page() -> None:
    with server(Settings(port=0, prefix=PREFIX)) as address:
        user = Proxied(address, "")
        status, found = user.headers(f"{PREFIX}?x=1")
        user.close()

    assert (status, found["location"]) == (307, "look/?x=1")
    assert urljoin(f"http://proxy{PREFIX}", found["location"]) == f"http://proxy{PREFIX}/?x=1"


@pytest.mark.parametrize(
    ("root", "prefix", "path", "wanted"),
    [
        ("", "", "/image", "/image"),
        ("", "/look", "/image", "/look/image"),
        ("", "/look", "/look/image", "/look/image"),
        ("", "/look", "/looking", "/look/looking"),
        ("", "/look", "/look", "/look"),
        ("/look", "", "/look/image", "/look/image"),
        ("/look/", "", "/look/look/image", "/look/image"),
        ("/look", "", "/image", "/look/image"),
    ],
)
def test_a_path_holds_the_prefix_once(root: str, prefix: str, path: str, wanted: str) -> None:
    found = placed({"type": "http", "root_path": root, "path": path}, prefix)

    assert found["path"] == wanted


def test_no_address_of_the_application_can_be_a_prefix() -> None:
    api = [path.removeprefix("/") for path in create_app(Settings()).openapi()["paths"]]
    pages = [page.path for page in (*PAGES, ABOUT, DOCS)]
    first = {path.split("/")[0] for path in (*api, *pages, "static", "openapi.json")}

    assert first - {""} == set(_OWN)


@pytest.mark.parametrize(
    "prefix", ["whence", "/whence/", "/", "//x", "/a b", "/a?b", "/api", "/static/x", "/ä", "/a\n"]
)
def test_a_prefix_must_be_a_path(prefix: str) -> None:
    with pytest.raises(InvalidInput, match="A prefix must be a path such as /whence"):
        Settings(prefix=prefix)
