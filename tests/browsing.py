"""A real browser for tests: it opens pages, notes all that goes wrong, and measures what is seen.

Playwright is used, never imported here: where it is absent these tests are skipped, not broken.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

SHOTS = Path(__file__).parents[1] / "build" / "screenshots"
SIZES = {"desktop": (1280, 900), "phone": (375, 812)}
# A seven, in parts of the drawing field's side.
SEVEN = [(0.28, 0.25), (0.72, 0.25), (0.60, 0.50), (0.45, 0.80)]
FLAGS = """--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync
--disable-background-networking --disable-component-update""".split()
# Names other than this machine's lead nowhere, whatever a page or the browser itself may try.
FLAGS.append("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost")
LOOKS = 8
OWN = ("about", "blob", "data")  # addresses of these kinds ask nobody

# Scripts have begun (pages without any are ready), and nothing says that it is at work.
RESTS = """() => !document.querySelector(".busy, [data-finished=no]")
  && (!document.querySelector("script[type=module]") || document.body.dataset.ready === "yes")"""
BLANK = """() => [...document.querySelectorAll("canvas")]
  .filter((canvas) => canvas.checkVisibility() && !canvas.closest("[data-empty]"))
  .filter((canvas) => {
    const { width, height } = canvas;
    if (!width || !height) return true;
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    const words = new Uint32Array(data.buffer);
    return words.every((word) => word === words[0]);
  })
  .map((canvas) => canvas.id || canvas.outerHTML)"""
# What sticks out of the window at the right, unless it stands in a box that scrolls by itself.
WIDE = """() => {
  const root = document.documentElement, wide = root.scrollWidth - root.clientWidth;
  if (wide <= 0) return [];
  const out = [...document.body.querySelectorAll("*")].filter((element) =>
    element.checkVisibility() && element.getBoundingClientRect().right > root.clientWidth + 0.5);
  return [`${wide} pixels`, ...out.map((element) => element.outerHTML.slice(0, 100))];
}"""
AXE = """async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  return violations.filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, impact, nodes }) => [id, impact, ...nodes.map(({ html, failureSummary }) =>
      `${html.slice(0, 160)} -- ${failureSummary}`)]);
}"""


class Tab:
    """A page in a context of its own, at a server's address; `troubles` has what went wrong.

    Troubles are: a request to any other address, a request that failed or was refused, an error or
    a warning on the console, an exception in a script. A test that provokes one says so with
    `forgive`; all others fail with them.
    """

    def __init__(self, browser: Any, address: str, **options: Any) -> None:
        self.address = address
        self.troubles: list[str] = []
        self.asked: list[str] = []  # paths of the API, in order
        self._under_way: set[Any] = set()
        self._context = browser.new_context(**options)
        self._context.set_default_timeout(20_000)
        self.page = self._context.new_page()
        for event, act in {
            "request": self._begin,
            "requestfinished": lambda request: self._under_way.discard(request),
            "requestfailed": self._fail,
            "response": self._answer,
            "console": self._say,
            "pageerror": lambda error: self.troubles.append(f"exception: {error}"),
        }.items():
            self.page.on(event, act)

    def open(self, path: str = "") -> "Tab":
        """Go to a page and wait until it rests."""
        self.page.goto(self.address + path)
        return self.settle()

    def settle(self, patience: float = 120.0) -> "Tab":
        """Wait until the scripts have begun, nothing is asked any more, and nothing is busy.

        That is seen so many times in a row; on a machine with much else to do each look takes
        longer, and so does the page.
        """
        quiet, end = 0, time.monotonic() + patience
        while quiet < LOOKS:
            self.page.wait_for_timeout(30)
            rests = self.page.evaluate(RESTS) and not self._under_way
            quiet = quiet + 1 if rests else 0
            if time.monotonic() > end:
                raise AssertionError(f"not ready, or waiting for {self._under_way}")
        return self

    def forgive(self, *expected: str) -> None:
        """Forget troubles, each of which must contain one of these words."""
        assert [t for t in self.troubles if not any(word in t for word in expected)] == []
        self.troubles.clear()

    def look(self, selector: str) -> str:
        """A sum of a canvas's pixels: equal sums, equal pictures."""
        url = self.page.eval_on_selector(selector, "(canvas) => canvas.toDataURL()")
        return hashlib.sha256(url.encode()).hexdigest()

    def text(self, selector: str) -> str:
        return self.page.inner_text(selector)

    def close(self) -> None:
        self._context.close()

    def _begin(self, request: Any) -> None:
        parts, own = urlsplit(request.url), urlsplit(self.address)
        if parts.scheme in OWN:
            return
        self._under_way.add(request)
        if (parts.scheme, parts.netloc) != (own.scheme, own.netloc):
            self.troubles.append(f"asked elsewhere: {request.url}")
        if parts.path.startswith(f"{own.path}api/"):
            self.asked.append(parts.path.removeprefix(own.path))

    def _fail(self, request: Any) -> None:
        self._under_way.discard(request)
        if request.failure != "net::ERR_ABORTED":  # a script's own choice: newer input came
            self.troubles.append(f"failed: {request.url} ({request.failure})")

    def _answer(self, response: Any) -> None:
        if response.status >= 400:
            self.troubles.append(f"status {response.status}: {response.url}")

    def _say(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.troubles.append(f"{message.type} on the console: {message.text}")


def places(tab: Tab, points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Parts of the drawing field as places in the window."""
    tab.page.locator("#pad").scroll_into_view_if_needed()
    box = tab.page.locator("#pad").bounding_box()
    return [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]


def draw(tab: Tab, points: list[tuple[float, float]] = SEVEN) -> None:
    """Draw one line with the mouse."""
    mouse, (first, *others) = tab.page.mouse, places(tab, points)
    mouse.move(*first)
    mouse.down()
    for point in others:
        mouse.move(*point, steps=8)
    mouse.up()


@contextmanager
def serving(*more: str, program: Path | None = None) -> Iterator[str]:
    """`whence serve` as a user starts it, at a free port; the address that it prints."""
    started = whence() if program is None else [str(program)]
    command = [*started, "serve", "--port", "0", *more]
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as running,
    ):
        try:
            assert running.stdout is not None
            lines = []
            for line in running.stdout:
                lines.append(line)
                if line.startswith("Whence is at "):
                    yield line.split()[3]
                    break
            else:
                errors.seek(0)
                raise AssertionError("".join(lines) + errors.read())
        finally:
            running.terminate()
            running.wait(timeout=20)


def whence() -> list[str]:
    """The command as it is installed beside this Python, else the module."""
    installed = Path(sys.executable).parent / "whence"
    return [str(installed)] if os.access(installed, os.X_OK) else [sys.executable, "-m", "whence"]
