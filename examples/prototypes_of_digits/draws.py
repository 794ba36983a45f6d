"""Many prototypes of a class: expert, generator and noise together."""

import math

import torch
from torch import Tensor

from prototypes_of_digits.data import Digits
from prototypes_of_digits.scores import nearest
from prototypes_of_digits.variants import Tools
from whence.prototypes import Generator, Mixture, plug_and_play

COUNT, EPSILON = 6, 0.01
BANDWIDTHS = (0.2, 0.3, 0.5, 0.7, 1.0)


def draws(digits: Digits, tools: Tools, steps: int) -> Tensor:
    """Six draws of each class, (60, 1, 32, 32), all from the code of the class mean.

    Langevin steps in code space; the expert is a kernel density on the codes of training digits,
    its width the likeliest for validation digits.
    """
    net, part = tools.autoencoder, tools.part
    with torch.no_grad():
        codes, validation = net.encoder(part.inputs), net.encoder(part.validation)
        experts = [Mixture.kernels(codes, width) for width in BANDWIDTHS]
        expert = max(experts, key=lambda each: float(each.log_prob(validation).mean()))
    found = plug_and_play(
        digits.net.module,
        range(10),
        expert,
        epsilons=(EPSILON, EPSILON, math.sqrt(2 * EPSILON)),
        generator=Generator(net.decoder, (net.code,), encoder=net.encoder),
        start=part.class_means(),
        steps=steps,
        count=COUNT,
        seed=part.seed,
    )
    return found.inputs


def judge(digits: Digits, found: Tensor) -> dict[str, float]:
    """How near draws are to held-out digits of their class, and how far from each other, beside as
    many held-out digits: medians over classes."""
    classes = torch.arange(10).repeat_interleave(COUNT)
    pixels, real = digits.unit(found), digits.unit(digits.held_out)
    apart = nearest(pixels, real, classes[:, None] == digits.held_out_labels)
    with torch.no_grad():
        right = digits.net.module(found).argmax(1) == classes
    same = torch.cat([real[digits.held_out_labels == k][:COUNT] for k in range(10)])
    return {
        "distance": float(apart.median()),
        "recognised": float(right.double().mean()),
        "between draws": between(pixels),
        "between held-out digits": between(same),
    }


def between(pixels: Tensor) -> float:
    """The mean distance between the pictures of a class, its median over classes."""
    rows = pixels.flatten(1).view(10, COUNT, -1)
    apart = torch.cdist(rows, rows).sum((1, 2)) / (COUNT * (COUNT - 1))
    return float(apart.median())
