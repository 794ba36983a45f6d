"""Text as its tokens tell it: words merged of sub-words, special tokens apart, sentences."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Unit(NamedTuple):
    """A word, or a special token: how it is written, and the numbers of its tokens."""

    text: str
    tokens: tuple[int, ...]
    special: bool


class Sentence(NamedTuple):
    """A sentence: how it is written, and the numbers of its words."""

    text: str
    words: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Text:
    """The tokens of one input, for each sample; padding is left out.

    name: of the input. tokens: as the tokenizer writes them. places: where each token stands along
    the token axis. units: words and special tokens, in order.
    """

    name: str
    tokens: tuple[tuple[str, ...], ...]
    places: tuple[tuple[int, ...], ...]
    units: tuple[tuple[Unit, ...], ...]

    def words(self, sample: int) -> list[Unit]:
        """The words without special tokens."""
        return [unit for unit in self.units[sample] if not unit.special]

    def specials(self, sample: int) -> list[Unit]:
        """The special tokens."""
        return [unit for unit in self.units[sample] if unit.special]

    def sentences(self, sample: int) -> list[Sentence]:
        """Runs of words up to a full stop, question or exclamation mark, or a special token."""
        return _sentences(self.units[sample])


def make_text(
    name: str,
    tokens: Sequence[Sequence[str]],
    places: Sequence[Sequence[int]],
    word_ids: Sequence[Sequence[int | None]] | None = None,
    specials: Collection[str] | None = None,
) -> Text:
    """A `Text` from kept tokens and their places.

    word_ids: the word each token belongs to, None for special tokens. Without them, the marks in
    the tokens decide ("##", "▁", "Ġ", "</w>"), and `specials` names the special tokens; by default
    those written as [X] or <x>.
    """
    units = []
    bytes_as_letters = any(token.startswith(("Ġ", "Ċ")) for each in tokens for token in each)
    marked = any(token.startswith(("▁", "Ġ")) for each in tokens for token in each)
    for sample, each in enumerate(tokens):
        if word_ids is None:
            ids = _ids_from_marks(each, specials, marked)
        else:
            ids = list(word_ids[sample])
        units.append(tuple(_units(each, ids, bytes_as_letters)))
    kept = tuple(tuple(each) for each in tokens)
    return Text(name, kept, tuple(tuple(each) for each in places), tuple(units))


def spelled(tokens: Sequence[str], bytes_as_letters: bool = False) -> str:
    """The word that sub-words make, without the marks of tokenizers.

    >>> spelled(["ana", "##con", "##da"]), spelled(["▁good"]), spelled(["photo</w>"])
    ('anaconda', 'good', 'photo')
    """
    parts = [tokens[0], *(each.removeprefix("##") for each in tokens[1:])]
    text = "".join(parts)
    if bytes_as_letters:
        text = _from_bytes(text)
    return text.replace("▁", " ").replace("</w>", "").strip() or text


def _units(tokens: Sequence[str], ids: Sequence[int | None], bytes_as_letters: bool) -> list[Unit]:
    groups: list[tuple[list[int], bool]] = []
    for number, (token, word) in enumerate(zip(tokens, ids, strict=True)):
        before = ids[number - 1] if number else None
        # Some tokenizers call a whole text one word; their marks still tell where words start.
        starts = token.startswith(("▁", "Ġ")) or (number > 0 and tokens[number - 1][-4:] == "</w>")
        if word is None or word != before or starts:
            groups.append(([number], word is None))
        else:
            groups[-1][0].append(number)
    return [
        Unit(_write([tokens[i] for i in group], special, bytes_as_letters), tuple(group), special)
        for group, special in groups
    ]


def _write(tokens: Sequence[str], special: bool, bytes_as_letters: bool) -> str:
    return tokens[0] if special else spelled(tokens, bytes_as_letters)


def _ids_from_marks(
    tokens: Sequence[str], specials: Collection[str] | None, marked: bool
) -> list[int | None]:
    ids: list[int | None] = []
    word = -1
    for number, token in enumerate(tokens):
        special = _SPECIAL.fullmatch(token) is not None if specials is None else token in specials
        if special:
            ids.append(None)
            continue
        goes_on = token.startswith("##") or (marked and not token.startswith(("▁", "Ġ", "Ċ")))
        if not (goes_on and number and ids[-1] is not None):
            word += 1
        ids.append(word)
    return ids


def _sentences(units: Sequence[Unit]) -> list[Sentence]:
    words = [unit.text for unit in units if not unit.special]
    found: list[list[int]] = [[]]
    number = 0
    ended = cut = False
    for unit in units:
        if unit.special:
            cut = True
            continue
        trailing = unit.text in _CLOSING or unit.text in _ENDS  # belongs to the stop before it
        if found[-1] and (cut or (ended and not trailing)):
            found.append([])
        found[-1].append(number)
        ended = _stops(unit.text) or (ended and trailing)
        cut = False
        number += 1
    return [Sentence(_joined([words[i] for i in each]), tuple(each)) for each in found if each]


def _stops(text: str) -> bool:
    return text.rstrip("".join(_CLOSING))[-1:] in _ENDS


def _joined(words: Sequence[str]) -> str:
    text = " ".join(words)
    return _AFTER.sub(r"\1", _BEFORE.sub(r"\1", text))


def _from_bytes(text: str) -> str:
    """Undo the spelling of bytes as letters that byte-level tokenizers use."""
    try:
        return bytes(_BYTES[letter] for letter in text).decode("utf-8", "replace")
    except KeyError:
        return text


def _byte_letters() -> dict[str, int]:
    """Letter -> byte: printable bytes are their own letters, the others follow from 256 on."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    letters = {chr(byte): byte for byte in plain}
    return letters | {chr(256 + number): byte for number, byte in enumerate(others)}


_BYTES = _byte_letters()
_SPECIAL = re.compile(r"\[[A-Z]+\d*\]|<[^<>\s]+>|<\|[^<>]*\|>")
_ENDS = {*".!?…。！？", "...", "!!", "??", "?!", "!?"}
_CLOSING = {*"\"')]”’»"}
_BEFORE = re.compile(r" ([.,!?;:)\]}…%])")
_AFTER = re.compile(r"([(\[{]) ")
