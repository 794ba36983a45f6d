"""The documentation as tests read it: pages, their blocks of code, and how to run them.

A block may be marked by a comment on the line before it. `<!-- needs: PACKAGE -->`: it is run where
the package is installed (`server`: where a server of ours runs). `<!-- not run: REASON -->`: never.
`<!-- printed -->`: words that the page's code must have printed.
"""

import contextlib
import io
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
_BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]*?) -->\n)?^```(?P<kind>\w*)\n(?P<code>.*?)^```$", re.M | re.S
)
_COMMAND = re.compile(
    r"^(?: {4}|\$ )((?:whence|python|\./scripts/\w+)(?: (?:[^\n]*\\\n)*[^\n]*)?)$", re.M
)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, code, mark and the line it starts in."""

    kind: str
    code: str
    mark: str
    line: int

    @property
    def needs(self) -> str:
        """The package without which it is not run, or nothing."""
        return self.mark.removeprefix("needs: ") if self.mark.startswith("needs: ") else ""

    @property
    def left_out(self) -> str:
        """Why it is never run, or nothing."""
        return self.mark.removeprefix("not run: ") if self.mark.startswith("not run: ") else ""


def pages() -> list[str]:
    """All pages of the site, relative to its folder."""
    return sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return [
        Block(
            found["kind"],
            found["code"],
            found["mark"] or "",
            text[: found.start("code")].count("\n"),
        )
        for found in _BLOCK.finditer(text)
    ]


def python(page: str) -> list[Block]:
    """What can be run of a page."""
    return [each for each in blocks(page) if each.kind == "python" and not each.left_out]


def needed(page: str) -> set[str]:
    """The packages that some blocks of a page need."""
    return {each.needs for each in python(page)} - {""}


def run(page: str, given: set[str], exchanged: Mapping[str, str] | None = None) -> str:
    """Run a page's blocks in one namespace, but for those that need what is not given; what it
    printed. Lines in a traceback are those of the page. exchanged: words of the page, such as an
    address, and what stands for them here."""
    namespace: dict[str, Any] = {"__name__": "page"}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for block in python(page):
            if block.needs in given | {""}:
                code = "\n" * block.line + block.code
                for words, other in (exchanged or {}).items():
                    code = code.replace(words, other)
                exec(compile(code, str(DOCS / page), "exec"), namespace)
    return printed.getvalue()


def printed(page: str) -> list[str]:
    """What the page says that its code prints."""
    return [each.code.rstrip("\n") for each in blocks(page) if each.mark == "printed"]


def commands(page: str) -> list[list[str]]:
    """The command lines of a page, as words."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return [
        shlex.split(each.replace("\\\n", " "), comments=True) for each in _COMMAND.findall(text)
    ]
