"""Deep Taylor decomposition step by step: what the rules do at a neuron, and that they do it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from whence.engine import Context, Op, Value, require_rules, sweep
from whence.errors import InvalidInput
from whence.explainers._checks import check_inputs
from whence.explainers._constancy import Constancy, constancy, effective_c
from whence.explainers._expansion import Layer
from whence.explainers._inputs import Inputs
from whence.explainers._language import located
from whence.explainers._lrp import LRP, DeepTaylor
from whence.explainers._neuron import NeuronSteps
from whence.explainers._replay import approach, switched
from whence.explainers._score import answer, fix_target
from whence.explainers._start import start_at, values_at
from whence.rules import Rule, ZBox

_TOGETHER = 64  # neurons that are expanded at a time


class DeepTaylorSteps:
    """Deep Taylor decomposition taken apart: the four steps at any neuron, checked by autograd.

    `low` and `high` are the box of inputs, as in `DeepTaylor`. An `LRP` explainer in place of the
    model is traced with its own rules, as long as they are roots along a direction: z+, w-squared,
    z-box, LRP-0 without bias, or any `rules.TaylorRule`.

    What it shows beyond the rules is what the theory is doubted for [sixt2022]: whether the root
    lies in its domain, how many ReLUs switch on the way there (then c_j was no constant),
    and how near the network can come to it (`trace.reach`). A rule that equals its Taylor expansion
    neuron by neuron, which is verified here, says nothing of these.

    ```python
    trace = DeepTaylorSteps(model, low=0.0, high=1.0).trace(images, target=3)
    print(trace.neuron("layers.1"))  # the neuron with the most relevance
    trace.verify("layers.1"), trace.effective_c("layers.1"), trace.constancy("layers.1")
    ```

    References: [montavon2017, sec. 3 and 4], [sixt2022].
    """

    def __init__(
        self,
        model: Callable[..., Any] | LRP,
        low: float | Tensor | None = None,
        high: float | Tensor | None = None,
        *,
        output: Any = None,
    ) -> None:
        if isinstance(model, LRP):
            self.explainer = model
        else:
            self.explainer = DeepTaylor(model, low, high, output=output)

    def on(self, model: Callable[..., Any]) -> "DeepTaylorSteps":
        """The same rules for another model; this one stays as it is."""
        other = self.explainer.on(model)
        assert isinstance(other, LRP)
        return DeepTaylorSteps(other)

    def trace(self, inputs: Any, target: Any = None) -> "DeepTaylorTrace":
        """Record the model on these inputs and send relevance back; the trace keeps both."""
        given = Inputs.of(inputs)
        check_inputs(self.explainer.model, given)
        clean = answer(self.explainer.model, inputs, self.explainer.output)
        return DeepTaylorTrace(self.explainer, inputs, fix_target(target, clean, given))


class DeepTaylorTrace:
    """One run of the model and of its relevance, kept to be looked at."""

    def __init__(self, explainer: LRP, inputs: Any, target: Any) -> None:
        self.explainer, self.inputs, self.target = explainer, inputs, target
        given = Inputs.of(inputs)
        with torch.no_grad():
            self._tape = explainer._record(given, False)
            start = start_at(
                self._tape, self._tape.output, located(target, given, self._tape.output)
            )
            self.score = start.score
            ops = self._tape.reaching([start.value])
            rules = explainer.composite_for(ops).rules_for(ops)
            require_rules(ops, rules, [start.value])
            self._context = Context(explainer._weights, rules, retain=True, batch=given.batch)
            self._ops = {id(op.outputs[0]): op for op in ops if op.nature == "linear"}
            taps: dict[int, Any] = dict.fromkeys(self._ops)
            begun = explainer.begin(start)
            sweep(self._tape, [(begun.value, begun.message)], self._context, taps=taps)
            self._R = {key: tapped.R for key, tapped in taps.items() if tapped is not None}

    @property
    def layers(self) -> list[str]:
        """The linear operations that carry relevance, by the module they ran in."""
        return [op.paths[-1] for key, op in self._ops.items() if key in self._R]

    def __repr__(self) -> str:
        rules = [
            f"  {op.paths[-1] or '(the model)'}: {self._context.rules[id(op)]!r}"
            for key, op in self._ops.items()
            if key in self._R
        ]
        return "\n".join([f"DeepTaylorTrace of {len(self.score)} samples", *rules])

    def neuron(
        self,
        module: str,
        index: int | Sequence[int] | None = None,
        *,
        sample: int = 0,
        call: int = 0,
    ) -> NeuronSteps:
        """The steps at one neuron of a linear or convolutional module, or of the ReLU after it.

        index: the neuron behind the batch axis, by default the one with the most relevance.
        """
        with torch.no_grad():
            op = self._op(module, call)
            layer = self._layer(op, sample)
            shape = tuple(op.outputs[0].shape[1:])
            R = layer.R[sample].flatten()
            j = int(R.abs().argmax()) if index is None else _flat(index, shape, module)
            return self._steps(module, op, layer, j)

    def verify(self, module: str, *, sample: int = 0, call: int = 0) -> float:
        """How far the rule is from the pooled Taylor expansions of all neurons of a layer, by
        autograd at the root of each: the largest difference over the largest relevance."""
        with torch.no_grad():
            layer = self._layer(self._op(module, call), sample)
            R = layer.R[sample].flatten()
            pooled = torch.zeros_like(layer.a)
            for part in R.nonzero().flatten().split(_TOGETHER):
                neurons = part.tolist()
                pooled += layer.expand(neurons, R[neurons] / layer.z[neurons]).terms.sum(0)
            ruled = layer.ruled(R)
        return float((ruled - pooled).abs().max() / pooled.abs().max().clamp(min=1e-300))

    def roots(
        self, module: str, *, sample: int = 0, call: int = 0, most: int = 100
    ) -> "RootCensus":
        """Of a layer's `most` neurons with the largest relevance: how many roots lie in their
        domain, and at how many no ReLU from this layer on switches."""
        with torch.no_grad():
            op = self._op(module, call)
            layer = self._layer(op, sample)
            R = layer.R[sample].flatten().abs()
            largest = R.topk(min(most, len(R))).indices
            neurons = largest[R[largest] > 0].tolist()
            inside = region = 0
            for j in neurons:
                root = layer.expand([j], layer.z.new_ones(1)).roots[0]
                inside += self._domain(op, layer, root)[1]
                region += switched(self._tape, op, root, (sample, j))[0] == 0
        return RootCensus(len(neurons), inside, region)

    def reach(self, steps: NeuronSteps, *, tries: int = 300, rate: float = 0.05) -> float:
        """How near the network comes to a root: the smallest ||h(x') - root|| / ||a - root|| over
        inputs x', h being the layer's input; 1 means no nearer than x itself, 0 that it is reached.

        A descent from x by Adam, in the box if the first rule has one: an upper bound, no proof.
        """
        op = self._op(steps.module, 0)
        if op.inputs[0] is self._tape.leaves[0] or steps.distance == 0:
            return 0.0
        wanted = steps.sample, steps.root
        least = approach(self._tape, op.inputs[0], wanted, tries=tries, rate=rate, box=self._box)
        return least / float((steps.a - steps.root).norm())

    def effective_c(self, module: str) -> Tensor:
        """c = R / a at a module's output, NaN where a is zero; the part of relevance that deep
        Taylor decomposition takes as constant."""
        return effective_c(self.explainer, module, self.inputs, self.target)

    def constancy(
        self, module: str, *, size: float = 0.01, draws: int = 8, seed: int = 0
    ) -> Constancy:
        """How much c at a module changes if the input changes a little, beside the gradient there.

        size: ||change|| / ||input||.
        """
        return constancy(
            self.explainer,
            module,
            self.inputs,
            self.target,
            noise=(size, draws, seed),
            box=self._box,
        )

    @property
    def _box(self) -> tuple[Any, Any] | None:
        """The box of valid inputs, where a rule has one."""
        boxes = [rule for rule in self._context.rules.values() if isinstance(rule, ZBox)]
        return (boxes[0].low, boxes[0].high) if boxes else None

    def _steps(self, module: str, op: Op, layer: Layer, j: int) -> NeuronSteps:
        R = layer.R[layer.sample].flatten()
        silent = float(R[j]) == 0
        c = R.new_zeros(1) if silent else R[j : j + 1] / layer.z[j]
        found = layer.expand([j], c)
        alone = torch.zeros_like(R)
        alone[j] = R[j]
        root, place = found.roots[0], (layer.sample, j)
        domain, inside = self._domain(op, layer, root)
        index = torch.unravel_index(torch.tensor(j), tuple(op.outputs[0].shape[1:]))
        return NeuronSteps(
            module=module,
            index=tuple(int(i) for i in index),
            sample=layer.sample,
            rule=layer.rule,
            direction=layer.direction[0],
            a=layer.a,
            weight=layer.weights([j])[0],
            bias=float(layer.bias()[j]),
            z=float(layer.z[j]),
            relevance=float(R[j]),
            root=root,
            root_z=float(found.root_z[0]),
            ruled=layer.ruled(alone),
            expanded=found.terms[0],
            zeroth=float(found.zeroth[0]),
            pooled=layer.ruled(R),
            domain=domain,
            in_domain=inside,
            switched=(0, 0) if silent else switched(self._tape, op, root, place),
        )

    def _layer(self, op: Op, sample: int) -> Layer:
        R = self._R[id(op.outputs[0])]
        if not 0 <= sample < len(R):
            raise InvalidInput(f"Samples run from 0 to {len(R) - 1}, got {sample}.")
        rule: Rule = self._context.rules[id(op)]
        return Layer(op, rule, R, self._context, sample)

    def _op(self, module: str, call: int) -> Op:
        values = values_at(self._tape, module)
        if not 0 <= call < len(values):
            raise InvalidInput(f"{module!r} was called {len(values)} times; there is no {call}.")
        value: Value = values[call]
        while value.op is not None and value.op.nature == "pointwise":
            value = value.op.inputs[0]
        if id(value) not in self._R:
            raise InvalidInput(
                f"{module!r} is no linear layer that relevance passes. Those are: "
                f"{', '.join(map(repr, self.layers))}."
            )
        return self._ops[id(value)]

    def _domain(self, op: Op, layer: Layer, root: Tensor) -> tuple[str, bool]:
        slack = 1e-9 * float(layer.a.abs().max())
        if isinstance(layer.rule, ZBox):
            low, high = (torch.as_tensor(b).to(root) for b in (layer.rule.low, layer.rule.high))
            inside = (root >= low - slack) & (root <= high + slack)
            return "the box", bool(inside.all())
        is_leaf = any(op.inputs[0] is leaf for leaf in self._tape.leaves)
        if is_leaf or bool((layer.a < 0).any()):
            return "all reals", True
        return "a >= 0", bool((root >= -slack).all())


@dataclass(frozen=True)
class RootCensus:
    """Neurons that were looked at, those whose root is in its domain, and those whose root the
    rest of the net sees as it sees the activations (no other ReLU switches)."""

    neurons: int
    in_domain: int
    same_region: int


def _flat(index: int | Sequence[int], shape: tuple[int, ...], module: str) -> int:
    place = (index,) if isinstance(index, int) else tuple(index)
    if len(place) != len(shape) or any(not 0 <= i < n for i, n in zip(place, shape, strict=True)):
        raise InvalidInput(f"A neuron of {module!r} is an index into {shape}, got {place}.")
    flat = 0
    for i, n in zip(place, shape, strict=True):
        flat = flat * n + i
    return flat
