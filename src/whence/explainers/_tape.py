"""The common body of all methods that go back along a recorded tape."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from whence import viz
from whence._explanation import Explanation
from whence._text_explanation import TextExplanation
from whence.composites import Assignment, Composite, assignment
from whence.engine import (
    Constants,
    Context,
    Ledger,
    Message,
    Op,
    Tape,
    Tapped,
    Value,
    WeightCache,
    at_leaf,
    clear,
    paused_collection,
    reads,
    record,
    require_rules,
    restore,
    sweep,
)
from whence.errors import InvalidInput
from whence.explainers._checks import (
    check_finite,
    check_inputs,
    check_relevance,
    explain_failure,
)
from whence.explainers._compile import Compiled
from whence.explainers._explainer import Explainer
from whence.explainers._inputs import Inputs
from whence.explainers._language import located
from whence.explainers._masks import masks_at
from whence.explainers._samples import for_samples
from whence.explainers._start import Start, pick_output, start_at, values_at
from whence.explainers._text import as_text, read_texts
from whence.targets import Each, Highest, Target, as_target


class TapeExplainer(Explainer):
    """Records the model once, then sends messages back under a composite.

    output: which of the model's outputs to explain (key, index or function of all).
    batch_axis: the axis of the samples in the inputs.
    """

    default_ledger: str | None = None
    only_gradients: ClassVar[bool] = False  # no values on the way are needed, so fewer are kept

    def __init__(
        self, model: Callable[..., Any], *, output: Any = None, batch_axis: int = 0
    ) -> None:
        super().__init__(model)
        self.output = output
        self.batch_axis = batch_axis
        self._weights = WeightCache()
        self._constants = Constants()

    def on(self, model: Callable[..., Any]) -> "TapeExplainer":
        """The same method, with the same options, for another model; this one stays as it is."""
        other = super().on(model)
        assert isinstance(other, TapeExplainer)
        other._weights, other._constants = WeightCache(), Constants()  # they hold the old model's
        return other

    @abstractmethod
    def composite_for(self, ops: list[Op]) -> Composite:
        """The rules for the operations between the input and the target."""

    def begin(self, start: Start) -> Start:
        """What relevance starts with: the coefficients of the target, unless a method differs."""
        return start

    def finish(self, x: Tensor, message: Message) -> Tensor:
        """Relevance from what arrived at an input x: a c + R."""
        if message.c is None:
            assert message.R is not None
            return message.R
        R = x * message.c
        return R if message.R is None else R + message.R

    def explain(
        self,
        inputs: Any,
        target: Any = None,
        *,
        conditions: Mapping[str, Any] | None = None,
        taps: Sequence[str] = (),
        ledger: str | None = "default",
        create_graph: bool = False,
        batch_size: int | None = None,
    ) -> Explanation:
        """Explain the target's score for each sample.

        target: None (the highest score), a class, one class for each sample, anything from
        `whence.targets`, or a function of the output. conditions: masks on the relevance at named
        modules. taps: modules whose relevance is kept for `.at(name)`. ledger: "summary", "full",
        "flow" or None. create_graph: the relevance can be differentiated. batch_size: samples at a
        time.
        """
        given = Inputs.of(inputs, self.batch_axis)
        check_inputs(self.model, given)
        texts = read_texts(given)
        options: dict[str, Any] = {
            "conditions": conditions,
            "taps": tuple(taps),
            "ledger": self.default_ledger if ledger == "default" else ledger,
            "create_graph": create_graph,
        }
        if batch_size is not None and batch_size < given.batch:
            found = self._in_parts(given, target, batch_size, options)
        elif isinstance(target, Each):
            found = self._each(given, target, options)
        else:
            found = self._explain(given, [as_target(target)], options)[0]
        return as_text(found, texts)

    def assignment(self, inputs: Any, target: Any = None) -> Assignment:
        """The table operation -> rule for this model and input, from the output down."""
        given = Inputs.of(inputs, self.batch_axis)
        check_inputs(self.model, given)
        tape = self._record(given, False)
        asked = located(as_target(target), given, tape.output)
        ops = tape.reaching([start_at(tape, tape.output, asked).value])
        return assignment(ops, self.composite_for(ops).rules_for(ops))

    def compile(self, example: Tensor, *, optimise: bool = True) -> Compiled:
        """The whole explanation frozen for the shape of `example`: a fast callable
        `compiled(inputs, target) -> relevance`, equal on new inputs of other signs and classes.

        The model's weights are those of this moment. Models that branch on data raise. With
        `optimise` the graph is compiled to machine code where a C++ compiler is found.
        """
        found = self.explain(example, ledger=None)  # checks the model, and fills the weight cache
        given = Inputs.of(example, self.batch_axis)
        tape = self._record(given, False)
        start = start_at(tape, tape.output, Highest())
        options: dict[str, Any] = {
            "conditions": None, "taps": (), "ledger": None, "create_graph": False, "frozen": True,
        }  # fmt: skip

        def explain(inputs: Tensor, target: Target) -> Tensor:
            given = Inputs(inputs, (inputs,), {}, self.batch_axis)
            return self._explain(given, [target], options)[0].relevance

        if not isinstance(found.relevance, Tensor):
            raise InvalidInput("compile() is for models with one tensor as input.")
        return Compiled(explain, example, restore(start.value), optimise=optimise)

    def _record(self, given: Inputs, graph: bool) -> Tape:
        try:
            tape = record(
                self.model,
                given.args,
                given.kwargs,
                given.leaves,
                constants=self._constants,
                graph=graph,
                select=lambda output: pick_output(output, self.output),
            )
        except (IndexError, ValueError) as error:
            told = explain_failure(self.model, given, error)
            if told is error:
                raise
            raise told from error
        tape.batch = given.batch
        return tape

    def _explain(
        self, given: Inputs, targets: list[Target], options: dict[str, Any]
    ) -> list[Explanation]:
        graph = options["create_graph"]
        with torch.enable_grad() if graph else torch.no_grad(), paused_collection():
            tape = self._record(given, graph)
            found = []
            for number, asked in enumerate(targets):
                target = located(asked, given, tape.output, tape.note)
                # One start at a time: over a vocabulary, those of many targets would not fit.
                start = start_at(tape, tape.output, target)
                if not options.get("frozen", False):
                    check_finite(self.model, start.score)
                last = number == len(targets) - 1
                found.append(self._back(given, tape, target, start, options, retain=not last))
            clear(tape)
        return found

    def _back(
        self,
        given: Inputs,
        tape: Tape,
        target: Target,
        start: Start,
        options: dict[str, Any],
        *,
        retain: bool,
    ) -> Explanation:
        ops = tape.reaching([start.value])
        begun = self.begin(start)
        rules = self.composite_for(ops).rules_for(ops)
        require_rules(ops, rules, [start.value])
        ledger = None
        if options["ledger"] is not None:
            dtype = start.message.c.dtype if start.message.c is not None else start.score.dtype
            ledger = Ledger(tape.batch, dtype, options["ledger"])
            begun.book(ledger)
        context = Context(
            self._weights,
            rules,
            retain=retain,
            frozen=options.get("frozen", False),
            graph=options["create_graph"],
            batch=tape.batch,
            embedded=None if all(map(_has_floats, tape.leaves)) else [],
        )
        masks = masks_at(tape, options["conditions"] or {})
        wanted = {name: values_at(tape, name) for name in options["taps"]}
        taps: dict[int, Tapped | None] = {
            id(value): None for values in wanted.values() for value in values
        }
        arrived = sweep(tape, [(begun.value, begun.message)], context, ledger, masks, taps)
        features = [self._features(leaf, context) for leaf in tape.leaves]
        relevance = [
            self._at_leaf(leaf, arrived.get(id(leaf)), each)
            for leaf, each in zip(tape.leaves, features, strict=True)
        ]
        if not options.get("frozen", False):
            check_relevance(self.model, relevance)
        if ledger is not None:
            ledger.explained = sum(
                (_per_sample(each, tape.batch, self.batch_axis) for each in relevance),
                torch.zeros(tape.batch, dtype=torch.float64),
            )
        return Explanation(
            relevance=given.rebuild(lambda i: relevance[i]),
            inputs=given.given,
            output=tape.output,
            target=target,
            score=start.score,
            method=self.name,
            ledger=ledger,
            notes=list(tape.notes),
            features=given.rebuild(lambda i: features[i]),
            taps={name: self._tapped(values, taps) for name, values in wanted.items()},
            again=lambda name: self._again(given, target, name, options),
            draw=viz.draw,
            write=viz.save,
        )

    def _at_leaf(self, leaf: Value, message: Message | None, features: Tensor | None) -> Tensor:
        data = leaf.data
        assert data is not None
        if features is not None and features.dim() > data.dim():
            return features.sum(-1)
        if message is None:
            dtype = data.dtype if data.is_floating_point() else torch.float32
            return torch.zeros_like(data, dtype=dtype)
        wide = data
        if message.c is not None:
            wide = data.to(message.c.dtype)
        return self.finish(wide, message)

    def read_tap(self, tap: Tapped) -> Tensor:
        """What `.at(name)` gives of what passed at a module's output: its relevance."""
        return tap.R

    def _tapped(self, values: list[Value], taps: dict[int, Tapped | None]) -> Any:
        """One call gives a tensor; several calls of a module give a list, one for each."""
        found = []
        for value in values:
            nothing = torch.zeros(value.shape)
            found.append(self.read_tap(taps[id(value)] or Tapped(nothing, nothing, nothing)))
        return found[0] if len(found) == 1 else found

    def _features(self, leaf: Value, context: Context) -> Tensor | None:
        """What the method reads off at the embeddings of token ids."""
        if _has_floats(leaf):
            return None
        found = None
        for each in context.embedded or ():
            if not reads(each, leaf):
                continue
            at = at_leaf(leaf, each, self.finish(each.data, each.message))
            if at is None:
                return None
            found = at if found is None else found + at
        return found

    def _again(self, given: Inputs, target: Target, name: str, options: dict[str, Any]) -> Any:
        fresh = {**options, "taps": (name,), "ledger": None}
        return self._explain(given, [target], fresh)[0].taps[name]

    def _each(self, given: Inputs, target: Each, options: dict[str, Any]) -> Explanation:
        found = self._explain(given, [as_target(each) for each in target.targets], options)
        return stack_explanations(found, target)

    def _in_parts(
        self, given: Inputs, target: Any, batch_size: int, options: dict[str, Any]
    ) -> Explanation:
        if batch_size < 1:
            raise InvalidInput(f"batch_size must be at least 1, got {batch_size}.")
        if self.batch_axis != 0:
            raise InvalidInput("batch_size= needs the samples on the first axis.")
        parts = []
        for begin in range(0, given.batch, batch_size):
            end = min(begin + batch_size, given.batch)
            part = for_samples(target, list(range(begin, end)), given.batch)
            asked = {key: value for key, value in options.items() if key != "frozen"}
            parts.append(self.explain(given.chunk(begin, end), part, **asked))
        return _joined(parts, given.given, target)


def _has_floats(leaf: Value) -> bool:
    return leaf.dtype.is_floating_point


def _per_sample(relevance: Tensor, batch: int, axis: int) -> Tensor:
    if relevance.dim() > axis and relevance.shape[axis] == batch:
        rows = relevance.detach().movedim(axis, 0).reshape(batch, -1)
        return rows.sum(1).double().cpu()
    return relevance.detach().sum().double().cpu() / batch


def stack_explanations(found: list[Explanation], target: Each) -> Explanation:
    """One explanation with a leading axis from one for each target."""
    first = found[0]
    first.relevance = _merge([each.relevance for each in found], torch.stack)
    first.features = _merge([each.features for each in found], torch.stack)
    first.score = torch.stack([each.score for each in found])
    first.facts = _merge([each.facts for each in found], torch.stack)
    first.notes = list(dict.fromkeys(note for each in found for note in each.notes))
    first.target = target
    first.ledger = [each.ledger for each in found] if first.ledger is not None else None
    first.taps = {name: _merge([f.taps[name] for f in found], torch.stack) for name in first.taps}
    first.again = None
    return first


def _joined(parts: list[Explanation], inputs: Any, target: Any) -> Explanation:
    first = parts[0]
    axis = 1 if isinstance(target, Each) else 0
    first.relevance = _merge([each.relevance for each in parts], lambda t: torch.cat(t, axis))
    first.features = _merge([each.features for each in parts], lambda t: torch.cat(t, axis))
    if isinstance(first, TextExplanation):
        held = [each.feature_parts for each in parts if isinstance(each, TextExplanation)]
        first.feature_parts = _merge(held, lambda t: torch.cat(t, axis))
    first.score = torch.cat([each.score for each in parts], -1)
    first.output = _merge([each.output for each in parts], torch.cat)
    first.inputs, first.target = inputs, target
    first.taps = {
        name: _merge([part.taps[name] for part in parts], lambda t: torch.cat(t, axis))
        for name in first.taps
    }
    if isinstance(first.ledger, Ledger):
        for part in parts[1:]:
            first.ledger = first.ledger.join(part.ledger)
    first.notes = list(dict.fromkeys(note for part in parts for note in part.notes))
    first.again = None
    return first


def _merge(parts: list[Any], join: Callable[[list[Tensor]], Tensor]) -> Any:
    head = parts[0]
    if isinstance(head, Tensor):
        return join(parts)
    if isinstance(head, dict):
        return {key: _merge([part[key] for part in parts], join) for key in head}
    if isinstance(head, (tuple, list)):
        return type(head)(_merge([p[i] for p in parts], join) for i in range(len(head)))
    return head
