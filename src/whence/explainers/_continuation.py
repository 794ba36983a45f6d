"""Why a language model went on as it did: relevance of the prompt for each generated token."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from whence._text import spelled
from whence._text_explanation import TextExplanation
from whence.errors import InvalidInput
from whence.explainers._explainer import Explainer
from whence.explainers._language import target_id
from whence.explainers._registry import explain
from whence.targets import Contrast, Each, LogProbability, Target, Token

_STARTS = ("logit", "log-probability", "contrast")


@dataclass(eq=False, repr=False)
class ContinuationExplanation(TextExplanation):
    """A `TextExplanation` with one target for each generated token.

    prompt: how many tokens of the text are the prompt. The relevance has a leading axis K, one
    entry for each generated token.
    """

    prompt: int = 0
    ids: tuple[int, ...] = ()

    @property
    def matrix(self) -> Tensor:
        """The relevance of the prompt's tokens for each generated token, (generated, prompt)."""
        return self.token_relevance[0][:, : self.prompt]

    @property
    def generated(self) -> list[str]:
        """The generated tokens, as words are written."""
        return list(self.labels or ())

    @property
    def onto_generated(self) -> Tensor:
        """The relevance of generated tokens for each other, (generated, generated): those that
        came before. The last one is never read, so its column is 0."""
        read = self.token_relevance[0][:, self.prompt :]
        if "decoder_input_ids" in self.texts:  # the decoder starts with a token of its own
            read = self.part("decoder_input_ids").token_relevance[0][:, 1:]
        return torch.nn.functional.pad(read, (0, len(self.ids) - read.shape[1]))


def explain_continuation(
    model: Callable[..., Any],
    prompt: Any,
    continuation: Any = None,
    *,
    tokenizer: Any = None,
    of: str = "logit",
    instead: Any = None,
    length: int = 20,
    method: str | type[Explainer] = "lrp",
    **options: Any,
) -> ContinuationExplanation:
    """Explain each token of a continuation by the tokens before it, in one teacher-forced pass.

    The model reads prompt and continuation once; then each generated token's score, at the place
    that predicts it, is sent back. prompt, continuation: strings (with `tokenizer`), lists or
    tensors of ids; the prompt may be what a tokenizer returns. Without a continuation the model's
    own `generate` makes one of at most `length` tokens, always taking the likeliest. Encoder-
    decoders read the prompt with the encoder and the continuation with the decoder.

    of: "logit"; "log-probability"; or "contrast", each token against `instead` (an id or string,
    one for each or for all) or, without it, against the best other token at its place.

    ```python
    ex = whence.explain_continuation(model, "The capital of France is", " Paris", tokenizer=tok)
    ex.matrix, ex.generated
    ```
    """
    if of not in _STARTS:
        raise InvalidInput(f"of= must be one of {', '.join(_STARTS)}, got {of!r}.")
    asked = _ids(prompt, tokenizer, "prompt", special=True)
    if continuation is None:
        made = _generate(model, asked, length)
    else:
        made = _ids(continuation, tokenizer, "continuation", special=False)
    inputs, first = _teacher_forced(model, asked, made)
    targets = [
        _target(of, token, first + number, _one(instead, number, tokenizer))
        for number, token in enumerate(made.tolist())
    ]
    texts = {name: each for name, each in inputs.items() if "mask" not in name}
    written = {name: _written(each, tokenizer) for name, each in texts.items()}
    found = explain(
        model, inputs, Each(targets), method, tokenizer=tokenizer,
        tokens=None if tokenizer is not None else written, **options,
    )  # fmt: skip
    assert isinstance(found, TextExplanation)
    held: dict[str, Any] = {each.name: getattr(found, each.name) for each in fields(found)}
    held["labels"] = tuple(spelled([each], True) for each in _written(made[None], tokenizer)[0])
    return ContinuationExplanation(**held, prompt=len(asked), ids=tuple(made.tolist()))


def _target(of: str, token: int, position: int, instead: int | None) -> Target:
    if of == "logit":
        return Token(token, position)
    if of == "log-probability":
        return LogProbability(token, position)
    return Contrast(token, instead, position)


def _ids(given: Any, tokenizer: Any, what: str, *, special: bool) -> Tensor:
    """Token ids of shape (tokens,)."""
    if isinstance(given, str):
        if tokenizer is None:
            raise InvalidInput(f"A {what} in words needs tokenizer=; or give its token ids.")
        given = tokenizer(given, add_special_tokens=special)
    if isinstance(given, Mapping):
        given = given["input_ids"]
    ids = torch.as_tensor(given)
    ids = ids[0] if ids.dim() == 2 and len(ids) == 1 else ids
    if ids.dim() != 1 or ids.numel() == 0 or ids.is_floating_point():
        raise InvalidInput(
            f"A {what} must be the ids of one text, at least one; got shape {tuple(ids.shape)}."
        )
    return ids.long()


def _generate(model: Any, prompt: Tensor, length: int) -> Tensor:
    generate = getattr(model, "generate", None)
    if generate is None:
        raise InvalidInput("This model cannot generate; give the continuation.")
    prompt = prompt.to(next(model.parameters()).device)
    with torch.no_grad():
        made = generate(
            input_ids=prompt[None],
            attention_mask=torch.ones_like(prompt)[None],
            max_new_tokens=length,
            do_sample=False,
        )[0]
    return made[1:] if _is_pair(model) else made[len(prompt) :]


def _teacher_forced(model: Any, prompt: Tensor, made: Tensor) -> tuple[dict[str, Tensor], int]:
    """What the model reads, and where the first generated token is predicted."""
    device = next(iter(getattr(model, "parameters", lambda: iter(()))()), prompt).device
    prompt, made = prompt.to(device), made.to(device)
    if _is_pair(model):
        start = getattr(model.config, "decoder_start_token_id", None)
        if start is None:
            raise InvalidInput("The model's config names no decoder_start_token_id; set it.")
        decoded = torch.cat([made.new_tensor([start]), made[:-1]])
        mask = torch.ones_like(prompt)
        return {
            "input_ids": prompt[None],
            "attention_mask": mask[None],
            "decoder_input_ids": decoded[None],
        }, 0
    # The last generated token is predicted, never read.
    whole = torch.cat([prompt, made[:-1]])[None]
    return {"input_ids": whole, "attention_mask": torch.ones_like(whole)}, len(prompt) - 1


def _is_pair(model: Any) -> bool:
    return bool(getattr(getattr(model, "config", None), "is_encoder_decoder", False))


def _one(instead: Any, number: int, tokenizer: Any) -> int | None:
    if instead is not None and not isinstance(instead, (int, str)):
        instead = list(instead)[number]
    if isinstance(instead, str):
        if tokenizer is None:
            raise InvalidInput("instead= in words needs tokenizer=; or give its token id.")
        return target_id(instead, tokenizer)
    return None if instead is None else int(instead)


def _written(ids: Tensor, tokenizer: Any) -> list[list[str]]:
    if tokenizer is None:
        return [[f"#{each}" for each in row] for row in ids.tolist()]
    return [[str(each) for each in tokenizer.convert_ids_to_tokens(row)] for row in ids.tolist()]
