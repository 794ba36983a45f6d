"""The main job: real handwritten digits, explained by many methods, booked and measured."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from whence import targets, viz, zoo
from whence.engine import Ledger
from whence.errors import InvalidInput
from whence.explainers import explain
from whence.metrics import Batch, Case, Constant, PixelFlipping, Scores, SignFlip
from whence.runs._demo_pages import METHODS, class_page, contrast_page, flipping_page, method_page
from whence.zoo import Dataset, ImageInput, Model

_PAIR = (3, 9)


@dataclass(frozen=True, eq=False)
class Demo:
    """What `demo` made and measured.

    pictures: the files. accuracy: of the net on all held-out digits. ledger: relevance of one
    doubtful digit, operation by operation; with_biases: the same digit in a net that has biases.
    flipped: pixel flipping by replacement ("erased", "inverted"), then method; the values are the
    areas over the curve.
    """

    pictures: tuple[Path, ...]
    accuracy: float
    doubtful: tuple[str, ...]
    ledger: Ledger
    with_biases: Ledger
    flipped: Mapping[str, Mapping[str, Scores]]


def demo(
    out: str | Path, *, digits: int = 300, say: Callable[[str], None] = lambda line: None
) -> Demo:
    """Explain handwritten digits with the CNN that ships, for and against two classes.

    out: folder for the pictures. digits: how many held-out digits pixel flipping uses. say: is told
    what happens next.
    """
    if digits < 2:
        raise InvalidInput(f"Pixel flipping needs at least 2 digits, got {digits}.")
    out = Path(out)
    net, held_out = zoo.model("digits-cnn"), zoo.dataset("digits", split="test")
    with torch.no_grad():
        scores = net.module(_seen(net, held_out.images))
    found = doubtful(scores, held_out.labels)

    say(f"Explaining digits that are nearly a {_PAIR[0]} and nearly a {_PAIR[1]} ...")
    images, labels = held_out.batch(found)
    pages: dict[str, viz.Drawing | Figure] = {"three-or-nine": contrast_page(net, images, labels)}
    say(f"Explaining two of them, and one digit of each class, by {len(METHODS)} methods ...")
    pages["methods"] = method_page(net, images[[0, 3]])
    pages["classes"] = class_page(net, _typical(scores, held_out))
    say(f"Flipping the pixels of {digits} held-out digits ...")
    flipped = _flip_digits(net, held_out.images[:digits])
    pages["flipping"] = flipping_page(flipped)

    kind = zoo.model("digits-mlp")
    return Demo(
        pictures=tuple(viz.save(page, out / f"{name}.png") for name, page in pages.items()),
        accuracy=float((scores.argmax(1) == held_out.labels).float().mean()),
        doubtful=tuple(held_out[index].name for index in found),
        ledger=_ledger(net, images[:1]),
        with_biases=_ledger(kind, images[:1]),
        flipped=flipped,
    )


def doubtful(scores: Tensor, labels: Tensor, each: int = 3) -> list[int]:
    """The digits of either class of the pair that come closest to the other one; first the 3s."""
    found: list[int] = []
    for own, other in (_PAIR, _PAIR[::-1]):
        members = (labels == own).nonzero().flatten()
        lead = scores[members, own] - scores[members, other]
        found += members[lead.argsort()[:each]].tolist()
    return found


def readme_picture() -> viz.Drawing:
    """The picture of the README: what speaks for 3, and what for 9?"""
    net, held_out = zoo.model("digits-cnn"), zoo.dataset("digits", split="test")
    with torch.no_grad():
        found = doubtful(net.module(_seen(net, held_out.images)), held_out.labels)
    return contrast_page(net, *held_out.batch(found))


def _typical(scores: Tensor, held_out: Dataset) -> Tensor:
    """The picture of each class that leads the other classes most."""
    leads = scores.topk(2).values.diff().neg().flatten()
    right = scores.argmax(1) == held_out.labels
    chosen = [
        int(torch.where((held_out.labels == digit) & right, leads, -1.0).argmax())
        for digit in range(10)
    ]
    return held_out.batch(chosen)[0]


def _ledger(net: Model, images: Tensor) -> Ledger:
    target = targets.Logit(_PAIR[0])
    ledger = explain(net.module, _seen(net, images), target, ledger="full").ledger
    return ledger.check()


def _flip_digits(net: Model, pictures: Tensor) -> dict[str, dict[str, Scores]]:
    """Flipping in the pixels of the pictures, not in those of the enlarged ones the net sees."""
    seen = _seen(net, pictures)

    def in_pixels(method: str, **options: Any) -> Tensor:
        relevance = explain(net.module, seen, None, method, **options).relevance
        return _input_of(net).to_picture(relevance, *pictures.shape[2:])[:, 0]

    maps = {
        "LRP": in_pixels("lrp"),
        "LRP, epsilon": in_pixels("lrp", composite="epsilon"),
        # The chain rule first, then the square: sensitivity to the pixels of the picture itself.
        "sensitivity": in_pixels("gradient").square(),
    }
    batch = Batch(lambda changed: net.module(_seen(net, changed)), pictures)
    cases = {name: Case(batch, relevance) for name, relevance in maps.items()}
    blank = Case(batch, torch.zeros_like(pictures))
    found: dict[str, dict[str, Scores]] = {}
    # Erased pixels become black; inverted ones are mirrored in the range of the pictures.
    for name, replacement in (("erased", Constant(0.0)), ("inverted", SignFlip(0.0, 1.0))):
        flipping = PixelFlipping(step=4, replacement=replacement)
        found[name] = {label: flipping.measure(case) for label, case in cases.items()}
        found[name]["random order"] = replace(flipping, order="random").measure(blank)
    return found


def _seen(net: Model, pictures: Tensor) -> Tensor:
    return net.preprocess(pictures)


def _input_of(net: Model) -> ImageInput:
    assert isinstance(net.preprocess, ImageInput)
    return net.preprocess
