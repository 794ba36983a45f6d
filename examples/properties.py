"""Which method is conservative, positive, continuous, and what does it decompose? Measured.

    python examples/properties.py            # under two minutes
    python examples/properties.py --quick    # the random nets only

Writes properties.md to out/properties (`--out`); docs/properties.md is what came out. Its first
part is the protocol.
"""

import argparse
import json
import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from theory.measuring import CLOSE, NEGLIGIBLE, SMOOTH, Properties, Setting, measure, own_change
from theory.settings import (
    BIASES,
    DIGITS,
    PATHS,
    POINTS,
    ROUND,
    STRAIGHT,
    TRAINING,
    settings,
)

import whence
from whence.composites import Composite, EpsilonEverywhere, EpsilonPlus, where
from whence.errors import WhenceError
from whence.explainers import (
    LRP,
    DeepTaylor,
    Explainer,
    Occlusion,
    PatternAttribution,
    PatternNet,
    method_class,
)
from whence.rules import AlphaBeta, Gamma

Found = dict[str, Properties | str]

INTRODUCTION = f"""# Properties of the methods, measured

Written by `python examples/properties.py`; no number is typed by hand. What a method is *said* to
decompose stands in the README's table of methods; this page is what came out.

## Protocol, fixed before measuring

Four nets in double precision, with ReLUs: **A** a random net of two inputs, 2-20-20-20-1, He
weights, no biases; **B** the same kind with biases (standard deviation {BIASES}); and the digits
nets that ship, **C** a CNN without biases and **D** a perceptron with. Options of the methods are
their defaults, but: deep Taylor gets the box of valid inputs, occlusion covers one of two inputs at
a time, the pattern methods are fitted, on points of the square or {TRAINING} training digits.

- **Conservative**: the median over samples of |sum R - f| / |f| is at most {CLOSE:.0%}. Samples:
  {POINTS} random points where f is at least 5 % of its largest value; {DIGITS} held-out digits, for
  the class that the net gives them.
- **Decomposes**: the first of f, f - f(0) and ‖∇f‖² that the sum is within {CLOSE:.0%} of, in the
  median; all three gaps are in the table.
- **Positive**: the share of negative relevance, sum of max(0, -R) by sum of |R|, is at most
  {NEGLIGIBLE:.0e} in the mean over samples.
- **Continuous**: on a path (the unit circle in {ROUND} steps; {PATHS} straight paths from a digit
  to the next in {STRAIGHT}) the step in which R changes most is made a hundred times smaller. What
  is kept of the change is about 0.01 for a function with a slope, and 1 for a jump; continuous is
  what keeps at most {SMOOTH}. The score's own figures stand above each table. How large the largest
  change of a coarse step is, as a share of the largest |R| on the path, stands beside: a small jump
  is still one. "Continuous" says what was seen on these paths, no more.

"""
PROPERTIES = ("conservative", "positive", "continuous")


def explainers(setting: Setting) -> dict[str, Callable[[], Explainer]]:
    """Every method by its name, and some composites of LRP."""
    net = setting.net
    found: dict[str, Callable[[], Explainer]] = {
        name: lambda name=name: method_class(name)(net) for name in whence.methods()
    }
    found["deep-taylor"] = lambda: DeepTaylor(net, setting.low, setting.high)
    found["patternnet"] = lambda: PatternNet(net).fit(setting.like)
    found["pattern-attribution"] = lambda: PatternAttribution(net).fit(setting.like)
    if setting.inputs.dim() == 2:
        found["occlusion"] = lambda: Occlusion(net, window=1)
    linear = where.nature("linear")
    composites = {
        "epsilon 1e-6": EpsilonEverywhere(),
        "epsilon 0.25": EpsilonEverywhere(0.25),
        "gamma 0.25": Composite([(linear, Gamma(0.25))]),
        "alpha 1, beta 0": Composite([(linear, AlphaBeta(1, 0))]),
        "alpha 2, beta 1": Composite([(linear, AlphaBeta(2, 1))]),
        "epsilon-plus": EpsilonPlus(),
    }
    for name, composite in composites.items():
        found[f"lrp, {name}"] = lambda composite=composite: LRP(net, composite)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Properties of all methods, measured.")
    parser.add_argument("--out", type=Path, default=Path("out/properties"))
    parser.add_argument("--quick", action="store_true", help="the random nets only")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    console = Console(highlight=False)
    tables: dict[str, Found] = {}
    page, numbers = "", {}
    for letter, setting in zip("ABCD", settings()[: 2 if options.quick else None], strict=False):
        found = {name: try_out(setting, make) for name, make in explainers(setting).items()}
        console.print(f"{letter}, {setting.name}: {len(found)} methods")
        tables[letter] = found
        page += section(letter, setting, found)
        numbers[setting.name] = {
            name: each if isinstance(each, str) else asdict(each) for name, each in found.items()
        }
    page = (INTRODUCTION + glance(tables) + page).rstrip() + "\n"
    (options.out / "properties.md").write_text(page, encoding="utf-8")
    (options.out / "properties.json").write_text(json.dumps(numbers, indent=1), encoding="utf-8")
    console.print(f"The page and all numbers are in {options.out}.")


def try_out(setting: Setting, make: Callable[[], Explainer]) -> Properties | str:
    """What was measured, or why the method is not for this net."""
    try:
        return measure(setting, make())
    except WhenceError as error:
        return str(error).split(". ")[0]


def glance(tables: dict[str, Found]) -> str:
    """On which nets each method has each property."""
    lines = [
        "## At a glance: on which nets\n",
        "| method | conservative | positive | continuous | decomposes |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name in next(iter(tables.values())):
        rows = {letter: found[name] for letter, found in tables.items()}
        measured = {k: each for k, each in rows.items() if isinstance(each, Properties)}
        said: dict[str, str] = {}
        for letter, each in measured.items():
            said[each.decomposes] = said.get(each.decomposes, "") + letter
        cells = [
            "".join(k for k, each in measured.items() if getattr(each, property)) or "-"
            for property in PROPERTIES
        ]
        cells.append(", ".join(f"{what}: {on}" for what, on in said.items()) or "-")
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n\n"


def section(letter: str, setting: Setting, found: Found) -> str:
    """One net: the score's own figures, and a table of methods."""
    own = own_change(setting)
    lines = [
        f"## {letter}: {setting.name}\n",
        f"The score itself: largest change in a step {own.coarse:.3f}, kept {own.kept:.3f}.\n",
        "| method | gap to f | to f - f(0) | to ‖∇f‖² | negative | largest change | kept | it is |",
        "| --- " * 8 + "|",
    ]
    for name, each in found.items():
        if isinstance(each, str):
            lines.append(f"| `{name}` | not for this net |" + " |" * 6)
            continue
        gaps = f"{each.score:.1e} | {each.difference:.1e} | {each.slope:.1e}"
        kept = "-" if math.isnan(each.kept) else f"{each.kept:.3f}"
        named = ", ".join(word for word in PROPERTIES if getattr(each, word)) or "-"
        lines.append(
            f"| `{name}` | {gaps} | {each.negative:.1%} | {each.coarse:.3f} | {kept} | {named} |"
        )
    return "\n".join(lines) + "\n\n"


if __name__ == "__main__":
    main()
