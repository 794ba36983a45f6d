"""Recurrent layers and their settings, for several files of tests."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from laws import rand
from whence.composites import Composite, where
from whence.rules import RecurrentCell, Zero

TIGHT = {"rtol": 1e-10, "atol": 1e-12}
KINDS = pytest.mark.parametrize("kind", ["lstm", "gru", "rnn_tanh", "rnn_relu"])
SETTINGS = pytest.mark.parametrize(
    "rule",
    [
        RecurrentCell(),
        RecurrentCell(epsilon=0),
        RecurrentCell(epsilon=0.1, scale="absolute"),
        RecurrentCell(bias="zero"),
        RecurrentCell(epsilon=0, bias="zero"),
        RecurrentCell(bias="distribute"),
        RecurrentCell(epsilon=0, bias="distribute"),
        RecurrentCell("half"),
        RecurrentCell("half", epsilon=0),
        RecurrentCell("half", bias="zero"),
    ],
    ids=repr,
)
FEW = pytest.mark.parametrize(
    "rule",
    [
        RecurrentCell(),
        RecurrentCell(epsilon=0, bias="zero"),
        RecurrentCell(epsilon=0.1, scale="absolute", bias="distribute"),
        RecurrentCell("half"),
    ],
    ids=repr,
)


def layer_of(kind: str, features: int = 4, hidden: int = 3, **options: object) -> nn.RNNBase:
    """A layer in float64 whose weights are large enough for gates that open and close."""
    make: dict[str, Callable[..., nn.RNNBase]] = {"lstm": nn.LSTM, "gru": nn.GRU}
    if kind in make:
        layer = make[kind](features, hidden, dtype=torch.float64, **options)
    else:
        options["nonlinearity"] = kind.removeprefix("rnn_")
        layer = nn.RNN(features, hidden, dtype=torch.float64, **options)
    for number, weight in enumerate(layer.parameters()):
        weight.data = 0.8 * rand(*weight.shape, seed=number)
    return layer.eval()


def composite(rule: RecurrentCell) -> Composite:
    """The rule on recurrent layers, LRP-0 on the rest."""
    return Composite([(where.nature("linear"), Zero()), (where.nature("recurrent"), rule)])


class Last(nn.Module):
    """A recurrent layer read at its last step."""

    def __init__(self, layer: nn.RNNBase, *, bias: bool = True) -> None:
        super().__init__()
        self.layer = layer
        width = layer.proj_size or layer.hidden_size
        width *= 2 if layer.bidirectional else 1
        self.head = nn.Linear(width, 3, bias=bias, dtype=torch.float64)
        self.head.weight.data = rand(3, width, seed=50)

    def forward(self, x: Tensor, states: object = None) -> Tensor:
        return self.head(self.layer(x, states)[0][:, -1])
