"""Draws the drawings of docs/theory.md as light SVG files.

python scripts/make_drawings.py          write them to docs/pictures/drawing-*.svg
python scripts/make_drawings.py --check  write nothing; exit status 1 if one would change
"""

import sys
from pathlib import Path
from xml.sax.saxutils import escape

from whence._flow import Flow, Station, Stream
from whence.viz import draw_flow

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
INK, FORTH, BACK, PALE = "#222222", "#3a6ea5", "#b2182b", "#f4f4f4"
_HEAD = "M 0 0 L 8 4 L 0 8 z"


def main(arguments: list[str]) -> int:
    """Write or check all drawings; the exit status."""
    stale = []
    for name, text in drawings().items():
        path = PICTURES / f"drawing-{name}.svg"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(path.name)
            if "--check" not in arguments:
                path.write_text(text, encoding="utf-8")
    print("\n".join(stale))
    return int("--check" in arguments and bool(stale))


def drawings() -> dict[str, str]:
    """The SVG texts by name."""
    return {
        "neuron": neuron(),
        "sum": residual(),
        "fan": fan(),
        "tape": tape(),
        "ledger": ledger(),
        "flow": flow(),
    }


def flow() -> str:
    """The flow of y = W x + b + x, of numbers that stand on the page, as the library draws it."""
    layer = Station("linear", "W x + b", received=3, passed=2, lost={"bias": 1}, rows=(1,))
    stations = (
        Station("score", received=6),
        Station("add", "W x + b + x", received=6, passed=6, rows=(0,)),
        layer,
        Station("input", received=5),
    )
    streams = (Stream(0, 1, 6, 0), Stream(1, 2, 3, 0), Stream(1, 3, 3, 0), Stream(2, 3, 3, -1))
    return draw_flow(Flow(stations, streams), width=560).svg()


def neuron() -> str:
    """A neuron that adds contributions, and shares relevance in the same proportions."""
    parts = [text(110, 24, "forward: contributions"), text(430, 24, "back: shares of R = 3")]
    for x0, colour, forward in ((0, FORTH, True), (320, BACK, False)):
        for y, value in zip((70, 130, 190), ("3", "1", "-1"), strict=True):
            parts.append(circle(x0 + 50, y, "a"))
            ends = (x0 + 70, y, x0 + 178, 130) if forward else (x0 + 178, 130, x0 + 72, y)
            parts.append(arrow(*ends, colour))
            parts.append(
                text(
                    x0 + 112,
                    (y + 130) / 2 + (30 if y > 130 else -10 - (130 - y) / 5),
                    value,
                    colour,
                )
            )
        parts.append(circle(x0 + 200, 130, "j"))
        parts.append(text(x0 + 200, 174, "z = 3" if forward else "R = 3", colour))
    return svg(560, 220, parts)


def residual() -> str:
    """A residual sum: the coefficient goes to both addends as it is."""
    parts = [
        *box(40, 30, 120, "h"),
        *box(40, 110, 120, "x"),
        *box(250, 70, 120, "y = h + x"),
        *box(460, 70, 90, "above"),
        arrow(458, 88, 376, 88, BACK),
        arrow(248, 80, 166, 52, BACK),
        arrow(248, 96, 166, 124, BACK),
        text(416, 78, "c", BACK),
        text(207, 54, "c", BACK),
        text(207, 128, "c", BACK),
        text(100, 84, "R = h c", BACK),
        text(100, 164, "R = x c", BACK),
    ]
    return svg(580, 180, parts)


def fan() -> str:
    """A value with two readers: their messages add."""
    parts = [
        *box(40, 70, 120, "a"),
        *box(330, 30, 150, "reader 1"),
        *box(330, 110, 150, "reader 2"),
        arrow(328, 48, 166, 80, BACK),
        arrow(328, 128, 166, 96, BACK),
        text(248, 50, "R = 2", BACK),
        text(248, 136, "R = 3", BACK),
        text(100, 126, "R = 2 + 3 = 5", BACK),
    ]
    return svg(520, 170, parts)


def tape() -> str:
    """Operations in a row: recorded to the right, swept to the left, each asking its rule."""
    names = ("conv2d", "relu", "max_pool2d", "linear", "score")
    rules = ("gamma", "passes", "winner", "epsilon", "")
    parts = [text(360, 24, "record: each call of torch, as it runs", FORTH)]
    for number, (name, rule) in enumerate(zip(names, rules, strict=True)):
        x = 20 + 142 * number
        parts += box(x, 60, 110, name)
        if number < len(names) - 1:
            parts.append(arrow(x + 112, 70, x + 140, 70, FORTH))
            parts.append(arrow(x + 140, 88, x + 112, 88, BACK))
        if rule:
            parts.append(text(x + 55, 128, rule, BACK))
            parts.append(arrow(x + 55, 114, x + 55, 98, BACK))
    parts.append(
        text(360, 160, "sweep: each operation turns the message above it into those below", BACK)
    )
    return svg(720, 180, parts)


def ledger() -> str:
    """What an operation received splits into what it passed on and what was lost, by cause."""
    shares = (("to the inputs", 300, BACK), ("bias", 110, FORTH), ("epsilon", 60, FORTH))
    shares = (*shares, ("dropped", 80, FORTH))
    parts = [rect(20, 40, 550, 34, INK), text(295, 28, "r_out: the relevance it received")]
    x = 20
    for name, width, colour in shares:
        parts.append(
            f'<path d="M {x} 74 C {x} 100 {x} 100 {x} 126 H {x + width - 6} '
            f'C {x + width} 100 {x + width} 100 {x + width} 74 z" fill="{colour}" opacity="0.25"/>'
        )
        parts.append(rect(x, 126, width - 6, 26, colour))
        parts.append(text(x + width / 2 - 3, 172, name, colour))
        x += width
    return svg(590, 190, parts)


def svg(width: int, height: int, parts: list[str]) -> str:
    """A whole picture on white, so that it reads on dark pages too."""
    markers = "".join(
        f'<marker id="{colour[1:]}" markerWidth="5" markerHeight="5" viewBox="0 0 8 8" '
        f'refX="7" refY="4" orient="auto"><path d="{_HEAD}" fill="{colour}"/></marker>'
        for colour in (FORTH, BACK)
    )
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="15">'
    )
    ground = f'<rect width="{width}" height="{height}" fill="white"/>'
    return "\n".join([head, f"<defs>{markers}</defs>", ground, *parts, "</svg>"]) + "\n"


def text(x: float, y: float, words: str, colour: str = INK) -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="middle" fill="{colour}">{escape(words)}</text>'


def rect(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" fill="{colour}"/>'


def box(x: float, y: float, width: float, words: str) -> list[str]:
    shape = f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="36" rx="5" fill="{PALE}" '
    return [f'{shape}stroke="{INK}"/>', text(x + width / 2, y + 24, words)]


def circle(x: float, y: float, words: str) -> str:
    shape = f'<circle cx="{x:g}" cy="{y:g}" r="20" fill="{PALE}" stroke="{INK}"/>'
    return shape + text(x, y + 5, words)


def arrow(x0: float, y0: float, x1: float, y1: float, colour: str) -> str:
    return (
        f'<line x1="{x0:g}" y1="{y0:g}" x2="{x1:g}" y2="{y1:g}" stroke="{colour}" '
        f'stroke-width="2" marker-end="url(#{colour[1:]})"/>'
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
