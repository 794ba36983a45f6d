"""A text as its model reads it, and the same with some words left out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from whence._text import Text, make_text
from whence.errors import WhenceError
from whence.serve._problem import Problem
from whence.zoo import Model, TextInput, Words, split_words
from whence.zoo._words import UNKNOWN


class TokenInput(Mapping[str, Any]):
    """What a model takes of one text, a mapping of tensors that still knows tokens and words."""

    def __init__(
        self, tensors: Mapping[str, Any], tokens: Sequence[str], words: Sequence[int | None]
    ) -> None:
        self._tensors, self._tokens, self._words = dict(tensors), list(tokens), list(words)

    def __getitem__(self, key: str) -> Any:
        return self._tensors[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def tokens(self, i: int = 0) -> list[str]:
        """The tokens as they are written."""
        return list(self._tokens)

    def word_ids(self, i: int = 0) -> list[int | None]:
        """The number of the word that each token belongs to; None for special tokens."""
        return list(self._words)


@dataclass(frozen=True)
class Reading:
    """A text as its model reads it.

    inputs: without the words that are left out. words: all of them, those too. deleted, unknown:
    numbers of words. notes: what the model does not see of the text.
    """

    inputs: TokenInput
    words: list[str]
    deleted: list[int]
    unknown: list[int]
    notes: list[str]


def read(net: Model, text: str, without: Sequence[int] = ()) -> Reading:
    """A text for a model, without the words of these numbers.

    The tokens of a word go from what the model takes; the others stay as they are, and the model
    reads them as a shorter text. Raises `Problem` where no word is left.
    """
    try:
        inputs = net.preprocess(text)
    except WhenceError as error:
        raise Problem("empty_text", f"There is no word in {text[:40]!r}.") from error
    told = _told(net, inputs)
    words = told.words(0)
    deleted = sorted(set(without))
    if deleted and not 0 <= deleted[0] <= deleted[-1] < len(words):
        raise Problem("bad_field", f"without: the text has the words 0 to {len(words) - 1}.")
    if len(deleted) == len(words):
        raise Problem("empty_text", "No word would be left.")
    gone = {token for word in deleted for token in words[word].tokens}
    return Reading(
        inputs=_shortened(inputs, told, gone),
        words=[unit.text for unit in words],
        deleted=deleted,
        unknown=_unknown(net, inputs, told),
        notes=_unread(net, text),
    )


def _told(net: Model, inputs: Any) -> Text:
    """The tokens of a text and the words that they make."""
    ids = inputs["input_ids"]
    places = [range(ids.shape[1])]
    try:
        return make_text("input_ids", [inputs.tokens(0)], places, [inputs.word_ids(0)])
    except (AttributeError, ValueError):  # a slow tokenizer does not tell; its marks do
        pass
    if not isinstance(net.preprocess, TextInput):
        raise Problem("not_explained", f"{net.name} does not tell its words.")
    tokenizer = net.preprocess.tokenizer
    written = [[str(each) for each in tokenizer.convert_ids_to_tokens(ids[0].tolist())]]
    specials = set(getattr(tokenizer, "all_special_tokens", ()))
    return make_text("input_ids", written, places, specials=specials)


def _shortened(inputs: Mapping[str, Any], told: Text, gone: set[int]) -> TokenInput:
    tokens = told.tokens[0]
    words: list[int | None] = [None] * len(tokens)
    for number, unit in enumerate(told.words(0)):
        for token in unit.tokens:
            words[token] = number
    kept = [place for place in range(len(tokens)) if place not in gone]
    index = torch.tensor(kept)
    shape = inputs["input_ids"].shape
    tensors = {
        name: each[:, index] if isinstance(each, Tensor) and each.shape[:2] == shape else each
        for name, each in inputs.items()
    }
    return TokenInput(tensors, [tokens[k] for k in kept], [words[k] for k in kept])


def _unknown(net: Model, inputs: Mapping[str, Any], told: Text) -> list[int]:
    """The numbers of words that the model takes for one and the same unknown word."""
    ids = inputs["input_ids"][0].tolist()
    if isinstance(net.preprocess, Words):
        unknown = UNKNOWN
    else:
        unknown = getattr(getattr(net.preprocess, "tokenizer", None), "unk_token_id", None)
    tokens = [unit.tokens for unit in told.words(0)]
    return [k for k, mine in enumerate(tokens) if any(ids[token] == unknown for token in mine)]


def _unread(net: Model, text: str) -> list[str]:
    if not isinstance(net.preprocess, Words) or net.preprocess.most is None:
        return []
    most, count = net.preprocess.most, len(split_words(text))
    return [f"The model reads the first {most} of {count} words."] if count > most else []
