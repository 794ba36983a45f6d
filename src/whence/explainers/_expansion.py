"""Neurons of one linear operation expanded at their roots, by autograd and by their rule."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from whence._numerics import divide
from whence.engine import Context, Linear, Message, Op, known, relevance_of, restore
from whence.errors import InvalidInput
from whence.explainers._replay import forward
from whence.rules import BoxDirection, Rule, TaylorRule, WSquare, ZBox, Zero, ZPlus

_NEAR = 2.0**-10  # how far from the root towards a the slope is taken; in between r is straight


@dataclass(frozen=True, eq=False)
class Expanded:
    """Neurons (neurons,) of one sample; points and terms have shape (neurons, *input)."""

    roots: Tensor
    root_z: Tensor
    zeroth: Tensor
    terms: Tensor


class Layer:
    """One linear operation with its rule and what arrived at its outputs, for one sample."""

    def __init__(self, op: Op, rule: Rule, R: Tensor, context: Context, sample: int) -> None:
        self.op, self.rule, self.context, self.sample = op, rule, context, sample
        self.R = R
        self.a = known(op.inputs[0]).to(R.dtype)[sample]
        self.z = restore(op.outputs[0]).to(R.dtype)[sample].flatten()

    @property
    def direction(self) -> tuple[str, Any]:
        """The search direction of the rule: its name, and as a `TaylorRule` takes it."""
        rule = self.rule
        if isinstance(rule, ZBox):
            shape = self.a[None].shape
            bounds = [
                torch.as_tensor(bound, dtype=self.a.dtype).expand(shape).flatten()
                for bound in (rule.low, rule.high)
            ]
            return "a - low where w > 0, a - high where w < 0 (z-box)", BoxDirection(*bounds)
        if isinstance(rule, WSquare):
            return "w (w-squared)", "weight"
        if isinstance(rule, ZPlus) and (rule.bias == "zero" or self._no_bias()):
            return "a where a w > 0 (z+)", "positive"
        if isinstance(rule, Zero) and self._no_bias():
            return "a (LRP-0)", "activation"
        if isinstance(rule, TaylorRule):
            return f"{rule.direction}", rule.direction
        raise InvalidInput(
            f"{rule!r} has no root along one direction, at {self.op.where()}. Rules that have: "
            'ZPlus(bias="zero"), WSquare(), ZBox(low, high), Zero() without bias, TaylorRule(...).'
        )

    def ruled(self, R: Tensor) -> Tensor:
        """What the rule sends to the layer's inputs if R (outputs) arrives; this sample's."""
        message = torch.zeros_like(self.R)
        message[self.sample] = R.view_as(message[self.sample])
        node = Linear(self.op, [Message(R=message)], self.context, None)
        sent = self.rule.send(node)[0]
        assert sent is not None
        return relevance_of(self.op.inputs[0], sent)[self.sample]

    def weights(self, neurons: list[int]) -> Tensor:
        """W of some neurons, (neurons, *input)."""
        node = Linear(self.op, [Message(R=self.R)], self.context, None)
        return node.dense(neurons).view(len(neurons), *self.a.shape)

    def bias(self) -> Tensor:
        """b of each output: what the operation makes of zeros."""
        return forward(self.op, [torch.zeros_like(self.a)[None]])[0].flatten()

    def expand(self, neurons: list[int], c: Tensor) -> Expanded:
        """The first-order terms of c_j max(0, z_j) at each neuron's root, by autograd through the
        operation itself; for z_j < 0, which the theory does not know, those of c_j z_j."""
        W = self.weights(neurons).flatten(1)
        a = self.a.flatten()
        d = TaylorRule(self.direction[1]).directions(a[None, None], W)
        d = d.broadcast_to(1, *W.shape)[0]
        t = divide(self.z[neurons], (d * W).sum(1))
        roots = (a - t[:, None] * d).view(len(neurons), *self.a.shape)
        sign = torch.where(self.z[neurons] < 0, -1.0, 1.0).to(c)
        at_root = self._neurons(roots, neurons)
        with torch.enable_grad():
            near = (roots + _NEAR * (self.a - roots)).requires_grad_()
            r = (sign * self._neurons(near, neurons)).clamp(min=0) * c * sign
            slope = torch.autograd.grad(r.sum(), near)[0]
        zeroth = (sign * at_root).clamp(min=0) * c * sign
        return Expanded(roots, at_root, zeroth, (self.a - roots) * slope)

    def _neurons(self, points: Tensor, neurons: list[int]) -> Tensor:
        z = forward(self.op, [points])[0].flatten(1)
        return z[torch.arange(len(neurons)), neurons]

    def _no_bias(self) -> bool:
        return not bool(self.bias().any())
