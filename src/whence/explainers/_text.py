"""Text among the inputs: its tokens, and the explanation that shows them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor

from whence import viz
from whence._explanation import Explanation, named
from whence._text import Text, make_text
from whence._text_explanation import TextExplanation
from whence.errors import InvalidInput
from whence.explainers._inputs import Inputs

_PAGES = {
    "fragment": viz.text_fragment,
    "html": viz.text_page,
    "latex": viz.text_latex,
    "terminal": viz.text_block,
    "drawing": viz.draw_texts,
}


def read_texts(given: Inputs, tokenizer: Any = None, tokens: Any = None) -> dict[str, Text]:
    """The text of each input of token ids, as far as its tokens are known.

    They are known from inputs with `tokens(i)` and `word_ids(i)` (a fast tokenizer's output), from
    a `tokenizer`, or from `tokens`: a list for each sample, or a dict of such lists by input.
    """
    leaves = text_leaves(given)
    if not leaves:
        if tokens is not None or tokenizer is not None:
            raise InvalidInput("tokenizer= and tokens= are for inputs of token ids; there is none.")
        return {}
    main = next(iter(leaves))
    written = dict(tokens) if isinstance(tokens, Mapping) else {main: tokens}
    texts = {}
    for name, leaf in leaves.items():
        places = kept_places(given, name, leaf)
        told = _told(given.given, leaf) if name == main and written.get(name) is None else None
        if told is not None:
            text = make_text(name, *_pick(places, *told))
            _check_not_empty(text, told[1] is not None)
        elif written.get(name) is not None:
            text = make_text(name, _checked(name, written[name], leaf, places), places)
        elif tokenizer is not None and not leaf.is_floating_point():
            rows = [leaf[i, list(each)].tolist() for i, each in enumerate(places)]
            text = _from_tokenizer(name, tokenizer, rows, places)
        else:
            continue
        texts[name] = text
    return texts


def as_text(
    found: Explanation, texts: dict[str, Text], labels: Sequence[str] | None = None
) -> Explanation:
    """The explanation with its texts; as it is if there are none."""
    if not texts:
        return found
    parts = found.feature_parts if isinstance(found, TextExplanation) else named(found.features)
    held = {each.name: getattr(found, each.name) for each in fields(Explanation)}
    main = next(iter(texts))
    held["features"] = parts.get(main)
    return TextExplanation(
        **held,
        texts=texts,
        text=texts[main],
        labels=None if labels is None else tuple(labels),
        feature_parts=parts,
        pages=_PAGES,
    )


def text_leaves(given: Inputs) -> dict[str, Tensor]:
    """The explained inputs that are token ids (batch, tokens) or their embeddings, by name."""
    explained = {id(leaf) for leaf in given.leaves}
    every = {**{str(i): each for i, each in enumerate(given.args)}, **given.kwargs}
    mine = {name: each for name, each in every.items() if id(each) in explained}
    return {name: leaf for name, leaf in mine.items() if _is_text(name, leaf)}


def kept_places(given: Inputs, name: str, leaf: Tensor) -> list[tuple[int, ...]]:
    """For each sample, where the tokens stand that the attention mask keeps."""
    batch, length = leaf.shape[:2]
    mask = attention_mask(given, name)
    if mask is None or mask.shape != (batch, length):
        return [tuple(range(length))] * batch
    return [tuple(row.nonzero().flatten().tolist()) for row in mask]


def attention_mask(given: Inputs, name: str) -> Tensor | None:
    """The attention mask that belongs to an input of tokens."""
    mask = given.kwargs.get(("decoder_" if name.startswith("decoder_") else "") + "attention_mask")
    return mask if isinstance(mask, Tensor) and mask.dim() == 2 else None


def _is_text(name: str, leaf: Tensor) -> bool:
    if leaf.is_floating_point():
        return leaf.dim() == 3 and name.endswith("inputs_embeds")
    return leaf.dim() == 2 and leaf.dtype in (torch.int64, torch.int32)


def _told(inputs: Any, leaf: Tensor) -> tuple[list[list[str]], list[list[int | None]]] | None:
    """Tokens and word ids as the inputs themselves tell them, padding included."""
    tell_tokens: Callable[[int], list[str]] | None = getattr(inputs, "tokens", None)
    tell_words: Callable[[int], list[int | None]] | None = getattr(inputs, "word_ids", None)
    if tell_tokens is None or tell_words is None:
        return None
    try:
        tokens = [list(tell_tokens(i)) for i in range(len(leaf))]
        words = [list(tell_words(i)) for i in range(len(leaf))]
    except (ValueError, IndexError):  # slow tokenizers have the methods, but they only raise
        return None
    if any(len(each) != leaf.shape[1] for each in [*tokens, *words]):
        raise InvalidInput(
            f"tokens(i) and word_ids(i) must give one entry for each of {leaf.shape[1]} tokens, "
            f"got {[len(each) for each in tokens][:8]} and {[len(each) for each in words][:8]}. "
            "Were the ids changed after they were made?"
        )
    return tokens, words


def _pick(places: list[tuple[int, ...]], tokens: list[list[str]], words: list[list[Any]]) -> Any:
    kept_tokens = [[tokens[i][place] for place in each] for i, each in enumerate(places)]
    kept_words = [[words[i][place] for place in each] for i, each in enumerate(places)]
    return kept_tokens, places, kept_words


def _checked(
    name: str, tokens: Any, leaf: Tensor, places: list[tuple[int, ...]]
) -> list[list[str]]:
    """Tokens given by hand, one list for each sample, with or without the padding."""
    batch, length = leaf.shape[:2]
    rows = [tokens] if batch == 1 and all(isinstance(each, str) for each in tokens) else tokens
    if len(rows) != batch or any(isinstance(each, str) for each in rows):
        raise InvalidInput(
            f"tokens= must hold a list of tokens for each of the {batch} samples of {name}, got "
            f"{len(rows)} entries."
        )
    kept = []
    for row, each in zip(rows, places, strict=True):
        if len(row) not in (length, len(each)):
            raise InvalidInput(
                f"tokens= must hold {len(each)} tokens for each sample of {name} ({length} with "
                f"padding), got {len(row)}."
            )
        kept.append([row[i] for i in each] if len(row) == length else list(row))
    return kept


def _from_tokenizer(
    name: str, tokenizer: Any, rows: list[list[int]], places: list[tuple[int, ...]]
) -> Text:
    tokens = [[str(each) for each in tokenizer.convert_ids_to_tokens(row)] for row in rows]
    specials = set(getattr(tokenizer, "all_special_tokens", None) or ())
    return make_text(name, tokens, places, specials=specials)


def _check_not_empty(text: Text, known: bool) -> None:
    for number, units in enumerate(text.units):
        if known and all(unit.special for unit in units):
            raise InvalidInput(
                f"A text needs at least one word, but text {number} is empty: it has special "
                "tokens only. Leave it out."
            )
