"""The pages of the main job: maps of digits in rows and columns."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from whence import viz
from whence.explainers import explain
from whence.metrics import Scores
from whence.targets import Contrast, Each, Logit
from whence.zoo import Model


class Asked(NamedTuple):
    """A method as the pages name it, and how to ask for it."""

    label: str
    method: str
    options: dict[str, Any]


METHODS = (
    Asked("LRP", "lrp", {}),  # the default: z+ in convolutions, flat in the first
    Asked("LRP, z+", "lrp", {"composite": "epsilon-plus"}),
    Asked("LRP, epsilon", "lrp", {"composite": "epsilon"}),
    Asked("deep Taylor", "deep-taylor", {"low": 0.0, "high": 1.0}),
    Asked("integrated gradients", "integrated-gradients", {}),
    Asked("SmoothGrad", "smoothgrad", {}),
    Asked("sensitivity", "sensitivity", {}),
    Asked("guided backprop", "guided-backprop", {}),
    Asked("deconvnet", "deconvnet", {}),
    Asked("excitation backprop", "excitation-backprop", {}),
    Asked("Grad-CAM", "grad-cam", {}),
)
_SIZE = 32 * 5  # of a cell: a whole number of screen pixels for each of the net's
_STRONG = 0.99  # the quantile of |R| drawn in full colour, so that faint strokes show


def contrast_page(net: Model, images: Tensor, labels: Tensor) -> viz.Drawing:
    """What speaks for 3, what for 9, and what for 3 rather than 9; one column for each digit.

    The maps of a column share one scale, so that they can be compared.
    """
    seen = net.preprocess(images)
    asked = Each([Logit(3), Logit(9), Contrast(3, 9)])
    found = explain(net.module, seen, asked, composite="epsilon-plus")
    scales = found.relevance.abs().transpose(0, 1).flatten(1).quantile(_STRONG, dim=1)
    maps = [
        [
            viz.heatmap(relevance, picture, scale=float(scale), size=_SIZE)
            for relevance, picture, scale in zip(row, seen, scales, strict=True)
        ]
        for row in found.relevance
    ]
    read = found.output.argmax(1).tolist()
    notes = [[f"a {a}, read as {b}" for a, b in zip(labels.tolist(), read, strict=True)]]
    notes += [[_signed(score) for score in scores] for scores in found.score.tolist()]
    return viz.draw_grid(
        [[_ink(picture) for picture in seen], *maps],
        row_names=["the digit", "for 3", "for 9", "for 3, not 9"],
        captions=notes,
        title="What speaks for 3, and what for 9?",
        cell=_SIZE,
    )


def method_page(net: Model, images: Tensor) -> viz.Drawing:
    """Every method on two digits, for 3 and for 9; one column for each method."""
    seen = net.preprocess(images)
    by_method = [_maps(net, asked, seen, Each([3, 9])) for asked in METHODS]  # (2, digits, ...)
    rows = [
        [_ink(seen[digit]), *(_cell(maps[which][digit], seen[digit]) for maps in by_method)]
        for digit in range(len(images))
        for which in (0, 1)
    ]
    return viz.draw_grid(
        rows,
        row_names=["for 3", "for 9"] * len(images),
        column_names=["", *(asked.label for asked in METHODS)],
        title="The same question, asked by each method",
        cell=_SIZE * 3 // 5,
    )


def class_page(net: Model, images: Tensor) -> viz.Drawing:
    """Every method on one digit of each class, for its class; one row for each method."""
    seen = net.preprocess(images)
    rows: list[list[Image.Image]] = [[_ink(picture) for picture in seen]]
    for asked in METHODS:
        maps = _maps(net, asked, seen, list(range(len(images))))
        rows.append([_cell(each, picture) for each, picture in zip(maps, seen, strict=True)])
    return viz.draw_grid(
        rows,
        row_names=["the digit", *(asked.label for asked in METHODS)],
        column_names=[f"for {digit}" for digit in range(len(images))],
        title="What speaks for the right class",
        cell=_SIZE * 3 // 5,
    )


def flipping_page(flipped: Mapping[str, Mapping[str, Scores]]) -> Figure:
    """The curves of pixel flipping where pixels are erased."""
    curves = {
        f"{method}: {float(each.values.mean()):.2f}": each.curves["flipping"]
        for method, each in flipped["erased"].items()
    }
    return viz.curves(
        {label: each.y for label, each in curves.items()},
        next(iter(curves.values())).x * 100,
        "pixels erased, most relevant first (%)",
        "probability of the prediction",
        title="Pixel flipping: the steeper, the better",
    )


def _maps(net: Model, asked: Asked, seen: Tensor, target: Any) -> Tensor:
    return explain(net.module, seen, target, asked.method, **asked.options).relevance


def _cell(relevance: Tensor, picture: Tensor) -> Image.Image:
    return viz.heatmap(relevance, picture, size=_SIZE)


def _signed(score: float) -> str:
    return f"{score:+.1f}".replace("-", "\N{MINUS SIGN}")


def _ink(picture: Tensor) -> Image.Image:
    """A digit as the net sees it, black on white."""
    grey = np.rint(255 * (1 - picture[0].clamp(0, 1).numpy())).astype(np.uint8)
    return Image.fromarray(grey).resize((_SIZE, _SIZE), Image.Resampling.NEAREST)
