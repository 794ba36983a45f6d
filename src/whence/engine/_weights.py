"""Modified weights, and the scale and shift of a batch norm: what rules derive from parameters."""

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from whence.engine._tape import Op

_KEY = "weights' key"


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
        key = op.cache.get(_KEY)
        if key is None:
            key = op.cache[_KEY] = (id(weight), weight._version, op.name, *_state_of(op.joined))
        found = self._made.get((*key, name))
        if found is not None and found[0]() is weight:
            return found[1]
        self._forget(id(weight), weight._version)
        made = make()
        self._made[(*key, name)] = (weakref.ref(weight), made)
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
