"""The inputs as a model takes them: a tensor, a tuple, or keyword arguments."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from whence.errors import InvalidInput


@dataclass(frozen=True, eq=False)
class Inputs:
    """Positional and keyword arguments, and the tensors among them whose relevance is wanted.

    Float tensors are explained, also in nested tuples such as `(x, (h0, c0))`; so are integer
    tensors (token ids), but not masks nor, by their names, positions, segments, boxes and labels.
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
        return [
            each
            for name, argument in named
            for each in ([argument] if isinstance(argument, Tensor) else _nested(argument))
            if _explained(name, each)
        ]

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
            if _is_nest(each):
                found = [at(one) for one in each]
                return type(each)(found) if any(one is not None for one in found) else None
            return of_leaf(positions[id(each)]) if id(each) in positions else None

        if isinstance(self.given, Tensor):
            return at(self.given)
        if isinstance(self.given, Mapping):
            found = {key: at(each) for key, each in self.given.items()}
            return {key: each for key, each in found.items() if each is not None}
        return tuple(at(each) for each in self.given)

    def chunk(self, start: int, stop: int) -> Any:
        """The samples from `start` to `stop`, in the user's structure."""

        if any(_nested(each) for each in (*self.args, *self.kwargs.values())):
            raise InvalidInput(
                "batch_size= cannot cut tensors in nested tuples: which of their axes is the batch "
                "is not known. Explain the parts one by one."
            )

        def cut(each: Any) -> Any:
            if isinstance(each, Tensor) and each.dim() > self.batch_axis:
                if each.shape[self.batch_axis] == self.batch:
                    return each.narrow(self.batch_axis, start, stop - start)
            return each

        if isinstance(self.given, Tensor):
            return cut(self.given)
        if isinstance(self.given, Mapping):
            return Part({key: cut(each) for key, each in self.given.items()}, self.given, start)
        return tuple(cut(each) for each in self.given)

    def replaced(self, tensors: list[Tensor]) -> Any:
        """The user's structure with other tensors for the leaves."""
        positions = {id(leaf): i for i, leaf in enumerate(self.leaves)}

        def at(each: Any) -> Any:
            if _is_nest(each):
                return type(each)(at(one) for one in each)
            return tensors[positions[id(each)]] if id(each) in positions else each

        if isinstance(self.given, Tensor):
            return at(self.given)
        if isinstance(self.given, Mapping):
            return {key: at(each) for key, each in self.given.items()}
        return tuple(at(each) for each in self.given)

    def _check(self) -> None:
        if isinstance(self.given, PackedSequence) or any(
            isinstance(each, PackedSequence) for each in (*self.args, *self.kwargs.values())
        ):
            raise InvalidInput(
                "A PackedSequence has no batch axis. Give the padded tensor and the lengths, and "
                "let the model (or a function around it) call pack_padded_sequence."
            )
        if not self.leaves:
            raise InvalidInput("There is nothing to explain: no input is a tensor of numbers.")
        for leaf in self.leaves:
            if leaf.numel() == 0:
                raise InvalidInput(
                    f"An input of shape {tuple(leaf.shape)} is empty: there is nothing to explain. "
                    "A text needs at least one token."
                )
            finite = not leaf.is_floating_point() or bool(leaf.detach().sum().isfinite())
            if not finite and not bool(leaf.isfinite().all()):  # a sum may overflow, values not
                raise InvalidInput(
                    f"An input of shape {tuple(leaf.shape)} contains NaN or infinity; relevance is "
                    "undefined. Clean the input first."
                )


def _is_nest(each: Any) -> bool:
    return isinstance(each, (tuple, list)) and not hasattr(each, "_fields")


def _nested(argument: Any) -> list[Tensor]:
    """The float tensors in a nested tuple or list."""
    if not _is_nest(argument):
        return []
    found = [[each] if isinstance(each, Tensor) else _nested(each) for each in argument]
    return [each for part in found for each in part if each.is_floating_point()]


class Part(dict[str, Any]):
    """Some samples of keyword arguments; they still know their tokens, what words these make, and
    which of two texts each belongs to, if the whole does."""

    def __init__(self, arguments: dict[str, Any], whole: Any, start: int) -> None:
        super().__init__(arguments)
        self._whole, self._start = whole, start

    def tokens(self, sample: int) -> list[str]:
        """The tokens of a sample as they are written."""
        return self._ask("tokens", sample)

    def word_ids(self, sample: int) -> list[int | None]:
        """The word that each token of a sample belongs to, None for special tokens."""
        return self._ask("word_ids", sample)

    def sequence_ids(self, sample: int) -> list[int | None]:
        """0 and 1 for tokens of the first and second text, None for special tokens."""
        return self._ask("sequence_ids", sample)

    def _ask(self, what: str, sample: int) -> list[Any]:
        tell: Callable[[int], list[Any]] | None = getattr(self._whole, what, None)
        if tell is None:
            raise ValueError("unknown")
        return tell(self._start + sample)


def _explained(name: str, tensor: Tensor) -> bool:
    if "mask" in name or name.removeprefix("decoder_") in _NOT_CONTENT:
        return False
    return tensor.is_floating_point() or tensor.dtype in _IDS


_IDS = {torch.int64, torch.int32, torch.uint8}
# What says where content stands, of which part it is, or what should come out.
_NOT_CONTENT = set(
    """token_type_ids mm_token_type_ids visual_token_type_ids position_ids image_position_ids
    cache_position bbox labels label_ids start_positions end_positions next_sentence_label langs
    lengths image_sizes image_grid_thw video_grid_thw pixel_position_ids spatial_shapes
    num_logits_to_keep logits_to_keep""".split()
)
