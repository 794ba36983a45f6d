"""Random numbers that belong to a sample: the same in any batch, order, shard and on any device
(normal ones to rounding).

A number is a hash (the finaliser of SplitMix64) of the sample's key, a stream and a position, so
nothing is drawn one after the other. Streams of `uniform`, `normal` and `shuffles` are apart: in a
random order, what goes first must not be what becomes darkest.
"""

import hashlib
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

_CACHED = 1 << 15  # numbers made together: they stay in a processor's cache


def keys_of(ids: Sequence[Any], seed: int) -> Tensor:
    """One number for each sample, int64 of shape (samples,), from its id, as text, and the seed."""
    digests = [hashlib.blake2b(f"{seed}/{each}".encode(), digest_size=8).digest() for each in ids]
    return torch.tensor([int.from_bytes(each, "little", signed=True) for each in digests])


def uniform(keys: Tensor, shape: Sequence[int], stream: int = 0) -> Tensor:
    """Uniform in [0, 1), float64 of shape (samples, *shape)."""
    return _bits(keys, math.prod(shape), 4 * stream).double().view(len(keys), *shape) * 2.0**-53


def normal(keys: Tensor, shape: Sequence[int], stream: int = 0) -> Tensor:
    """Standard normal, float64 of shape (samples, *shape), by Box and Muller."""
    first, second = (_bits(keys, math.prod(shape), 4 * stream + part).double() for part in (1, 2))
    radius = (first * 2.0**-53).neg().log1p().mul(-2).sqrt()
    return (radius * (second * (2 * math.pi * 2.0**-53)).cos()).view(len(keys), *shape)


def quick_normal(keys: Tensor, shape: Sequence[int], stream: int = 0) -> Tensor:
    """Standard normal, float32 of shape (samples, *shape), in a fifth of the time of `normal`.

    For large fields of noise: from 32 bits each, so at most 5.8 in size. Both numbers that Box and
    Muller's method gives are used: the first half of a sample is their cosines, the second the
    sines. Streams are apart from one another, but not from those of `normal`.
    """
    count = math.prod(shape)
    half = (count + 1) // 2
    found = torch.empty(len(keys), 2, half, device=keys.device)
    starts = _mixed(keys + _signed(0xD1342543DE82EF95 * (stream + 1) % 2**64))
    rows = max(1, _CACHED // max(half, 1))
    for some, out in zip(starts.split(rows), found.split(rows), strict=True):
        angle = _quick_bits(some, 2 * half)
        radius = (angle[:, half:] >> 8).bitwise_and_(2**24 - 1) * -(2.0**-24)
        radius.log1p_().mul_(-2).sqrt_()
        angle = angle[:, :half] * (math.pi * 2.0**-31)
        torch.cos(angle, out=out[:, 0]).mul_(radius)
        torch.sin(angle, out=out[:, 1]).mul_(radius)
    return found.flatten(1)[:, :count].reshape(len(keys), *shape)


def shuffles(keys: Tensor, count: int, stream: int = 0) -> Tensor:
    """A random order of `count` things for each sample, int64 of shape (samples, count)."""
    return _bits(keys, count, 4 * stream + 3).argsort(1)


def _bits(keys: Tensor, count: int, stream: int) -> Tensor:
    """53 random bits, int64 of shape (samples, count)."""
    start = _mixed(keys + _signed(0xD1342543DE82EF95 * (stream + 1) % 2**64))
    steps = torch.arange(1, count + 1, device=keys.device) * _signed(0x9E3779B97F4A7C15)
    return (_mixed(start[:, None] + steps) >> 11) & (2**53 - 1)


def _quick_bits(starts: Tensor, count: int) -> Tensor:
    """32 random bits, int32 of shape (samples, count): each half of the start goes into a hash of
    the position, before and between its multiplications."""
    z = torch.arange(1, count + 1, dtype=torch.int32, device=starts.device) * -1640531527
    low, high = ((starts << 32) >> 32).int()[:, None], (starts >> 32).int()[:, None]
    z = z + low
    shifted = torch.empty_like(z)
    for by, ones, factor in ((16, 2**16 - 1, 0x7FEB352D), (15, 2**17 - 1, 0x2C1B3C6D)):
        torch.bitwise_right_shift(z, by, out=shifted)
        z.bitwise_xor_(shifted.bitwise_and_(ones)).mul_(factor)
        z.bitwise_xor_(high)
    torch.bitwise_right_shift(z, 14, out=shifted)
    return z.bitwise_xor_(shifted.bitwise_and_(2**18 - 1))


def _mixed(z: Tensor) -> Tensor:
    z = (z ^ _shifted(z, 30)) * _signed(0xBF58476D1CE4E5B9)
    z = (z ^ _shifted(z, 27)) * _signed(0x94D049BB133111EB)
    return z ^ _shifted(z, 31)


def _shifted(z: Tensor, by: int) -> Tensor:
    """To the right, with zeros coming in; torch copies the sign."""
    return (z >> by) & (2 ** (64 - by) - 1)


def _signed(number: int) -> int:
    return number - 2**64 if number >= 2**63 else number
