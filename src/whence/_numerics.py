"""Division that stays finite, the sign with sgn(0) = +1, and work on large tensors in blocks.

`streamed` is a fast path: it gives what its function gives on whole tensors, block by block, so
that temporaries stay in the processor's cache. Everything passes without it (`with plain():`).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor

_BLOCK = 1 << 18  # elements of one block for each thread: small enough for its cache
_MOST_THREADS = 8  # that share a block; more have little to do on tensors of this size
_LARGE = 1 << 15  # elements from which sums are made by several threads
_PIECE, _SHORT = 1 << 12, 1 << 6  # elements summed one after the other: few, for their digits
_EXACT = (torch.float32, torch.float64)
_ONLY_SUMS = (False, True, True)
_plain = [False]


def sign(z: Tensor) -> Tensor:
    """The sign of z, with sgn(0) = +1 as the papers take it."""
    return torch.where(z < 0, -1.0, 1.0).to(z.dtype)


def divide(R: Tensor, z: Tensor) -> Tensor:
    """R / z where z is not zero, and 0 where it is."""
    return torch.where(z == 0, 0, R / torch.where(z == 0, 1, z))


def dot(x: Tensor, y: Tensor) -> Tensor:
    """The sum of x y over the elements, one for each row of (rows, elements)."""
    return dot_and_sum(x, y)[0] if _piece(x, y) else (x * y).sum(1)


def dot_and_sum(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The sums of x y and of x over the elements, one each for each row of (rows, elements).

    Batch norm's backward takes both sums for the gradients of its weight and bias, in one pass and
    without a product in memory: with mean 0 and variance 1, and pieces of the rows as channels.
    """
    piece = _piece(x, y)
    if not piece:
        return (x * y).sum(1), x.sum(1)
    shape = (1, x.numel() // piece, piece)
    mean, variance = x.new_zeros(shape[1]), x.new_ones(shape[1])
    _, products, sums = torch.ops.aten.native_batch_norm_backward(
        x.view(shape), y.view(shape), None, mean, variance, None, None, False, 0.0, _ONLY_SUMS
    )
    return products.view(len(x), -1).sum(1), sums.view(len(x), -1).sum(1)


def _piece(x: Tensor, y: Tensor) -> int:
    """How many elements to sum one after the other, a divisor of the row's; 0 for the plain way."""
    alike = x.shape == y.shape and x.dtype == y.dtype and x.dtype in _EXACT
    large = alike and x.numel() >= _LARGE and x.is_contiguous() and y.is_contiguous()
    if not large or _plain[0] or torch.is_grad_enabled() or x.device.type != "cpu":
        return 0
    return _divisor(x.shape[1])


@cache
def _divisor(length: int) -> int:
    """The largest divisor that makes pieces of a good length, or 0."""
    good = range(min(length, _PIECE), min(length, _SHORT) - 1, -1)
    return next((each for each in good if length % each == 0), 0)


def one_signed(t: Tensor) -> bool:
    """Whether all of t is above zero, or all below, where looking costs little; False says nothing.

    Never looks while a graph is captured, nor on a device that would have to wait.
    """
    if _plain[0] or t.device.type != "cpu" or t.numel() == 0:
        return False
    low, high = (float(each) for each in t.detach().aminmax())
    return low > 0 or high < 0


def stabiliser(z: Tensor, epsilon: float, scale: str, axes: tuple[int, ...]) -> Tensor:
    """The positive number added to |z|: `epsilon` itself, or `epsilon` times the RMS of one row.

    A row is one sample's row of the linear map (`axes`), so samples never mix.
    """
    if scale == "absolute":
        return torch.full((), epsilon, dtype=z.dtype, device=z.device)
    size = 1
    for axis in axes:
        size *= z.shape[axis]
    norm = torch.linalg.vector_norm(z, dim=axes, keepdim=True)
    least = torch.finfo(z.dtype).tiny ** 0.8  # c / least stays finite
    return (norm * (epsilon / max(size, 1) ** 0.5)).clamp(min=least)


@contextmanager
def plain() -> Iterator[None]:
    """Inside, whole tensors are computed at once: for tests, and while a graph is captured."""
    before, _plain[0] = _plain[0], True
    try:
        yield
    finally:
        _plain[0] = before


def streamed(function: Callable[..., Any], *tensors: Tensor, write: bool = False) -> Any:
    """`function` on tensors as (rows, elements), in blocks that fit the processor's cache.

    The first tensor sets the shape and its first axis the rows; the others have its shape too, or
    one number for each row. The function gets blocks and `out=`, and returns its result (None if
    it has none) and sums over the elements, one for each row; `streamed` returns the result in the
    tensors' shape and the sums. With `write`, there is a result.
    """
    first = tensors[0]
    rows = [_as_rows(tensor, first) for tensor in tensors]
    if _at_once(rows[0]):
        result, *sums = function(*rows, out=None)
        return (result.view(first.shape) if write else None, *sums)
    out = torch.empty_like(rows[0]) if write else None
    sums: list[list[Tensor]] = []
    for part, within in _blocks(rows[0]):
        cut = [_cut(row, part, within) for row in rows]
        _, *found = function(*cut, out=None if out is None else out[part, within])
        sums.append(found)
    joined = [_per_row(rows[0], list(each)) for each in zip(*sums, strict=True)]
    return (None if out is None else out.view(first.shape), *joined)


def _as_rows(tensor: Tensor, first: Tensor) -> Tensor:
    if tensor.shape == first.shape:
        return tensor.reshape(len(first) if first.dim() else 1, -1)
    return tensor.reshape(-1, 1)


def _at_once(rows: Tensor) -> bool:
    small = rows.numel() < 8 * _block()
    return small or _plain[0] or torch.is_grad_enabled() or rows.device.type != "cpu"


def _blocks(rows: Tensor) -> Iterator[tuple[slice, slice]]:
    """Parts of long rows one after the other, or several short rows together."""
    count, length = rows.shape
    block = _block()
    if length < block:
        step = max(1, block // length)
        for begin in range(0, count, step):
            yield slice(begin, begin + step), slice(0, length)
        return
    for row in range(count):
        for begin in range(0, length, block):
            yield slice(row, row + 1), slice(begin, begin + block)


def _block() -> int:
    """How many elements are worked on at once."""
    return _BLOCK * min(torch.get_num_threads(), _MOST_THREADS)


def _cut(tensor: Tensor, part: slice, within: slice) -> Tensor:
    if tensor.shape[1] > 1:
        return tensor[part, within]
    return tensor[part] if tensor.shape[0] > 1 else tensor


def _per_row(rows: Tensor, sums: list[Tensor]) -> Tensor:
    """One number for each row from the sums of the blocks, which come in the order of the rows."""
    if rows.shape[1] < _block():
        return torch.cat(sums)
    return torch.cat(sums).view(len(rows), -1).sum(1)
