"""Tests in a real browser, run in an environment of their own: ./scripts/test --all.

They need Playwright and Chromium, those of accessibility axe-core besides; without them they are
skipped, and say so. WHENCE_BROWSER=required makes what is missing a failure.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="needs the extra: pip install whence[web]")

from browsing import FLAGS, SIZES, Tab, serving

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[2]
NAMES = ("chromium", "google-chrome", "chromium-browser")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
AXE = os.environ.get("WHENCE_AXE") or next(
    map(str, ROOT.glob(".venv-browser/axe/*/axe.min.js")), ""
)
MISSING = [
    *([] if find_spec("playwright") else ["playwright (pip install playwright)"]),
    *([] if CHROMIUM else ["Chromium"]),
]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--keep-picture",
        action="store_true",
        help="write the picture of the README, docs/pictures/serve.png",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # pytest hands over all tests of the session, not only those below this folder.
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if MISSING:
                item.add_marker(pytest.mark.skip(reason=f"needs {' and '.join(MISSING)}"))


def _check_that_none_is_missing() -> None:
    if MISSING and os.environ.get("WHENCE_BROWSER") == "required":
        raise pytest.UsageError(f"Not found here: {', '.join(MISSING)}. See scripts/test.")
    if "WHENCE_AXE" in os.environ and not Path(AXE).is_file():
        raise pytest.UsageError(f"WHENCE_AXE names no file: {AXE}")


_check_that_none_is_missing()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, started once for all tests of a process."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        launched = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where `whence serve` answers; it has what ships, and no data of others."""
    with serving("--root", str(tmp_path_factory.mktemp("data"))) as found:
        yield found


@pytest.fixture(scope="session")
def axe() -> str:
    """The script of axe-core."""
    if not AXE:
        pytest.skip("needs axe-core, which ./scripts/test --all gets from npm")
    return Path(AXE).read_text(encoding="utf-8")


@pytest.fixture
def tabs(browser: Any, address: str) -> Iterator[Callable[..., Tab]]:
    """Makes tabs: tabs("phone", color_scheme="dark"). The test fails with the troubles of any."""
    made: list[Tab] = []

    def make(size: str = "desktop", at: str = "", **options: Any) -> Tab:
        width, height = SIZES[size]
        view = {"width": width, "height": height}
        made.append(Tab(browser, at or address, viewport=view, **options))
        return made[-1]

    yield make
    for tab in made:
        tab.close()
    assert [trouble for tab in made for trouble in tab.troubles] == []


@pytest.fixture
def tab(tabs: Callable[..., Tab]) -> Tab:
    """One tab at desktop width."""
    return tabs()
