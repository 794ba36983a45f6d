"""Writes what is generated in the documentation: tables of methods, rules, metrics, supported
operations and papers, one picture.

    python scripts/make_tables.py          write what changed
    python scripts/make_tables.py --check  write nothing; exit status 1 if something would change

A table stands between <!-- table: NAME --> and <!-- end --> and comes from the docstrings,
that of operations from the engine's table of kinds, that of papers from `_references`.
"""

import ast
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from whence import viz
from whence._references import REFERENCES
from whence.engine import NATURES
from whence.runs import catalogue, readme_picture

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "pictures" / "digits.png"
PAGES = (
    ROOT / "README.md",
    *(
        ROOT / "docs" / f"{name}.md"
        for name in ("examples", "methods", "metrics", "operations", "papers", "rules")
    ),
)
# How relevance passes each nature; geometry makes no tensors and is left out of the table.
PASSES = {
    "index": "moves with the values",
    "linear": "by a rule: one must be chosen",
    "average": "by the transpose; relevance of its own in proportion to the addends",
    "sum": "to every addend; a constant addend is booked as bias",
    "scale": "by the factor; where both factors depend on the input, it is a product",
    "affine": "joined with its convolution or dense layer; where it cannot be, its shift is booked",
    "pointwise": "passes each element: c (f(x) - f(0)) / x; f(0) is booked as bias",
    "inverse": "by a rule, as a signal; without one as a held factor",
    "max": "to the winner; norms and deviations by their gradient over their degree",
    "norm": "the scale is held constant; the shift is booked as bias",
    "softmax": "at the model's end left off, with a note; inside by its gradient, the rest booked",
    "product": "by a rule for products: signal takes all, half each, ...",
    "attention": "by a rule: AttnLRP, CP-LRP or the gradient",
    "recurrent": "by a rule, through time: the signal takes all, gates take none",
    "embedding": "summed over the embedding axis: one value for each token",
    "constant": "takes none",
}
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
    operations = [
        (nature, passes, ", ".join(f"`{name}`" for name in _operations(nature)))
        for nature, passes in PASSES.items()
    ]
    papers = [(f"`{key}`", text) for key, text in sorted(REFERENCES.items())]
    examples = [
        (
            f"`examples/{path.name}`",
            (ast.get_docstring(ast.parse(path.read_text())) or "").split("\n")[0],
        )
        for path in sorted((ROOT / "examples").glob("*.py"))
    ]
    return {
        "examples": _markdown(("program", "what it shows"), examples),
        "papers": _markdown(("key", "paper"), papers),
        "operations": _markdown(("nature", "how relevance passes", "operations"), operations),
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


def _headline(program: Path) -> str:
    """The first line of a program's docstring."""
    text = ast.get_docstring(ast.parse(program.read_text(encoding="utf-8"))) or ""
    return text.split("\n")[0]


def _operations(nature: str) -> list[str]:
    """The names of the operations of a nature, without those that only torch itself calls."""
    return sorted(
        (name for name in NATURES[nature].split() if not name.startswith("_")), key=str.lower
    )


def _markdown(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join("| " + " | ".join(_cell(each) for each in line) + " |\n" for line in lines)


def _cell(text: str) -> str:
    # Outside code, GitHub reads * and _ as emphasis and | as the end of the cell.
    return text if text.startswith("`") else re.sub(r"([*_|<])", r"\\\1", text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
