"""Linear operations as rules see them: z = W a + b, with W a matrix whatever torch calls it.

A rule needs `apply` (W a), `transpose` (W^T s), both also with modified weights, and the bias.
Dense layers, convolutions of every kind and products with constants are the same to it. A batch
norm joined into the operation is part of W and b here; the user's weights stay as they are.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from whence.engine._adjoints import known, restore
from whence.engine._context import Context
from whence.engine._maps import Joinable, map_of
from whence.engine._node import Node
from whence.engine._tape import Op
from whence.engine._weights import affine_of


class Linear(Node):
    """One linear operation on the way back: `a` in, `z` out, weights and bias between."""

    def __init__(self, op: Op, messages: list[Any], context: Context, row: Any) -> None:
        super().__init__(op, messages, context, row)
        self._map = map_of(op)
        dtype = self._message_dtype
        self._raw = self._map.weight.to(dtype)
        self._scale: Tensor | None = None
        self._shift: Tensor | None = None
        if op.joined is not None:
            norm = op.joined
            affine = self._cached("affine", lambda: torch.stack(affine_of(norm, dtype)))
            self._scale, self._shift = affine[0], affine[1]

    @cached_property
    def a(self) -> Tensor:
        """The input, in the dtype of the message."""
        return known(self.op.inputs[0]).to(self._message_dtype)

    @cached_property
    def z(self) -> Tensor:
        """The output of the forward pass, bias included.

        Where only a ReLU reads it, its negative part may be replaced by zero: a coefficient is
        zero there. A message with relevance of its own gets the exact output, recomputed.
        """
        value = self.op.outputs[0]
        started = id(value) in self.context.starts or self.message.R is not None
        return (restore(value) if started else known(value)).to(self._message_dtype)

    @property
    def pair(self) -> tuple[Tensor, Tensor] | None:
        """c and z with R = z c, if nothing else arrived; below a ReLU both before its mask, with
        the ReLU's output for z."""
        message = self.message
        if message.loose is None or message.R is not None:
            return None
        if message.gate is not None:
            return message.loose, message.gate
        return message.loose, self.z

    def rows(self, tensor: Tensor) -> Tensor:
        """A tensor of z's shape, or of one number for each row, as (rows, ...)."""
        axes = len(self.row_axes)
        return tensor.reshape(-1, *tensor.shape[tensor.dim() - axes :]) if tensor.dim() else tensor

    def let_through(self, z: Tensor) -> Tensor:
        """z, or max(z, 0) where only a ReLU reads it: what is left of it in either case."""
        readers = self.op.outputs[0].readers
        if len(readers) != 1 or readers[0].name != "relu" or self.message.gate is z:
            return z
        return z.clamp(min=0)

    @cached_property
    def plain(self) -> Tensor:
        """W a without the bias, computed again: z - b has no digits left where the bias is all."""
        return self.z if self.bias is None else self.apply(self.a)

    @cached_property
    def weight(self) -> Tensor:
        """W, with a joined batch norm multiplied in; what rules make of it is kept, this is not."""
        if self._scale is None or not isinstance(self._map, Joinable):
            return self._raw
        return self._map.scaled(self._raw, self._scale, self.before)

    @cached_property
    def bias(self) -> Tensor | None:
        """b, shaped to broadcast with z, or None."""
        bias = self._map.bias
        bias = None if bias is None else bias.to(self._message_dtype)
        if self._scale is None or self._shift is None or not isinstance(self._map, Joinable):
            return bias
        if self.before:
            extra = self._map.constant_input(self._raw, self._shift)
            return extra if bias is None else bias + extra
        shift = self._map.per_output(self._shift)
        return shift if bias is None else bias * self._map.per_output(self._scale) + shift

    @property
    def before(self) -> bool:
        """Whether the joined batch norm comes before the operation."""
        return self.op.before

    @property
    def row_axes(self) -> tuple[int, ...]:
        """The axes of z that belong to one row of the map: one sample's channels and space."""
        return self._map.row_axes(self.z)

    @property
    def positive(self) -> Tensor:
        """W+ = max(W, 0)."""
        return self._cached("positive", lambda: self.weight.clamp(min=0))

    @property
    def negative(self) -> Tensor:
        """W- = min(W, 0)."""
        return self._cached("negative", lambda: self.weight.clamp(max=0))

    @property
    def absolute(self) -> Tensor:
        """|W|."""
        return self._cached("absolute", lambda: self.weight.abs())

    @property
    def squared(self) -> Tensor:
        """W squared, element by element."""
        return self._cached("squared", lambda: self.weight.square())

    def modified(self, name: str, change: Callable[[Tensor], Tensor]) -> Tensor:
        """Another function of the weights, kept under `name` as long as they do not change."""
        return self._cached(name, lambda: change(self.weight))

    def apply(self, a: Tensor, weight: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
        """W a without the bias, or with other weights (and a bias) of the same shape."""
        weight = self.weight if weight is None else weight
        if bias is None:
            return self._map.apply(a, weight)
        return self._map.apply_biased(a, weight, bias)

    def transpose(self, s: Tensor, weight: Tensor | None = None) -> Tensor:
        """W^T s: from the output's shape to the input's."""
        shape = self.op.inputs[0].shape
        smaller = self._raw.numel() < s.numel()
        if weight is not None or self._scale is None or not self._map.diagonal or smaller:
            return self._map.transpose(s, self.weight if weight is None else weight, shape)
        # Fast path: the norm's scale goes to the smaller of message and weights.
        if self.before:
            return self._map.transpose(s, self._raw, shape) * self._map.per_input(self._scale)
        return self._map.transpose(s * self._map.per_output(self._scale), self._raw, shape)

    def transposes(self, s: Tensor, *weights: Tensor) -> list[Tensor]:
        """W^T s for several weights of the same shape."""
        return self._map.transposes(s, list(weights), self.op.inputs[0].shape)

    def count(self) -> Tensor:
        """How many inputs each output reads: 1^T 1 with the map's own connections."""
        return self.respond(torch.ones_like(self._raw))

    def respond(self, weight: Tensor) -> Tensor:
        """W 1: the response of one sample of ones to other weights of the same shape."""
        return self._map.respond(weight, self.a)

    def by_input(self, weight: Tensor, value: Tensor) -> Tensor | None:
        """W with each input's weights times its value, if one value holds for all places where
        the weights are used (a number, or one for each channel); else None."""
        return self._map.by_input(weight, value)

    def spread(self, s: Tensor) -> Tensor:
        """1^T s: what every output holds, given to all of its inputs in full."""
        return self._map.spread(s, self._raw, self.op.inputs[0].shape)

    @cached_property
    def nonnegative(self) -> bool:
        """Whether a >= 0: known from the data flow, else looked at (never while freezing)."""
        value = self.op.inputs[0]
        if value.sign is None and not self.context.frozen:
            value.sign = bool(self.a.amin() >= 0) if self.a.numel() else True
        return bool(value.sign)

    @cached_property
    def behind_relu(self) -> bool:
        """Whether outputs <= 0 carry no relevance, because only a ReLU reads them."""
        value = self.op.outputs[0]
        if len(value.readers) != 1 or id(value) in self.context.starts:
            return False
        if self.message.gate is not None:
            return id(value.readers[0]) not in self.context.rules
        reader = value.readers[0]
        low = {"relu": 0.0, "relu6": 0.0}.get(reader.name)
        if reader.name == "hardtanh":
            low = reader.argument(1, "min_val", -1.0)
        return low == 0 and self.message.R is None and id(reader) not in self.context.rules

    def relevance(self) -> Tensor:
        """R at the output: z c + R."""
        pair = self.pair
        return super().relevance() if pair is None else pair[0] * pair[1]

    def dense(self, rows: list[int] | None = None) -> Tensor:
        """The Jacobian of one sample as a matrix (outputs, inputs), or some rows of it; for small
        layers only."""
        inputs, outputs = self.op.inputs[0].shape[1:], self.op.outputs[0].shape[1:]
        found = []
        for row in range(outputs.numel()) if rows is None else rows:
            s = torch.zeros(outputs.numel(), dtype=self._message_dtype, device=self.a.device)
            s[row] = 1
            shape = torch.Size((1, *inputs))
            found.append(self._map.transpose(s.view(1, *outputs), self.weight, shape))
        return torch.stack(found).flatten(1)

    def _cached(self, name: str, make: Callable[[], Tensor]) -> Tensor:
        return self.context.weights.get(self._map.weight, self.op, name, make)
