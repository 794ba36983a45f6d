"""A ledger as a flow diagram: from the score down to the input, and what stayed behind where."""

from html import escape

from whence._flow import Flow, Station
from whence.errors import InvalidInput
from whence.viz._colour import vivid_colour
from whence.viz._drawing import (
    DARK,
    GREY,
    RGB,
    BoxItem,
    Drawing,
    Item,
    ShapeItem,
    TextItem,
    hex_colour,
)
from whence.viz._flow_layout import Band, Layout, Row, lay_out
from whence.viz._text import clean, shorten, text_width

_NARROWEST, _WIDEST = 280, 2000
_NAME, _SMALL = 13, 11
_NARROW = 420  # pixels: below it the numbers stand under the names
_PALER = 0.5  # the opacity of what stays behind
_KEY = 22  # pixels for the key below
_LINE = (224, 224, 224)
_COLOURS = ((0, 1, "for"), (50, -1, "against; paler: stayed behind"))  # x, sign, meaning


def draw_flow(flow: Flow, *, width: int = 640, most: int = 24) -> Drawing:
    """Draw where relevance went: streams from the score down to the input.

    The width of a stream is the sum of |R|: red what speaks for the prediction, blue what speaks
    against it. The number at each operation is their net, the relevance that arrived there. Paler
    bands turn to the side with what stayed behind: bias, epsilon, dropped, softmax, unexplained.
    Branches of the net are branches here.

    - `flow`: of a ledger that was kept with `ledger="flow"`.
    - `width`: of the page in pixels; the height follows.
    - `most`: stations; a longer flow is grouped by module, see `Flow.grouped`.

    Raises `InvalidInput` for a width below 280 or above 2000, or for fewer than 4 stations.

    ```python
    ex = whence.explain(model, images, ledger="flow")
    viz.save(viz.draw_flow(ex.ledger.flow()), "flow.svg")
    ```
    """
    layout = _laid_out(flow, width, most)
    items: list[Item] = []
    for row in layout.rows:
        y, start = round(row.y), round(layout.left) - 4
        items.append(BoxItem(start, y, max(1, round(row.x) - start - 4), 1, _LINE))
    for band in layout.bands:
        colour = vivid_colour("red-blue", band.sign)
        items.append(ShapeItem(band.points, _pale(colour) if band.lost else colour))
    for row in layout.rows:
        items.append(BoxItem(round(row.x), round(row.y) - 1, max(2, round(row.width)), 3, DARK))
        for text, x, y, (size, align, bold, soft) in _labels(row, layout):
            tone = GREY if soft else DARK
            items.append(TextItem(text, round(x), round(y), size, align, bold, tone))
    y = round(layout.height) + _KEY // 2
    for x, sign, text in _COLOURS:
        items.append(BoxItem(x, y - 5, 10, 10, vivid_colour("red-blue", sign)))
        items.append(TextItem(text, x + 15, y, _SMALL, colour=GREY))
    return Drawing(width, round(layout.height) + _KEY, tuple(items))


def flow_svg(flow: Flow, *, width: int = 640, most: int = 24, name: str = "flow") -> str:
    """Write the same diagram as an SVG element for a web page, light or dark.

    It has a title and a description for readers who do not see it, no style and no script. Texts
    and bars take the page's own colour of text. Each station is a group with `data-station`, its
    number in `flow.grouped(most)`; bands have the classes `for`, `against` and `lost`.

    - `name`: of this diagram, unique on its page.

    Raises `InvalidInput` as `draw_flow` does.
    """
    layout = _laid_out(flow, width, most)
    height = round(layout.height) + _KEY
    parts = [
        f'<svg class="flow" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" aria-labelledby="{escape(name)}-title '
        f'{escape(name)}-about">',
        f'<title id="{escape(name)}-title">Where the relevance went</title>',
        f'<desc id="{escape(name)}-about">{escape(clean(in_words(flow)))}</desc>',
        *(_leader(row, layout) for row in layout.rows),
        *(_path(band) for band in layout.bands),
        *(_group(k, row, layout) for k, row in enumerate(layout.rows)),
    ]
    for x, sign, text in _COLOURS:
        parts.append(
            f'<rect x="{x}" y="{height - _KEY // 2 - 5}" width="10" height="10" {_fill(sign)}/>'
            + _text(text, x + 15, height - _KEY // 2, (_SMALL, "left", False, True))
        )
    return "\n".join([*parts, "</svg>"])


def in_words(flow: Flow) -> str:
    """The flow in two sentences, for those who do not see it.

    >>> in_words(Flow((Station("score", received=2.0), Station("input", received=1.5)), ()))
    'From the score 2, relevance 1.5 arrived at the input through 0 operations.'
    """
    score = flow.stations[0].received
    count = sum(len(each.rows) for each in flow.stations)
    ends = [each for each in flow.stations[1:] if not each.rows]
    arrived = sum(each.received for each in ends)
    found = (
        f"From the score {_number(score)}, relevance {_number(arrived)} arrived at the "
        f"{'input' if len(ends) == 1 else 'inputs'} through {count} operations."
    )
    lost: dict[str, float] = {}
    for each in flow.stations:
        for reason, value in each.lost.items():
            lost[reason] = lost.get(reason, 0.0) + value
    size = max(abs(score), abs(arrived))
    told = [f"{why} {_number(value)}" for why, value in lost.items() if abs(value) > 1e-5 * size]
    return f"{found} Stayed behind: {', '.join(told)}." if told else found


def _laid_out(flow: Flow, width: int, most: int) -> Layout:
    if not _NARROWEST <= width <= _WIDEST:
        raise InvalidInput(f"width must be {_NARROWEST} to {_WIDEST} pixels, got {width}.")
    if most < 4:
        raise InvalidInput(f"most must be at least 4 stations, got {most}.")
    return lay_out(flow.grouped(most), width)


Look = tuple[int, str, bool, bool]  # size, align, bold, soft
Label = tuple[str, float, float, Look]  # text, x, y


def _labels(row: Row, layout: Layout) -> list[Label]:
    """The name with its relevance, the module below it, and what was lost at the side."""
    station, y = row.station, row.y
    number, space = _number(station.received), round(layout.left) - 10
    name, below = station.name, station.path
    if len(station.rows) > 1:  # a module is better known by its path
        name, below = below or name, name if below else ""
    if narrow := layout.width < _NARROW:
        below = " · ".join(filter(None, [number, below]))
    room = space if narrow else space - text_width(number, _NAME) - 8
    name = shorten(name, room, _NAME, bold=True)
    found: list[Label] = [(name, 0, y, (_NAME, "left", True, False))]
    if not narrow:
        found.append((number, space, y, (_NAME, "right", False, False)))
    if below:
        found.append((shorten(below, space, _SMALL), 0, y + 15, (_SMALL, "left", False, True)))
    for why, value, at in row.losses:
        text = shorten(f"{why} {_number(value)}", round(layout.width - layout.right) - 6, _SMALL)
        found.append((text, layout.right + 6, at, (_SMALL, "left", False, False)))
    return found


def _number(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")


def _pale(colour: RGB) -> RGB:
    red, green, blue = (round(255 - (255 - part) * _PALER) for part in colour)
    return red, green, blue


def _leader(row: Row, layout: Layout) -> str:
    """A faint line from a number to its bar."""
    return (
        f'<rect x="{layout.left - 4:.1f}" y="{row.y - 0.5:.1f}" height="1" '
        f'width="{max(1.0, row.x - layout.left):.1f}" fill="currentColor" fill-opacity="0.15"/>'
    )


def _path(band: Band) -> str:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in band.points)
    extra = f' fill-opacity="{_PALER}"' if band.lost else ""
    return f'<polygon points="{points}" data-from="{band.station}" {_fill(band.sign)}{extra}/>'


def _fill(sign: int) -> str:
    name = "for" if sign > 0 else "against"
    return f'class="{name}" fill="{hex_colour(vivid_colour("red-blue", sign))}"'


def _group(k: int, row: Row, layout: Layout) -> str:
    station = row.station
    parts = [
        f'<g data-station="{k}"><title>{escape(clean(_hint(station)))}</title>',
        f'<rect x="{row.x:.1f}" y="{row.y - 1.5:.1f}" width="{max(2.0, row.width):.1f}" height="3" '
        'rx="1" fill="currentColor"/>',
    ]
    labels = (_text(*label) for label in _labels(row, layout))
    return "".join([*parts, *labels, "</g>"])


def _hint(station: Station) -> str:
    place = ", ".join(filter(None, [station.path, station.rule]))
    return f"{station.name} ({place})" if place else station.name


def _text(text: str, x: float, y: float, look: Look) -> str:
    size, align, bold, soft = look
    anchor = "end" if align == "right" else "start"
    weight = ' font-weight="600"' if bold else ""
    faint = ' class="soft" fill-opacity="0.78"' if soft else ""
    return (
        f'<text x="{x:.1f}" y="{y + 0.35 * size:.1f}" font-size="{size}"{weight} '
        f'text-anchor="{anchor}" fill="currentColor"{faint}>{escape(clean(text))}</text>'
    )
