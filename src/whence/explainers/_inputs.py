"""The inputs as a model takes them: a tensor, a tuple, or keyword arguments."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from whence._errors import InvalidInput


@dataclass(frozen=True, eq=False)
class Inputs:
    """Positional and keyword arguments, and the tensors among them whose relevance is wanted.

    Float tensors are explained; so are integer tensors (token ids), but not masks.
    """

    given: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    batch_axis: int = 0

    @classmethod
    def of(cls, given: Any, batch_axis: int = 0) -> "Inputs":
        """From whatever the user passed."""
        if isinstance(given, Tensor):
            found = cls(given, (given,), {}, batch_axis)
        elif isinstance(given, Mapping):
            found = cls(given, (), dict(given), batch_axis)
        elif isinstance(given, (tuple, list)):
            found = cls(given, tuple(given), {}, batch_axis)
        else:
            raise InvalidInput(
                "inputs must be a tensor, a tuple of tensors or a dict of keyword arguments, "
                f"got {type(given).__name__}. For an array: torch.as_tensor(array)."
            )
        found._check()
        return found

    @property
    def leaves(self) -> list[Tensor]:
        """The tensors that get relevance."""
        named = [*((str(i), a) for i, a in enumerate(self.args)), *self.kwargs.items()]
        return [each for name, each in named if isinstance(each, Tensor) and _explained(name, each)]

    @property
    def batch(self) -> int:
        """How many samples there are."""
        leaf = self.leaves[0]
        return leaf.shape[self.batch_axis] if leaf.dim() else 1

    def rebuild(self, of_leaf: Callable[[int], Any]) -> Any:
        """The user's structure with each leaf replaced; other entries are left out of dicts and
        None in tuples."""
        positions = {id(leaf): i for i, leaf in enumerate(self.leaves)}

        def at(each: Any) -> Any:
            return of_leaf(positions[id(each)]) if id(each) in positions else None

        if isinstance(self.given, Tensor):
            return at(self.given)
        if isinstance(self.given, Mapping):
            found = {key: at(each) for key, each in self.given.items()}
            return {key: each for key, each in found.items() if each is not None}
        return tuple(at(each) for each in self.given)

    def chunk(self, start: int, stop: int) -> Any:
        """The samples from `start` to `stop`, in the user's structure."""

        def cut(each: Any) -> Any:
            if isinstance(each, Tensor) and each.dim() > self.batch_axis:
                if each.shape[self.batch_axis] == self.batch:
                    return each.narrow(self.batch_axis, start, stop - start)
            return each

        if isinstance(self.given, Tensor):
            return cut(self.given)
        if isinstance(self.given, Mapping):
            return {key: cut(each) for key, each in self.given.items()}
        return tuple(cut(each) for each in self.given)

    def replaced(self, tensors: list[Tensor]) -> Any:
        """The user's structure with other tensors for the leaves."""
        positions = {id(leaf): i for i, leaf in enumerate(self.leaves)}

        def at(each: Any) -> Any:
            return tensors[positions[id(each)]] if id(each) in positions else each

        if isinstance(self.given, Tensor):
            return at(self.given)
        if isinstance(self.given, Mapping):
            return {key: at(each) for key, each in self.given.items()}
        return tuple(at(each) for each in self.given)

    def _check(self) -> None:
        if not self.leaves:
            raise InvalidInput("There is nothing to explain: no input is a tensor of numbers.")
        for leaf in self.leaves:
            if leaf.numel() == 0:
                raise InvalidInput(
                    f"An input of shape {tuple(leaf.shape)} is empty: there is nothing to explain."
                )
            finite = not leaf.is_floating_point() or bool(leaf.detach().sum().isfinite())
            if not finite and not bool(leaf.isfinite().all()):  # a sum may overflow, values not
                raise InvalidInput(
                    f"An input of shape {tuple(leaf.shape)} contains NaN or infinity; relevance is "
                    "undefined. Clean the input first."
                )


def _explained(name: str, tensor: Tensor) -> bool:
    if tensor.is_floating_point():
        return "mask" not in name
    return tensor.dtype in _IDS and "mask" not in name


_IDS = {torch.int64, torch.int32, torch.uint8}
