"""What windows look at: convolution, pooling, resizing; arithmetic on mirrors (`_reach_rules`)."""

import functools
import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._pytree import tree_leaves

NOTHING = torch.tensor(float("-inf"), device="cpu")

Given = dict[str, Any]


def convolved(given: Given, shape: torch.Size) -> Tensor:
    """All channels of the group, within the window of each position."""
    mirror, weight, groups = given["input"], given["weight"], given["groups"]
    if not is_nothing(weight):
        return whole_of(given)  # the weights depend on the input too
    batch, channels = mirror.shape[:2]
    mirror = mirror.reshape(batch, groups, channels // groups, *mirror.shape[2:]).amax(2)
    for axis, count in enumerate(shape[2:]):
        kernel, stride = weight.shape[2 + axis], _at(given["stride"], axis)
        padding, dilation = _at(given["padding"], axis), _at(given["dilation"], axis)
        if given["transposed"]:
            mirror = _spread(mirror, 2 + axis, stride)
            stride, padding = 1, dilation * (kernel - 1) - padding
        mirror = windows(mirror, 2 + axis, (kernel, stride, padding, dilation), count)
    return mirror.repeat_interleave(shape[1] // groups, 1)


def pooled(given: Given, shape: torch.Size, *, spatial: int) -> Tensor:
    """The window of each position along the last `spatial` axes."""
    mirror, kernel = first_input(given), given["kernel_size"]
    for number in range(spatial):
        axis = mirror.dim() - spatial + number
        sizes = (
            _at(kernel, number),
            _at(given.get("stride") or kernel, number),
            _at(given.get("padding", 0), number),
            _at(given.get("dilation", 1), number),
        )
        mirror = windows(mirror, axis, sizes, shape[axis])
    return mirror


def windows(mirror: Tensor, axis: int, sizes: tuple[int, int, int, int], count: int) -> Tensor:
    """The maximum over `count` windows along an axis; `sizes`: kernel, stride, padding, dilation.

    Window o looks at o * stride - padding + k * dilation for k = 0, ..., kernel - 1.
    """
    kernel, stride, padding, dilation = sizes
    span = (kernel - 1) * dilation + 1
    behind = (count - 1) * stride + span - padding - mirror.shape[axis]
    sides = [0, 0] * (mirror.dim() - 1 - axis) + [padding, behind]
    mirror = F.pad(mirror, sides, value=-math.inf)  # a negative side is cut off
    return mirror.unfold(axis, span, stride)[..., ::dilation].amax(-1)


def _spread(mirror: Tensor, axis: int, stride: int) -> Tensor:
    """The elements `stride` apart, with nothing between them."""
    shape = list(mirror.shape)
    shape[axis] = (shape[axis] - 1) * stride + 1
    spread = NOTHING.expand(shape).clone()
    spread[(slice(None),) * axis + (slice(None, None, stride),)] = mirror
    return spread


def adapted(given: Given, shape: torch.Size) -> Tensor:
    """Adaptive pooling: window o goes from floor(o n / count) to ceil((o + 1) n / count)."""
    mirror = first_input(given)
    for axis in range(mirror.dim() - len(given["output_size"]), mirror.dim()):
        size, count = mirror.shape[axis], shape[axis]
        parts = [
            mirror.narrow(axis, o * size // count, -(-(o + 1) * size // count) - o * size // count)
            for o in range(count)
        ]
        mirror = torch.cat([part.amax(axis, keepdim=True) for part in parts], axis)
    return mirror


def interpolated(given: Given, shape: torch.Size, *, reach: int = 1) -> Tensor:
    """Linear interpolation looks at the two values around a place, cubic at four."""
    mirror = first_input(given)
    scales = [given[key] for key in given if key.startswith("scales")]
    first = 2
    for axis in range(first, mirror.dim()):
        size, count = mirror.shape[axis], shape[axis]
        scale = scales[axis - first] if axis - first < len(scales) else None
        places = _places(size, count, scale, bool(given["align_corners"]))
        found = []
        for step in range(1 - reach, reach + 1):
            near = places.floor() + step if step <= 0 else places.ceil() + step - 1
            found.append(mirror.index_select(axis, near.long().clamp(0, size - 1)))
        mirror = functools.reduce(torch.maximum, found)
    return mirror


def _places(size: int, count: int, scale: float | None, aligned: bool) -> Tensor:
    """Where in the source each output value is taken from."""
    steps = torch.arange(count, dtype=torch.float64, device="cpu")
    if aligned:
        return steps * ((size - 1) / max(count - 1, 1))
    places = (steps + 0.5) * (size / count if scale is None else 1 / scale) - 0.5
    return places.clamp(0, size - 1)


def _at(sizes: Any, number: int) -> int:
    if isinstance(sizes, int):
        return sizes
    return sizes[number] if len(sizes) > 1 else sizes[0]


def mirrors(given: Any) -> list[Tensor]:
    """The mirrors among the arguments that look at anything."""
    tensors = [each for each in tree_leaves(given) if isinstance(each, Tensor)]
    return [each for each in tensors if each.dtype == torch.float32 and not is_nothing(each)]


def is_nothing(mirror: Tensor) -> bool:
    return mirror.data_ptr() == NOTHING.data_ptr()


def whole_of(given: Any) -> Tensor:
    """All that any input looks at."""
    found = [each.amax() for each in mirrors(given) if each.numel()]
    return functools.reduce(torch.maximum, found, NOTHING)


def first_input(given: Given) -> Tensor:
    return next(each for each in given.values() if isinstance(each, Tensor))
