"""Recurrent nets on the tape: what is recorded, and that the model's values stay what they are."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import (
    PackedSequence,
    pack_padded_sequence,
    pack_sequence,
    pad_packed_sequence,
    pad_sequence,
)
from torch.utils.flop_counter import FlopCounterMode

import whence
from laws import rand
from whence.composites import Composite, EpsilonPlusFlat, Recurrent, where
from whence.engine import record
from whence.errors import InvalidInput, UnsupportedModel, UnsupportedOperations
from whence.explainers import LRP
from whence.rules import Epsilon, RecurrentCell, Zero
from whence.targets import Weights

RULES = Composite([
    (where.nature("linear"), Zero()), (where.nature("recurrent"), RecurrentCell(epsilon=0)),
])  # fmt: skip
LENGTHS = torch.tensor([3, 6, 1, 4])
MODULES = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
KINDS = pytest.mark.parametrize("kind", MODULES)


def layer(kind: str, **options: object) -> nn.RNNBase:
    """A small layer in float64, in eval mode."""
    return MODULES[kind](4, 3, dtype=torch.float64, **options).eval()


def names_of(model: Callable[..., object], *inputs: Tensor) -> list[str]:
    """The operations on the tape."""
    return [op.name for op in record(model, inputs, {}, [inputs[0]], select=_first).ops]


def _first(output: object) -> Tensor:
    while not isinstance(output, Tensor):
        output = output[0]
    return output


# -- what is recorded ------------------------------------------------------------------------------


@KINDS
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch_first": True},
        {"bidirectional": True},
        {"num_layers": 3},
        {"num_layers": 2, "bidirectional": True, "batch_first": True},
        {"num_layers": 2, "bias": False, "dropout": 0.5},
    ],
    ids=str,
)
@pytest.mark.parametrize("batched", [True, False])
def test_all_outputs_are_those_of_the_model(
    kind: str, options: dict[str, object], batched: bool
) -> None:
    net = layer(kind, **options)
    x = rand(5, 2, 4) if batched else rand(5, 4)

    tape = record(net, (x,), {}, [x])

    expected = net(x)
    for mine, theirs in zip(_flat(tape.output), _flat(expected), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-12)


@KINDS
@pytest.mark.parametrize("sorted_first", [True, False])
def test_packed_outputs_are_those_of_the_model(kind: str, sorted_first: bool) -> None:
    net = layer(kind, num_layers=2, bidirectional=True, batch_first=True)
    lengths = LENGTHS.sort(descending=True).values if sorted_first else LENGTHS

    def model(x: Tensor) -> tuple[object, ...]:
        packed = pack_padded_sequence(x, lengths, True, enforce_sorted=sorted_first)
        out, states = net(packed)
        padded, back = pad_packed_sequence(out, True, padding_value=7.0)
        return padded, back.double(), *_flat(states)

    x = rand(4, 6, 4)
    tape = record(model, (x,), {}, [x])

    for mine, theirs in zip(tape.output, model(x), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-12)


def _flat(structure: object) -> list[Tensor]:
    if isinstance(structure, Tensor):
        return [structure]
    return [tensor for each in structure for tensor in _flat(each)]


def test_a_layer_is_one_operation_whatever_its_directions() -> None:
    x = rand(5, 2, 4)

    assert names_of(layer("lstm", bidirectional=True), x) == ["lstm"]
    assert names_of(layer("gru", num_layers=3), x) == ["gru", "gru", "gru", "cat"]


def test_dropout_between_layers_is_one_draw_in_training_and_nothing_in_eval() -> None:
    net = layer("gru", num_layers=2, dropout=0.5)
    x = rand(5, 2, 4)

    assert names_of(net, x) == ["gru", "gru", "cat"]
    ex = LRP(lambda x: net.train()(x)[0][-1], RULES, batch_axis=1).explain(x, 1, ledger="full")
    assert "is in training mode: one random draw of it is explained" in ex.notes[0]
    ex.ledger.check()


@pytest.mark.parametrize("make", [nn.LSTMCell, nn.GRUCell, nn.RNNCell])
@pytest.mark.parametrize("batched", [True, False])
def test_cells_are_single_operations(make: Callable[..., nn.Module], batched: bool) -> None:
    cell = make(4, 3, dtype=torch.float64)
    x = rand(2, 4) if batched else rand(1, 4)

    def model(x: Tensor) -> Tensor:
        one = _first(cell(x if batched else x[0]))
        return one if batched else one[None]

    ex = LRP(model, RULES).explain(x, 1, ledger="full")

    torch.testing.assert_close(ex.output, model(x), rtol=1e-12, atol=1e-12)
    assert ex.relevance.abs().sum() > 0.001
    assert sum(row.op.endswith("_cell") for row in ex.ledger) == 1
    ex.ledger.check()


def test_a_cell_takes_one_bias_without_the_other() -> None:
    weights = rand(9, 4), rand(9, 3), None, rand(9)

    ex = LRP(lambda x: torch.gru_cell(x, rand(2, 3), *weights), RULES).explain(rand(2, 4), 1)

    ex.ledger.check()


def test_each_sample_of_a_cell_has_its_own_row() -> None:
    cell = nn.LSTMCell(4, 3, dtype=torch.float64)
    x, h = rand(2, 4), rand(2, 3, seed=1)

    ex = LRP(lambda x, h: cell(x, (h, h))[0], RULES).explain((x, h), 1)

    row = next(row for row in ex.ledger if row.op == "lstm_cell")
    assert row.per_sample
    torch.testing.assert_close(row.r_out, ex.score)
    assert float(row.residual.abs().max()) <= 1e-12


def test_words_of_several_lengths_may_be_padded_or_packed_inside_the_model() -> None:
    net = layer("gru", batch_first=True)

    def parts(x: Tensor) -> list[Tensor]:
        return [x[0, :6], x[1, :4], x[2, :1]]

    def padded(x: Tensor) -> Tensor:
        return net(pad_sequence(parts(x), batch_first=True, padding_value=2.0))[0][:, 0]

    def packed(x: Tensor) -> Tensor:
        return net(pack_sequence(parts(x)))[1][0]

    for model in (padded, packed):
        ex = LRP(model, RULES).explain(rand(3, 6, 4), 1, ledger="full")
        torch.testing.assert_close(ex.output, model(rand(3, 6, 4)), rtol=1e-12, atol=1e-12)
        ex.ledger.check()


def test_padding_of_another_value_than_zero_is_booked() -> None:
    net = layer("gru", batch_first=True)

    def model(x: Tensor) -> Tensor:
        out, _ = net(pack_padded_sequence(x, LENGTHS, True, enforce_sorted=False))
        return pad_packed_sequence(out, True, padding_value=2.0)[0].sum(1)

    ex = LRP(model, RULES).explain(rand(4, 6, 4), 1, ledger="full")

    rows = [row for row in ex.ledger if row.op == "masked_fill"]
    assert sum(float(row.bias.sum()) for row in rows) == pytest.approx(2.0 * (24 - 14))
    ex.ledger.check()


def test_tokens_and_lengths_together() -> None:
    table = nn.Embedding(9, 4, dtype=torch.float64)
    net = layer("lstm", batch_first=True)

    def model(ids: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(table(ids), lengths, True, enforce_sorted=False)
        return net(packed)[1][0][-1]

    ids = torch.randint(0, 9, (4, 6))
    ex = LRP(model, RULES).explain({"ids": ids, "lengths": LENGTHS}, 1, ledger="full")

    assert ex.relevance["ids"].shape == (4, 6)
    assert not ex.relevance["ids"][0, 3:].any()
    assert ex.relevance["ids"][0, :3].all()
    ex.ledger.check()


def test_weights_that_depend_on_the_input_are_refused() -> None:
    weights = [rand(9, 4), rand(9, 3)]

    def model(x: Tensor) -> Tensor:
        return torch.gru_cell(x, rand(2, 3), weights[0] * x.mean(), weights[1])

    with pytest.raises(UnsupportedOperations, match=r"gru_cell in .*: its weights depend on"):
        LRP(model, RULES).explain(rand(2, 4), 1)


def test_a_linear_layer_over_a_recurrent_one_is_not_the_first() -> None:
    net, head = layer("lstm", batch_first=True), nn.Linear(3, 2, dtype=torch.float64)

    printed = str(
        LRP(lambda x: head(net(x)[0][:, -1]), EpsilonPlusFlat()).assignment(rand(2, 5, 4))
    )

    assert "Flat" not in printed
    assert "RecurrentCell" in printed


# -- states as inputs ------------------------------------------------------------------------------


def test_nested_inputs_come_back_in_the_same_structure() -> None:
    net = layer("lstm", batch_first=True)
    x, h, c = rand(2, 5, 4), rand(1, 2, 3, seed=1), rand(1, 2, 3, seed=2)
    explainer = LRP(net, RULES, output=lambda output: output[0][:, -1])

    by_position = explainer.explain((x, (h, c)), 1).relevance
    by_name = explainer.explain({"input": x, "hx": [h, c]}, 1).relevance

    assert isinstance(by_position[1], tuple)
    assert isinstance(by_name["hx"], list)
    assert [each.shape for each in by_position[1]] == [h.shape, c.shape]
    torch.testing.assert_close(by_position[1][0], by_name["hx"][0])
    torch.testing.assert_close(by_position[0], by_name["input"])
    assert by_position[1][1].abs().min() > 0


def test_nested_inputs_are_explained_by_wrappers_too() -> None:
    net = layer("lstm", batch_first=True)
    x, h, c = rand(2, 5, 4), rand(1, 2, 3, seed=1), rand(1, 2, 3, seed=2)

    ex = whence.explain(
        net, (x, (h, c)), 1, method="gradient-times-input", output=lambda each: each[0][:, -1]
    )

    leaf = h.clone().requires_grad_()
    (expected,) = torch.autograd.grad(net(x, (leaf, c))[0][:, -1, 1].sum(), leaf)
    torch.testing.assert_close(ex.relevance[1][0], expected * h, rtol=1e-10, atol=1e-12)


def test_nested_inputs_are_not_cut_by_guess() -> None:
    net = layer("gru", batch_first=True)

    with pytest.raises(InvalidInput, match="batch_size= cannot cut tensors in nested tuples"):
        LRP(lambda x, state: net(x, state[0])[0][:, -1], RULES).explain(
            (rand(2, 5, 4), (rand(1, 2, 3),)), 1, batch_size=1
        )


def test_a_packed_sequence_is_no_input() -> None:
    packed: PackedSequence = pack_sequence([rand(3, 4), rand(2, 4)])

    with pytest.raises(InvalidInput, match="PackedSequence has no batch axis"):
        LRP(layer("gru"), RULES).explain(packed, 1)
    with pytest.raises(InvalidInput, match="PackedSequence has no batch axis"):
        LRP(layer("gru"), RULES).explain((packed, rand(1, 2, 3)), 1)


# -- other ways to run -----------------------------------------------------------------------------


class Classifier(nn.Module):
    """Read at the last states, as text classifiers are."""

    def __init__(self, kind: str = "lstm", features: int = 4, hidden: int = 3) -> None:
        super().__init__()
        self.layer = MODULES[kind](features, hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * hidden, 3)

    def forward(self, x: Tensor) -> Tensor:
        states = self.layer(x)[1]
        last = states[0] if isinstance(states, tuple) else states
        return self.head(torch.cat([last[0], last[1]], -1))


@KINDS
@pytest.mark.parametrize("gates", ["signal", "half"])
def test_relevance_of_a_recurrent_net_can_be_differentiated(kind: str, gates: str) -> None:
    net = Classifier(kind).double()
    explainer = LRP(net, Recurrent(0.1, gates=gates))
    x, weigh = rand(1, 3, 4), rand(1, 3, 4, seed=4)

    def of(x: Tensor) -> Tensor:
        return (explainer.explain(x, 1, create_graph=True).relevance * weigh).sum()

    leaf = x.clone().requires_grad_()
    parameter = net.layer.weight_ih_l0
    by_x, by_weight = torch.autograd.grad(of(leaf), [leaf, parameter])

    step, move = 1e-6, rand(1, 3, 4, seed=5)
    slope = (of(x + step * move) - of(x - step * move)) / (2 * step)
    torch.testing.assert_close((by_x * move).sum(), slope.detach(), rtol=1e-5, atol=1e-8)
    pull = rand(*parameter.shape, seed=6)
    with torch.no_grad():
        parameter += step * pull
        above = of(x)
        parameter -= 2 * step * pull
        below = of(x)
    slope = (above - below) / (2 * step)
    torch.testing.assert_close((by_weight * pull).sum(), slope.detach(), rtol=1e-5, atol=1e-8)


@KINDS
def test_a_frozen_explanation_holds_for_other_inputs(kind: str) -> None:
    explainer = LRP(Classifier(kind).double())
    frozen = explainer.compile(rand(2, 5, 4), optimise=False)
    other = -3 * rand(2, 5, 4, seed=8)

    torch.testing.assert_close(
        frozen(other, [0, 2]), explainer.explain(other, [0, 2]).relevance, rtol=1e-10, atol=1e-12
    )


@KINDS
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_lower_precision_stays_close(kind: str, dtype: torch.dtype) -> None:
    net, x = Classifier(kind, 16, 12), rand(4, 10, 16, dtype=torch.float32).to(dtype)
    full = LRP(net.double()).explain(x.double(), 1).relevance

    ex = LRP(net.to(dtype)).explain(x, 1, ledger="full")

    similarity = torch.cosine_similarity(ex.relevance.double().flatten(), full.flatten(), dim=0)
    assert ex.relevance.dtype == torch.float32
    assert similarity > {torch.bfloat16: 0.99, torch.float32: 1 - 1e-8}[dtype]
    ex.ledger.check()


def test_the_whole_costs_an_eighth_more_than_the_gradient() -> None:
    # Forward, for each step and direction: (E + H) 4H products; a gradient takes as many again.
    # The explanation: all gates once more, and back through the candidate's weights alone. In
    # float64 torch's layers consist of products that the counter sees.
    net = Classifier("lstm", 60, 60).double().requires_grad_(False)
    x = rand(2, 40, 60)
    leaf = x.clone().requires_grad_()
    explainer = LRP(net)
    explainer.explain(x, 1)

    gradient = _flops(lambda: torch.autograd.grad(net(leaf)[:, 1].sum(), leaf))
    explanation = _flops(lambda: explainer.explain(x, 1))

    products = 2 * 40 * 2 * (60 + 60) * 4 * 60  # batch, steps, directions, E + H, 4H
    assert gradient >= 0.95 * 2 * 2 * products  # 2 FLOPs each; there and back but for one step
    assert explanation <= 1.15 * gradient


def _flops(run: Callable[[], object]) -> int:
    counter = FlopCounterMode(display=False)
    counter.mod_tracker = _NoModules()
    with counter:
        run()
    return counter.get_total_flops()


class _NoModules:
    parents = frozenset({"Global"})

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


# -- the sentiment net of the paper ----------------------------------------------------------------


class Sentiment(nn.Module):
    """The bidirectional LSTM of Arras et al. 2017 as an `nn.LSTM`; its gates are i, g, f, o."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        weights = {name: torch.from_numpy(each) for name, each in np.load(folder).items()}
        self.layer = nn.LSTM(60, 60, batch_first=True, bidirectional=True, dtype=torch.float64)
        for side, end in (("Left", ""), ("Right", "_reverse")):
            for theirs, mine in (("Wxh", "weight_ih"), ("Whh", "weight_hh"),
                                 ("bxh", "bias_ih"), ("bhh", "bias_hh")):  # fmt: skip
                i, g, f, o = weights[f"{theirs}_{side}"].split(60)
                getattr(self.layer, f"{mine}_l0{end}").data = torch.cat([i, f, g, o])
        self.head = nn.Linear(120, 5, bias=False, dtype=torch.float64)
        self.head.weight.data = torch.cat([weights["Why_Left"], weights["Why_Right"]], 1)

    def forward(self, x: Tensor, states: tuple[Tensor, Tensor] | None = None) -> Tensor:
        _, (h, _) = self.layer(x, states)
        return self.head(torch.cat([h[0], h[1]], -1))


def test_the_net_of_the_paper_conserves_exactly(data: Path) -> None:
    net = Sentiment(data / "arras_lstm_sst" / "bilstm_weights.npz")
    x, zeros = 0.3 * rand(3, 19, 60), torch.zeros(2, 3, 60, dtype=torch.float64)
    explainer = LRP(net, Recurrent(0.001, "distribute", scale="absolute"))

    ex = explainer.explain((x, (zeros, zeros.clone())), [0, 2, 4])

    of_x, (of_h, of_c) = ex.relevance
    total = of_x.sum((1, 2)) + of_h.sum((0, 2)) + of_c.sum((0, 2))
    torch.testing.assert_close(total, ex.score, rtol=1e-12, atol=1e-12)
    assert of_x.abs().sum() > 1
    ex.ledger.check()


def test_the_net_of_the_paper_conserves_in_single_precision(data: Path) -> None:
    net = Sentiment(data / "arras_lstm_sst" / "bilstm_weights.npz").float()
    x = 0.3 * rand(3, 19, 60, dtype=torch.float32)

    ex = LRP(net, Recurrent()).explain(x, Weights(rand(5, dtype=torch.float32)), ledger="full")

    ex.ledger.check()


def test_the_epsilon_of_the_presets_reaches_recurrent_layers() -> None:
    assert RecurrentCell(epsilon=0.5) in [rule for _, rule in Recurrent(0.5).entries]
    assert Epsilon(0.5) in [rule for _, rule in Recurrent(0.5).entries]


@KINDS
def test_a_sequence_may_have_one_step(kind: str) -> None:
    net = layer(kind, batch_first=True, bidirectional=True)

    ex = whence.explain(lambda x: net(x)[0][:, -1], rand(2, 1, 4), 1, composite="recurrent")

    assert ex.relevance.abs().min() > 0
    ex.ledger.check()


def test_a_fused_call_by_keyword_is_refused() -> None:
    weights = list(layer("gru").parameters())

    def model(x: Tensor) -> Tensor:
        state = torch.zeros(1, 2, 3, dtype=torch.float64)
        settings = {"num_layers": 1, "dropout": 0.0, "train": False, "bidirectional": False}
        return torch.gru(x, state, weights, has_biases=True, batch_first=True, **settings)[0][:, -1]

    with pytest.raises(
        UnsupportedModel, match=r"gru in .*: call it with all arguments by position"
    ):
        LRP(model, RULES).explain(rand(2, 5, 4), 1)
