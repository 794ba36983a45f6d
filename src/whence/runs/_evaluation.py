"""What `evaluate` found: scores of samples, intervals, tests, ranking, curves, failures."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any, TypeVar

from matplotlib.figure import Figure
from torch import Tensor

from whence import viz
from whence._html import fixed, fragment, picture
from whence.errors import InvalidInput
from whence.explainers._suggest import suggestion
from whence.metrics import (
    Curve,
    Difference,
    Failure,
    Interval,
    Tally,
    holm,
    mean_interval,
    paired_difference,
)
from whence.metrics._statistics import mean_band
from whence.metrics._tally import Column, curve_rows
from whence.runs._evaluation_files import SUFFIXES, data_frame, plain, write
from whence.runs._evaluation_pages import failure_lines, score_table

T = TypeVar("T")


@dataclass(frozen=True)
class Comparison:
    """Two methods on the same samples by one metric; the difference's `p` is adjusted over all
    pairs (Holm). better: the one that is, where the interval excludes 0 and p agrees, else None."""

    first: str
    second: str
    metric: str
    difference: Difference
    better: str | None


@dataclass(frozen=True)
class Rank:
    """One method's place by a metric, 1 for the best, the same for equal means; `beats`: those it
    is better than beyond doubt, by `Evaluation.comparisons`."""

    place: int
    method: str
    interval: Interval
    beats: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class MeanCurve:
    """A curve averaged over samples, with the interval of the mean: each of shape (points,)."""

    x: Tensor
    mean: Tensor
    low: Tensor
    high: Tensor
    xlabel: str
    ylabel: str


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """Explanations measured over a data set; made by `whence.evaluate`.

    - `methods`: labels of explainers. `metrics`: labels of metrics, each with its whole protocol.
    - `protocol`: all that was decided: every knob, versions, the model's hash, the numeric type.
    - `complete`: False where Ctrl-C, a shard or the data's own error (`stopped`) left samples out.

    Where only one metric was asked for, `metric=` may be left out. Intervals are percentile
    bootstraps over samples, comparisons are paired: see `metrics.paired_difference`.
    """

    tally: Tally
    methods: tuple[str, ...]
    metrics: Mapping[str, Mapping[str, Any]]
    protocol: Mapping[str, Any]
    confidence: float = 0.95
    complete: bool = True
    stopped: str = ""
    _made: dict[Any, Any] = field(default_factory=dict, init=False)

    @cached_property
    def ids(self) -> tuple[int | str, ...]:
        """The samples, in the order of their ids."""
        return self.tally.ids

    def scores(self, method: str, metric: str | None = None) -> Tensor:
        """One number for each sample, in the order of `ids`; NaN where there is none."""
        return self.column(method, metric).values

    def column(self, method: str, metric: str | None = None) -> Column:
        """Scores with their details and curves."""
        name = self._metric(metric)
        if method not in self.methods:
            raise InvalidInput(
                f"There is no method {method!r}.{suggestion(method, self.methods)} "
                f"The methods are: {', '.join(self.methods)}."
            )
        return self._once(("column", method, name), lambda: self.tally.compute(method, name))

    def interval(self, method: str, metric: str | None = None) -> Interval:
        """The mean over samples, with its interval."""
        name = self._metric(metric)
        values = self.scores(method, name)
        return self._once(
            ("interval", method, name), lambda: mean_interval(values, confidence=self.confidence)
        )

    def compare(self, first: str, second: str, metric: str | None = None) -> Difference:
        """How much larger the first method's scores are on the same samples; p is not adjusted."""
        name = self._metric(metric)
        return self._once(
            ("pair", first, second, name),
            lambda: paired_difference(
                self.scores(first, name), self.scores(second, name), confidence=self.confidence
            ),
        )

    def comparisons(self, metric: str | None = None) -> list[Comparison]:
        """Every pair of methods, p adjusted over all of them."""
        name = self._metric(metric)
        pairs = list(combinations(self.methods, 2))
        found = [self.compare(first, second, name) for first, second in pairs]
        adjusted = holm([each.p for each in found])
        return [
            self._compared(pair, name, replace(each, p=p))
            for pair, each, p in zip(pairs, found, adjusted, strict=True)
        ]

    def ranking(self, metric: str | None = None) -> list[Rank]:
        """The methods, the best first; those without a score last."""
        name = self._metric(metric)
        direction = self.metrics[name]["direction"]
        if direction == 0:
            raise InvalidInput(f"{name} ranks nothing: neither larger nor smaller is better.")
        intervals = {method: self.interval(method, name) for method in self.methods}
        order = sorted(
            self.methods,
            key=lambda method: _last_if_nan(-direction * intervals[method].mean),
        )
        won: dict[str, list[str]] = {method: [] for method in self.methods}
        for each in self.comparisons(name):
            if each.better is not None:
                won[each.better].append(each.second if each.better == each.first else each.first)
        means = [direction * intervals[method].mean for method in order]
        places = [1 + sum(other > mean for other in means) for mean in means]
        places = [
            len(order) if math.isnan(mean) else place
            for place, mean in zip(places, means, strict=True)
        ]
        return [
            Rank(place, method, intervals[method], tuple(won[method]))
            for place, method in zip(places, order, strict=True)
        ]

    def curves(self, metric: str | None = None, curve: str | None = None) -> dict[str, MeanCurve]:
        """The metric's curve for each method that has one, averaged over samples; the first of
        its curves unless `curve` names another."""
        name = self._metric(metric)
        found = {}
        for method in self.methods:
            held = self.column(method, name).curves
            wanted = next(iter(held), "") if curve is None else curve
            if wanted in held:
                found[method] = self._once(
                    ("curve", method, name, wanted), lambda one=held[wanted][1]: self._mean(one)
                )
        return found

    @property
    def failures(self) -> tuple[Failure, ...]:
        """What went wrong, sample by sample."""
        return tuple(each for each in self.tally.failures if not each.left_out)

    @property
    def left_out(self) -> tuple[Failure, ...]:
        """Samples that a metric has no number for, though nothing went wrong."""
        return tuple(each for each in self.tally.failures if each.left_out)

    def merge(self, other: "Evaluation") -> "Evaluation":
        """Two shards of the same evaluation as one."""
        if (self.protocol, self.methods, self.metrics) != (
            other.protocol,
            other.methods,
            other.metrics,
        ):
            raise InvalidInput("Only shards of the same evaluation can be merged; these differ.")
        tally = self.tally.merge(other.tally)
        total = self.protocol.get("samples")
        return Evaluation(
            tally=tally,
            methods=self.methods,
            metrics=self.metrics,
            protocol=self.protocol,
            confidence=self.confidence,
            complete=len(tally.ids) == total,
        )

    def to_frame(self) -> Any:
        """A pandas data frame: a row for each sample, method and metric."""
        return data_frame(self._rows())

    def table(self) -> str:
        """Means with intervals, methods by metrics, as plain text."""
        columns = {}
        for metric, about in self.metrics.items():
            cells = {method: str(self.interval(method, metric)) for method in self.methods}
            if about["direction"]:
                for rank in self.ranking(metric):
                    cells[rank.method] += f"  {rank.place}." if rank.interval.count else ""
            columns[metric] = (about["direction"], cells)
        return score_table(self.methods, columns)

    def plot(self, metric: str | None = None) -> Figure:
        """Curves with bands and means with intervals, of one metric or all of them."""
        names = list(self.metrics) if metric is None else [self._metric(metric)]
        return viz.draw_measured([self.measured(name) for name in names])

    def measured(self, metric: str | None = None) -> viz.Measured:
        """One metric as what figures draw: means with intervals, and the first of its curves."""
        name = self._metric(metric)
        intervals = {method: self.interval(method, name) for method in self.methods}
        curves = self.curves(name)
        first = next(iter(curves.values()), None)
        kinds = {kind for method in curves for kind in self.column(method, name).curves}
        shown = next((next(iter(self.column(each, name).curves)) for each in curves), "")
        return viz.Measured(
            title=name if len(kinds) < 2 else f"{name}, the curve {shown}",
            intervals={key: (each.mean, each.low, each.high) for key, each in intervals.items()},
            bands={
                key: [each.numpy() for each in (c.x, c.mean, c.low, c.high)]
                for key, c in curves.items()
            },
            xlabel="" if first is None else first.xlabel,
            ylabel="" if first is None else first.ylabel,
            better=self.metrics[name]["direction"],
        )

    def save(self, path: str | Path) -> Path:
        """Write a picture (.png, .svg), the scores (.csv, .parquet) or everything (.json).
        Returns the path."""
        path = Path(path)
        if path.suffix not in SUFFIXES:
            raise InvalidInput(f"save needs a suffix of {', '.join(SUFFIXES)}; got {path.name!r}.")
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in (".png", ".svg"):
            return viz.save(self.plot(), path)
        return write(path, self.record() if path.suffix == ".json" else self._rows())

    def record(self) -> dict[str, Any]:
        """Everything as plain values, for JSON; numbers that are none, or infinite, are None."""
        found = {
            "protocol": {**self.protocol, "confidence": self.confidence},
            "complete": self.complete,
            "stopped": self.stopped,
            "samples": self.ids,
            "metrics": {name: self._about(name) for name in self.metrics},
            "failures": [vars(each) for each in self.failures],
            "left_out": [vars(each) for each in self.left_out],
        }
        return plain(found)

    def __repr__(self) -> str:
        total, count = self.protocol.get("samples"), len(self.ids)
        of = (
            f"{count:,} of {total:,} samples"
            if total not in (None, count)
            else f"{count:,} samples"
        )
        lines = [f"{of}, mean [{self.confidence:.0%} interval]  place", self.table()]
        if not self.complete:
            lines.append(f"Not complete: {self.stopped or 'other shards are missing'}.")
        lines += failure_lines(self.failures)
        return "\n".join(lines + failure_lines(self.left_out, "left out"))

    def _repr_html_(self) -> str:
        """How a notebook shows it: the table, and the curves."""
        shown = picture(viz.render(self.plot()), "curves and means with their intervals")
        return fragment("Evaluation", fixed(repr(self)), shown)

    def _about(self, name: str) -> dict[str, Any]:
        """All that is known by one metric."""
        ranks = self.ranking(name) if self.metrics[name]["direction"] else []
        columns = {method: self.column(method, name) for method in self.methods}
        curves = self.curves(name)
        return {
            "intervals": {method: vars(self.interval(method, name)) for method in self.methods},
            "ranking": [vars(each) | {"interval": vars(each.interval)} for each in ranks],
            "comparisons": [
                vars(each) | {"difference": vars(each.difference)}
                for each in self.comparisons(name)
            ],
            "curves": {method: vars(each) for method, each in curves.items()},
            "scores": {method: each.values for method, each in columns.items()},
            "details": {method: dict(each.details) for method, each in columns.items()},
        }

    def _rows(self) -> list[dict[str, Any]]:
        """A dictionary for each sample, method and metric."""
        errors = {(each.method, each.metric, each.id): each.error for each in self.tally.failures}
        found = []
        for metric in self.metrics:
            for method in self.methods:
                column = self.column(method, metric)
                details = {name: each.tolist() for name, each in column.details.items()}
                for row, (each, score) in enumerate(
                    zip(column.ids, column.values.tolist(), strict=True)
                ):
                    error = errors.get((method, metric, each), errors.get((method, "", each)))
                    found.append(
                        {
                            "sample": each,
                            "method": method,
                            "metric": metric,
                            "score": score,
                            "error": error,
                        }
                        | {name: values[row] for name, values in details.items()}
                    )
        return found

    def _mean(self, curve: Curve) -> MeanCurve:
        x, rows = curve_rows(curve)
        band = mean_band(rows, confidence=self.confidence)
        return MeanCurve(x, *band, curve.xlabel, curve.ylabel)

    def _compared(self, pair: tuple[str, str], name: str, found: Difference) -> Comparison:
        direction = self.metrics[name]["direction"]
        sure = (found.low > 0 or found.high < 0) and found.p < 1 - self.confidence
        better = None
        if sure and direction:
            better = pair[0] if found.mean * direction > 0 else pair[1]
        return Comparison(*pair, name, found, better)

    def _metric(self, name: str | None) -> str:
        if name is None and len(self.metrics) == 1:
            return next(iter(self.metrics))
        if name is None or name not in self.metrics:
            hint = suggestion(name, self.metrics) if name else ""
            raise InvalidInput(
                f"Name one of the metrics: {', '.join(self.metrics)}; got {name!r}.{hint}"
            )
        return name

    def _once(self, key: Any, make: Callable[[], T]) -> T:
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]


def _last_if_nan(value: float) -> tuple[bool, float]:
    return (True, 0.0) if math.isnan(value) else (False, value)
