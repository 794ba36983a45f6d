"""Explanations as the API answers them: of a picture, and of texts."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from whence._explanation import Explanation
from whence._text_explanation import TextExplanation
from whence.errors import NotAvailable, WhenceError
from whence.explainers import explain
from whence.serve._problem import Problem
from whence.serve._question import Asked, book_of, class_scores, scores_of, target_of
from whence.serve._schemas import Answer, Numbers, TextAnswer, TextItem
from whence.serve._text_reading import read
from whence.zoo import ImageInput, Model


def explain_picture(
    net: Model, picture: Image.Image | Tensor, asked: Asked, *, depth: str | None = None
) -> Answer:
    """The explanation of one picture: Pillow's, or floats in 0..1, (channels, height, width)."""
    return explain_input(net, _prepared(net, picture), asked, depth=depth)


def explain_input(net: Model, inputs: Tensor, asked: Asked, *, depth: str | None = None) -> Answer:
    """The explanation of one input, (1, channels, height, width), as the model takes it."""
    began = time.perf_counter()
    taps = {} if depth is None else {"taps": [depth]}
    found = _explained(net, inputs, asked, taps)
    scores = scores_of(found.output)
    classes = class_scores(net, scores, asked)
    target, against = target_of(net, scores, asked)
    shown = _map_of(found, depth)
    return Answer(
        model=net.name,
        **asked.facts,
        depth=depth,
        target=target,
        against=against,
        score=float(found.score[0]),
        classes=classes,
        relevance=Numbers.of(shown),
        positive=float(shown[shown > 0].sum()),
        negative=float(shown[shown < 0].sum()),
        picture=Numbers.of(frame_of(net, inputs)),
        **book_of(found.ledger),
        notes=list(found.notes),
        seconds=time.perf_counter() - began,
    )


def explain_texts(
    net: Model, texts: Sequence[str], asked: Asked, without: Sequence[int] = ()
) -> TextAnswer:
    """The explanations of texts, one after the other, each without the words of these numbers."""
    began = time.perf_counter()
    items = [_text_item(net, text, asked, without) for text in texts]
    seconds = time.perf_counter() - began
    return TextAnswer(model=net.name, **asked.facts, texts=items, seconds=seconds)


def _text_item(net: Model, text: str, asked: Asked, without: Sequence[int]) -> TextItem:
    reading = read(net, text, without)
    found = _explained(net, reading.inputs, asked, {})
    if not isinstance(found, TextExplanation):
        raise Problem("not_explained", f"{net.name} does not tell its words.")
    scores = scores_of(found.output)
    target, against = target_of(net, scores, asked)
    R, apart = found.word_relevance[0].double(), found.special_relevance[0].double()
    _check_finite(R)
    values = iter(R.tolist())
    deleted = set(reading.deleted)
    return TextItem(
        text=text,
        target=target,
        against=against,
        score=float(found.score[0]),
        classes=class_scores(net, scores, asked),
        words=reading.words,
        relevance=[None if k in deleted else next(values) for k in range(len(reading.words))],
        deleted=reading.deleted,
        unknown=reading.unknown,
        specials=found.specials[0],
        special_relevance=apart.tolist(),
        positive=float(R.clamp(min=0).sum()),
        negative=float(R.clamp(max=0).sum()),
        **book_of(found.ledger),
        notes=[*reading.notes, *found.notes],
    )


def _prepared(net: Model, picture: Image.Image | Tensor) -> Tensor:
    given = picture[None] if isinstance(picture, Tensor) else picture
    try:
        return net.preprocess(given)
    except WhenceError as error:
        raise Problem("bad_picture", " ".join(str(error).split())[:300]) from error


def _explained(net: Model, inputs: Any, asked: Asked, options: dict[str, Any]) -> Explanation:
    try:
        return explain(net.module, inputs, asked.aim, asked.kind, **asked.options, **options)
    except NotAvailable as error:  # its text names folders of this machine
        raise Problem("not_available", f"{asked.kind.name} needs what is not here.") from error
    except WhenceError as error:
        text = " ".join(str(error).split())[:500]
        raise Problem("not_explained", f"{asked.kind.name} for {net.name}: {text}") from error


def _map_of(found: Explanation, depth: str | None) -> np.ndarray:
    """Relevance summed over channels, (height, width), in float32."""
    R = found.relevance if depth is None else found.at(depth)
    if not isinstance(R, Tensor) or R.dim() != 4:
        raise Problem("not_explained", f"The map at {depth or 'the input'} is no picture.")
    _check_finite(R)
    return R[0].double().sum(0).float().cpu().numpy()


def _check_finite(R: Tensor) -> None:
    if not bool(R.isfinite().all()):
        raise Problem("not_explained", "The relevance is not finite for this input.")


def frame_of(net: Model, inputs: Tensor) -> np.ndarray:
    """What the model sees in 0..1: (height, width), or (height, width, 3)."""
    assert net.low is not None
    assert net.high is not None
    if isinstance(net.preprocess, ImageInput):
        shown = net.preprocess.pixels(inputs)
    else:
        shown = ((inputs - net.low) / (net.high - net.low)).clamp(0, 1)
    pixels = shown[0].detach().permute(1, 2, 0).to(torch.float32).cpu().numpy()
    return pixels[:, :, 0] if pixels.shape[2] == 1 else pixels
