"""How good prototypes are, in numbers."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from prototypes_of_digits.data import Digits
from prototypes_of_digits.variants import Tools

NEIGHBOURS, TIMES = 5, 2000
SCORES = {
    "log-probability": "log-probability",
    "distance": "distance, own class",
    "any class": "distance, any class",
    "contrast": "distance, contrast aside",
    "log-density": "expert log-density",
    "sharpness": "sharpness",
}


@dataclass(frozen=True)
class Middle:
    """A median with its 95 % interval."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.3g} [{self.low:.3g}, {self.high:.3g}]"


def scores(digits: Digits, tools: Tools, inputs: Tensor, classes: Tensor) -> dict[str, Tensor]:
    """All scores of some inputs, each (inputs,).

    The log-density counts from the median of the held-out digits, in nats: its level is unknown.
    """
    others, labels = digits.held_out, digits.held_out_labels
    pixels, real = digits.unit(inputs), digits.unit(others)
    with torch.no_grad():
        output = digits.net.module(inputs).log_softmax(1)
        level = tools.machine.log_prob(others).median()
        density = tools.machine.log_prob(inputs) - level
    return {
        "log-probability": output.gather(1, classes[:, None])[:, 0],
        "distance": nearest(pixels, real, classes[:, None] == labels),
        "any class": nearest(pixels, real),
        "contrast": nearest(normalised(pixels), normalised(real), classes[:, None] == labels),
        "log-density": density,
        "sharpness": sharpness(pixels),
    }


def nearest(pixels: Tensor, others: Tensor, allowed: Tensor | None = None) -> Tensor:
    """The mean Euclidean distance to the five nearest of `others`, (pictures,).

    `allowed` (pictures, others): which of them count, all by default.
    """
    apart = torch.cdist(pixels.flatten(1), others.flatten(1))
    if allowed is not None:
        apart = apart.masked_fill(~allowed, float("inf"))
    return apart.topk(NEIGHBOURS, largest=False).values.mean(1)


def real_scores(digits: Digits) -> dict[str, float]:
    """Medians of held-out digits among themselves."""
    pixels, labels = digits.unit(digits.held_out), digits.held_out_labels
    others = ~torch.eye(len(labels), dtype=torch.bool)
    same = (labels[:, None] == labels) & others
    even = normalised(pixels)
    found = {
        "distance": nearest(pixels, pixels, same),
        "any class": nearest(pixels, pixels, others),
        "contrast": nearest(even, even, same),
        "log-density": pixels.new_zeros(1),
        "sharpness": sharpness(pixels),
    }
    return {name: float(values.median()) for name, values in found.items()}


def normalised(pixels: Tensor) -> Tensor:
    """Pictures of length 1: faint and bright ones of the same shape are the same."""
    length = pixels.flatten(1).norm(dim=1).clamp(min=1e-6)
    return pixels / length[:, None, None, None]


def sharpness(pixels: Tensor) -> Tensor:
    """How steep edges are for the contrast that there is: the root mean square difference of
    neighbouring pixels over the standard deviation of the picture. Noise counts as sharp too."""
    across, down = pixels.diff(dim=3).flatten(1), pixels.diff(dim=2).flatten(1)
    steep = torch.cat([across, down], 1).square().mean(1).sqrt()
    return steep / pixels.flatten(1).std(1, correction=0).clamp(min=1e-6)


def judge_on_validation(digits: Digits, tools: Tools) -> Callable[[Tensor], tuple[float, float]]:
    """Median probability of the class and median distance to validation digits of the class."""
    allowed = torch.arange(10)[:, None] == tools.part.validation_labels

    def judge(found: Tensor) -> tuple[float, float]:
        with torch.no_grad():
            probability = digits.net.module(found).softmax(1).diagonal()
        apart = nearest(digits.unit(found), digits.unit(tools.part.validation), allowed)
        return float(probability.median()), float(apart.median())

    return judge


def middle(values: Tensor) -> Middle:
    """The median over (seeds, classes); for the interval both are drawn anew."""
    seeds, classes = values.shape
    generator = torch.Generator().manual_seed(0)
    rows = torch.randint(seeds, (TIMES, seeds, 1), generator=generator)
    columns = torch.randint(classes, (TIMES, 1, classes), generator=generator)
    drawn = values.double()[rows, columns].flatten(1)
    low, high = _medians(drawn).quantile(torch.tensor([0.025, 0.975]).double()).tolist()
    return Middle(float(_medians(values.double().view(1, -1))), low, high)


def _medians(rows: Tensor) -> Tensor:
    """Of each row; between the two in the middle where their number is even."""
    return rows.quantile(0.5, dim=1)
