"""Targets on scores of each token: which position is meant, and words as ids of the vocabulary."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.explainers._inputs import Inputs
from whence.explainers._text import attention_mask, text_leaves
from whence.targets import ClassTarget, Each, Highest, Logit, Relative, Span, Target, Token

_WORDS = ("k", "a", "b", "id")


def located(
    target: Target, given: Inputs, output: Any, note: Callable[[str], None] | None = None
) -> Target:
    """The target with its position fixed, where the output has scores for each token.

    Outputs (batch, tokens, classes): no position and -1 are each text's last token. Outputs
    (batch, 2, tokens), start and end scores: the highest score is the best span, of the second
    text of a pair where the inputs tell it.
    """
    if isinstance(target, Relative):
        return replace(target, target=located(target.target, given, output, note))
    if not isinstance(target, (ClassTarget, Span)) or not isinstance(output, Tensor):
        return target
    if output.dim() != 3:
        return target
    read = _read_by(given, output.shape[:2])
    if read is None:
        return _spanned(target, given, output)
    if isinstance(target, Span):
        return target
    name, leaf = read
    if target.position is None and note is not None:
        note("The output has scores for each token; those at each text's last token are explained.")
    position = _places(target.position, _last(given, name, leaf), leaf.shape[1])
    assert is_dataclass(target)
    return replace(target, position=position)


def spelled_out(target: Any, tokenizer: Any) -> Any:
    """The target with strings turned into ids of the tokenizer's vocabulary."""
    if isinstance(target, str):
        return Token(target_id(target, tokenizer))
    if isinstance(target, Each):
        return Each([spelled_out(each, tokenizer) for each in target.targets])
    if isinstance(target, ClassTarget) and is_dataclass(target):
        names = {each.name for each in fields(target)} & set(_WORDS)
        held = {name: _spelled(getattr(target, name), tokenizer) for name in names}
        return replace(target, **held)
    return target


def target_id(word: str, tokenizer: Any) -> int:
    """The id of a string that is one token."""
    ids = tokenizer(word, add_special_tokens=False)["input_ids"]
    if len(ids) == 1:
        return int(ids[0])
    known = tokenizer.convert_tokens_to_ids(word)  # also as tokens are written: "Ġgood", "##ing"
    if isinstance(known, int) and known != getattr(tokenizer, "unk_token_id", None):
        return known
    tokens = tokenizer.convert_ids_to_tokens(ids)
    raise InvalidInput(
        f"A target must be one token, but {word!r} is {len(ids)}: {tokens}. Give the id of one of "
        "them, or explain the whole with whence.explain_continuation."
    )


def _spelled(value: Any, tokenizer: Any) -> Any:
    if isinstance(value, str):
        return target_id(value, tokenizer)
    if isinstance(value, (list, tuple)) and value and isinstance(value[0], str):
        return [target_id(each, tokenizer) for each in value]
    return value


def _read_by(given: Inputs, shape: torch.Size) -> tuple[str, Tensor] | None:
    """The tokens that the scores belong to; with a decoder, they are its own."""
    leaves = text_leaves(given)
    order = sorted(leaves, key=lambda name: not name.startswith("decoder_"))
    return next(((name, leaves[name]) for name in order if leaves[name].shape[:2] == shape), None)


def _last(given: Inputs, name: str, leaf: Tensor) -> Tensor:
    """The place of each sample's last token."""
    batch, length = leaf.shape[:2]
    mask = attention_mask(given, name)
    if mask is None or mask.shape != (batch, length):
        return torch.full((batch,), length - 1, device=leaf.device)
    return (mask != 0).long().mul(torch.arange(1, length + 1, device=mask.device)).argmax(1)


def _places(position: Any, last: Tensor, length: int) -> Tensor:
    if position is None:
        return last
    asked = torch.as_tensor(position, device=last.device)
    asked = asked.expand(last.shape) if asked.dim() == 0 else asked
    if asked.shape != last.shape:
        raise InvalidInput(
            f"One position for each of the {len(last)} samples is needed, got shape "
            f"{tuple(asked.shape)}."
        )
    places = torch.where(asked < 0, last + 1 + asked, asked)
    if bool(((places < 0) | (places >= length)).any()):
        raise InvalidInput(
            f"Positions must be tokens of the text: below {length}, or counted back from its end; "
            f"got {asked.tolist()}."
        )
    return places


def _spanned(target: ClassTarget | Span, given: Inputs, output: Tensor) -> Target:
    leaf = next(iter(text_leaves(given).items()), None)
    if output.shape[1] != 2 or leaf is None or output.shape[2] != leaf[1].shape[1]:
        return target
    if isinstance(target, Span) or (isinstance(target, Highest) and target.position is None):
        span = target if isinstance(target, Span) else Span()
        return span.found(output, _may_answer(given, *leaf))
    if isinstance(target, Logit):
        raise InvalidInput(
            "The model gives scores for starts and ends of answers, which have no classes. Use "
            "targets.Span(start, end), or None for the best span."
        )
    return target


def _may_answer(given: Inputs, name: str, leaf: Tensor) -> Tensor:
    """Tokens that the mask keeps; of a pair, those of the second text, where that is told."""
    mask = attention_mask(given, name)
    allowed = torch.ones_like(leaf, dtype=torch.bool) if mask is None else mask != 0
    second = _second(given, leaf)
    if second is None:
        return allowed
    second = second & allowed
    return torch.where(second.any(1, keepdim=True), second, allowed)


def _second(given: Inputs, leaf: Tensor) -> Tensor | None:
    tell: Callable[[int], list[int | None]] | None = getattr(given.given, "sequence_ids", None)
    if tell is not None:
        with suppress(ValueError):  # slow tokenizers have the method, but it only raises
            told = [[each == 1 for each in tell(i)] for i in range(len(leaf))]
            return torch.tensor(told, device=leaf.device)
    types = given.kwargs.get("token_type_ids")
    told_by_type = isinstance(types, Tensor) and types.shape == leaf.shape
    return types == 1 if told_by_type else None
