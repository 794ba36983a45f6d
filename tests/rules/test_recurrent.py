"""Recurrent layers: by hand, and beside a slow oracle from the paper."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from laws import rand
from recurrences import KINDS, TIGHT, Last, composite, layer_of
from whence.composites import Recurrent
from whence.explainers import LRP
from whence.rules import RecurrentCell
from whence.targets import Weights

# -- by hand ---------------------------------------------------------------------------------------


def test_an_lstm_of_two_steps_by_hand() -> None:
    # One unit, gates all open by half (their weights are zero: sigmoid(0) = 1/2), candidates
    # g = tanh(x): c_1 = g_1 / 2, c_2 = c_1 / 2 + g_2 / 2, y = h_2 = tanh(c_2) / 2. The gates take
    # nothing, tanh passes relevance: R(x_1) : R(x_2) = g_1 / 4 : g_2 / 2.
    layer = layer_of("lstm", 1, 1, bias=False, batch_first=True)
    for weight in layer.parameters():
        weight.data = torch.zeros_like(weight)
    layer.weight_ih_l0.data[2] = 1.0
    g = torch.tensor([0.5, 0.25], dtype=torch.float64)
    x = torch.atanh(g).view(1, 2, 1)

    ex = LRP(lambda x: layer(x)[0][:, -1], composite(RecurrentCell(epsilon=0))).explain(x, 0)

    c = 0.125 + 0.125
    score = 0.5 * np.tanh(c)
    assert ex.score.item() == pytest.approx(score, rel=1e-12)
    torch.testing.assert_close(
        ex.relevance.flatten(), torch.tensor([0.5, 0.5], dtype=torch.float64) * score, **TIGHT
    )


def test_a_gru_of_one_step_by_hand() -> None:
    # h = (1 - z) n + z h_0 with z = r = 1/2 and n = tanh(x + r h_0), x = 3/4, h_0 = -1/2:
    # R(h_0) = z h_0 + (1 - z) n (r h_0) / (x + r h_0),  R(x) = (1 - z) n x / (x + r h_0).
    layer = layer_of("gru", 1, 1, bias=False, batch_first=True)
    for weight in layer.parameters():
        weight.data = torch.zeros_like(weight)
    layer.weight_ih_l0.data[2] = 1.0
    layer.weight_hh_l0.data[2] = 1.0
    x, h = (torch.full((1, 1, 1), each, dtype=torch.float64) for each in (0.75, -0.5))

    ex = LRP(lambda x, h: layer(x, h)[0][:, -1], composite(RecurrentCell(epsilon=0))).explain(
        (x, h), 0
    )

    n = np.tanh(0.5)
    assert ex.relevance[0].item() == pytest.approx(0.5 * n * 0.75 / 0.5, rel=1e-12)
    assert ex.relevance[1].item() == pytest.approx(-0.25 + 0.5 * n * -0.25 / 0.5, rel=1e-12)


def test_a_plain_recurrent_unit_shares_by_contribution_and_books_its_bias() -> None:
    # h = relu(2 x + h_0 - 1) at x = 1.5, h_0 = 2: h = 4 = 3 + 2 - 1.
    layer = layer_of("rnn_relu", 1, 1, batch_first=True)
    for weight, number in zip(layer.parameters(), (2.0, 1.0, -3.0, 2.0), strict=True):
        weight.data = torch.full_like(weight, number)
    x, h = (torch.full((1, 1, 1), each, dtype=torch.float64) for each in (1.5, 2.0))

    ex = LRP(lambda x, h: layer(x, h)[0][:, -1], composite(RecurrentCell(epsilon=0))).explain(
        (x, h), 0
    )

    assert [each.item() for each in ex.relevance] == pytest.approx([3.0, 2.0], rel=1e-12)
    assert ex.ledger.total("bias") == pytest.approx(-1.0, rel=1e-12)


# -- the paper, slowly -----------------------------------------------------------------------------


def share(a: np.ndarray, W: np.ndarray, b: np.ndarray, z: np.ndarray, R: np.ndarray,
          units: int, epsilon: float, factor: float) -> np.ndarray:  # fmt: skip
    """R of the units a below z = W a + ... + b [arras2017, sec. 3.2], one number at a time."""
    found = np.zeros_like(a)
    for i in range(len(a)):
        for j in range(len(z)):
            sign = 1.0 if z[j] >= 0 else -1.0
            part = a[i] * W[j, i] + factor * (b[j] + epsilon * sign) / units
            found[i] += part / (z[j] + epsilon * sign) * R[j]
    return found


def lstm_oracle(weights: list[np.ndarray], x: np.ndarray, h0: np.ndarray, c0: np.ndarray,
                R_last: np.ndarray, epsilon: float, factor: float,
                ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Forward and relevance of one sequence, with torch's order of gates (i, f, g, o)."""
    W_x, W_h, b = weights[0], weights[1], weights[2] + weights[3]
    d, count = len(h0), len(x)
    rows = slice(2 * d, 3 * d)
    h, c, opened = [h0], [c0], []
    for t in range(count):
        z = W_x @ x[t] + W_h @ h[-1] + b
        i, f, o = (1 / (1 + np.exp(-z[k * d : (k + 1) * d])) for k in (0, 1, 3))
        g = np.tanh(z[rows])
        c.append(f * c[-1] + i * g)
        h.append(o * np.tanh(c[-1]))
        opened.append((z[rows], i, f, g))
    R_x, R_h, R_c = np.zeros_like(x), R_last, np.zeros(d)
    one, none = np.eye(d), np.zeros(d)
    for t in reversed(range(count)):
        z, i, f, g = opened[t]
        R_c = R_c + R_h
        R_g = share(i * g, one, none, c[t + 1], R_c, 2 * d, epsilon, factor)
        R_c = share(f * c[t], one, none, c[t + 1], R_c, 2 * d, epsilon, factor)
        units = d + x.shape[1]
        R_x[t] = share(x[t], W_x[rows], b[rows], z, R_g, units, epsilon, factor)
        R_h = share(h[t], W_h[rows], b[rows], z, R_g, units, epsilon, factor)
    return R_x, R_h, R_c


class _WithStates(nn.Module):
    def __init__(self, layer: nn.RNNBase) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, states: tuple[Tensor, Tensor]) -> Tensor:
        return self.layer(x, states)[0][:, -1]


@pytest.mark.parametrize("epsilon", [1e-3, 0.3])
@pytest.mark.parametrize("bias", ["absorb", "distribute"])
def test_an_lstm_is_that_of_the_paper(epsilon: float, bias: str) -> None:
    layer = layer_of("lstm", 4, 3, batch_first=True)
    x, h0, c0, R = rand(2, 5, 4), rand(1, 2, 3, seed=1), rand(1, 2, 3, seed=2), rand(3, seed=3)
    rule = RecurrentCell(epsilon=epsilon, scale="absolute", bias=bias)

    ex = LRP(_WithStates(layer), composite(rule)).explain((x, (h0, c0)), Weights(R))

    weights = [weight.detach().numpy() for weight in layer.parameters()]
    last = ex.output.detach()
    for n in range(2):
        expected = lstm_oracle(
            weights,
            x[n].numpy(),
            h0[0, n].numpy(),
            c0[0, n].numpy(),
            (last[n] * R).numpy(),
            epsilon,
            float(bias == "distribute"),
        )
        found = (ex.relevance[0][n], ex.relevance[1][0][0, n], ex.relevance[1][1][0, n])
        for mine, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(mine.numpy(), theirs, rtol=1e-10, atol=1e-12)


@KINDS
@pytest.mark.parametrize("directions", [1, 2])
def test_what_is_handed_out_and_the_initial_states_sum_to_the_score(
    kind: str, directions: int
) -> None:
    net = Last(layer_of(kind, batch_first=True, bidirectional=directions == 2), bias=False)
    h0 = torch.zeros(directions, 2, 3, dtype=torch.float64)
    states = (h0, torch.zeros_like(h0)) if kind == "lstm" else h0

    rules = Recurrent(0.001, "distribute", scale="absolute")
    ex = LRP(net, rules).explain((rand(2, 5, 4), states), 1)

    of_x, of_states = ex.relevance
    of_states = of_states if kind == "lstm" else (of_states,)
    total = of_x.sum((1, 2)) + sum(each.sum((0, 2)) for each in of_states)
    torch.testing.assert_close(total, ex.score, rtol=1e-12, atol=1e-12)
    assert ex.ledger.total("bias") == ex.ledger.total("epsilon") == 0


@KINDS
def test_nothing_is_lost_where_sums_are_zero(kind: str) -> None:
    layer = layer_of(kind, batch_first=True)
    for bias in (layer.bias_ih_l0, layer.bias_hh_l0):
        bias.data[torch.arange(len(bias)) % 3 == 1] = 0  # the second unit starts at zero
    x = rand(2, 5, 4)
    x[:, :2] = 0
    states = torch.zeros(1, 2, 3, dtype=torch.float64)
    rules = composite(RecurrentCell(epsilon=0, bias="distribute"))

    ex = LRP(Last(layer), rules).explain(
        (x, (states, states.clone()) if kind == "lstm" else states), 1, ledger="full"
    )

    assert ex.ledger.total("dropped") == 0
    ex.ledger.check()
