"""Writes the colour maps of whence.viz for web pages, so that canvas, page and file agree.

    python scripts/make_colours.py          write colours.json (serve) and pieces.css (reports)

colours.json, each map: "table", base64 of 513 RGB triples from the strongest evidence against to
the strongest for; "vivid" and "ink", two colours each (for, against), to lay over a picture and to
draw lines. pieces.css: 21 grounds for words, from r-10 over r0 to r10, with letters that stand out.
"""

import base64
import json
from pathlib import Path

import numpy as np

from whence import viz
from whence.reports._page import STEPS
from whence.viz._colour import ink_colour, vivid_colour
from whence.viz._drawing import WHITE, hex_colour

PACKAGE = Path(__file__).parents[1] / "src" / "whence"
COLOURS = PACKAGE / "serve" / "static" / "colours.json"
PIECES = PACKAGE / "reports" / "static" / "pieces.css"
_BLACK = (0, 0, 0)  # one of black and white has a contrast of 4.58 or more with any ground


def colours() -> str:
    """The text of colours.json."""
    ramp = np.linspace(-1.0, 1.0, 513)[None]
    maps = {}
    for name in viz.colour_names():
        table = viz.colourise(ramp, scale=1.0, colours=name)
        maps[name] = {
            "table": base64.b64encode(table.tobytes()).decode(),
            "vivid": [list(vivid_colour(name, sign)) for sign in (1, -1)],
            "ink": [list(ink_colour(name, sign)) for sign in (1, -1)],
        }
    return json.dumps(maps, separators=(",", ":")) + "\n"


def pieces() -> str:
    """The text of pieces.css."""
    dark = "\n".join("  " + line for line in _grounds("hot-cold"))
    return (
        "/* Written by scripts/make_colours.py: grounds of words, by tenths of full colour. */\n"
        + "\n".join(_grounds("red-blue"))
        + f"\n@media screen and (prefers-color-scheme: dark) {{\n{dark}\n}}\n"
    )


def contrast(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    """The contrast of two colours as WCAG 2 defines it, from 1 to 21."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _grounds(name: str) -> list[str]:
    lines = []
    for step in range(-STEPS, STEPS + 1):
        red, green, blue = viz.colourise([[step / STEPS]], scale=1.0, colours=name)[0, 0].tolist()
        ground = (red, green, blue)
        ink = max((_BLACK, WHITE), key=lambda each: contrast(each, ground))
        lines.append(f".r{step} {{ background: {hex_colour(ground)}; color: {hex_colour(ink)}; }}")
    return lines


def _luminance(colour: tuple[int, ...]) -> float:
    parts = np.asarray(colour) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


if __name__ == "__main__":
    for file, text in ((COLOURS, colours()), (PIECES, pieces())):
        file.write_text(text, encoding="utf-8")
        print(file.relative_to(PACKAGE.parents[1]))
