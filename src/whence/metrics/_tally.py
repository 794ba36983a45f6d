"""Scores of samples as they come in, in any order and from any shard."""

import json
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.metrics._curve import Curve
from whence.metrics._metric import Scores
from whence.metrics._tally_rows import (
    Id,
    checked,
    checked_detail,
    curve_of,
    detail_of,
    names_of,
    place_of,
    without,
)

Pair = tuple[str, str]
Cell = tuple[str, str, Id]


@dataclass(frozen=True)
class Failure:
    """Why one sample has no number: the method, the metric (empty if there was no explanation to
    measure) and the error in words. left_out: the metric has none for it, and nothing went wrong.
    """

    method: str
    metric: str
    id: Id
    error: str
    left_out: bool = False


@dataclass(frozen=True, eq=False)
class Column:
    """All samples' results of one method by one metric, in the order of their ids.

    values: float64 (samples,), NaN where there is none. details: (samples,) each, NaN where a
    sample has none. curves: name -> (ids that have it, Curve with one row for each of them).
    """

    ids: tuple[Id, ...]
    values: Tensor
    details: Mapping[str, Tensor]
    curves: Mapping[str, tuple[tuple[Id, ...], Curve]]


@dataclass(eq=False)
class Tally:
    """Results by method and metric, sample by sample: `update`, `merge`, `compute`.

    Whatever the batches, their order or the shards, `compute` gives the same numbers bit for bit:
    nothing is summed on the way, samples are kept by their ids. The same sample twice is an error,
    unless it failed: then what is measured counts, and of two failures the later one.

    ```python
    tally = metrics.Tally()
    tally.update(scores, batch.ids)
    tally.compute().values.mean()
    ```
    """

    _parts: dict[Pair, list[tuple[tuple[Id, ...], Scores]]] = field(default_factory=dict)
    _failures: dict[tuple[str, str, Id], Failure] = field(default_factory=dict)
    _seen: dict[Pair, set[Id]] = field(default_factory=dict)

    def update(
        self, scores: Scores, ids: Sequence[Any], *, method: str = "", metric: str = ""
    ) -> None:
        """Add the scores of some samples."""
        pair, names = (method, metric), tuple(_plain(each) for each in ids)
        if scores.values.shape != (len(names),):
            raise InvalidInput(
                f"A metric gives one number for each sample: {len(names)} ids came with values of "
                f"shape {tuple(scores.values.shape)}."
            )
        curves = {name: checked(name, curve, len(names)) for name, curve in scores.curves.items()}
        details = {
            name: checked_detail(name, each, len(names)) for name, each in scores.details.items()
        }
        kept = Scores(scores.values.detach().double().cpu(), curves, details)
        reasons = [
            Failure(method, metric, names[row], reason, left_out=True)
            for row, reason in scores.reasons.items()
        ]
        self._add(pair, names, kept)
        for each in reasons:
            self.fail(each)

    def fail(self, failure: Failure) -> None:
        """Add a sample without a score, and why."""
        self._failures[failure.method, failure.metric, failure.id] = failure

    def add(self, other: "Tally") -> None:
        """Add what another tally holds; the ids of a method and metric must differ, but for samples
        that failed, here or there."""
        twice = {cell for cell in self._shared(other) if not self._has_failed(cell)}
        self._join(other, {cell for cell in twice if other._has_failed(cell)})

    def fill(self, other: "Tally") -> None:
        """Add what another tally holds and this one lacks, of the same measurement: a number that
        is here already stays."""
        self._join(other, {cell for cell in self._shared(other) if not self._has_failed(cell)})

    def merge(self, other: "Tally") -> "Tally":
        """Both together, as a tally of its own."""
        found = Tally()
        found.add(self)
        found.add(other)
        return found

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Why samples have no number, in the order of ids."""
        return tuple(
            sorted(self._failures.values(), key=lambda f: (place_of(f.id), f.method, f.metric))
        )

    @property
    def failed(self) -> dict[Id, frozenset[Pair]]:
        """The samples that failed, each with the pairs (method, metric) it has no number by."""
        found: dict[Id, set[Pair]] = {}
        for each in self._failures.values():
            if not each.left_out:
                found.setdefault(each.id, set()).update(self._struck(each))
        return {name: frozenset(pairs) for name, pairs in found.items()}

    @property
    def ids(self) -> tuple[Id, ...]:
        """All samples, in the order of ids: numbers by size, then names with numbers in them."""
        return _sorted({each for seen in self._seen.values() for each in seen})

    def compute(self, method: str = "", metric: str = "") -> Column:
        """All samples of one method and metric, in the order of their ids."""
        parts = self._parts.get((method, metric), [])
        ids = [each for names, _ in parts for each in names]
        order = sorted(range(len(ids)), key=lambda row: place_of(ids[row]))
        values = torch.cat([torch.zeros(0).double(), *(scores.values for _, scores in parts)])
        details = {name: detail_of(name, parts)[order] for name in names_of(parts, "details")}
        curves = {name: curve_of(name, parts) for name in names_of(parts, "curves")}
        return Column(tuple(ids[row] for row in order), values[order], details, curves)

    def state(self) -> tuple[dict[str, np.ndarray], str]:
        """Everything as arrays and a JSON text, for files without pickle."""
        arrays: dict[str, np.ndarray] = {}
        about: list[dict[str, Any]] = []
        for (method, metric), parts in self._parts.items():
            for ids, scores in parts:
                key = str(len(about))
                arrays[f"{key}.values"] = scores.values.numpy()
                for number, each in enumerate(scores.details.values()):
                    arrays[f"{key}.detail.{number}"] = each.numpy()
                for number, curve in enumerate(scores.curves.values()):
                    arrays[f"{key}.x.{number}"] = curve.x.numpy()
                    arrays[f"{key}.y.{number}"] = curve.y.numpy()
                labels = {name: [c.xlabel, c.ylabel] for name, c in scores.curves.items()}
                about.append(
                    {
                        "method": method,
                        "metric": metric,
                        "ids": ids,
                        "details": list(scores.details),
                        "curves": labels,
                    }
                )
        failures = [asdict(each) for each in self._failures.values()]
        return arrays, json.dumps({"parts": about, "failures": failures})

    @classmethod
    def from_state(cls, arrays: Mapping[str, np.ndarray], text: str) -> "Tally":
        """From what `state` gave."""
        found, state = cls(), json.loads(text)
        for key, part in enumerate(state["parts"]):
            get = {
                name: torch.from_numpy(np.array(arrays[name]))
                for name in arrays
                if name.startswith(f"{key}.")
            }
            details = {name: get[f"{key}.detail.{i}"] for i, name in enumerate(part["details"])}
            curves = {
                name: Curve(get[f"{key}.x.{i}"], get[f"{key}.y.{i}"], *labels)
                for i, (name, labels) in enumerate(part["curves"].items())
            }
            scores = Scores(get[f"{key}.values"], curves, details)
            found._add((part["method"], part["metric"]), tuple(part["ids"]), scores)
        for each in state["failures"]:
            found.fail(Failure(**each))
        return found

    def _add(self, pair: Pair, ids: tuple[Id, ...], scores: Scores) -> None:
        seen = self._seen.setdefault(pair, set())
        for place, each in enumerate(ids):
            if each in seen or each in ids[:place]:
                raise InvalidInput(
                    f"Each sample counts once, but {each!r} came twice. Give ids that differ."
                )
        seen.update(ids)
        self._parts.setdefault(pair, []).append((ids, scores))

    def _shared(self, other: "Tally") -> set[Cell]:
        """What both hold, failed or not."""
        return {
            (*pair, each)
            for pair, ids in other._seen.items()
            for each in ids & self._seen.get(pair, set())
        }

    def _join(self, other: "Tally", but: Set[Cell]) -> None:
        """Add the other's results but for some; what failed here gives way."""
        if but:
            other = Tally().merge(other)
            other._drop(but)
        self._drop({cell for cell in self._shared(other) if self._has_failed(cell)})
        reasons = [one for f in other._failures.values() for one in self._told_apart(f, other)]
        for pair, parts in other._parts.items():
            for ids, scores in parts:
                self._add(pair, ids, scores)
        for each in reasons:
            self.fail(each)

    def _has_failed(self, cell: Cell) -> bool:
        method, metric, name = cell
        found = [self._failures.get((method, each, name)) for each in (metric, "")]
        return any(each is not None and not each.left_out for each in found)

    def _struck(self, failure: Failure) -> list[Pair]:
        """The pairs that a failure leaves without a number: without a metric, all of the method."""
        return [
            pair
            for pair, ids in self._seen.items()
            if pair[0] == failure.method and failure.metric in ("", pair[1]) and failure.id in ids
        ]

    def _told_apart(self, failure: Failure, other: "Tally") -> list[Failure]:
        """Another tally's failure as it is, or by metric where this one has numbers by others."""
        if failure.metric or not self._struck(failure):
            return [failure]
        return [replace(failure, metric=metric) for _, metric in other._struck(failure)]

    def _drop(self, cells: Set[Cell]) -> None:
        """Forget some results, and why they failed."""
        gone: dict[Pair, set[Id]] = {}
        for method, metric, name in cells:
            gone.setdefault((method, metric), set()).add(name)
        for pair, names in gone.items():
            self._seen[pair] -= names
            left = (without(ids, scores, names) for ids, scores in self._parts[pair])
            self._parts[pair] = [(ids, scores) for ids, scores in left if ids]
        for method, metric, name in cells:
            self._failures.pop((method, metric, name), None)
            whole = self._failures.pop((method, "", name), None)
            if whole is not None:
                for pair in self._struck(whole):
                    self.fail(replace(whole, metric=pair[1]))


def curve_rows(curve: Curve, points: int = 101) -> tuple[Tensor, Tensor]:
    """A curve as one x for all samples, (points,), and y (samples, points).

    Samples with an x of their own are read by straight lines at `points` places that all of them
    reach.
    """
    if curve.x.dim() == 1:
        return curve.x, curve.y
    if bool((curve.x == curve.x[:1]).all()):
        return curve.x[0], curve.y
    known = ~(curve.x.isnan() | curve.y.isnan())
    pairs = [
        (x[kept].numpy(), y[kept].numpy())
        for x, y, kept in zip(curve.x, curve.y, known, strict=True)
    ]
    filled = [x for x, _ in pairs if len(x)]
    low, high = max(x[0] for x in filled), min(x[-1] for x in filled)
    grid = np.linspace(low, high, points)
    rows = [np.interp(grid, x, y) if len(x) else np.full(points, np.nan) for x, y in pairs]
    return torch.from_numpy(grid), torch.from_numpy(np.stack(rows))


def _plain(each: Any) -> Id:
    """An id as files can hold it."""
    if isinstance(each, str):
        return each
    if isinstance(each, (Tensor, np.generic)):
        each = each.item()
    if isinstance(each, int) and not isinstance(each, bool):
        return each
    raise InvalidInput(f"ids must be whole numbers or strings, got {each!r}.")


def _sorted(ids: Iterable[Id]) -> tuple[Id, ...]:
    return tuple(sorted(ids, key=place_of))
