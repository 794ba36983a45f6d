"""What each operation of torch's dispatcher looks at, as arithmetic on mirrors.

A mirror holds, for each element, a number to take the maximum of: where two parts are joined, the
result looks at the larger end of both. `NOTHING` is minus infinity. So a convolution is a maximum
over its windows and over the channels of its group, a sum is the maximum of its terms, and what
only moves values around does with their mirrors what it does with them.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from whence._reach_windows import (
    NOTHING,
    Given,
    adapted,
    convolved,
    first_input,
    interpolated,
    is_nothing,
    mirrors,
    pooled,
    whole_of,
)

Rule = Callable[[Given, torch.Size], Tensor]

# Run on mirrors as on values: they copy each value to where it goes.
_MOVES = set(
    """cat stack clone repeat roll flip index index_select gather take pixel_shuffle
    pixel_unshuffle native_channel_shuffle channel_shuffle reflection_pad1d reflection_pad2d
    reflection_pad3d replication_pad1d replication_pad2d replication_pad3d upsample_nearest1d
    upsample_nearest2d upsample_nearest3d _upsample_nearest_exact1d _upsample_nearest_exact2d
    _upsample_nearest_exact3d _unsafe_view _reshape_copy""".split()
)
_REDUCTIONS = set(
    """mean sum amax amin max min var std var_mean std_mean prod logsumexp linalg_vector_norm norm
    nansum nanmean median any all aminmax""".split()
)
_ALONG = set("_softmax _log_softmax cumsum cumprod logcumsumexp cummax cummin sort topk".split())


def ruled(func: Any, name: str, given: Given, shapes: Sequence[torch.Size]) -> list[Tensor]:
    """One mirror for each output; `given` holds the arguments with mirrors in place of tensors."""
    whole = whole_of(given)
    rest = [whole.expand(shape) for shape in shapes[1:]]
    if name in _MOVES:
        return [_moved(func, given, shapes[0], whole)]
    rule = _RULES.get(name)
    if rule is None and torch.Tag.pointwise in func.tags:
        rule = _elementwise
    if rule is None and name in _REDUCTIONS:
        rule = _reduced
    if rule is None and name in _ALONG:
        rule = _along
    if rule is None:
        return [whole.expand(shape) for shape in shapes]
    return [rule(given, shapes[0]).expand(shapes[0]), *rest]


def _moved(func: Any, given: Given, shape: torch.Size, whole: Tensor) -> Tensor:
    if isinstance(given.get("tensors"), (list, tuple)):  # numbers that look at nothing
        parts = [
            e if e.dtype == torch.float32 else NOTHING.expand(e.shape) for e in given["tensors"]
        ]
        given = {**given, "tensors": parts}
    try:
        return func(**given)
    except (RuntimeError, IndexError, TypeError):  # a place that depends on the input
        return whole.expand(shape)


def _elementwise(given: Given, shape: torch.Size) -> Tensor:
    found = [each for each in mirrors(given) if each.dim() <= len(shape)]
    return functools.reduce(torch.maximum, found, NOTHING).expand(shape)


def _first(given: Given, shape: torch.Size) -> Tensor:
    """Each output looks at the element in its place of the first input."""
    return first_input(given)


def _batch_normed(given: Given, shape: torch.Size) -> Tensor:
    """The running statistics are constants; those of the input, as of instance norm, are not."""
    mirror = first_input(given)
    if not given.get("training", False):
        return mirror
    return mirror.amax([axis for axis in range(mirror.dim()) if axis != 1], keepdim=True)


def _overwritten(given: Given, shape: torch.Size) -> Tensor:
    return given["src"].expand(shape) if given["src"].is_floating_point() else NOTHING.expand(shape)


def _emptied(given: Given, shape: torch.Size) -> Tensor:
    value = given.get("value")
    return value.expand(shape) if isinstance(value, Tensor) else NOTHING.expand(shape)


def _made(given: Given, shape: torch.Size) -> Tensor:
    """Only the shape came from the input."""
    return NOTHING.expand(shape)


def _padded_with_a_constant(given: Given, shape: torch.Size) -> Tensor:
    return F.pad(first_input(given), list(given["pad"]), value=-math.inf)


def _looked_up(given: Given, shape: torch.Size) -> Tensor:
    """Rows of a table at indices that come from the input."""
    indices = given["indices"]
    return indices.unsqueeze(-1) if indices.dtype == torch.float32 else NOTHING


def _reduced(given: Given, shape: torch.Size) -> Tensor:
    mirror, axes = first_input(given), given.get("dim")
    axes = [axes] if isinstance(axes, int) else axes
    if not axes:
        return mirror.amax() if mirror.numel() else NOTHING
    kept = mirror.amax(tuple(axes), keepdim=True)
    return kept.reshape(shape)


def _along(given: Given, shape: torch.Size) -> Tensor:
    """Each output looks at all that stands along one axis."""
    axis = given.get("dim", -1)
    return first_input(given).amax(axis, keepdim=True)


def _matrix_product(given: Given, shape: torch.Size) -> Tensor:
    """A row of the first factor and a column of the second, and what they are added to."""
    first, second = [given[key] for key in given if key in _FACTORS and given[key] is not None][-2:]
    terms = [each for key in ("self", "input") if (each := given.get(key)) is not None]
    found = [each for each in terms if each is not first and not is_nothing(each)]
    if not is_nothing(first):
        found.append(first.amax(-1, keepdim=True))
    if not is_nothing(second):
        found.append(second.amax(-2, keepdim=True))
    return functools.reduce(torch.maximum, found, NOTHING).expand(shape)


_FACTORS = ("self", "mat1", "mat2", "batch1", "batch2")


def _linear(given: Given, shape: torch.Size) -> Tensor:
    if not is_nothing(given["weight"]):
        return whole_of(given)
    return given["input"].amax(-1, keepdim=True)


def _layer_normed(given: Given, shape: torch.Size) -> Tensor:
    mirror = first_input(given)
    axes = tuple(range(-len(given["normalized_shape"]), 0))
    return mirror.amax(axes, keepdim=True)


def _group_normed(given: Given, shape: torch.Size) -> Tensor:
    mirror = first_input(given)
    grouped = mirror.reshape(mirror.shape[0], given["group"], -1).amax(-1, keepdim=True)
    per = mirror[0].numel() // given["group"]
    return grouped.expand(-1, -1, per).reshape(shape)


_BATCH_NORMS = "native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_no_training"
_ADAPTIVE = """_adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_avg_pool1d adaptive_max_pool2d
    adaptive_max_pool3d"""
_FACTORIES = """new_zeros new_ones new_empty new_full new_empty_strided zeros_like ones_like
    empty_like full_like rand_like randn_like randint_like"""
_POOLS = {
    "avg_pool1d": 1,
    "avg_pool2d": 2,
    "avg_pool3d": 3,
    "max_pool1d": 1,
    "max_pool2d_with_indices": 2,
    "max_pool3d_with_indices": 3,
}
_RULES: dict[str, Rule] = {
    "convolution": convolved,
    "linear": _linear,
    "copy": _overwritten,
    "zero": _emptied,
    "fill": _emptied,
    "_to_copy": _first,
    "constant_pad_nd": _padded_with_a_constant,
    "embedding": _looked_up,
    "native_layer_norm": _layer_normed,
    "_fused_rms_norm": _layer_normed,
    "native_group_norm": _group_normed,
    "upsample_linear1d": interpolated,
    "upsample_bilinear2d": interpolated,
    "upsample_trilinear3d": interpolated,
    "upsample_bicubic2d": functools.partial(interpolated, reach=2),
    **dict.fromkeys("mm bmm addmm baddbmm".split(), _matrix_product),
    **dict.fromkeys(_BATCH_NORMS.split(), _batch_normed),
    **dict.fromkeys(_FACTORIES.split(), _made),
    **dict.fromkeys(_ADAPTIVE.split(), adapted),
    **{name: functools.partial(pooled, spatial=count) for name, count in _POOLS.items()},
}
