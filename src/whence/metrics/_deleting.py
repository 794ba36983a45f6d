"""Texts without some of their words, as the model takes them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.metrics._batch import Batch, Copies
from whence.metrics._words import mask_of, name_of, padding_id

HOW = {
    "blank": "words become padding where they stand, vectors and coordinates become zero",
    "remove": "the text is read without them: what follows moves up",
}


@dataclass(frozen=True, eq=False)
class Deleter:
    """Takes words out of the texts of a batch.

    mask: which tokens are no padding, None where the inputs do not say it. blank: the id that
    deleted words get. left: whether the padding stands before the words.
    """

    batch: Batch
    how: str
    mask: Tensor | None
    blank: int
    left: bool

    @classmethod
    def of(cls, batch: Batch, how: str, blank: int | None) -> "Deleter":
        """The way to delete words, checked."""
        x, mask = batch.x, mask_of(batch)
        moves = how == "remove" and (x.dim() == 3 or not x.is_floating_point())
        if moves and mask is None:
            raise InvalidInput(
                "how='remove' shortens texts and needs to tell the model where they end: give "
                "inputs by name with an attention_mask (samples, tokens), or take how='blank'."
            )
        if blank is None and not x.is_floating_point():
            blank = padding_id(batch.model)
            if blank is None and how == "blank":
                raise InvalidInput(
                    "how='blank' needs blank=, the id that stands in for a deleted word, such as "
                    "tokenizer.pad_token_id: the model's embeddings name no padding. Or take "
                    "how='remove'."
                )
        fill = 0 if x.is_floating_point() else blank or 0
        return cls(batch, how if moves else "blank", mask, fill, _left(mask))

    @property
    def lengths(self) -> Tensor:
        """How many tokens each text has, up to its last one, (samples,)."""
        if self.mask is None:
            return torch.full_like(self.batch.keys, self.batch.x.shape[1])
        places = torch.arange(1, self.mask.shape[1] + 1, device=self.mask.device)
        return ((self.mask > 0) * places).amax(1)

    def copies(self, samples: Tensor, gone: Tensor) -> Copies:
        """Copies of these samples without the tokens that are gone, (copies, tokens)."""
        name = name_of(self.batch)
        if self.how == "remove":
            return self._shorter(samples, gone)
        x = self.batch.x[samples]
        wide = gone[..., None] if x.dim() == 3 else gone
        x = x.masked_fill(wide, self.blank)
        if name is None or self.mask is None:
            return x
        return self._cut({each: found[samples] for each, found in self._along.items()} | {name: x})

    def _shorter(self, samples: Tensor, gone: Tensor) -> Copies:
        """What follows a deleted token moves up (with padding on the left, what precedes it)."""
        assert self.mask is not None
        kept = (self.mask[samples] > 0) & ~gone
        order = (kept if self.left else ~kept).to(torch.uint8).argsort(dim=1, stable=True)
        there = kept.gather(1, order)
        found = {}
        for name, each in self._along.items():
            each = each[samples]
            if "position" in name:  # the first word that is left is where the first word was
                found[name] = each.gather(1, self._places(gone)) if self.left else each
                continue
            fill = self.blank if name == name_of(self.batch) else 0
            found[name] = _moved(each, order).masked_fill(~_like(there, each), fill)
        return self._cut(found)

    def _places(self, gone: Tensor) -> Tensor:
        """For each column the one that stands so many tokens before it as are gone."""
        columns = torch.arange(gone.shape[1], device=gone.device)
        return (columns - gone.sum(1, keepdim=True)).clamp_min(0)

    def _cut(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """The columns up to the longest text of these: nothing is computed for padding that stands
        behind all of them. Texts that start with padding keep their places."""
        if self.left:
            return tensors
        mask = next(name for name, each in self.batch.given.kwargs.items() if each is self.mask)
        columns = (tensors[mask] > 0).any(0).nonzero()
        longest = int(columns[-1]) + 1 if len(columns) else 1
        return {name: each[:, :longest] for name, each in tensors.items()}

    @property
    def _along(self) -> dict[str, Tensor]:
        """The arguments that have a column for each token; a decoder's are not the encoder's."""
        x, side = self.batch.leaf, (name_of(self.batch) or "").startswith("decoder_")
        return {
            name: each.detach()
            for name, each in self.batch.given.kwargs.items()
            if isinstance(each, Tensor)
            and name.startswith("decoder_") == side
            and (each is x or each.shape == x.shape[:2])
            and (each is x or "mask" in name or not each.is_floating_point())
        }


def _left(mask: Tensor | None) -> bool:
    """Whether any text starts with padding and ends without."""
    return mask is not None and bool(((mask[:, 0] == 0) & (mask[:, -1] > 0)).any())


def _like(columns: Tensor, tensor: Tensor) -> Tensor:
    return columns[..., None] if tensor.dim() == 3 else columns


def _moved(tensor: Tensor, order: Tensor) -> Tensor:
    return tensor.gather(1, _like(order, tensor).expand(*order.shape, *tensor.shape[2:]))
