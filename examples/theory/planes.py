"""Random nets of two inputs, and relevance as a function of both."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from theory.jumps import find_jumps
from whence.composites import Composite, EpsilonEverywhere, where
from whence.explainers import LRP, Explainer, Sensitivity, Taylor
from whence.rules import ZPlus

WIDTHS = (2, 20, 20, 20, 1)
POINTS, REACH = 160, 1.0
AROUND = 4000  # steps of the circle on which jumps are looked for
NONE = 1e-12  # of the largest score: what is smaller counts as zero


def random_net(seed: int, biases: float = 0.0) -> nn.Sequential:
    """2-20-20-20-1 with ReLU after every layer, the last too, in float64; He weights.

    biases: their standard deviation; 0 leaves them out, and then f(t x) = t f(x) for t > 0.
    """
    generator = torch.Generator().manual_seed(seed)
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(WIDTHS):
        layer = nn.Linear(inputs, outputs, bias=biases > 0, dtype=torch.float64)
        weight = torch.randn(outputs, inputs, generator=generator, dtype=torch.float64)
        layer.weight.data = weight * math.sqrt(2 / inputs)
        if biases > 0:
            bias = torch.randn(outputs, generator=generator, dtype=torch.float64)
            layer.bias.data = biases * bias
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers).requires_grad_(False)


def active_nets(count: int, biases: float = 0.0) -> dict[int, nn.Sequential]:
    """The first so many seeds whose nets answer above zero on at least half of the plane."""
    found: dict[int, nn.Sequential] = {}
    seed = 0
    while len(found) < count:
        net = random_net(seed, biases)
        if (net(plane()) > 0).double().mean() >= 0.5:
            found[seed] = net
        seed += 1
    return found


def plane(points: int = POINTS, reach: float = REACH) -> Tensor:
    """A square grid of inputs around the origin, (points^2, 2), x_1 fastest, x_2 growing."""
    line = torch.linspace(-reach, reach, points, dtype=torch.float64)
    second, first = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([first.flatten(), second.flatten()], 1)


def circle(places: Tensor) -> Tensor:
    """Inputs on the unit circle at places in 0..1, (points, 2)."""
    angles = 2 * math.pi * places
    return torch.stack([angles.cos(), angles.sin()], 1)


def explainers(net: nn.Module) -> dict[str, Explainer]:
    """The methods of the tutorial's picture.

    Simple Taylor has its root at the limit eps x. In a net without biases the slope there is that
    at x, so it equals gradient times input.
    """
    everywhere = Composite([(where.nature("linear"), ZPlus())])
    return {
        "sensitivity": Sensitivity(net),
        "simple Taylor": Taylor(net),
        "LRP, epsilon": LRP(net, EpsilonEverywhere()),
        "LRP, z+": LRP(net, everywhere),
    }


@dataclass(frozen=True)
class Measured:
    """What one method does on the plane, and on the unit circle around the origin.

    gap: the largest |R_1 + R_2 - f|, as a share of the largest f. negative: the share of scores
    below zero where f > 0. jumps: how many on the circle. at_switches: the share of these at which
    a neuron of the net switches.
    """

    gap: float
    negative: float
    jumps: int
    at_switches: float


def measure(net: nn.Sequential, explainer: Explainer) -> Measured:
    """All numbers of one method for one net."""
    x = plane()
    f, R = net(x)[:, 0], relevance(explainer)(x)
    most = f.max()
    scores = R[f > 0]
    found = find_jumps(lambda places: relevance(explainer)(circle(places)), AROUND)
    before, after = switched(net, circle(found)), switched(net, circle(found + 1 / AROUND))
    at = (before != after).any(1).double().mean() if len(found) else torch.tensor(math.nan)
    return Measured(
        gap=float((R.sum(1) - f).abs().max() / most),
        negative=float((scores < -NONE * most).double().mean()),
        jumps=len(found),
        at_switches=float(at),
    )


def relevance(explainer: Explainer) -> Callable[[Tensor], Tensor]:
    """Inputs (points, 2) to relevance of the only output, (points, 2)."""
    return lambda x: explainer.explain(x, 0).relevance.detach()


def switched(net: nn.Sequential, x: Tensor) -> Tensor:
    """Which neurons are on, (points, neurons)."""
    states = []
    for layer in net:
        x = layer(x)
        if isinstance(layer, nn.ReLU):
            states.append(x > 0)
    return torch.cat(states, 1)


def count_switches(net: nn.Sequential) -> int:
    """In how many steps of the circle a neuron switches."""
    states = switched(net, circle(torch.arange(AROUND + 1, dtype=torch.float64) / AROUND))
    return int((states[1:] != states[:-1]).any(1).sum())
