"""What the neurons of a layer read: dense layers and convolutions as rows of inputs and outputs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from whence.engine import Context, Linear, Message, Op, WeightCache, known
from whence.errors import InvalidInput

_PRODUCTS = ("matmul", "mm")
_FAMILIES = ("linear", "conv1d", "conv2d", "conv3d", *_PRODUCTS)
SUMS = ("add", "sub", "rsub")
_MOST = 1 << 22  # numbers in the rows of one part: 32 MiB


@dataclass(frozen=True)
class Rows:
    """Samples of a layer in float64: a row of a dense layer, one place of a convolution each.

    x: (samples, groups, inputs), what each group of channels reads, less the mean of the samples,
    which is `mean`, (groups, inputs). y: (samples, neurons), what comes of x without bias, less
    what comes of the mean, which is `level`, (neurons,). W: (neurons, inputs), with a joined batch
    norm in it. Apart, deviations keep their digits however large the means are.
    """

    x: Tensor
    mean: Tensor
    y: Tensor
    level: Tensor
    W: Tensor

    @property
    def output(self) -> Tensor:
        """The output without bias, (samples, neurons)."""
        return self.y + self.level


def rows_of(op: Op) -> Iterator[Rows]:
    """The samples of a layer or a sum on the tape, in parts that fit in little memory."""
    if op.nature == "sum":
        yield _rows_of_sum(op)
        return
    linear = linear_of(op)
    W, a = flat(op.name, linear.weight.detach()), linear.a.detach()
    batched = a if op.name.startswith("conv") else a.reshape(-1, a.shape[-1])
    each = max(op.outputs[0].shape.numel() * W.shape[1] // max(len(batched) * len(W), 1), 1)
    for part in batched.split(max(_MOST // each, 1)):
        x = _patches(op, part, linear.weight) if part.dim() > 2 else part[:, None]
        mean = x.mean(0)
        x, grouped = x - mean, W.unflatten(0, (x.shape[1], -1))
        y = torch.einsum("sgi,goi->sgo", x, grouped).flatten(1)
        yield Rows(x, mean, y, torch.einsum("gi,goi->go", mean, grouped).flatten(), W)


def is_sum(op: Op) -> bool:
    """Whether it adds up two tensors that both depend on the input, such as a residual branch."""
    return op.name in SUMS and len(op.inputs) == 2


def channel_axis(shape: torch.Size) -> int | None:
    """The axis of a sum with patterns of their own: channels of pictures, features of rows."""
    return {2: 1, 4: 1, 5: 1}.get(len(shape))


def linear_of(op: Op) -> Linear:
    """A linear operation of a tape outside any explanation, in float64."""
    start = Message(torch.zeros((), dtype=torch.float64))
    return Linear(op, [start], Context(WeightCache()), None)


def flat(kind: str, weights: Tensor) -> Tensor:
    """Weights as (neurons, inputs), for an operation of this name."""
    return weights.mT if kind in _PRODUCTS else weights.flatten(1)


def shaped(kind: str, rows: Tensor, shape: torch.Size) -> Tensor:
    """(neurons, inputs) in the layout of the weights."""
    return rows.mT.contiguous() if kind in _PRODUCTS else rows.reshape(shape)


def weight_of(op: Op) -> Any:
    """The second argument of the operation, however it is called."""
    names = {"matmul": "other", "mm": "mat2"}
    return op.argument(1, names.get(op.name, "weight"))


def check_supported(op: Op) -> None:
    """Raise unless the operation is one whose patterns can be estimated."""
    weight, shape = weight_of(op), op.inputs[0].shape
    fits = op.name in _FAMILIES and len(op.inputs) == 1 and isinstance(weight, Tensor)
    if fits and op.name in _PRODUCTS:
        fits = weight.dim() == 2 and len(shape) > 1
    elif fits and op.name.startswith("conv"):
        fits = len(shape) == weight.dim()
    if not fits:
        raise InvalidInput(
            "Patterns can be estimated for dense layers, convolutions over batches and products "
            f"x @ W with a constant matrix, but {op.where()} is none of them. Use LRP instead."
        )


def _rows_of_sum(op: Op) -> Rows:
    """A sum as one neuron for each channel, which reads both branches with weights of one."""
    first, second = (known(value).detach().double() for value in op.inputs)
    u = op.call_with([first.clone(), torch.zeros_like(second)])
    v = op.call_with([torch.zeros_like(first), second.clone()])
    axis = channel_axis(u.shape)
    both = torch.stack([u, v], -1)
    x = both.reshape(-1, 1, 2) if axis is None else both.movedim(axis, -2).flatten(0, -3)
    mean = x.mean(0)
    x = x - mean
    return Rows(x, mean, x.sum(2), mean.sum(1), torch.ones_like(mean))


def _patches(op: Op, a: Tensor, weight: Tensor) -> Tensor:
    """What each place of a convolution reads, (samples, groups, inputs)."""
    dims, kernel = weight.dim() - 2, weight.shape[2:]
    names = ((3, "stride", 1), (4, "padding", 0), (5, "dilation", 1))
    stride, padding, dilation = (_each(op.argument(*name), dims) for name in names)
    sides = []
    for k, pad, gap in zip(kernel, padding, dilation, strict=True):
        whole = gap * (k - 1)
        sides.append((whole // 2, whole - whole // 2) if pad == "same" else (pad, pad))
    x = F.pad(a, [side for pair in reversed(sides) for side in pair])
    for axis, (k, step, gap) in enumerate(zip(kernel, stride, dilation, strict=True)):
        x = x.unfold(2 + axis, gap * (k - 1) + 1, step)[..., ::gap]
    places, kernels = range(2, 2 + dims), range(2 + dims, 2 + 2 * dims)
    x = x.permute(0, *places, 1, *kernels).flatten(0, dims)  # (samples, channels, kernel)
    return x.unflatten(1, (op.argument(6, "groups", 1), -1)).flatten(2)


def _each(value: Any, dims: int) -> list[Any]:
    value = 0 if value == "valid" else value
    values = list(value) if isinstance(value, (tuple, list)) else [value] * dims
    return values * dims if len(values) == 1 else values
