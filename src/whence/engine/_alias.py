"""Tensors that share memory, and what a write through one of them does to the others.

A value keeps the tensor of its moment. Before a write, values whose memory is about to change get
a copy (only then). After it, every live tensor that overlaps the written one becomes a new value:
its old elements, with the written ones in their places.
"""

import weakref
from typing import Any

import torch
from torch import Tensor

from whence.engine._tape import Op, Value
from whence.errors import UnsupportedModel


def rewrite(
    old: Tensor, new: Tensor, size: int, at: tuple[Any, ...], written: tuple[Any, ...]
) -> Tensor:
    """What a view at geometry `at` holds after `new` was written at geometry `written`."""
    which = torch.full((size,), -1, device=new.device)  # the element of `new` at each place, or -1
    which.as_strided(*written).copy_(torch.arange(new.numel(), device=new.device).view(new.shape))
    which = which.as_strided(*at)
    return torch.where(which < 0, old, new.reshape(-1)[which.clamp(min=0)])


class Aliases:
    """Groups of tensors by storage; only tensors that have views are in any group."""

    def __init__(self) -> None:
        self._members: dict[int, list[tuple[weakref.ref[Tensor], Value | None]]] = {}
        self._values: dict[int, list[Value]] = {}
        self._copies: dict[int, Tensor] = {}

    def has(self, tensor: Any) -> bool:
        """Whether another tensor is known to share this one's memory."""
        return bool(self._members) and isinstance(tensor, Tensor) and _key(tensor) in self._members

    def shares(self, inputs: list[Value], tensor: Tensor) -> bool:
        """Whether a new tensor shares the memory of one of the values it was made from."""
        key = _key(tensor)
        return any(value.data is not None and _key(value.data) == key for value in inputs)

    def note(
        self, source: Tensor, value: Value | None, view: Tensor, view_value: Value | None
    ) -> None:
        """Remember that `view` looks at the memory of `source`."""
        key = _key(view)
        if key != _key(source):
            return
        members = self._members.setdefault(key, [])
        values = self._values.setdefault(key, [])
        for tensor, held in ((source, value), (view, view_value)):
            if not any(ref() is tensor for ref, _ in members):
                members.append((weakref.ref(tensor), held))
            if held is not None and held not in values:
                values.append(held)

    def update(self, tensor: Tensor, value: Value) -> None:
        """A member of a group has a new value."""
        key = _key(tensor)
        members = [each for each in self._members.get(key, []) if each[0]() is not tensor]
        self._members[key] = [*members, (weakref.ref(tensor), value)]
        self._values.setdefault(key, []).append(value)

    def protect(self, target: Tensor, old: Value) -> None:
        """Give every value in the target's memory a copy of its own before a write."""
        key = _key(target)
        self._copies.clear()
        for member, held in self._members.get(key, []):
            tensor = member()
            if held is None and tensor is not None:
                self._copies[id(tensor)] = tensor.clone()
        for value in {id(each): each for each in [old, *self._values.get(key, [])]}.values():
            if value.data is not None and _key(value.data) == key:
                value.keep(value.data.clone())

    def protect_constant(self, target: Any, ops: list[Op]) -> None:
        """Copy a constant that earlier operations read, before it is overwritten."""
        if not isinstance(target, Tensor):
            return
        self.protect(target, Value(torch.empty(0)))
        key = _key(target)
        for op in ops:
            op.args = tuple([_copied(argument, key) for argument in op.args])
            op.kwargs = {name: _copied(argument, key) for name, argument in op.kwargs.items()}

    def overlapping(
        self, target: Tensor, new: Value | None
    ) -> list[tuple[Tensor, Value | None, Tensor | None]]:
        """The other live tensors that the write changed: tensor, old value, old constant."""
        if new is not None:
            self.update(target, new)
        first, last = _span(target)
        found = []
        for ref, value in list(self._members.get(_key(target), [])):
            member = ref()
            if member is None or member is target:
                continue
            begin, end = _span(member)
            if begin <= last and first <= end:
                found.append((member, value, self._copies.get(id(member))))
        return found

    def geometry(self, member: Tensor, target: Tensor) -> tuple[Any, ...]:
        """The arguments of `rewrite` after the two tensors."""
        size = target.untyped_storage().nbytes() // target.element_size()
        return size, _strided(member), _strided(target)


def _copied(argument: Any, key: int) -> Any:
    if isinstance(argument, Tensor) and _key(argument) == key:
        return argument.clone()
    if isinstance(argument, (list, tuple)) and not hasattr(argument, "_fields"):
        return type(argument)([_copied(each, key) for each in argument])
    return argument


def _key(tensor: Tensor) -> int:
    try:
        return tensor.untyped_storage()._cdata
    except NotImplementedError:
        raise UnsupportedModel(
            "The model runs under torch.func.vmap or the like (flex_attention does), whose tensors "
            "have no memory of their own to follow. Write the batch out, or take "
            "scaled_dot_product_attention."
        ) from None


def _strided(tensor: Tensor) -> tuple[Any, ...]:
    return tuple(tensor.shape), tensor.stride(), tensor.storage_offset()


def _span(tensor: Tensor) -> tuple[int, int]:
    first = int(tensor.storage_offset())
    reach = sum(int((n - 1) * s) for n, s in zip(tensor.shape, tensor.stride(), strict=True))
    return first, first + reach
