"""The book closes on any network: random graphs under random rules; and it opens when one errs."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

from laws import ZERO
from strategies import STEPS, Entries, RandomNet, entries_of_composites, images, networks
from whence._explanation import Explanation
from whence.composites import Composite, where
from whence.engine import SENDERS, Linear, Message, Node, _maps, _sweep
from whence.errors import NotConserved
from whence.explainers import LRP
from whence.rules import Epsilon, SignalTakesAll, Zero, ZPlus
from whence.targets import Weights

WEIGHTS = Weights(torch.tensor([1.0, -0.5, 0.25], dtype=torch.float64))


def _explain(model: Any, x: Tensor, composite: Composite, ledger: str = "full") -> Explanation:
    return LRP(model, composite).explain(x, WEIGHTS, ledger=ledger)


@settings(max_examples=60)
@given(networks(), entries_of_composites())
def test_every_row_closes_and_all_adds_up_in_float64(net: RandomNet, entries: Entries) -> None:
    ex = _explain(net.double(), images(2), Composite(entries))

    ex.ledger.check(1e-11)
    assert ex.relevance.isfinite().all()


@settings(max_examples=15)
@given(networks(), entries_of_composites())
def test_every_row_closes_and_all_adds_up_in_float32(net: RandomNet, entries: Entries) -> None:
    ex = _explain(net.float(), images(2, torch.float32), Composite(entries))

    ex.ledger.check(1e-5)
    assert ex.relevance.dtype == torch.float32


@settings(max_examples=15)
@given(networks(), entries_of_composites())
def test_a_batch_is_its_items(net: RandomNet, entries: Entries) -> None:
    x = images(3)
    whole = _explain(net.double(), x, Composite(entries))
    single = _explain(net, x[1:2], Composite(entries))

    scale = float(whole.relevance[1].abs().max())
    torch.testing.assert_close(
        whole.relevance[1:2], single.relevance, rtol=1e-7, atol=1e-9 * max(scale, 1)
    )
    torch.testing.assert_close(whole.score[1:2], single.score)


@settings(max_examples=15)
@given(networks(), entries_of_composites())
def test_the_summary_adds_up_like_the_full_book(net: RandomNet, entries: Entries) -> None:
    net.double()
    full = _explain(net, images(2), Composite(entries))
    summary = _explain(net, images(2), Composite(entries), "summary")

    summary.ledger.check(1e-11)
    assert torch.equal(full.relevance, summary.relevance)


@pytest.mark.parametrize("step", STEPS)
def test_every_step_closes_on_its_own(step: str) -> None:
    net = RandomNet([step, "conv", step], 5).double()
    ex = _explain(net, images(2), Composite([*ZERO, (where.kind("conv2d"), ZPlus())]))

    assert ex.score.abs().min() > 1e-6
    ex.ledger.check(1e-11)


# -- mutations: each must be noticed -------------------------------------------------------------


class _Scaled(Zero):
    """LRP-0 times 1.01."""

    def send(self, node: Node) -> list[Message | None]:
        return [m and m.times(torch.tensor(1.01, dtype=torch.float64)) for m in super().send(node)]


def _residual_net() -> RandomNet:
    return RandomNet(["residual", "relu", "residual", "gate"], 3).double()


def test_the_residual_net_closes_before_any_mutation() -> None:
    _explain(_residual_net(), images(2), ZERO).ledger.check()


@pytest.mark.parametrize("ledger", ["full", "summary"])
def test_a_rule_scaled_by_one_percent_is_noticed(ledger: str) -> None:
    scaled = Composite([*ZERO, (where.first, _Scaled())])
    ex = _explain(_residual_net(), images(2), scaled, ledger)

    with pytest.raises(NotConserved, match=r"conv2d in 'first' .* lost"):
        ex.ledger.check()


@pytest.mark.parametrize("ledger", ["full", "summary"])
def test_a_lost_residual_branch_is_noticed(ledger: str, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = SENDERS["sum"]

    def lossy(node: Node) -> list[Message | None]:
        sent = honest(node)
        return [sent[0], None] if len(sent) == 2 else sent

    monkeypatch.setitem(SENDERS, "sum", lossy)
    ex = _explain(_residual_net(), images(2), ZERO, ledger)

    with pytest.raises(NotConserved):
        ex.ledger.check()
    assert "every row closes" not in ex.ledger.verdict


@pytest.mark.parametrize("ledger", ["full", "summary"])
def test_a_doubled_fan_out_is_noticed(ledger: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def twice(messages: dict[int, Message], value: Any, message: Message) -> None:
        found = messages.get(id(value))
        both = message if found is None else found.plus(message).plus(message)
        messages[id(value)] = both

    monkeypatch.setattr(_sweep, "_add", twice)
    ex = _explain(_residual_net(), images(2), ZERO, ledger)

    with pytest.raises(NotConserved, match="lost or doubled between operations"):
        ex.ledger.check()


@pytest.mark.parametrize("ledger", ["full", "summary"])
@pytest.mark.parametrize(
    "wrong",
    [
        lambda given: given.flip(-1),
        lambda given: given.roll(1, 1),
        lambda given: given * (1 + 1e-6),
    ],
    ids=["mirrored", "shifted channels", "a millionth too much"],
)
def test_a_wrong_transpose_is_noticed(
    wrong: Callable[[Tensor], Tensor], ledger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = _maps._Conv.transpose

    def mistaken(self: Any, s: Tensor, weight: Tensor, shape: torch.Size) -> Tensor:
        return wrong(honest(self, s, weight, shape))

    monkeypatch.setattr(_maps._Conv, "transpose", mistaken)
    ex = _explain(_residual_net(), images(2), ZERO, ledger)

    with pytest.raises(NotConserved, match="conv2d"):
        ex.ledger.check()


def test_a_bias_booked_twice_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Linear.book

    def twice(self: Linear, **columns: Tensor) -> None:
        honest(self, **{name: 2 * each for name, each in columns.items()})

    monkeypatch.setattr(Linear, "book", twice)
    ex = _explain(_residual_net(), images(2), ZERO)

    with pytest.raises(NotConserved):
        ex.ledger.check()


def test_an_epsilon_that_is_not_booked_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Linear.book

    def silent(self: Linear, **columns: Tensor) -> None:
        honest(self, **{name: each for name, each in columns.items() if name != "epsilon"})

    monkeypatch.setattr(Linear, "book", silent)
    composite = Composite(
        [(where.nature("linear"), Epsilon(0.01)), (where.nature("product"), SignalTakesAll())]
    )
    ex = _explain(_residual_net(), images(2), composite)

    with pytest.raises(NotConserved):
        ex.ledger.check()
