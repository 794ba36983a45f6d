"""Text as numbers: a plain word tokenizer, and what it gives a model."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from whence.errors import InvalidInput

PADDING, UNKNOWN = 0, 1  # the ids that are no words; words are numbered from 2
PADDING_TOKEN = "[PAD]"

# The first alternative that fits is a word. Contractions come apart as in the Penn Treebank
# (do n't, it 's), so that tokenised text passes through unchanged.
_WORD = re.compile(
    r"""
    https?://\S+ | [\w.+-]+@[\w-]+(?:\.[\w-]+)+      # addresses
    | n't\b | [^\W\d_]+(?=n't\b)                     # do|n't
    | can(?=not\b)                                   # can|not
    | '(?:s|re|ve|ll|d|m|em|til|n)\b | '\d+s\b       # it|'s, the|'80s
    | (?:[^\W\d_]\.){2,} | (?:mr|mrs|ms|dr|st|jr|sr|vs)\.(?=\s|$)
    | \d+(?:[.,:/]\d+)+                              # 2,500 9/11
    | \w+(?:(?:[-/&]|'(?!(?:s|re|ve|ll|d|m|t)\b))\w+)*  # well-drawn, O'Brien
    | \.{2,} | -{2,} | \*+ | [!?]+ | \S
    """,
    re.VERBOSE | re.IGNORECASE,
)

# What the Treebank writes for brackets, slashes and quotes, and what others write for apostrophes.
_SPELLINGS = {
    "-LRB-": "(",
    "-RRB-": ")",
    "-LSB-": "[",
    "-RSB-": "]",
    "-LCB-": "{",
    "-RCB-": "}",
    "\\/": "/",
    "\\*": "*",
    "``": '"',
    "''": '"',
    "\u2019": "'",
    "\u2018": "'",
    "\u201c": '"',
    "\u201d": '"',
    "\u2026": "...",
    "\u2014": " -- ",
}
_SPELLED = re.compile("|".join(map(re.escape, _SPELLINGS)), re.IGNORECASE)


def split_words(text: str) -> list[str]:
    """The words and punctuation marks of a text, in order and as they are written.

    Raw English and the Treebank's spaced-out form ("do n't", "-LRB-") give the same words.

    >>> split_words("I don't like it, it's well-drawn...")
    ['I', 'do', "n't", 'like', 'it', ',', 'it', "'s", 'well-drawn', '...']
    """
    return _WORD.findall(plain_spelling(text))


def plain_spelling(text: str) -> str:
    """Text with the Treebank's codes for brackets and slashes, and curly quotes, as plain marks."""
    return _SPELLED.sub(lambda found: _SPELLINGS[found.group().upper()], text)


class WordInput(Mapping[str, Tensor]):
    """Texts as a text model takes them: a mapping of two tensors that still knows the words.

    `input_ids` (batch, tokens) int64 and `attention_mask` (batch, tokens), 1 for words and 0 for
    the padding behind them. `model(**inputs)` works, and `whence.explain(model, inputs)`.
    """

    def __init__(self, tensors: Mapping[str, Tensor], words: Sequence[Sequence[str]]) -> None:
        self._tensors = dict(tensors)
        self._words = tuple(tuple(each) for each in words)

    def __getitem__(self, key: str) -> Tensor:
        return self._tensors[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def tokens(self, i: int = 0) -> list[str]:
        """The words of text `i`, unknown ones too, then the padding."""
        return [*self._words[i], *[PADDING_TOKEN] * self._padding(i)]

    def word_ids(self, i: int = 0) -> list[int | None]:
        """The number of the word that each token belongs to: its own; None for padding."""
        return [*range(len(self._words[i])), *[None] * self._padding(i)]

    def to(self, device: torch.device | str) -> "WordInput":
        """The same texts with their tensors on another device."""
        return WordInput({key: each.to(device) for key, each in self.items()}, self._words)

    def __repr__(self) -> str:
        texts, tokens = self["input_ids"].shape
        return f"WordInput({texts} texts, {tokens} tokens)"

    def _padding(self, i: int) -> int:
        return self["input_ids"].shape[1] - len(self._words[i])


@dataclass(frozen=True, repr=False)
class Words:
    """A word tokenizer: text or texts to a `WordInput`.

    - `vocabulary`: the known words, in lower case; word k has the id k + 2. Padding has id 0, a
      word that is not known id 1.
    - `most`: texts are cut after so many words; None for never.

    Raises `InvalidInput` for a text without any word.

    >>> words = Words(("a", "film", "good"))
    >>> words("A good thing")["input_ids"].tolist()
    [[2, 4, 1]]
    >>> words("A good thing").tokens(0)
    ['A', 'good', 'thing']
    """

    vocabulary: tuple[str, ...]
    most: int | None = None

    def __call__(self, text: str | Sequence[str]) -> WordInput:
        texts = [text] if isinstance(text, str) else list(text)
        words = [split_words(each)[: self.most] for each in texts]
        for each, found in zip(texts, words, strict=True):
            if not found:
                raise InvalidInput(f"a text must hold at least one word, got {each[:40]!r}.")
        if not words:
            raise InvalidInput("there must be at least one text, got an empty list.")
        return WordInput(pad([self.encode(each) for each in words]), words)

    def encode(self, words: Iterable[str]) -> list[int]:
        """The ids of words."""
        return [self._ids.get(word.lower(), UNKNOWN) for word in words]

    @property
    def size(self) -> int:
        """How many ids there are, with those of padding and of unknown words."""
        return len(self.vocabulary) + 2

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.vocabulary, start=2)}

    def __repr__(self) -> str:
        return f"Words({len(self.vocabulary)} words, most={self.most})"


def count_words(texts: Iterable[Sequence[str]], least: int) -> tuple[str, ...]:
    """The lower-case words that occur in at least `least` of the texts, in alphabetical order."""
    counts = Counter(word for words in texts for word in {each.lower() for each in words})
    return tuple(sorted(word for word, count in counts.items() if count >= least))


def pad(ids: Sequence[Sequence[int]]) -> dict[str, Tensor]:
    """Lists of ids as `input_ids` and `attention_mask`, both (batch, longest list) int64."""
    longest = max(len(each) for each in ids)
    padded = torch.full((len(ids), longest), PADDING)
    mask = torch.zeros((len(ids), longest), dtype=torch.int64)
    for row, each in enumerate(ids):
        padded[row, : len(each)] = torch.as_tensor(each, dtype=torch.int64)
        mask[row, : len(each)] = 1
    return {"input_ids": padded, "attention_mask": mask}
