"""Every page by keyboard alone: all can be reached, the focus is seen, and nothing holds it."""

from collections.abc import Callable
from typing import Any

import pytest

from browsing import Tab
from whence.serve._pages import ABOUT, DOCS, PAGES, Page

MOST = 400  # more stops than any page has
# What takes part: all that is seen and not disabled; of a group of radio buttons, one.
STOPS = """() => {
  const groups = new Set();
  const kinds = "a[href], button, input, select, textarea, summary, [tabindex]";
  return [...document.querySelectorAll(kinds)]
    .filter((element) => element.checkVisibility() && !element.disabled && element.tabIndex >= 0)
    .filter(({ type, name }) => {
      if (type !== "radio") return true;
      const before = groups.has(name);
      groups.add(name);
      return !before;
    }).length;
}"""
HERE = """async () => {
  for (const _ of "12") await new Promise(requestAnimationFrame); // until the page has scrolled
  const element = document.activeElement;
  if (element === document.body) return null;
  const all = [...document.querySelectorAll("*")];
  const shown = element.type === "radio" && element.nextElementSibling || element;
  const { outlineStyle, outlineWidth } = getComputedStyle(shown);
  const box = element.getBoundingClientRect();
  return {
    place: all.indexOf(element),
    what: element.outerHTML.slice(0, 80),
    seen: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2,
    inside: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
  };
}"""


def walk(tab: Tab) -> list[dict[str, Any]]:
    """What has the focus at each press of the Tab key, until it has left the page."""
    found = []
    for _ in range(MOST):
        tab.page.keyboard.press("Tab")
        here = tab.page.evaluate(HERE)
        if here is None or (found and here["place"] == found[0]["place"]):
            return found
        found.append(here)
    raise AssertionError(f"the focus does not leave the page: {found[-3:]}")


@pytest.fixture
def tab(tabs: Callable[..., Tab]) -> Tab:
    """A tab whose scrolling takes no time."""
    return tabs(reduced_motion="reduce")


@pytest.mark.parametrize("page", [*PAGES, ABOUT, DOCS], ids=lambda page: page.name)
def test_all_can_be_reached_and_the_focus_is_seen(page: Page, tab: Tab) -> None:
    tab.open(page.path)
    stops = tab.page.evaluate(STOPS)
    found = walk(tab)
    places = [stop["place"] for stop in found]

    assert len(found) == stops
    assert len(set(places)) == len(places)
    assert [stop["what"] for stop in found if not stop["seen"]] == []
    assert [stop["what"] for stop in found[1:] if not stop["inside"]] == []


@pytest.mark.parametrize("page", [*PAGES, ABOUT, DOCS], ids=lambda page: page.name)
def test_the_first_stop_skips_the_menu(page: Page, tab: Tab) -> None:
    tab.open(page.path)
    tab.page.keyboard.press("Tab")
    first = tab.page.evaluate("() => document.activeElement.className")
    tab.page.keyboard.press("Enter")
    tab.page.keyboard.press("Tab")
    inside = tab.page.evaluate("() => document.activeElement.closest('main, footer') !== null")

    assert first == "skip"
    assert inside
