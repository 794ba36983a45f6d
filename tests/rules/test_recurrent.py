"""Recurrent layers: by hand, beside a slow oracle from the paper, and beside hand-written cells."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from laws import rand
from whence.composites import Composite, Recurrent, where
from whence.errors import InvalidInput
from whence.explainers import LRP, GradientTimesInput
from whence.rules import Epsilon, Gradient, HalfEach, RecurrentCell, SignalTakesAll, Zero
from whence.targets import Each, Weights

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


# -- laws ------------------------------------------------------------------------------------------


@KINDS
@SETTINGS
def test_every_row_closes(kind: str, rule: RecurrentCell) -> None:
    net = Last(layer_of(kind, batch_first=True, bidirectional=True, num_layers=2))

    ex = LRP(net, composite(rule)).explain(rand(3, 5, 4), 1, ledger="full")

    assert ex.relevance.abs().sum() > 0.01
    ex.ledger.check()


@KINDS
@FEW
def test_every_row_closes_without_biases(kind: str, rule: RecurrentCell) -> None:
    net = Last(layer_of(kind, batch_first=True, bias=False))

    ex = LRP(net, composite(rule)).explain(rand(3, 5, 4), 1, ledger="full")

    ex.ledger.check()


@FEW
@KINDS
def test_relevance_that_is_no_coefficient_enters_a_layer_as_well(
    kind: str, rule: RecurrentCell
) -> None:
    head = (where.nature("linear"), Epsilon(0.05, bias="distribute"))  # sends c and R
    net = Last(layer_of(kind, batch_first=True))

    ex = LRP(net, composite(rule) + [head]).explain(rand(3, 5, 4), 1, ledger="full")

    ex.ledger.check()


@KINDS
@FEW
def test_a_batch_equals_its_items(kind: str, rule: RecurrentCell) -> None:
    explainer = LRP(Last(layer_of(kind, batch_first=True, bidirectional=True)), composite(rule))
    x = rand(3, 5, 4)

    together = explainer.explain(x, [0, 1, 2]).relevance
    alone = [explainer.explain(x[n : n + 1], n).relevance for n in range(3)]

    torch.testing.assert_close(together, torch.cat(alone), **TIGHT)


@KINDS
def test_without_gates_or_biases_it_is_gradient_times_input(kind: str) -> None:
    # With the gates' weights at zero all gates are constants, and near zero tanh is the identity.
    layer = layer_of(kind, batch_first=True, bias=False)
    signal = {"lstm": slice(6, 9), "gru": slice(6, 9)}.get(kind, slice(0, 3))
    for weight in layer.parameters():
        kept = weight.data[signal].clone()
        weight.data = torch.zeros_like(weight)
        weight.data[signal] = kept
    net, x = Last(layer, bias=False), 1e-5 * rand(2, 5, 4).abs()

    one = LRP(net, composite(RecurrentCell(epsilon=0))).explain(x, 1)
    other = GradientTimesInput(net).explain(x, 1)

    torch.testing.assert_close(one.relevance, other.relevance, rtol=1e-8, atol=1e-14)


@KINDS
def test_a_word_that_changes_nothing_but_gates_gets_nothing(kind: str) -> None:
    layer = layer_of(kind, batch_first=True)
    x = rand(2, 5, 4)
    x[:, 2] = 0  # it opens and closes by the biases alone

    ex = LRP(Last(layer), composite(RecurrentCell())).explain(x, 1)

    assert torch.equal(ex.relevance[:, 2], torch.zeros(2, 4, dtype=torch.float64))
    assert (ex.relevance.abs().sum(-1)[:, [0, 1, 3, 4]] > 0).all()


@KINDS
def test_constant_initial_states_are_booked_as_bias(kind: str) -> None:
    net = Last(layer_of(kind, batch_first=True, bias=False), bias=False)
    h0 = rand(1, 2, 3, seed=7)
    states = (h0, rand(1, 2, 3, seed=8)) if kind == "lstm" else h0
    rules = composite(RecurrentCell(epsilon=0))
    x = rand(2, 5, 4)

    given = LRP(net, rules).explain((x, states), 1)
    held = LRP(lambda x: net(x, states), rules).explain(x, 1)

    torch.testing.assert_close(held.relevance, given.relevance[0], **TIGHT)
    of_states = given.relevance[1] if kind == "lstm" else (given.relevance[1],)
    assert held.ledger.total("bias") == pytest.approx(
        float(sum(each.sum() for each in of_states)), rel=1e-10
    )


@KINDS
def test_the_initial_states_alone_may_be_explained(kind: str) -> None:
    net, x = Last(layer_of(kind, batch_first=True)), rand(2, 5, 4)
    h0 = rand(1, 2, 3, seed=7)
    c0 = (rand(1, 2, 3, seed=8),) if kind == "lstm" else ()
    rules = composite(RecurrentCell())

    def of_state(h: Tensor) -> Tensor:
        return net(x, (h, *c0) if kind == "lstm" else h)

    alone = LRP(of_state, rules).explain(h0, Weights(rand(3, seed=3)))
    states = (h0, *c0) if kind == "lstm" else h0
    both = LRP(net, rules).explain((x, states), Weights(rand(3, seed=3)))

    first = both.relevance[1][0] if kind == "lstm" else both.relevance[1]
    torch.testing.assert_close(alone.relevance, first, **TIGHT)
    alone.ledger.check()


def test_last_states_are_explained_like_the_outputs_they_equal() -> None:
    layer = layer_of("lstm", bidirectional=True, batch_first=True)
    x, target = rand(2, 5, 4), Weights(rand(6, seed=4))

    def by_state(x: Tensor) -> Tensor:
        return torch.cat(tuple(layer(x)[1][0]), -1)

    def by_output(x: Tensor) -> Tensor:
        out = layer(x)[0]
        return torch.cat([out[:, -1, :3], out[:, 0, 3:]], -1)

    one, other = (LRP(each, composite(RecurrentCell())) for each in (by_state, by_output))

    torch.testing.assert_close(
        one.explain(x, target).relevance, other.explain(x, target).relevance, **TIGHT
    )


@SETTINGS
def test_the_last_cell_state_is_a_start_like_others(rule: RecurrentCell) -> None:
    layer = layer_of("lstm", batch_first=True, bidirectional=True)

    ex = LRP(lambda x: layer(x)[1][1].sum(0), composite(rule)).explain(
        rand(3, 5, 4), Weights(rand(3, seed=1)), ledger="full"
    )

    assert ex.relevance.abs().sum() > 0.01
    ex.ledger.check()


def test_several_targets_share_one_opened_layer() -> None:
    explainer = LRP(Last(layer_of("gru", batch_first=True)), composite(RecurrentCell()))
    x = rand(2, 5, 4)

    together = explainer.explain(x, Each([0, 2])).relevance

    torch.testing.assert_close(together[0], explainer.explain(x, 0).relevance, **TIGHT)
    torch.testing.assert_close(together[1], explainer.explain(x, 2).relevance, **TIGHT)


# -- projections -----------------------------------------------------------------------------------


@pytest.mark.parametrize("gates", ["signal", "half"])
def test_a_projection_is_a_linear_map_of_its_own(gates: str) -> None:
    layer = layer_of("lstm", 4, 5, proj_size=2, batch_first=True)
    W_x, W_h, b_x, b_h, W_out = layer.parameters()
    x, target = rand(2, 5, 4), Weights(rand(2, seed=5))
    rules = composite(RecurrentCell(gates, epsilon=0)) + [
        (where.nature("product"), SignalTakesAll() if gates == "signal" else HalfEach())
    ]

    def by_hand(x: Tensor) -> Tensor:
        h, c = x.new_zeros(2, 2), x.new_zeros(2, 5)
        for t in range(5):
            z = nn.functional.linear(x[:, t], W_x, b_x) + nn.functional.linear(h, W_h, b_h)
            i, f, g, o = z.chunk(4, -1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = (o.sigmoid() * c.tanh()) @ W_out.T
        return h

    one = LRP(lambda x: layer(x)[0][:, -1], rules).explain(x, target)
    other = LRP(by_hand, rules).explain(x, target)

    torch.testing.assert_close(one.relevance, other.relevance, **TIGHT)


@pytest.mark.parametrize(
    "rule", [RecurrentCell(), RecurrentCell(bias="zero"), RecurrentCell("half")], ids=repr
)
def test_projections_close_too(rule: RecurrentCell) -> None:
    layer = layer_of("lstm", 4, 5, proj_size=2, batch_first=True, bidirectional=True, num_layers=2)
    head = (where.nature("linear"), Epsilon(0.05, bias="distribute"))

    ex = LRP(Last(layer), composite(rule) + [head]).explain(rand(3, 5, 4), 1, ledger="full")

    ex.ledger.check()


def test_handing_out_has_no_form_for_projections() -> None:
    net = Last(layer_of("lstm", proj_size=2, batch_first=True))

    with pytest.raises(InvalidInput, match="no form for the projection of lstm in 'layer'"):
        LRP(net, composite(RecurrentCell(bias="distribute"))).explain(rand(2, 5, 4), 1)


# -- packed sequences ------------------------------------------------------------------------------


class Packed(nn.Module):
    """Words of several lengths, packed; read at the last states."""

    def __init__(self, kind: str, **options: object) -> None:
        super().__init__()
        self.layer = layer_of(kind, bidirectional=True, **options)
        self.batch_first = self.layer.batch_first

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(x, lengths, self.batch_first, enforce_sorted=False)
        out, states = self.layer(packed)
        last = states[0] if isinstance(states, tuple) else states
        padded, _ = pad_packed_sequence(out, self.batch_first, total_length=x.shape[self._axis])
        return torch.cat([*last, padded.sum(self._axis)], -1)

    @property
    def _axis(self) -> int:
        return 1 if self.batch_first else 0


@KINDS
@FEW
def test_packed_words_are_explained_as_if_alone_and_padding_gets_nothing(
    kind: str, rule: RecurrentCell
) -> None:
    net, x = Packed(kind, batch_first=True), rand(4, 6, 4)
    lengths = [3, 6, 1, 4]
    width = net(x, torch.tensor(lengths)).shape[1]
    explainer = LRP(lambda x: net(x, torch.tensor(lengths)), composite(rule))
    target = Weights(rand(width, seed=6))

    ex = explainer.explain(x, target, ledger="full")

    ex.ledger.check()
    for n, length in enumerate(lengths):
        alone = LRP(lambda x, length=length: net(x, torch.tensor([length])), composite(rule))
        expected = alone.explain(x[n : n + 1, :length], target).relevance
        torch.testing.assert_close(ex.relevance[n : n + 1, :length], expected, **TIGHT)
        assert not ex.relevance[n, length:].any()


@KINDS
def test_a_packed_stack_of_layers_closes(kind: str) -> None:
    net = Packed(kind, num_layers=2)
    lengths = torch.tensor([3, 6, 1, 4])
    explainer = LRP(lambda x: net(x, lengths), composite(RecurrentCell()), batch_axis=1)

    ex = explainer.explain(rand(6, 4, 4), 1, ledger="full")

    ex.ledger.check()
    assert not ex.relevance[3:, 0].any()


# -- where the rule is put -------------------------------------------------------------------------


def test_the_plain_gradient_is_still_a_rule_for_layers() -> None:
    net, x = Last(layer_of("lstm", batch_first=True)), rand(2, 5, 4)
    leaf = x.clone().requires_grad_()
    (expected,) = torch.autograd.grad(net(leaf)[:, 1].sum(), leaf)
    rules = Composite([(where.nature("linear"), Zero()), (where.nature("recurrent"), Gradient())])

    ex = LRP(net, rules).explain(x, 1)

    torch.testing.assert_close(ex.relevance, expected * x, **TIGHT)


def test_the_plain_gradient_takes_relevance_at_a_second_output() -> None:
    layer = layer_of("lstm", batch_first=True)
    head = nn.Linear(3, 2, dtype=torch.float64)
    rules = Composite([
        (where.nature("linear"), Zero("distribute")), (where.nature("recurrent"), Gradient()),
    ])  # fmt: skip
    x = rand(2, 5, 4)

    ex = LRP(lambda x: head(layer(x)[1][1][0]), rules).explain(x, 1)

    leaf = x.clone().requires_grad_()
    c = layer(leaf)[1][1][0]
    R = c * head.weight[1] + head.bias[1] / 3
    (expected,) = torch.autograd.grad(c, leaf, (R / c).detach())
    torch.testing.assert_close(ex.relevance, expected * x, **TIGHT)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: RecurrentCell("all"), "gates= one of .*'all'"),
        (lambda: RecurrentCell(scale="big"), "scale= must be .*'big'"),
        (lambda: RecurrentCell(epsilon=-1.0), "epsilon >= 0, got -1.0"),
        (lambda: RecurrentCell(bias="no"), "RecurrentCell needs bias= one of .*'no'"),
        (lambda: RecurrentCell("half", bias="distribute"), "got gates='half'. Try"),
    ],
)
def test_wrong_settings_are_refused(make: Callable[[], object], text: str) -> None:
    with pytest.raises(InvalidInput, match=text):
        make()
