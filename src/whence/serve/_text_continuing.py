"""Language models: how a text goes on, and what each generated token comes from."""

import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from whence._text import spelled
from whence.errors import WhenceError
from whence.explainers import explain_continuation
from whence.serve._problem import Problem
from whence.serve._question import ask, book_of, needs_patterns
from whence.serve._schemas import Numbers
from whence.serve._text_schemas import (
    AskContinuation,
    ContinuationAnswer,
    ContinueAnswer,
    Step,
    Token,
)
from whence.zoo import Model, TextInput

_MOST = 512  # tokens of prompt and continuation: each generated one is sent back through all
_LIKELIEST = 4


def continue_text(net: Model, text: str, count: int) -> ContinueAnswer:
    """The text gone on with by at most `count` tokens, each the likeliest after those before it."""
    began = time.perf_counter()
    tokenizer = tokenizer_of(net)
    prompt = prompt_of(net, text, count)
    ids, steps = prompt, []
    ended = False
    while len(steps) < count and not ended:
        chances = _next(net, ids).softmax(0)
        best = int(chances.argmax())
        ended = best == getattr(tokenizer, "eos_token_id", None)
        if not ended:
            steps.append(_step(tokenizer, chances, best))
            ids = torch.cat([ids, ids.new_tensor([best])])
    if not steps:
        raise Problem("not_explained", f"{net.name} ends this text at once.")
    pieces = written(tokenizer, ids.tolist())
    named = [
        step.model_copy(update={"text": piece})
        for step, piece in zip(steps, pieces[len(prompt) :], strict=True)
    ]
    return ContinueAnswer(
        model=net.name,
        prompt=pieces[: len(prompt)],
        generated=named,
        ended=ended,
        seconds=time.perf_counter() - began,
    )


def explain_tokens(net: Model, asked: AskContinuation) -> ContinuationAnswer:
    """The relevance of all tokens before it for each generated token."""
    began = time.perf_counter()
    made = ask(net, asked.method, asked.composite, None, None)
    if needs_patterns(made.kind):
        raise Problem("not_explained", f"{made.kind.name} learns from pictures first.")
    prompt, ids = _both(net, asked)
    try:
        found = explain_continuation(
            net.module, prompt, torch.tensor(ids), tokenizer=tokenizer_of(net), of=asked.of,
            method=made.kind, **made.options,
        )  # fmt: skip
    except WhenceError as error:
        text = " ".join(str(error).split())[:500]
        raise Problem("not_explained", f"{made.kind.name} for {net.name}: {text}") from error
    R = torch.cat([found.matrix, found.onto_generated], 1)
    if not bool(R.isfinite().all()):
        raise Problem("not_explained", "The relevance is not finite for this text.")
    ledgers = found.ledger if isinstance(found.ledger, list) else [found.ledger] * len(ids)
    books = [book_of(each) for each in ledgers]
    return ContinuationAnswer(
        model=net.name,
        **made.facts,
        of=asked.of,
        tokens=written(tokenizer_of(net), [*prompt.tolist(), *ids]),
        prompt=len(prompt),
        ids=ids,
        relevance=Numbers.of(R.float().cpu().numpy()),
        scores=found.score[:, 0].tolist(),
        verdicts=[book["verdict"] for book in books],
        conserves=[book["conserves"] for book in books],
        ledgers=[book["ledger"] for book in books],
        notes=list(found.notes),
        seconds=time.perf_counter() - began,
    )


def tokenizer_of(net: Model) -> Any:
    """The tokenizer of a language model."""
    assert isinstance(net.preprocess, TextInput)
    return net.preprocess.tokenizer


def prompt_of(net: Model, text: str, more: int) -> Tensor:
    """The ids of a text, (tokens,), that has room for so many more."""
    try:
        ids = net.preprocess(text)["input_ids"][0]
    except WhenceError as error:
        raise Problem("empty_text", f"There is no word in {text[:40]!r}.") from error
    if not len(ids):
        raise Problem("empty_text", f"There is no token in {text[:40]!r}.")
    config = getattr(net.module, "config", None)
    room = min(_MOST, getattr(config, "max_position_embeddings", None) or _MOST)
    if len(ids) + more > room:
        raise Problem(
            "text_too_long",
            f"The text has {len(ids)} tokens; with {more} more it may have {room}.",
        )
    return ids


def written(tokenizer: Any, ids: Sequence[int]) -> list[str]:
    """Tokens as they stand in a text, each with the space before it.

    Where tokenizers mark the starts of words ("Ġ", "▁") or their continuations ("##"), the marks
    decide where a space is.
    """
    tokens = [str(each) for each in tokenizer.convert_ids_to_tokens(list(ids))]
    as_bytes = any(each.startswith(("Ġ", "Ċ")) for each in tokens)
    marked = as_bytes or any(each.startswith("▁") for each in tokens)
    pieces = []
    for number, token in enumerate(tokens):
        apart = token.startswith(("Ġ", "▁")) if marked else not token.startswith("##")
        word = spelled([token.removeprefix("##")], as_bytes)
        pieces.append(" " * (apart and number > 0) + word)
    return pieces


def _both(net: Model, asked: AskContinuation) -> tuple[Tensor, list[int]]:
    """The ids of the prompt and of how it goes on."""
    if asked.continuation is None:
        steps = continue_text(net, asked.text, asked.tokens).generated
        ids = [step.id for step in steps]
    else:
        ids = asked.continuation
        known = len(tokenizer_of(net))
        if not 1 <= len(ids) <= 64 or max(ids) >= known:
            raise Problem("bad_field", f"continuation: 1 to 64 ids below {known} are needed.")
    return prompt_of(net, asked.text, len(ids)), ids


def _next(net: Model, ids: Tensor) -> Tensor:
    """The logits of what follows, (vocabulary,)."""
    with torch.no_grad():
        made = net.module(input_ids=ids[None], attention_mask=torch.ones_like(ids)[None])
    logits = getattr(made, "logits", made)[0, -1].double()
    if not bool(logits.isfinite().all()):
        raise Problem("not_explained", "The model's scores for this text are not finite.")
    return logits


def _step(tokenizer: Any, chances: Tensor, best: int) -> Step:
    shares, ids = chances.topk(min(_LIKELIEST, len(chances)))
    texts = [written(tokenizer, [each])[0] for each in ids.tolist()]
    others = [
        Token(id=each, text=text, probability=share)
        for each, text, share in zip(ids.tolist(), texts, shares.tolist(), strict=True)
    ]
    return Step(id=best, text="", probability=float(chances[best]), likeliest=others)
