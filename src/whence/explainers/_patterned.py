"""The common body of PatternNet and PatternAttribution: patterns, and whose they are."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from torch import Tensor

from whence.composites import Selector, where
from whence.engine import Node, Tape
from whence.errors import InvalidInput
from whence.explainers._inputs import Inputs
from whence.explainers._pattern_fit import (
    RECTIFIERS,
    batches_of,
    check_estimator,
    fit_patterns,
    mark_places,
    place_of,
)
from whence.explainers._pattern_layers import SUMS, channel_axis
from whence.explainers._patterns import Patterns, check_model, stamp
from whence.explainers._tape import TapeExplainer
from whence.rules import Attention, Hold, ReLUMask, Rule, SignalTakesAll

_UNFITTED = (
    "{name} has no patterns yet: they are estimated from data. Call fit(data) with inputs like "
    "those the model was trained on, or give patterns=Patterns.load(path, model)."
)
_MOVED = (
    "The patterns of {name} belong to the weights of the model they were fitted to; another model "
    "needs a refit: {name}(other).fit(data). Where a metric changes the model, give it a function "
    "instead of this explainer: lambda model: {name}(model).fit(data)."
)
_TRAINED = (
    "The weights of the model have changed since the patterns were fitted to them. Refit: "
    "{name}(model).fit(data)."
)


@dataclass(frozen=True)
class Lookup:
    """How a rule finds the patterns of an operation; prints as the patterns."""

    find: Callable[[Any], Any]
    patterns: Patterns | None

    def __call__(self, node: Node) -> Any:
        return self.find(node)

    def __repr__(self) -> str:
        return repr(self.patterns)


Own = TypeVar("Own", bound="Patterned")


class Patterned(TapeExplainer):
    """A method that goes back along patterns: explains only once it has some.

    patterns: of an earlier fit; estimator: for `fit`. See `PatternNet`.
    """

    def __init__(
        self,
        model: Callable[..., Any],
        patterns: Patterns | None = None,
        estimator: str = "two-component",
        *,
        output: Any = None,
        batch_axis: int = 0,
    ) -> None:
        super().__init__(model, output=output, batch_axis=batch_axis)
        check_estimator(estimator)
        if patterns is not None:
            check_model(patterns, model)
            estimator = patterns.estimator
        self.estimator, self.patterns = estimator, patterns
        self._stamp = stamp(model)

    def fit(
        self: Own,
        data: Any,
        *,
        batch_size: int = 64,
        progress: bool | Callable[[int], None] = False,
    ) -> Own:
        """Estimate the patterns of all layers, in one pass; returns the explainer itself.

        data: a tensor of inputs, taken `batch_size` at a time, or an iterable of batches: tensors,
        pairs (x, y) of which y is not needed, or dicts of keyword arguments. However the data are
        cut into batches, the patterns are the same. progress: True shows a bar; a function is told
        how many samples are done.
        """
        batches = batches_of(data, batch_size, self.batch_axis)
        if progress is True:
            total = data.shape[self.batch_axis] if isinstance(data, Tensor) else None
            with _bar() as bar:
                task = bar.add_task("estimating patterns", total=total)
                found = self._fitted(batches, lambda done: bar.update(task, completed=done))
        else:
            found = self._fitted(batches, progress or _say_nothing)
        self.patterns, self._stamp = found.to(self.model), stamp(self.model)
        return self

    def on(self, model: Callable[..., Any]) -> "Patterned":
        """The same method for another model: refused once fitted, as patterns belong to weights.

        A copy of the model, with the same weights, is no other model.
        """
        other = super().on(model)
        assert isinstance(other, Patterned)
        if self.patterns is not None:
            try:
                check_model(self.patterns, model)
            except InvalidInput as error:
                raise InvalidInput(_MOVED.format(name=type(self).__name__)) from error
        other._stamp = stamp(model)
        return other

    @property
    def of_layers(self) -> Lookup:
        """For rules of linear operations: a pattern in the layout of the weights."""
        return Lookup(self._pattern, self.patterns)

    @property
    def of_sums(self) -> Lookup:
        """For rules of sums: the patterns of the two branches, as they broadcast with the sum."""
        return Lookup(self._parts, self.patterns)

    def entries(self, rule: Rule, sums: Rule) -> list[tuple[Selector, Rule]]:
        """The composite's entries, with `rule` for linear operations and `sums` for sums of two."""
        return [
            (where.nature("linear"), rule),
            (where.kind(*SUMS), sums),
            (where.nature("product"), SignalTakesAll()),
            (where.nature("attention"), Attention()),
            (where.normaliser, Hold()),
            (where.kind(*RECTIFIERS), ReLUMask()),
        ]

    def _fitted(self, batches: Iterable[Any], said: Callable[[int], None]) -> Patterns:
        return fit_patterns(
            self.model, batches, self.estimator, batch_axis=self.batch_axis, said=said
        )

    def _record(self, given: Inputs, graph: bool) -> Tape:
        patterns = self._current()
        tape = super()._record(given, graph)
        mark_places(tape)
        for place, count in patterns.dead.items():
            tape.note(f"{place}: {count} neurons never fire on the data; their pattern is zero.")
        return tape

    def _current(self) -> Patterns:
        """The patterns, if there are any and the weights are those they were fitted to."""
        name = type(self).__name__
        if self.patterns is None:
            raise InvalidInput(_UNFITTED.format(name=name))
        if stamp(self.model) != self._stamp:
            try:
                check_model(self.patterns, self.model)
            except InvalidInput as error:
                raise InvalidInput(_TRAINED.format(name=name)) from error
            self._stamp = stamp(self.model)
        return self.patterns

    def _parts(self, node: Node) -> tuple[Tensor, Tensor]:
        a, shape = self._pattern(node), node.op.outputs[0].shape
        axis = channel_axis(shape)
        if axis is not None and shape[axis] != len(a):
            raise InvalidInput(
                f"{node.op.where()} has {shape[axis]} channels, its pattern {len(a)}. Fit the "
                "patterns with inputs of this kind."
            )
        tail = [1] * (0 if axis is None else len(shape) - axis - 1)
        first, second = (each.view(-1, *tail) for each in a.unbind(1))
        return first, second

    def _pattern(self, node: Node) -> Tensor:
        assert self.patterns is not None
        place = place_of(node.op)
        if place not in self.patterns.layers:
            raise InvalidInput(
                f"There is no pattern for {node.op.where()}: the model did not come by on the "
                "data of the fit. Fit with data for which it takes all its ways."
            )
        return self.patterns[place]

    def __repr__(self) -> str:
        held = f"not fitted, {self.estimator}" if self.patterns is None else repr(self.patterns)
        return f"{type(self).__name__}({type(self.model).__name__}, {held})"


def _say_nothing(done: int) -> None:
    pass


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
