"""One class for each family of linear operations: how weights act on inputs and outputs.

To rules they are all W a + b; `engine/_linear.py` asks them for W a, W^T s and what follows.
"""

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor

from whence.engine._adjoints import general_vjp, restrict
from whence.engine._tape import Op, Slot

_LANES = 16  # numbers that a processor works on at once


class Map(ABC):
    """How one family applies weights; `diagonal` says whether scales can stay beside W."""

    diagonal = True

    def __init__(self, op: Op) -> None:
        self.op = op
        self.weight: Tensor
        self.bias: Tensor | None = None

    @abstractmethod
    def apply(self, a: Tensor, weight: Tensor) -> Tensor:
        """W a."""

    def apply_biased(self, a: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return self.apply(a, weight) + bias

    def respond(self, weight: Tensor, like: Tensor) -> Tensor:
        return self.apply(torch.ones_like(like[:1]), weight)

    def by_input(self, weight: Tensor, value: Tensor) -> Tensor | None:
        """W with each input's weights times its value; None if the values differ within them."""
        return weight * value if value.numel() == 1 else None

    @abstractmethod
    def transpose(self, s: Tensor, weight: Tensor, shape: torch.Size) -> Tensor:
        """W^T s, in the input's shape."""

    def transposes(self, s: Tensor, weights: list[Tensor], shape: torch.Size) -> list[Tensor]:
        """W^T s for several weights."""
        return [self.transpose(s, weight, shape) for weight in weights]

    def spread(self, s: Tensor, weight: Tensor, shape: torch.Size) -> Tensor:
        return self.transpose(s, torch.ones_like(weight), shape)

    def per_output(self, vector: Tensor) -> Tensor:
        return vector

    def per_input(self, vector: Tensor) -> Tensor:
        return vector

    def row_axes(self, z: Tensor) -> tuple[int, ...]:
        return (-1,)


class Joinable(Map):
    """A family that a batch norm can be joined into."""

    @abstractmethod
    def scaled(self, weight: Tensor, scale: Tensor, before: bool) -> Tensor:
        """W with a scale for each output, or for each input if the norm comes `before`."""

    @abstractmethod
    def constant_input(self, weight: Tensor, vector: Tensor) -> Tensor:
        """W v for an input that holds v everywhere, one value for each channel."""


class _Dense(Joinable):
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

    def scaled(self, weight: Tensor, scale: Tensor, before: bool) -> Tensor:
        return weight * (scale if before else scale[:, None])

    def constant_input(self, weight: Tensor, vector: Tensor) -> Tensor:
        return weight @ vector


class _Conv(Joinable):
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

    def transposes(self, s: Tensor, weights: list[Tensor], shape: torch.Size) -> list[Tensor]:
        count, channels = len(weights), weights[0].shape[1]
        if count * channels > _LANES or self.groups > 1 or not self.batched or self.transposed:
            return super().transposes(s, weights, shape)
        # Fast path: few input channels are filled up to a vector's length, so more cost nothing.
        stacked = torch.Size((shape[0], count * channels, *shape[2:]))
        return list(self.transpose(s, torch.cat(weights, 1), stacked).split(channels, 1))

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

    def scaled(self, weight: Tensor, scale: Tensor, before: bool) -> Tensor:
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


class _MatMul(Map):
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


class _Grouped(Map):
    """`grouped_mm(a, W, offs)`: rows of a in a row belong to one expert, whose matrix is W[e]."""

    diagonal = False

    def __init__(self, op: Op) -> None:
        super().__init__(op)
        self.weight = op.argument(1, "mat_b")  # (experts, inputs, outputs)
        self.ends: list[int] = op.argument(2, "offs").tolist()

    def apply(self, a: Tensor, weight: Tensor) -> Tensor:
        parts = [a[rows] @ weight[e] for e, rows in self._groups()]
        return _filled(parts, len(a), weight.shape[-1], a)

    def respond(self, weight: Tensor, like: Tensor) -> Tensor:
        return self.apply(torch.ones_like(like), weight)

    def transpose(self, s: Tensor, weight: Tensor, shape: torch.Size) -> Tensor:
        parts = [s[rows] @ weight[e].mT for e, rows in self._groups()]
        return _filled(parts, len(s), weight.shape[-2], s)

    def _groups(self) -> list[tuple[int, slice]]:
        starts = [0, *self.ends[:-1]]
        return [(e, slice(*pair)) for e, pair in enumerate(zip(starts, self.ends, strict=True))]


class _Function(Map):
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


def _filled(parts: list[Tensor], rows: int, width: int, like: Tensor) -> Tensor:
    """The groups' rows one after the other, and zeros for rows that belong to no group."""
    left = rows - sum(map(len, parts))
    return torch.cat([*parts, like.new_zeros(left, width)])


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


def map_of(op: Op) -> Map:
    """The family of a linear operation."""
    weight_slot = op.argument(1, "weight")
    if isinstance(weight_slot, Slot) and op.name != "matmul":
        return _Function(op)
    if op.name == "linear":
        return _Dense(op)
    if op.name.startswith("conv") and op.name != "convolution":
        return _Conv(op)
    ragged = [len(op.inputs[0].shape), len(op.outputs[0].shape)] == [2, 2]
    if op.name == "grouped_mm" and ragged and op.argument(1, "mat_b").dim() == 3:
        return _Grouped(op)
    plain = all(len(value.shape) > 1 for value in op.inputs)
    if op.name in ("matmul", "mm", "bmm", "rmatmul") and plain:
        found = _MatMul(op)
        if isinstance(found.weight, Tensor) and found.weight.dim() > 1:
            return found
    return _Function(op)
