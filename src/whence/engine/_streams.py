"""The streams of a ledger: how much relevance, for and against, went from where to where."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from whence._flow import INPUT, SCORE, Flow, Station, Stream
from whence.engine._tape import Op, Value

_START = 0


class Streams:
    """What the sweep enters while it goes: the operations it comes through, in order, and for each
    message the sums of R > 0 and of R < 0. No tensor is kept.

    Operations and inputs are known by the `id` of their `Op` or `Value`, which live as long as the
    sweep does.
    """

    def __init__(self) -> None:
        self._ops: dict[int, Station] = {}
        self._leaves: dict[int, str] = {}
        self._sums: dict[tuple[int, int], list[float]] = {}

    def visit(self, op: Op, rule: Any, *, held: bool) -> None:
        """Enter an operation that messages arrived at."""
        name = op.name if op.joined is None else f"{op.name} + {op.joined.name}"
        told = "(held)" if held else f"({op.nature})" if rule is None else repr(rule)
        path = " + ".join(dict.fromkeys(op.paths))
        number = len(self._ops)
        self._ops[id(op)] = Station(name, path, str(op.source or ""), told, rows=(number,))

    def enter(self, above: Op | None, value: Value, R: Tensor) -> None:
        """Enter what an operation, or the score, sends to a value."""
        R = R.detach().double()
        below = id(value) if value.op is None else id(value.op)
        if value.op is None:
            self._leaves.setdefault(below, f"{INPUT} {len(self._leaves) + 1}")
        sums = self._sums.setdefault((_START if above is None else id(above), below), [0.0, 0.0])
        sums[0] += float(R.clamp(min=0).sum())
        sums[1] += float(R.clamp(max=0).sum())

    def flow(self, rows: Sequence[Any], score: float, columns: Sequence[str]) -> Flow:
        """The flow, with what each operation's row (an engine's `Row`) has booked."""
        books: dict[int, dict[str, float]] = {}
        for row in rows:
            book = books.setdefault(_START if row.key is None else row.key, {})
            for column in ("r_out", "r_in", *columns, "residual"):
                value = float(getattr(row, column).double().sum())
                book[column] = book.get(column, 0.0) + value
        place = {key: k for k, key in enumerate((_START, *self._ops, *self._leaves))}
        sent = [Stream(place[a], place[b], *sums) for (a, b), sums in self._sums.items()]
        sent.sort(key=lambda stream: (stream.above, stream.below))
        begun = sum(each.positive + each.negative for each in sent if each.above == 0)
        lost = _lost(books.get(_START, {}), columns)
        stations = [Station(SCORE, received=score, passed=begun, lost=lost)]
        for key, each in self._ops.items():
            book = books.get(key, {})
            sides = {"received": book.get("r_out", 0.0), "passed": book.get("r_in", 0.0)}
            stations.append(replace(each, **sides, lost=_lost(book, columns)))
        for key, name in self._leaves.items():
            received = sum(s.positive + s.negative for s in sent if s.below == place[key])
            stations.append(Station(INPUT if len(self._leaves) == 1 else name, received=received))
        return Flow(tuple(stations), tuple(sent))


def _lost(book: Mapping[str, float], columns: Sequence[str]) -> dict[str, float]:
    """What a row has booked by reason; "unexplained" is its residual."""
    found = {column: book.get(column, 0.0) for column in columns}
    found["unexplained"] = book.get("residual", 0.0)
    return {reason: value for reason, value in found.items() if value}
