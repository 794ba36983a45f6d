"""Recurrent layers beside the same written out with plain operations."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from laws import rand
from recurrences import SETTINGS, TIGHT, composite, layer_of
from whence.composites import where
from whence.explainers import LRP
from whence.rules import HalfEach, RecurrentCell, SignalTakesAll
from whence.targets import Weights

# -- hand-written cells ----------------------------------------------------------------------------


def lstm_by_hand(weights: list[Tensor], x: Tensor, h: Tensor, c: Tensor) -> Tensor:
    W_x, W_h, b_x, b_h = weights
    for t in range(x.shape[1]):
        z = x[:, t] @ W_x.T + b_x + nn.functional.linear(h, W_h, b_h)
        i, f, g, o = z.chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
    return h


def lstm_of_slices(weights: list[Tensor], x: Tensor, h: Tensor, c: Tensor) -> Tensor:
    W_x, W_h, b_x, b_h = weights
    d = h.shape[1]
    for t in range(x.shape[1]):
        i, f, o = (
            torch.sigmoid(
                nn.functional.linear(x[:, t], W_x[rows], b_x[rows])
                + nn.functional.linear(h, W_h[rows], b_h[rows])
            )
            for rows in (slice(k * d, (k + 1) * d) for k in (0, 1, 3))
        )
        rows = slice(2 * d, 3 * d)
        z_g = nn.functional.linear(x[:, t], W_x[rows]) + nn.functional.linear(h, W_h[rows])
        c = torch.addcmul(f * c, i, torch.tanh(z_g + (b_x + b_h)[rows]))
        h = torch.tanh(c) * o
    return h


def gru_by_hand(weights: list[Tensor], x: Tensor, h: Tensor) -> Tensor:
    W_x, W_h, b_x, b_h = weights
    for t in range(x.shape[1]):
        x_r, x_z, x_n = nn.functional.linear(x[:, t], W_x, b_x).chunk(3, -1)
        h_r, h_z, h_n = nn.functional.linear(h, W_h, b_h).chunk(3, -1)
        r, z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
        n = torch.tanh(x_n + r * h_n)
        h = (1 - z) * n + z * h
    return h


def rnn_by_hand(function: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    def run(weights: list[Tensor], x: Tensor, h: Tensor) -> Tensor:
        W_x, W_h, b_x, b_h = weights
        for t in range(x.shape[1]):
            h = function(nn.functional.linear(x[:, t], W_x, b_x) + h @ W_h.T + b_h)
        return h

    return run


def cells(step: Callable[..., object]) -> Callable[..., Tensor]:
    """The same by torch's cells, which are single operations on the tape."""

    def run(weights: list[Tensor], x: Tensor, *states: Tensor) -> Tensor:
        state = states if len(states) == 2 else states[0]
        for t in range(x.shape[1]):
            state = step(x[:, t], state, *weights)
        return state[0] if isinstance(state, tuple) else state

    return run


BY_HAND = {
    "lstm": ("lstm", lstm_by_hand),
    "lstm in slices": ("lstm", lstm_of_slices),
    "gru": ("gru", gru_by_hand),
    "rnn_tanh": ("rnn_tanh", rnn_by_hand(torch.tanh)),
    "rnn_relu": ("rnn_relu", rnn_by_hand(torch.relu)),
    "lstm_cell": ("lstm", cells(torch.lstm_cell)),
    "gru_cell": ("gru", cells(torch.gru_cell)),
    "rnn_tanh_cell": ("rnn_tanh", cells(torch.rnn_tanh_cell)),
}


@pytest.mark.parametrize("name", BY_HAND)
@pytest.mark.parametrize("gates", ["signal", "half"])
def test_a_layer_and_the_same_written_by_hand_are_explained_alike(name: str, gates: str) -> None:
    kind, by_hand = BY_HAND[name]
    layer = layer_of(kind, 4, 3, batch_first=True)
    weights = list(layer.parameters())
    names = ("h", "c")[: 2 if kind == "lstm" else 1]
    inputs = (rand(2, 5, 4), *(rand(2, 3, seed=9 + i) for i in range(len(names))))
    target = Weights(rand(3, seed=5))
    rules = composite(RecurrentCell(gates, epsilon=0)) + [
        (where.nature("product"), SignalTakesAll() if gates == "signal" else HalfEach())
    ]

    def fused(x: Tensor, *states: Tensor) -> Tensor:
        states = tuple(each[None] for each in states)
        return layer(x, states if kind == "lstm" else states[0])[0][:, -1]

    one = LRP(fused, rules).explain(inputs, target)
    other = LRP(lambda *given: by_hand(weights, *given), rules).explain(inputs, target)

    torch.testing.assert_close(one.output, other.output, rtol=1e-12, atol=1e-12)
    for mine, theirs in zip(one.relevance, other.relevance, strict=True):
        assert theirs.abs().max() > 1e-5
        torch.testing.assert_close(mine, theirs, **TIGHT)
    assert one.ledger.total("bias") == pytest.approx(other.ledger.total("bias"), rel=1e-9)


@pytest.mark.parametrize("name", ["lstm_cell", "gru_cell", "rnn_tanh_cell"])
@SETTINGS
def test_cells_and_layers_agree_under_every_setting(name: str, rule: RecurrentCell) -> None:
    kind, by_hand = BY_HAND[name]
    layer = layer_of(kind, 4, 3, batch_first=True)
    weights = list(layer.parameters())
    inputs = (rand(2, 5, 4), *(rand(2, 3, seed=9 + i) for i in range(2 if kind == "lstm" else 1)))

    def fused(x: Tensor, *states: Tensor) -> Tensor:
        states = tuple(each[None] for each in states)
        return layer(x, states if kind == "lstm" else states[0])[0][:, -1]

    one = LRP(fused, composite(rule)).explain(inputs, 1)
    other = LRP(lambda *given: by_hand(weights, *given), composite(rule)).explain(inputs, 1)

    for mine, theirs in zip(one.relevance, other.relevance, strict=True):
        torch.testing.assert_close(mine, theirs, **TIGHT)
