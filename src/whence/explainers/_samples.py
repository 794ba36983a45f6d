"""The part of a target that belongs to some of the samples, or to copies of them."""

from dataclasses import fields, is_dataclass, replace
from typing import Any

from torch import Tensor

from whence.targets import Each, Target

_SHARED = ("at", "index")  # fields that never hold one entry for each sample


def for_samples(target: Any, rows: list[int], batch: int) -> Any:
    """The target for the samples `rows` of a batch (which may repeat).

    One class for each sample follows its sample; weights do if they have the batch axis too.
    """
    if isinstance(target, Each):
        return Each([for_samples(each, rows, batch) for each in target.targets])
    if isinstance(target, Tensor):
        needed = 2 if target.is_floating_point() else 1
        follows = target.dim() >= needed and len(target) == batch
        return target[rows] if follows else target
    if isinstance(target, (list, tuple)) and len(target) == batch:
        return [target[row] for row in rows]
    if isinstance(target, Target) and is_dataclass(target):
        held = {each.name: getattr(target, each.name) for each in fields(target)}
        moved = {n: for_samples(v, rows, batch) for n, v in held.items() if n not in _SHARED}
        return replace(target, **moved)
    return target
