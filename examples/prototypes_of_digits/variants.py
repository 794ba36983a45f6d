"""The four ways to a prototype that the tutorial compares, and a control."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

import whence
from prototypes_of_digits.data import Digits, Part
from whence import zoo
from whence.prototypes import L2, Density, GaussianBinaryRBM, Generator, PersistentDivergence

NOISE = 0.05  # standard deviation of what is added to a start, of the range of pixels
PIXEL_RATE, CODE_RATE = 0.05, 0.1  # of Adam; pixels in units of their range
PRINTED = {
    "from the mean": "simple, from the mean",
    "from class means": "simple, from class means",
    "expert": "density expert, from class means",
    "generator": "generator, from class means",
    "near class means": "simple, but near class means",
}
DRAWN = tuple(PRINTED)[:4]  # the tutorial's four; the last is a control
GRIDS = {
    "from the mean": (0.0001, 0.001, 0.01, 0.1),
    "from class means": (0.0001, 0.001, 0.01, 0.1),
    "expert": (0.01, 0.1, 1.0),
    "generator": (0.003, 0.03, 0.3),
    "near class means": (0.0001, 0.001, 0.01, 0.1),
}


@dataclass(frozen=True)
class Effort:
    """How things are trained and climbed; both sigmas in units of the pixels' range."""

    machine: PersistentDivergence
    hidden: int
    machine_sigma: float
    epochs: int  # of the autoencoder
    autoencoder_sigma: float
    steps: int = 100  # of an ascent


@dataclass(frozen=True, eq=False)
class Tools:
    """What a seed has learned from its part of the digits."""

    part: Part
    machine: GaussianBinaryRBM
    autoencoder: zoo.VAE
    steps: int


def learn(digits: Digits, seed: int, part: Part, effort: Effort) -> Tools:
    """Train the expert and the generator."""
    span = digits.box[1] - digits.box[0]
    machine = GaussianBinaryRBM.fit(
        part.inputs,
        effort.hidden,
        sigma=effort.machine_sigma * span,
        training=effort.machine,
        seed=seed,
    )
    autoencoder = zoo.train_vae(
        part.inputs, sigma=effort.autoencoder_sigma * span, epochs=effort.epochs, seed=seed
    )
    return Tools(part, machine, autoencoder.requires_grad_(False), effort.steps)


def prototypes(digits: Digits, tools: Tools, variant: str, weight: float) -> Tensor:
    """One prototype of each class, (10, 1, 32, 32).

    Objective: the log-probability of the class. `weight` is lambda of -lambda |x|^2 (x from 0,
    black, to 1; |x - class mean|^2 for the control), of the expert's log-density, or lambda of
    -lambda |code|^2.
    """
    low, high = digits.box
    part, means = tools.part, tools.part.class_means()
    start = part.means() if variant == "from the mean" else means
    noise = torch.randn(start.shape, generator=torch.Generator().manual_seed(part.seed))
    start = (start + NOISE * (high - low) * noise).clamp(low, high)
    options = {"start": start, "steps": tools.steps, "box": digits.box, "schedule": "cosine"}
    if variant == "expert":
        options |= {"prior": Density(tools.machine, weight), "rate": PIXEL_RATE * (high - low)}
    elif variant == "generator":
        options |= {"parametrisation": codes(tools, weight), "rate": CODE_RATE}
    else:
        around = means if variant == "near class means" else low
        penalty = L2(weight / (high - low) ** 2, around=around)
        options |= {"prior": penalty, "rate": PIXEL_RATE * (high - low)}
    return whence.maximize(digits.net.module, range(10), **options).inputs


def codes(tools: Tools, weight: float) -> Generator:
    """The code space of the autoencoder, -weight |code|^2."""
    net = tools.autoencoder
    return Generator(net.decoder, (net.code,), prior=L2(weight), encoder=net.encoder)


def chosen(
    digits: Digits, tools: Tools, judge: Callable[[Tensor], tuple[float, float]]
) -> dict[str, float]:
    """The weight of each variant: the one whose prototypes lie nearest to validation digits among
    those that the net takes for their class, its probability 0.9 or more in the median.

    `judge` gives the median probability and distance of ten prototypes.
    """
    found = {}
    for variant, grid in GRIDS.items():
        rows = [(*judge(prototypes(digits, tools, variant, each)), each) for each in grid]
        sure = [row for row in rows if row[0] >= 0.9] or [max(rows)]
        found[variant] = min(sure, key=lambda row: row[1])[2]
    return found
