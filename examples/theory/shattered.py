"""The gradient along a line through deep random nets of ReLUs, and what theory says about it.

    h_0 = W_0 (x, 1),   h_l = W_l relu(h_(l-1))                               plain
                        h_l = (h_(l-1) + W_l relu(h_(l-1))) / sqrt(2)         with skips
    f = V relu(h_(L-1)) / sqrt(width)                                          K scores

W_0 has standard normal entries, W_l has variance 2 / width, V is standard normal: the size of h is
the same at every depth. No biases, but for the one that the constant 1 makes. L is the depth: the
number of layers of ReLUs.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

WIDTH, SCORES = 200, 64
POINTS, REACH = 256, 2.0  # places on [-2, 2]


class LineNet(nn.Module):
    """A random net of one number, (points,) to (points, scores), in float64."""

    def __init__(self, depth: int, skips: bool, seed: int, width: int = WIDTH) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator, dtype=torch.float64)

        self.skips = skips
        self.first = normal(width, 2)
        self.deeper = [normal(width, width) * math.sqrt(2 / width) for _ in range(depth - 1)]
        self.last = normal(SCORES, width) / math.sqrt(width)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.stack([x, torch.ones_like(x)], 1) @ self.first.T
        for weight in self.deeper:
            h = self.after(h, h.relu(), weight)
        return h.relu() @ self.last.T

    def after(self, h: Tensor, passed: Tensor, weight: Tensor) -> Tensor:
        """One more layer: of h and relu(h), or of their slopes."""
        inner = passed @ weight.T
        return (h + inner) / math.sqrt(2) if self.skips else inner


def line(points: int = POINTS) -> Tensor:
    """Evenly spaced places on [-2, 2]."""
    return torch.linspace(-REACH, REACH, points, dtype=torch.float64)


def slopes(net: LineNet, x: Tensor) -> Tensor:
    """df_k/dx at each place, (points, scores); a neuron at zero counts as off."""
    h = torch.stack([x, torch.ones_like(x)], 1) @ net.first.T
    slope = net.first[:, 0].expand_as(h)
    for weight in net.deeper:
        slope = net.after(slope, slope * (h > 0), weight)
        h = net.after(h, h.relu(), weight)
    return (slope * (h > 0)) @ net.last.T


def autocorrelation(g: Tensor) -> Tensor:
    """The autocorrelation of each column over the places, by lag, averaged: (points,).

        ACF(t) = sum_s (g_s - m)(g_(s+t) - m) / sum_s (g_s - m)^2,   m the mean of g

    Columns that are constant have none, and are left out.
    """
    g = g - g.mean(0)
    whole = g.square().sum(0)
    g = g[:, whole > 0]
    points = len(g)
    power = torch.fft.rfft(g, 2 * points, dim=0).abs().square()
    return (torch.fft.irfft(power, dim=0)[:points] / whole[whole > 0]).mean(1)


def cosine(g: Tensor, apart: int = 1) -> float:
    """The mean cosine between the slopes of all scores at places so many steps apart."""
    return float(torch.cosine_similarity(g[apart:], g[:-apart], dim=1).mean())


def kinks(net: LineNet) -> int:
    """How many pieces less one the scores have on [-2, 2], exactly.

    Between two places where nothing switches everything is straight. So a layer's switches are
    where straight lines cross zero; they are added to the places before the next layer.
    """
    x = torch.tensor([-REACH, REACH], dtype=torch.float64)
    h = torch.stack([x, torch.ones_like(x)], 1) @ net.first.T
    for weight in [*net.deeper, None]:
        h = with_crossings(h)
        if weight is not None:
            h = net.after(h, h.relu(), weight)
    return len(h) - 2


def with_crossings(h: Tensor) -> Tensor:
    """Rows on a polygon, (places, neurons), with a row more wherever a neuron crosses zero."""
    left, right = h[:-1], h[1:]
    segment, neuron = (left * right < 0).nonzero(as_tuple=True)
    a, b = left[segment, neuron], right[segment, neuron]
    share = a / (a - b)
    made = torch.lerp(left[segment], right[segment], share[:, None])
    made[torch.arange(len(made)), neuron] = 0.0  # exactly, or it would cross again
    order = torch.cat([torch.arange(len(h)).double(), segment + share]).argsort(stable=True)
    return torch.cat([h, made])[order]


@dataclass(frozen=True)
class Theory:
    """What the limit of infinite width says. cosine: between slopes at x and x'. kinks: the
    expected number of switches on [-2, 2]."""

    cosine: Tensor
    kinks: float


def theory(depth: int, skips: bool, x: Tensor, other: Tensor, width: int = WIDTH) -> Theory:
    """The expected cosine of the slopes at pairs of places that differ, (pairs,).

        K_0 = 1 + x x',   c = K / (r r'),   r^2 = 1 + x^2
        k(c) = (sqrt(1 - c^2) + c (pi - arccos c)) / pi      the arc-cosine kernel [cho2009]
        K_(l+1) = r r' k(c),   with skips (K + r r' k(c)) / 2
        E[df/dx df'/dx'] = d^2 K_L / dx dx'

    The mean square of a slope is 1 at every depth, so this is the cosine. k leaves small angles as
    they are, so every layer switches as often as the first: 2/pi arctan(2) times a neuron.
    """
    x, other = x.clone().requires_grad_(), other.clone().requires_grad_()
    r = ((1 + x**2) * (1 + other**2)).sqrt()
    c = (1 + x * other) / r
    for number in range(depth):
        angle = c.arccos()
        k = (angle.sin() + c * (math.pi - angle)) / math.pi
        c = (c + k) / 2 if skips and number < depth - 1 else k
    (slope,) = torch.autograd.grad((r * c).sum(), x, create_graph=True)
    (mixed,) = torch.autograd.grad(slope.sum(), other)
    return Theory(mixed, width * depth * 2 / math.pi * math.atan(REACH))
