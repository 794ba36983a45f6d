"""Where relevance went: the operations of one explanation as stations, with streams between them.

It is what a ledger knows once it was kept with `ledger="flow"`, in plain numbers that can be drawn,
stored as JSON, and grouped by module where a net is long.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

SCORE, INPUT = "score", "input"


@dataclass(frozen=True)
class Station:
    """The score, an operation, several operations of one module, or an input.

    received, passed: relevance that came in, and that went on. lost: what stayed behind, by reason;
    a negative number means that the operation passed on more than it received. rows: the numbers of
    the operations in it, counted from 0, from the output down.
    """

    name: str
    path: str = ""
    source: str = ""
    rule: str = ""
    received: float = 0.0
    passed: float = 0.0
    lost: Mapping[str, float] = field(default_factory=dict)
    rows: tuple[int, ...] = ()


@dataclass(frozen=True)
class Stream:
    """Relevance on its way from one station to a later one: the sums of its positive and of its
    negative values."""

    above: int
    below: int
    positive: float
    negative: float

    @property
    def width(self) -> float:
        """The sum of |R|."""
        return self.positive - self.negative


@dataclass(frozen=True)
class Flow:
    """Stations from the score (the first) down to the inputs (the last), and streams downwards.

    At each operation: received = passed + the sum of what is lost, up to rounding. Numbers are sums
    over all samples of the call.
    """

    stations: tuple[Station, ...]
    streams: tuple[Stream, ...]

    def grouped(self, most: int = 24) -> "Flow":
        """The same flow with neighbours of one module as one station, so that at most `most` are
        left, inputs and score among them. Modules are opened as far as they fit."""
        if len(self.stations) <= most:
            return self
        deepest = max(each.path.count(".") for each in self.stations) + 1
        for depth in range(deepest, 0, -1):
            found = self._merged([_prefix(each, depth) for each in self.stations])
            if len(found.stations) <= most:
                return found
        ends = sum(not each.rows for each in self.stations)
        return self._merged(_pieces(self.stations, max(1, most - ends)))

    def record(self) -> dict[str, Any]:
        """The flow as plain values for JSON."""
        return {
            "stations": [asdict(each) | {"rows": list(each.rows)} for each in self.stations],
            "streams": [[s.above, s.below, s.positive, s.negative] for s in self.streams],
        }

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> "Flow":
        """The flow that `record` was made of."""
        stations = (Station(**each | {"rows": tuple(each["rows"])}) for each in record["stations"])
        return cls(tuple(stations), tuple(Stream(*each) for each in record["streams"]))

    def _merged(self, keys: Sequence[Any]) -> "Flow":
        """Neighbours with one key as one station; since they are neighbours, no circle arises."""
        number, place = -1, []
        for i, key in enumerate(keys):
            number += i == 0 or key != keys[i - 1]
            place.append(number)
        parts: dict[int, list[Station]] = defaultdict(list)
        for i, station in enumerate(self.stations):
            parts[place[i]].append(station)
        sums: dict[tuple[int, int], list[float]] = defaultdict(lambda: [0.0, 0.0])
        for each in self.streams:
            above, below = place[each.above], place[each.below]
            if above != below:
                sums[above, below][0] += each.positive
                sums[above, below][1] += each.negative
        streams = tuple(Stream(*ends, *both) for ends, both in sums.items())
        merged = (_whole(parts[k], _crossing(streams, k)) for k in range(number + 1))
        return Flow(tuple(merged), streams)


def _crossing(streams: Iterable[Stream], k: int) -> tuple[float, float]:
    """Relevance over the upper and over the lower edge of a station."""
    received = sum(s.positive + s.negative for s in streams if s.below == k)
    passed = sum(s.positive + s.negative for s in streams if s.above == k)
    return received, passed


def _whole(parts: Sequence[Station], crossing: tuple[float, float]) -> Station:
    if len(parts) == 1:
        return parts[0]
    lost: dict[str, float] = defaultdict(float)
    for part in parts:
        for reason, value in part.lost.items():
            lost[reason] += value
    names = [part.name for part in parts]
    rules = dict.fromkeys(part.rule for part in parts if not part.rule.startswith("("))
    return Station(
        name=f"{len(parts)} operations",
        path=_common([part.path for part in parts]),
        source=parts[0].source,
        rule="; ".join(rules) or ", ".join(dict.fromkeys(names)),
        received=crossing[0],
        passed=crossing[1],
        lost=dict(lost),
        rows=tuple(row for part in parts for row in part.rows),
    )


def _prefix(station: Station, depth: int) -> Any:
    """What neighbours must share to become one: the first modules of their path."""
    if not station.rows or not station.path:
        return station.name, station.rows
    return tuple(station.path.split(".")[:depth])


def _pieces(stations: Sequence[Station], most: int) -> list[Any]:
    """Keys that cut the operations into pieces of equal length; score and inputs stay alone."""
    inner = [i for i, each in enumerate(stations) if each.rows]
    size = -(-len(inner) // most)
    piece = {i: ("piece", k // size) for k, i in enumerate(inner)}
    return [piece.get(i, ("alone", i)) for i in range(len(stations))]


def _common(paths: Sequence[str]) -> str:
    """The modules that all paths begin with; of several, the first and the last."""
    split = [path.split(".") for path in paths]
    shared = []
    for names in zip(*split, strict=False):
        if len(set(names)) > 1:
            break
        shared.append(names[0])
    if shared and shared != [""]:
        return ".".join(shared)
    return " … ".join(dict.fromkeys(path for path in (paths[0], paths[-1]) if path))
