"""Where everything of a flow diagram stands: rows of stations, and bands between them.

One row for each station, from the score at the top to the inputs at the bottom. In each row the
streams that are on their way there lie beside each other, in the order in which they left; a stream
that has further to go passes by the stations between.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from whence._flow import Flow, Station, Stream

Point = tuple[float, float]
_TOP, _ROW, _GAP, _BAR = 12.0, 44.0, 16.0, 3.0
_LINE = 15.0  # between the labels of losses
_BEND = 12  # points of a curve
_THIN = 0.4  # pixels: what is thinner is not drawn


@dataclass(frozen=True)
class Band:
    """A filled shape: relevance for (sign 1) or against (-1); `lost` where it stays behind."""

    points: tuple[Point, ...]
    sign: int
    station: int
    lost: bool = False


@dataclass(frozen=True)
class Row:
    """A station's bar from (x, y), and the labels of what was lost there."""

    station: Station
    x: float
    y: float
    width: float
    losses: tuple[tuple[str, float, float], ...]  # reason, value, y of its label


@dataclass(frozen=True)
class Layout:
    """All of it, in pixels. left, right: where the middle part begins and ends."""

    width: float
    height: float
    left: float
    right: float
    rows: tuple[Row, ...]
    bands: tuple[Band, ...]


@dataclass(eq=False)
class _Slot:
    """One stream on its way: its left end where it leaves, passes other rows, and arrives."""

    stream: Stream
    width: float = 0.0
    start: float = 0.0
    end: float = 0.0
    passes: dict[int, float] = field(default_factory=dict)


@dataclass
class _Plan:
    """What lies in each row from left to right (the station's number, and streams passing by), and
    which streams arrive at and leave each station, from left to right."""

    orders: list[list["_Slot | int"]]
    arriving: list[list[_Slot]]
    leaving: list[list[_Slot]]


def lay_out(flow: Flow, width: float) -> Layout:
    """The diagram of a flow in a page of this width."""
    left, right = max(112.0, 0.34 * width), width - max(92.0, 0.22 * width)
    slots = [_Slot(stream) for stream in flow.streams]
    plan = _plan(flow, slots)
    scale = _scale(flow, plan, right - left)
    for slot in slots:
        slot.width = slot.stream.width * scale
    widths = [_width(flow, k) * scale for k in range(len(flow.stations))]
    centres = _centres(plan, widths, (left + right) / 2)
    _fasten(flow, plan, centres, scale)
    losses = [_losses(each, scale) for each in flow.stations]
    tops = _tops(losses)
    rows = tuple(
        Row(each, x - size / 2, y, size, tuple((why, value, y + d) for why, value, d, _ in lost))
        for each, x, size, y, lost in zip(
            flow.stations, centres, widths, tops[:-1], losses, strict=True
        )
    )
    bands = []  # what is lost comes first: it passes below the streams
    for k, lost in enumerate(losses):
        leaves = centres[k] + _sent(flow, plan, k, scale) / 2
        bands += _loss_bands(k, lost, (leaves, rows[k].y), right)
    bands += [band for slot in slots for band in _stream_bands(slot, rows, scale)]
    return Layout(width, tops[-1] + 8, left, right, rows, tuple(bands))


def _plan(flow: Flow, slots: Sequence[_Slot]) -> _Plan:
    active: list[_Slot] = []
    plan = _Plan([], [], [])
    for k in range(len(flow.stations)):
        here = [slot for slot in active if slot.stream.below == k]
        leaving = [slot for slot in slots if slot.stream.above == k]
        leaving.sort(key=lambda slot: slot.stream.below)
        place = active.index(here[0]) if here else len(active)
        before = [slot for slot in active[:place] if slot not in here]
        after = [slot for slot in active[place:] if slot not in here]
        plan.orders.append([*before, k, *after])
        plan.arriving.append(here)
        plan.leaving.append(leaving)
        active = [*before, *leaving, *after]
    return plan


def _width(flow: Flow, k: int) -> float:
    """What passes a station, |R|: the larger of what comes in and what goes on or is lost."""
    station = flow.stations[k]
    received = sum(each.width for each in flow.streams if each.below == k)
    sent = sum(each.width for each in flow.streams if each.above == k)
    return max(received, sent + sum(map(abs, station.lost.values())))


def _scale(flow: Flow, plan: _Plan, space: float) -> float:
    """Pixels for each unit of |R|, so that the widest row fits."""
    scales = []
    for order in plan.orders:
        units = sum(_width(flow, e) if isinstance(e, int) else e.stream.width for e in order)
        if units > 0:
            scales.append((space - _GAP * (len(order) + 1)) / units)
    return max(0.0, min(scales, default=0.0))


def _centres(plan: _Plan, widths: Sequence[float], middle: float) -> list[float]:
    """The centre of each station; each row is centred. Passing streams learn their places."""
    centres = []
    for k, order in enumerate(plan.orders):
        sizes = [widths[each] if isinstance(each, int) else each.width for each in order]
        x = middle - (sum(sizes) + _GAP * (len(sizes) - 1)) / 2
        for each, size in zip(order, sizes, strict=True):
            if isinstance(each, int):
                centres.append(x + size / 2)
            else:
                each.passes[k] = x
            x += size + _GAP
    return centres


def _fasten(flow: Flow, plan: _Plan, centres: Sequence[float], scale: float) -> None:
    """Both ends of all streams: at a bar they lie beside each other, centred."""
    for k, centre in enumerate(centres):
        x = centre - sum(slot.width for slot in plan.arriving[k]) / 2
        for slot in plan.arriving[k]:
            slot.end, x = x, x + slot.width
        x = centre - _sent(flow, plan, k, scale) / 2
        for slot in plan.leaving[k]:
            slot.start, x = x, x + slot.width


def _sent(flow: Flow, plan: _Plan, k: int, scale: float) -> float:
    """The width of all that leaves a station, losses included."""
    lost = sum(map(abs, flow.stations[k].lost.values())) * scale
    return sum(slot.width for slot in plan.leaving[k]) + lost


def _losses(station: Station, scale: float) -> list[tuple[str, float, float, float]]:
    """(reason, value, y below the bar, width) of what is wide enough to be seen, largest first."""
    found, y = [], 0.0
    for reason, value in sorted(station.lost.items(), key=lambda item: -abs(item[1])):
        width = abs(value) * scale
        if width >= _THIN:
            y += max(_LINE, width + 4) / 2 if not found else 0
            found.append((reason, value, y + 9, max(1.0, width)))
            y += max(_LINE, width + 4)
    return found


def _tops(losses: Sequence[Sequence[tuple[str, float, float, float]]]) -> list[float]:
    """The y of each bar, and of the end."""
    tops = [_TOP]
    for number, each in enumerate(losses, 1):
        below = each[-1][2] + each[-1][3] / 2 + 16 if each else 0.0
        least = _ROW if number < len(losses) else _ROW / 2
        tops.append(tops[-1] + max(least, below))
    return tops


def _stream_bands(slot: _Slot, rows: Sequence[Row], scale: float) -> list[Band]:
    """The positive and the negative part of one stream, through all rows that it passes."""
    stream = slot.stream
    stops = [(slot.start, rows[stream.above].y + _BAR / 2)]
    stops += [(x, rows[k].y) for k, x in sorted(slot.passes.items())]
    stops.append((slot.end, rows[stream.below].y - _BAR / 2))
    found = []
    up, down = stream.positive * scale, -stream.negative * scale
    for sign, size, shift in ((1, up, 0.0), (-1, down, up)):
        if size >= _THIN:
            points = _ribbon([(x + shift, y) for x, y in stops], max(size, 1.0))
            found.append(Band(points, sign, stream.above))
    return found


def _ribbon(stops: Sequence[Point], width: float) -> tuple[Point, ...]:
    """A band of equal width down through its stops (left ends), with smooth bends."""
    edge: list[Point] = []
    for (x0, y0), (x1, y1) in pairwise(stops):
        if abs(x1 - x0) < 0.05:
            edge += [(x0, y0), (x1, y1)]
            continue
        for t in np.linspace(0.0, 1.0, _BEND).tolist():
            ease = t * t * (3 - 2 * t)
            edge.append((x0 + (x1 - x0) * ease, y0 + (y1 - y0) * t))
    return (*edge, *((x + width, y) for x, y in reversed(edge)))


def _loss_bands(
    k: int, losses: Sequence[tuple[str, float, float, float]], corner: Point, right: float
) -> list[Band]:
    """Bands that leave the right end of a bar and turn to the side, the outermost on top."""
    x, y = corner
    found = []
    for _, value, down, width in losses:
        top, bottom = y + down - width / 2, y + down + width / 2
        outer = _turn((x - width, y + _BAR / 2), (right, bottom))
        inner = _turn((x, y + _BAR / 2), (right, top))
        found.append(Band((*outer, *reversed(inner)), 1 if value > 0 else -1, k, lost=True))
        x -= width
    return found


def _turn(start: Point, end: Point) -> list[Point]:
    """A curve that leaves downwards and arrives sideways."""
    (x0, y0), (x1, y1) = start, end
    return [
        ((1 - t) ** 2 * x0 + 2 * t * (1 - t) * x0 + t * t * x1,
         (1 - t) ** 2 * y0 + 2 * t * (1 - t) * y1 + t * t * y1)
        for t in np.linspace(0.0, 1.0, _BEND).tolist()
    ]  # fmt: skip
