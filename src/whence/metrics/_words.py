"""The words of the samples: what word deleting takes away, and in which order."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from whence._draws import shuffles
from whence._text import Text
from whence._text_explanation import TextExplanation
from whence.errors import InvalidInput
from whence.explainers._text import attention_mask, read_texts, text_leaves
from whence.metrics._batch import Batch


@dataclass(frozen=True, eq=False)
class Words:
    """Which word of its sample each token belongs to.

    numbers: (samples, tokens), from 0 in order; -1 for padding and special tokens. In a bag of
    words the coordinates stand for the tokens, and those that are not zero are the words.
    present: which numbers there are, (samples, largest number + 1).
    """

    numbers: Tensor
    present: Tensor

    @classmethod
    def of(cls, numbers: Tensor) -> "Words":
        """The words with these numbers."""
        width = int(numbers.max()) + 1
        present = torch.zeros(len(numbers), width + 1, dtype=torch.bool, device=numbers.device)
        present.scatter_(1, torch.where(numbers < 0, width, numbers), True)
        return cls(numbers, present[:, :width])

    @property
    def count(self) -> Tensor:
        """How many words each sample has, (samples,)."""
        return self.present.sum(1)

    def pool(self, relevance: Tensor) -> Tensor:
        """The sum over each word's tokens and their vectors, (samples, words)."""
        values = relevance.double().flatten(2).sum(2) if relevance.dim() > 2 else relevance.double()
        width = self.present.shape[1]
        sums = values.new_zeros(len(values), width + 1)
        sums.scatter_add_(1, torch.where(self.numbers < 0, width, self.numbers), values)
        return sums[:, :width]

    def rank(self, values: Tensor, keys: Tensor, stream: int = 0) -> Tensor:
        """How many words of a sample go before each, (samples, words), the largest value first.

        Equal values go in random order, which belongs to the sample and the stream.
        """
        shuffle = shuffles(keys, values.shape[1], stream)
        values = values.masked_fill(~self.present, -torch.inf).gather(1, shuffle)
        order = shuffle.gather(1, values.argsort(dim=1, descending=True, stable=True))
        places = torch.arange(values.shape[1], device=values.device).expand_as(order)
        return torch.empty_like(order).scatter_(1, order, places)

    def of_tokens(self, rank: Tensor) -> Tensor:
        """The rank of each token's word, (samples, tokens); tokens that stay come after all."""
        last = rank.shape[1]
        if not last:
            return torch.full_like(self.numbers, last)
        return rank.gather(1, self.numbers.clamp_min(0)).masked_fill(self.numbers < 0, last)


def words_of(batch: Batch, explanation: Any, tokenizer: Any, special: tuple[int, ...]) -> Words:
    """The words as the inputs tell them, else the explanation, else a tokenizer; else each token
    is a word, but for padding and the ids of special tokens."""
    x = batch.x
    if x.is_floating_point() and x.dim() == 2:
        numbers = torch.arange(x.shape[1], device=x.device).expand_as(x)
        return Words.of(numbers.masked_fill(x == 0, -1))
    if x.dim() != (3 if x.is_floating_point() else 2):
        raise InvalidInput(
            "Word deleting needs token ids (samples, tokens), their vectors (samples, tokens, "
            "width) or a bag of words (samples, features) of floats, got "
            f"{x.dtype} of shape {tuple(x.shape)}."
        )
    text = _told(batch, explanation, tokenizer)
    numbers = _each_token(batch) if text is None else _as_told(text, x)
    if special and not x.is_floating_point():
        numbers = numbers.masked_fill(torch.isin(x, torch.tensor(special, device=x.device)), -1)
    return Words.of(numbers)


def padding_id(model: Any) -> int | None:
    """The id that the model's embeddings name as padding; None where they name none or several."""
    modules = model.modules() if isinstance(model, nn.Module) else ()
    tables = [each for each in modules if isinstance(each, (nn.Embedding, nn.EmbeddingBag))]
    named = {each.padding_idx for each in tables} - {None}
    return named.pop() if len(named) == 1 else None


def name_of(batch: Batch) -> str | None:
    """The keyword by which the model takes the tokens."""
    return next((name for name, each in batch.given.kwargs.items() if each is batch.leaf), None)


def mask_of(batch: Batch) -> Tensor | None:
    """Which tokens are no padding, as the inputs say it, (samples, tokens)."""
    mask = attention_mask(batch.given, name_of(batch) or "")
    return mask if mask is not None and mask.shape == batch.x.shape[:2] else None


def _told(batch: Batch, explanation: Any, tokenizer: Any) -> Text | None:
    leaves = text_leaves(batch.given)
    name = next((name for name, each in leaves.items() if each is batch.leaf), None)
    if name is None:
        return None
    texts = batch.keep(("texts", None), lambda: read_texts(batch.given))
    if name not in texts and isinstance(explanation, TextExplanation):
        texts = explanation.texts
    if name not in texts and tokenizer is not None:
        texts = batch.keep(("texts", id(tokenizer)), lambda: read_texts(batch.given, tokenizer))
    return texts.get(name)


def _as_told(text: Text, x: Tensor) -> Tensor:
    """The numbers of the words as a text has them."""
    numbers = torch.full(x.shape[:2], -1)
    if len(text.units) != len(x):
        raise InvalidInput(f"The explanation is of {len(text.units)} texts, the batch of {len(x)}.")
    for row, places in enumerate(text.places):
        for number, word in enumerate(text.words(row)):
            numbers[row, [places[token] for token in word.tokens]] = number
    return numbers.to(x.device)


def _each_token(batch: Batch) -> Tensor:
    """Each token a word; without a mask, padding is known by its id or its vector of zeros."""
    x, mask = batch.x, mask_of(batch)
    if mask is not None:
        kept = mask > 0
    elif x.is_floating_point():
        kept = (x != 0).any(2)
    else:
        padding = padding_id(batch.model)
        kept = torch.ones_like(x, dtype=torch.bool) if padding is None else x != padding
    return torch.where(kept, kept.cumsum(1) - 1, -1)
