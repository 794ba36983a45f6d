"""Recurrent layers: rows close, a batch equals its items, states are inputs and outputs."""

import pytest
import torch
from torch import Tensor

from laws import rand
from recurrences import FEW, KINDS, SETTINGS, TIGHT, Last, composite, layer_of
from whence.composites import where
from whence.explainers import LRP, GradientTimesInput
from whence.rules import Epsilon, RecurrentCell
from whence.targets import Each, Weights

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
