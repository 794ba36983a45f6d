"""Linear operations as rules see them: z = W a + b, with W a matrix whatever torch calls it.

A rule needs `apply` (W a), `transpose` (W^T s), both also with modified weights, and the bias.
Dense layers, convolutions of every kind and products with constants are the same to it. A batch
norm joined into the operation is part of W and b here; the user's weights stay as they are.
"""

import weakref
from collections.abc import Callable
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from whence.engine._adjoints import general_vjp, known, restore, restrict
from whence.engine._context import Context
from whence.engine._node import Node
from whence.engine._tape import Op, Slot


class Linear(Node):
    """One linear operation on the way back: `a` in, `z` out, weights and bias between."""

    def __init__(self, op: Op, messages: list[Any], context: Context, row: Any) -> None:
        super().__init__(op, messages, context, row)
        self._map = _map_of(op)
        dtype = self._message_dtype
        self._raw = self._map.weight.to(dtype)
        self._scale, self._shift = affine_of(op.joined, dtype) if op.joined else (None, None)

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
        """W, with a joined batch norm multiplied in."""
        if self._scale is None:
            return self._raw
        return self._cached("joined", lambda: self._map.scaled(self._raw, self._scale, self.before))

    @cached_property
    def bias(self) -> Tensor | None:
        """b, shaped to broadcast with z, or None."""
        bias = self._map.bias
        bias = None if bias is None else bias.to(self._message_dtype)
        if self._scale is None or self._shift is None:
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
        if weight is not None or self._scale is None or not self._map.diagonal:
            return self._map.transpose(s, self.weight if weight is None else weight, shape)
        # Fast path: the norm's scale beside the user's own weights, no joined copy of them.
        if self.before:
            return self._map.transpose(s, self._raw, shape) * self._map.per_input(self._scale)
        return self._map.transpose(s * self._map.per_output(self._scale), self._raw, shape)

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

    def dense(self) -> Tensor:
        """The Jacobian of one sample as a matrix (outputs, inputs); for small layers only."""
        inputs, outputs = self.op.inputs[0].shape[1:], self.op.outputs[0].shape[1:]
        eye = torch.eye(outputs.numel(), dtype=self._message_dtype, device=self.a.device)
        rows = [self._map.transpose(s.view(1, *outputs), self.weight, torch.Size((1, *inputs)))
                for s in eye]  # fmt: skip
        return torch.stack(rows).flatten(1)

    def _cached(self, name: str, make: Callable[[], Tensor]) -> Tensor:
        return self.context.weights.get(self._map.weight, self.op, name, make)


class WeightCache:
    """Modified weights, kept while the parameter they were made of lives unchanged."""

    def __init__(self) -> None:
        self._made: dict[Any, tuple[weakref.ref[Tensor], Tensor]] = {}

    def get(self, weight: Tensor, op: Op, name: str, make: Callable[[], Tensor]) -> Tensor:
        """The tensor made before under `name`, or a new one."""
        if not isinstance(weight, torch.nn.Parameter) or torch.is_grad_enabled():
            if name not in op.cache:
                op.cache[name] = make()
            return op.cache[name]
        key = (id(weight), weight._version, name, op.name, *_state_of(op.joined))
        found = self._made.get(key)
        if found is not None and found[0]() is weight:
            return found[1]
        self._forget(id(weight), weight._version)
        made = make()
        self._made[key] = (weakref.ref(weight), made)
        return made

    def _forget(self, identity: int, version: int) -> None:
        for key in [k for k in self._made if k[0] == identity and k[1] != version]:
            del self._made[key]


def _state_of(norm: Op | None) -> tuple[int, ...]:
    if norm is None:
        return ()
    tensors = [norm.argument(i, n) for i, n in _NORM_ARGUMENTS]
    return tuple(n for t in tensors if isinstance(t, Tensor) for n in (id(t), t._version))


_NORM_ARGUMENTS = ((1, "running_mean"), (2, "running_var"), (3, "weight"), (4, "bias"))


def affine_of(norm: Op, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Scale and shift, one for each channel, of a batch norm in evaluation."""
    tensors = [norm.argument(position, name) for position, name in _NORM_ARGUMENTS]
    mean, var, weight, bias = [None if t is None else t.to(dtype) for t in tensors]
    if mean is None or var is None:
        raise RuntimeError("a batch norm without running statistics reached the join")
    eps = norm.argument(7, "eps", 1e-5)
    scale = (var + eps).rsqrt() if weight is None else weight * (var + eps).rsqrt()
    shift = -mean * scale if bias is None else bias - mean * scale
    return scale, shift


# -- one class for each family of linear operations ----------------------------------------------


class _Map:
    """How one family applies weights; `diagonal` says whether scales can stay beside W."""

    diagonal = True

    def __init__(self, op: Op) -> None:
        self.op = op
        self.weight: Tensor
        self.bias: Tensor | None = None

    def apply(self, a: Tensor, weight: Tensor) -> Tensor:
        raise NotImplementedError

    def apply_biased(self, a: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return self.apply(a, weight) + bias

    def respond(self, weight: Tensor, like: Tensor) -> Tensor:
        return self.apply(torch.ones_like(like[:1]), weight)

    def by_input(self, weight: Tensor, value: Tensor) -> Tensor | None:
        """W with each input's weights times its value; None if the values differ within them."""
        return weight * value if value.numel() == 1 else None

    def transpose(self, s: Tensor, weight: Tensor, shape: torch.Size) -> Tensor:
        raise NotImplementedError

    def spread(self, s: Tensor, weight: Tensor, shape: torch.Size) -> Tensor:
        return self.transpose(s, torch.ones_like(weight), shape)

    def per_output(self, vector: Tensor) -> Tensor:
        return vector

    def per_input(self, vector: Tensor) -> Tensor:
        return vector

    def row_axes(self, z: Tensor) -> tuple[int, ...]:
        return (-1,)

    def scaled(self, weight: Tensor, scale: Tensor | None, before: bool) -> Tensor:
        raise NotImplementedError

    def constant_input(self, weight: Tensor, vector: Tensor) -> Tensor:
        raise NotImplementedError


class _Dense(_Map):
    """`linear(a, W, b)`: W is (outputs, inputs)."""

    def __init__(self, op: Op) -> None:
        super().__init__(op)
        self.weight = op.argument(1, "weight")
        self.bias = op.argument(2, "bias")

    def apply(self, a: Tensor, weight: Tensor) -> Tensor:
        return a @ weight.t()

    def transpose(self, s: Tensor, weight: Tensor, shape: torch.Size) -> Tensor:
        return s @ weight

    def spread(self, s: Tensor, weight: Tensor, shape: torch.Size) -> Tensor:
        return s.sum(-1, keepdim=True).expand(shape)

    def scaled(self, weight: Tensor, scale: Tensor | None, before: bool) -> Tensor:
        assert scale is not None
        return weight * (scale if before else scale[:, None])

    def constant_input(self, weight: Tensor, vector: Tensor) -> Tensor:
        return weight @ vector


class _Conv(_Map):
    """Every convolution and transposed convolution; W as torch lays it out."""

    def __init__(self, op: Op) -> None:
        super().__init__(op)
        self.weight = op.argument(1, "weight")
        bias = op.argument(2, "bias")
        self.transposed = "transpose" in op.name
        self.dims = self.weight.dim() - 2
        names = ["stride", "padding", "dilation", "groups"]
        if self.transposed:
            names = ["stride", "padding", "output_padding", "groups", "dilation"]
        found = {name: op.argument(i + 3, name) for i, name in enumerate(names)}
        self.stride = self._each(found["stride"], 1)
        self.padding = self._each(found["padding"], 0)
        self.dilation = self._each(found["dilation"], 1)
        self.output_padding = self._each(found.get("output_padding"), 0)
        self.groups = found["groups"] or 1
        self.batched = len(op.inputs[0].shape) == self.weight.dim()
        self.bias = None if bias is None else bias.view(-1, *[1] * self.dims)

    def _each(self, value: Any, default: int) -> list[int]:
        if value is None or value == "valid":
            value = default
        numbers = [value] * self.dims if isinstance(value, int) else list(value)
        return numbers * self.dims if len(numbers) == 1 else numbers

    def apply(self, a: Tensor, weight: Tensor) -> Tensor:
        return self._convolve(a, weight, None)

    def apply_biased(self, a: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return self._convolve(a, weight, bias.flatten())

    def _convolve(self, a: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        batch = a if self.batched else a[None]
        z = torch.convolution(
            batch, weight, bias, self.stride, self.padding, self.dilation,
            self.transposed, self.output_padding, self.groups,
        )  # fmt: skip
        return z if self.batched else z[0]

    def transpose(self, s: Tensor, weight: Tensor, shape: torch.Size) -> Tensor:
        batch = s if self.batched else s[None]
        size = shape if self.batched else torch.Size((1, *shape))
        # only its shape and layout are read: no memory is touched
        like = batch.new_empty(size)
        given, _, _ = torch.ops.aten.convolution_backward(
            batch, like, weight, None, self.stride, self.padding, self.dilation,
            self.transposed, self.output_padding, self.groups, [True, False, False],
        )  # fmt: skip
        return given if self.batched else given[0]

    def spread(self, s: Tensor, weight: Tensor, shape: torch.Size) -> Tensor:
        if self.groups > 1 or not self.batched:
            return super().spread(s, weight, shape)
        # Fast path for all-ones kernels: one channel in, one channel out, then copied.
        single = torch.ones_like(weight[:1, :1])
        total = s.sum(1, keepdim=True)
        given = self.transpose(total, single, torch.Size((shape[0], 1, *shape[2:])))
        return given.expand(shape)

    def respond(self, weight: Tensor, like: Tensor) -> Tensor:
        if self.groups > 1 or not self.batched or self.transposed:
            return super().respond(weight, like)
        # Fast path: all channels hold the same ones, so their weights are summed first.
        return self.apply(torch.ones_like(like[:1, :1]), weight.sum(1, keepdim=True))

    def by_input(self, weight: Tensor, value: Tensor) -> Tensor | None:
        fits = value.numel() in (1, weight.shape[1]) and self.groups == 1 and not self.transposed
        return weight * value.view(1, -1, *[1] * self.dims) if fits else None

    def per_output(self, vector: Tensor) -> Tensor:
        return vector.view(-1, *[1] * self.dims)

    per_input = per_output

    def row_axes(self, z: Tensor) -> tuple[int, ...]:
        return tuple(range(-self.dims - 1, 0))

    def scaled(self, weight: Tensor, scale: Tensor | None, before: bool) -> Tensor:
        assert scale is not None
        tail = [1] * self.dims
        if before:
            return weight * scale.view(1, -1, *tail)
        if not self.transposed:
            return weight * scale.view(-1, 1, *tail)
        grouped = weight.unflatten(0, (self.groups, -1))  # (groups, in / groups, out / groups, ...)
        return (grouped * scale.view(self.groups, 1, -1, *tail)).flatten(0, 1)

    def constant_input(self, weight: Tensor, vector: Tensor) -> Tensor:
        kernel = weight.flatten(2).sum(2)  # unpadded: every output sees the whole kernel
        return self.per_output(kernel @ vector)


class _MatMul(_Map):
    """`a @ W` or `W @ a` with a constant W, also batched."""

    diagonal = False

    def __init__(self, op: Op) -> None:
        super().__init__(op)
        first, second = op.argument(0, "input"), op.argument(1, "other")
        if op.name == "rmatmul":
            first, second = second, first
        self.left = isinstance(second, Slot)  # the weight stands on the left
        self.weight = first if self.left else second

    def apply(self, a: Tensor, weight: Tensor) -> Tensor:
        return weight @ a if self.left else a @ weight

    def transpose(self, s: Tensor, weight: Tensor, shape: torch.Size) -> Tensor:
        given = weight.mT @ s if self.left else s @ weight.mT
        return restrict(given, shape)

    def row_axes(self, z: Tensor) -> tuple[int, ...]:
        return (-2, -1) if self.left else (-1,)


class _Function(_Map):
    """Any other map that is linear in its one dependent input, such as einsum with a constant."""

    diagonal = False

    def __init__(self, op: Op) -> None:
        super().__init__(op)
        constants = [t for t in _tensors(op.args) if t.is_floating_point()]
        self.weight = constants[0] if constants else torch.ones(())
        self.bias = None

    def apply(self, a: Tensor, weight: Tensor) -> Tensor:
        return self._with(weight).call_with([a])

    def transpose(self, s: Tensor, weight: Tensor, shape: torch.Size) -> Tensor:
        given = general_vjp(self._with(weight), [s])[0]
        assert given is not None
        return given

    def _with(self, weight: Tensor) -> Op:
        op = self.op
        args = tuple(_swap(argument, self.weight, weight) for argument in op.args)
        return Op(op.kind, op.nature, op.func, args, op.kwargs, op.inputs, op.outputs)


def _tensors(argument: Any) -> list[Tensor]:
    if isinstance(argument, Tensor):
        return [argument]
    if isinstance(argument, (list, tuple)):
        return [tensor for each in argument for tensor in _tensors(each)]
    return []


def _swap(argument: Any, old: Tensor, new: Tensor) -> Any:
    if argument is old:
        return new
    if isinstance(argument, (list, tuple)):
        return type(argument)(_swap(each, old, new) for each in argument)
    return argument


def _map_of(op: Op) -> _Map:
    weight_slot = op.argument(1, "weight")
    if isinstance(weight_slot, Slot) and op.name != "matmul":
        return _Function(op)
    if op.name == "linear":
        return _Dense(op)
    if op.name.startswith("conv") and op.name != "convolution":
        return _Conv(op)
    plain = all(len(value.shape) > 1 for value in op.inputs)
    if op.name in ("matmul", "mm", "bmm", "rmatmul") and plain:
        found = _MatMul(op)
        if isinstance(found.weight, Tensor) and found.weight.dim() > 1:
            return found
    return _Function(op)
