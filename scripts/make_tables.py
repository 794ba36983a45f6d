"""Writes what is generated in the documentation: tables of methods, rules and metrics, one picture.

    python scripts/make_tables.py          write what changed
    python scripts/make_tables.py --check  write nothing; exit status 1 if something would change

A table stands between <!-- table: NAME --> and <!-- end --> and comes from the docstrings.
"""

import re
import sys
from collections.abc import Iterable
from pathlib import Path

from whence import viz
from whence.runs import catalogue, readme_picture

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "pictures" / "digits.png"
PAGES = (ROOT / "README.md", ROOT / "docs" / "rules.md", ROOT / "docs" / "metrics.md")
_TABLE = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def tables() -> dict[str, str]:
    """The tables by name, in Markdown."""
    found = catalogue()
    methods = [
        (f"`{line.name}`", line.summary, line.decomposes, line.papers) for line in found["methods"]
    ]
    composites = [
        (f"`{line.name}`", f"`{line.spelling}`", line.summary, line.papers)
        for line in found["composites"]
    ]
    rules = [(f"`{line.name}`", line.summary, line.papers) for line in found["rules"]]
    metrics = [
        (f"`{line.name}`", line.decomposes, line.summary, line.papers) for line in found["metrics"]
    ]
    return {
        "methods": _markdown(("`method=`", "what it is", "what it decomposes", "papers"), methods),
        "composites": _markdown(("`composite=`", "function", "what it is", "papers"), composites),
        "rules": _markdown(("rule", "what it is", "papers"), rules),
        "metrics": _markdown(("metric", "better", "what it says", "papers"), metrics),
    }


def with_tables(text: str) -> str:
    """The text of a page with its tables as they should be."""
    made = tables()
    return _TABLE.sub(lambda match: match[1] + made[match[2]] + match[3], text)


def main(arguments: list[str]) -> int:
    """Write or check all pages; the exit status."""
    stale = []
    for page in PAGES:
        old = page.read_text(encoding="utf-8")
        new = with_tables(old)
        if new != old:
            stale.append(page)
            if "--check" not in arguments:
                page.write_text(new, encoding="utf-8")
    if "--check" not in arguments:
        viz.save(readme_picture(), PICTURE)
    for page in stale:
        print(page.relative_to(ROOT))
    return int("--check" in arguments and bool(stale))


def _markdown(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join("| " + " | ".join(_cell(each) for each in line) + " |\n" for line in lines)


def _cell(text: str) -> str:
    # Outside code, GitHub reads * and _ as emphasis and | as the end of the cell.
    return text if text.startswith("`") else re.sub(r"([*_|<])", r"\\\1", text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
