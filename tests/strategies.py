"""Hypothesis strategies: random networks built from the table of operations, and random rules."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from torch import Tensor, nn

from laws import rand
from whence.composites import Selector, where
from whence.rules import (
    AlphaBeta,
    Epsilon,
    Flat,
    Gamma,
    HalfEach,
    Proportional,
    Rule,
    SignalTakesAll,
    WSquare,
    ZBox,
    Zero,
    ZPlus,
)

CHANNELS, SIZE = 4, 5
BOX = 4.0  # inputs lie within -BOX and BOX


class RandomNet(nn.Module):
    """A network that runs its steps one after the other on (batch, 4, 5, 5), then a linear head.

    Every step keeps the shape. He weights, and batch norms with random statistics.
    """

    def __init__(self, steps: list[str], seed: int) -> None:
        super().__init__()
        self.steps = steps
        width = CHANNELS
        self.convs = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in steps)
        self.grouped = nn.ModuleList(nn.Conv2d(width, width, 3, groups=2) for _ in steps)
        self.denses = nn.ModuleList(nn.Linear(SIZE, SIZE) for _ in steps)
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for _ in steps)
        self.layers = nn.ModuleList(nn.LayerNorm([SIZE, SIZE]) for _ in steps)
        self.first, self.shared = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 1)
        self.head = nn.Linear(width * SIZE, 3)
        generator = torch.Generator().manual_seed(seed)
        for name, each in [*self.named_parameters(), *self.named_buffers()]:
            if each.is_floating_point():
                _fill(name, each, generator)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for number, step in enumerate(self.steps):
            x = STEPS[step](self, number, x)
        return self.head(x.mean(3).flatten(1))


def _fill(name: str, tensor: Tensor, generator: torch.Generator) -> None:
    noise = torch.randn(tensor.shape, generator=generator)
    if "running_var" in name or (tensor.dim() == 1 and name.endswith("weight")):
        tensor.data = noise.abs() + 0.5
    elif tensor.dim() == 1:
        tensor.data = 0.2 * noise
    else:
        tensor.data = noise * (2 / tensor[0].numel()) ** 0.5


def _dense(net: RandomNet, i: int, x: Tensor) -> Tensor:
    return net.denses[i](x)


def _unpadded(net: RandomNet, i: int, x: Tensor) -> Tensor:
    return net.grouped[i](F.pad(x, (1, 1, 1, 1), value=0.1))


def _conv_norm(net: RandomNet, i: int, x: Tensor) -> Tensor:
    return net.norms[i](net.convs[i](x))


def _residual(net: RandomNet, i: int, x: Tensor) -> Tensor:
    return x + F.relu(net.convs[i](x))


def _reuse(net: RandomNet, i: int, x: Tensor) -> Tensor:
    return net.shared(F.relu(net.shared(x)))


def _concat(net: RandomNet, i: int, x: Tensor) -> Tensor:
    return torch.cat([x[:, :1], net.convs[i](x)[:, 1:3], x[:, 3:]], 1)


def _chunks(net: RandomNet, i: int, x: Tensor) -> Tensor:
    first, second = x.chunk(2, 1)
    return torch.cat([second, first - 2 * second], 1)


def _add_in_place(net: RandomNet, i: int, x: Tensor) -> Tensor:
    h = x * 0.5
    h += x.flip(2)
    h -= 0.1
    return h


def _gate(net: RandomNet, i: int, x: Tensor) -> Tensor:
    return net.shared(x) * torch.sigmoid(net.convs[i](x))


def _squeeze_and_excite(net: RandomNet, i: int, x: Tensor) -> Tensor:
    return x * torch.sigmoid(net.shared(x.mean((2, 3), keepdim=True)))


def _view_writes(net: RandomNet, i: int, x: Tensor) -> Tensor:
    h = x * 1
    row = h[:, 2]
    h[:, 0] = h[:, 1] * 2
    row.mul_(0.5)
    h[:, 1:, 0].add_(0.2)
    return h


def _buffer(net: RandomNet, i: int, x: Tensor) -> Tensor:
    out = torch.ones_like(x)
    for channel in range(3):
        out[:, channel] = x[:, channel] + x[:, 3]
    return out


STEPS: dict[str, Callable[[RandomNet, int, Tensor], Tensor]] = {
    "conv": lambda net, i, x: net.convs[i](x),
    "conv, unpadded and grouped": _unpadded,
    "linear": _dense,
    "conv and batch norm": _conv_norm,
    "batch norm": lambda net, i, x: net.norms[i](x),
    "layer norm": lambda net, i, x: net.layers[i](x),
    "relu": lambda net, i, x: F.relu(x),
    "relu in place": lambda net, i, x: F.relu(x * 1, inplace=True),
    "gelu": lambda net, i, x: F.gelu(x),
    "sigmoid": lambda net, i, x: torch.sigmoid(x),
    "tanh": lambda net, i, x: torch.tanh(x),
    "max pool": lambda net, i, x: F.max_pool2d(x, 3, 1, 1),
    "average pool": lambda net, i, x: F.avg_pool2d(x, 3, 1, 1),
    "add the mean": lambda net, i, x: x + x.mean((2, 3), keepdim=True),
    "residual": _residual,
    "reuse": _reuse,
    "concat": _concat,
    "chunks": _chunks,
    "add in place": _add_in_place,
    "gate": _gate,
    "squeeze and excite": _squeeze_and_excite,
    "constants": lambda net, i, x: 0.3 - (x * 2 + 0.1),
    "pad and crop": lambda net, i, x: F.pad(x, (1, 0, 0, 1))[..., 1:, :-1],
    "writes through views": _view_writes,
    "writes into a buffer": _buffer,
}

_POLICIES = st.sampled_from(["absorb", "zero", "distribute"])
HIDDEN: st.SearchStrategy[Rule] = st.one_of(
    st.builds(Zero, bias=_POLICIES),
    st.builds(Epsilon, epsilon=st.sampled_from([1e-6, 0.1]), bias=_POLICIES),
    st.builds(Epsilon, epsilon=st.just(0.01), scale=st.just("absolute"), bias=_POLICIES),
    st.builds(ZPlus, bias=_POLICIES),
    st.builds(lambda alpha, bias: AlphaBeta(alpha, alpha - 1, bias),
              alpha=st.sampled_from([1.0, 2.0, 1.5]), bias=_POLICIES),
    st.builds(Gamma, gamma=st.sampled_from([0.0, 0.25, 2.0]), bias=_POLICIES),
)  # fmt: skip
FIRST: st.SearchStrategy[Rule | None] = st.sampled_from(
    [None, Flat(), WSquare(), ZBox(-BOX, BOX), Zero()]
)
_LINEAR, _PRODUCT = where.nature("linear"), where.nature("product")
_CONVOLUTION = where.kind("conv2d")
PRODUCTS: st.SearchStrategy[Rule] = st.sampled_from(
    [SignalTakesAll(), HalfEach(), Proportional(), Proportional("magnitude")]
)


Entries = list[tuple[Selector, Rule]]


@st.composite
def entries_of_composites(draw: Any) -> Entries:
    """One rule for convolutions, one for dense layers, one for the first layer, one for products.

    The composite itself is built in the test, and the selectors above: beartype looks at random
    entries of lists, which hypothesis does not allow inside of a strategy.
    """
    first = draw(FIRST)
    entries = [
        (_LINEAR, draw(HIDDEN)),
        (_CONVOLUTION, draw(HIDDEN)),
        (_PRODUCT, draw(PRODUCTS)),
    ]
    return entries if first is None else [*entries, (where.first, first)]


@st.composite
def networks(draw: Any) -> RandomNet:
    """Two to seven steps, any of them any number of times."""
    steps = draw(st.lists(st.sampled_from(sorted(STEPS)), min_size=2, max_size=7))
    return RandomNet(steps, draw(st.integers(0, 1000)))


def images(samples: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """A batch of inputs for a network, inside of the box."""
    return rand(samples, CHANNELS, SIZE, SIZE, seed=11, dtype=dtype).clamp(-BOX, BOX)
