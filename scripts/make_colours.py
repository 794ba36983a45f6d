"""Writes the colour maps of whence.viz for the web pages, so that canvas and files agree.

    python scripts/make_colours.py          write src/whence/serve/static/colours.json

Each map: "table", base64 of 513 RGB triples from the strongest evidence against to the strongest
for; "vivid" and "ink", two colours each (for, against), to lay over a picture and to draw lines.
"""

import base64
import json
from pathlib import Path

import numpy as np

from whence import viz
from whence.viz._colour import ink_colour, vivid_colour

FILE = Path(__file__).parents[1] / "src" / "whence" / "serve" / "static" / "colours.json"


def colours() -> str:
    """The text of the file."""
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


if __name__ == "__main__":
    FILE.write_text(colours(), encoding="utf-8")
    print(FILE.relative_to(FILE.parents[4]))
