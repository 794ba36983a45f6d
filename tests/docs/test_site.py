"""The site builds strictly from the repository, and everything it points at is there."""

import os
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import documented
import whence
from documented import DOCS, ROOT

pytestmark = pytest.mark.skipif(
    find_spec("mkdocs") is None or find_spec("mkdocstrings") is None,
    reason="needs mkdocs: pip install 'whence[docs]'",
)
LOADED = {("script", "src"), ("link", "href"), ("img", "src"), ("iframe", "src"), ("source", "src")}


class Read(HTMLParser):
    """What a page points at, what can be pointed at in it, and its words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.text = text
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("id", "name") and value:
                self.anchors.add(value)
            if (tag, name) in LOADED and value:
                self.loaded.append(value)
            if name in ("href", "src") and value and (tag, name) not in (("link", "href"),):
                self.links.append(value)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The built site, and what the build said."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder, done.stderr


@pytest.fixture(scope="module")
def read(built: tuple[Path, str]) -> dict[Path, Read]:
    """All pages of the site by their path."""
    return {path: Read(path.read_text(encoding="utf-8")) for path in built[0].rglob("*.html")}


def broken(read: dict[Path, Read]) -> Iterator[str]:
    """Links and anchors that lead nowhere."""
    for path, page in read.items():
        if path.name == "404.html":
            continue  # its links start at the server's root
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file():
                yield f"{path.name}: {link}"
            elif parts.fragment and target.suffix == ".html":
                if unquote(parts.fragment) not in read[target].anchors:
                    yield f"{path.name}: {link}"


def outside(read: dict[Path, Read]) -> Iterator[str]:
    """What a page would load from another place."""
    for path, page in read.items():
        yield from (f"{path.name}: {each}" for each in page.loaded if urlsplit(each).netloc)


def test_the_site_builds_strictly_without_a_warning(built: tuple[Path, str]) -> None:
    assert "WARNING" not in built[1]
    assert "ERROR" not in built[1]


def test_every_page_is_built(read: dict[Path, Read], built: tuple[Path, str]) -> None:
    made = {str(path.relative_to(built[0])) for path in read}

    assert {page.removesuffix(".md") + ".html" for page in documented.pages()} <= made


def test_all_links_and_anchors_lead_somewhere(read: dict[Path, Read]) -> None:
    assert sum(len(page.links) for page in read.values()) > 1000
    assert list(broken(read)) == []


def test_a_broken_link_and_a_broken_anchor_would_be_noticed(tmp_path: Path) -> None:
    text = '<a href="b.html">x</a><a href="#none">x</a><a href="#here" id="here">x</a>'

    (tmp_path / "a.html").write_text(text)

    found = list(broken({tmp_path / "a.html": Read(text)}))
    assert found == ["a.html: b.html", "a.html: #none"]


def test_keys_of_papers_lead_to_their_entries(read: dict[Path, Read]) -> None:
    links = [link for page in read.values() for link in page.links if "papers.html#" in link]
    plain = [page for page in read.values() if "References: [bach2015" in page.text]

    assert len(links) > 100  # that the entries are there is tested with all links
    assert plain == []


def test_nothing_is_loaded_from_elsewhere(read: dict[Path, Read]) -> None:
    assert list(outside(read)) == []


def test_something_loaded_from_elsewhere_would_be_noticed() -> None:
    page = Read(
        '<script src="https://cdn.example/x.js"></script><a href="https://example.org">x</a>'
    )

    assert list(outside({Path("a.html"): page})) == ["a.html: https://cdn.example/x.js"]


def test_the_reference_has_every_public_name(built: tuple[Path, str]) -> None:
    pages = {path.stem: Read(path.read_text()) for path in (built[0] / "reference").glob("*.html")}
    packages = [name for name in whence.__all__ if (ROOT / "src" / "whence" / name).is_dir()]
    listed = {
        f"whence.{package}.{name}"
        for package in packages
        for name in getattr(whence, package).__all__
        if callable(getattr(getattr(whence, package), name))
    }

    anchors = set().union(*(page.anchors for page in pages.values()))
    assert set(packages) <= set(pages)
    assert sorted(listed - anchors) == []


def test_pictures_have_words_for_who_cannot_see_them() -> None:
    texts = {page: (DOCS / page).read_text(encoding="utf-8") for page in documented.pages()}

    assert [page for page, text in texts.items() if "![](" in text] == []
