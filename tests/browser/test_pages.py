"""Every page of the menu, at two widths, light and dark: whole, quiet, and usable by everyone.

Screenshots are left in build/screenshots.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from browsing import AXE, BLANK, SHOTS, SIZES, WIDE, Tab
from whence.serve._pages import ABOUT, DOCS, PAGES

LOOKS = [(size, scheme) for size in SIZES for scheme in ("light", "dark")]
EVERY = [(page, *look) for page in (*PAGES, ABOUT, DOCS) for look in LOOKS]


@pytest.fixture(
    scope="module", params=EVERY, ids=lambda each: f"{each[0].name}-{each[1]}-{each[2]}"
)
def seen(request: pytest.FixtureRequest, browser: Any, address: str) -> Iterator[Tab]:
    """A page as it is after its first answers, with a screenshot of it."""
    page, size, scheme = request.param
    width, height = SIZES[size]
    tab = Tab(
        browser, address, viewport={"width": width, "height": height}, color_scheme=scheme
    ).open(page.path)
    tab.page.screenshot(path=SHOTS / f"{page.name}-{size}-{scheme}.png", full_page=True)
    yield tab
    tab.close()


def test_a_page_asks_this_server_only_and_nothing_fails(seen: Tab) -> None:
    assert seen.troubles == []


def test_no_canvas_is_blank(seen: Tab) -> None:
    assert seen.page.evaluate(BLANK) == []


def test_nothing_sticks_out_of_the_window(seen: Tab) -> None:
    assert seen.page.evaluate(WIDE) == []


def test_axe_finds_nothing_serious(seen: Tab, axe: str) -> None:
    seen.page.evaluate(axe)

    assert seen.page.evaluate(AXE) == []


def test_a_page_has_one_heading_a_title_and_a_place_in_the_menu(seen: Tab) -> None:
    titles = seen.page.locator("h1").all_inner_texts()

    assert len(titles) == 1
    assert seen.page.title().endswith("Whence")
    assert seen.page.locator("nav a").count() == len(PAGES) + 1


# The checks themselves, on small pages with one fault each.


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        ("<canvas width=9 height=9></canvas>", BLANK),
        ("<div style='width: 3000px'>wide</div>", WIDE),
        ("<img src='data:image/gif;base64,R0lGODlhAQABAAAAACw='>", AXE),
        ("<p style='color: #bbb; background: #fff'>faint</p>", AXE),
    ],
)
def test_a_fault_is_found(fault: str, check: str, tab: Tab, axe: str) -> None:
    tab.page.set_content(f"<html lang=en><title>t</title><main><h1>t</h1>{fault}</main></html>")
    tab.page.evaluate(axe)

    assert len(tab.page.evaluate(check)) > 0


@pytest.mark.parametrize(
    ("fault", "trouble"),
    [
        ("<img src='http://192.0.2.1/x.png'>", "asked elsewhere"),
        ("<link rel=stylesheet href='http://fonts.invalid/a.css'>", "asked elsewhere"),
        ("<script>console.error('no')</script>", "error on the console"),
        ("<script>throw Error('no')</script>", "exception"),
    ],
)
def test_a_trouble_is_noted(fault: str, trouble: str, tab: Tab) -> None:
    tab.page.route("http://192.0.2.1/**", lambda route: route.abort())
    tab.page.set_content(f"<html>{fault}</html>")
    tab.page.wait_for_timeout(100)

    assert any(trouble in each for each in tab.troubles)
    tab.forgive("asked elsewhere", "console", "exception", "failed")


def test_a_page_that_is_not_there_says_where_to_go(tabs: Callable[..., Tab]) -> None:
    tab = tabs().open("nowhere")

    assert tab.page.locator("main a").count() > 0
    tab.forgive("status 404", "404 (Not Found)")
