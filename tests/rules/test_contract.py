"""Every linear rule keeps the contract `check_rule`; and the contract finds who does not."""

from dataclasses import dataclass

import pytest
import torch

from whence import rules
from whence.engine import Message, Node
from whence.errors import InvalidInput
from whence.rules import (
    AlphaBeta,
    BoxDirection,
    Epsilon,
    Flat,
    Gamma,
    Gradient,
    HalfEach,
    Rule,
    TaylorRule,
    WSquare,
    ZBox,
    Zero,
    ZPlus,
    _sides,
)
from whence.rules._rule import linear_of
from whence.testing import check_rule, oracle_of

SIDED = [
    *(ZPlus(bias) for bias in ("absorb", "zero", "distribute")),
    *(AlphaBeta(2.0, 1.0, bias) for bias in ("absorb", "zero", "distribute")),
    AlphaBeta(1.5, 0.5),
    *(Gamma(0.25, bias) for bias in ("absorb", "zero", "distribute")),
    Gamma(0.0),
    Gamma(100.0),
]
LINEAR = [
    *(Zero(bias) for bias in ("absorb", "zero", "distribute")),
    *(Epsilon(1e-6, "relative", bias) for bias in ("absorb", "zero", "distribute")),
    Epsilon(0.25, "absolute"),
    ZBox(-3.0, 3.0),
    WSquare(),
    Flat(),
    TaylorRule("weight"),
    TaylorRule("activation"),
    TaylorRule("positive"),
    *SIDED,
]
# Not of the kind that a dense oracle can follow; they have tests of their own.
OTHER = {
    "Attention",
    "BoxDirection",  # no rule: a direction that TaylorRule takes
    "Contrastive",
    "DeconvnetReLU",
    "Gradient",
    "GuidedReLU",
    "HalfEach",
    "Hold",
    "InverseScale",
    "MaxPool",
    "Pass",
    "PatternShare",
    "PatternSignal",
    "PatternSum",
    "Proportional",
    "ReLUMask",
    "RecurrentCell",
    "Rule",
    "SignalTakesAll",
    "Uniform",
}


@pytest.mark.parametrize("rule", LINEAR, ids=repr)
def test_every_linear_rule_keeps_the_contract(rule: Rule) -> None:
    check_rule(rule)


@pytest.mark.parametrize(
    "rule",
    [ZPlus(), ZPlus("zero"), AlphaBeta(2.0, 1.0), AlphaBeta(2.0, 1.0, "distribute"), Gamma()],
    ids=repr,
)
def test_the_plain_branches_keep_it_without_the_fast_path(rule: Rule, monkeypatch) -> None:
    monkeypatch.setattr(_sides, "FAST", False)

    check_rule(rule)


@pytest.mark.parametrize(
    "rule",
    [Epsilon(), AlphaBeta(2.0, 1.0), ZPlus(), ZPlus("zero"), Gamma(), ZBox(-3.0, 3.0), Flat()],
    ids=repr,
)
def test_rules_keep_it_in_float32(rule: Rule) -> None:
    check_rule(rule, dtype=torch.float32)


@pytest.mark.gpu
@pytest.mark.parametrize("rule", [Epsilon(), ZPlus(), Gamma(), ZBox(-3.0, 3.0)], ids=repr)
def test_rules_keep_it_on_a_gpu(rule: Rule) -> None:
    check_rule(rule, device="cuda")


def test_no_rule_is_left_out() -> None:
    exported = {n for n, each in vars(rules).items() if isinstance(each, type)}

    assert exported <= {type(rule).__name__ for rule in LINEAR} | OTHER


def test_the_direction_of_a_box_keeps_the_oracle_of_the_z_box_rule() -> None:
    rule = TaylorRule(BoxDirection(-3.0, 3.0))

    check_rule(rule, oracle_of(ZBox(-3.0, 3.0)))


def test_a_direction_of_ones_own_needs_an_oracle_of_ones_own() -> None:
    rule = TaylorRule(lambda a, W: a.expand(len(a), *W.shape) + 3.0)

    check_rule(rule, lambda a, W, b, z, R, connected: _own(a + 3.0, W, R))
    with pytest.raises(InvalidInput, match="direction is a function"):
        check_rule(rule)


def _own(d, W, R):
    shares = d * W
    sums = shares.sum(1, keepdim=True)
    return (torch.where(sums == 0, 0.0, shares / sums) * R[:, None]).sum(0)


@dataclass(frozen=True)
class Wrong(Rule):
    """LRP-0 with one flaw, for the contract to find."""

    flaw: str = ""

    def send(self, node: Node) -> list[Message | None]:
        linear = linear_of(node, self)
        return [FLAWS[self.flaw][0](linear, Zero().send(linear)[0])]


def _misbooked(linear, sent):
    linear.book(dropped=linear.relevance() * 1e-9)
    return sent


def _mixing(linear, sent):
    return Message(sent.c + (sent.c.sum(0, keepdim=True) - sent.c.sum(0) if len(sent.c) > 1 else 0))


FLAWS = {
    "none": (lambda linear, sent: sent, ""),
    "scaled": (lambda linear, sent: sent.times(torch.tensor(1.01)), "differs from the oracle"),
    "misbooked": (_misbooked, "lost and not booked"),
    "narrow": (lambda linear, sent: Message(R=(linear.a * sent.c).float()), "dtype"),
    "infinite": (lambda linear, sent: Message(sent.c / 0), "not finite"),
    "offset": (lambda linear, sent: Message(sent.c, sent.c + 1e-3), "differs from the oracle"),
    "forgetful": (
        lambda linear, sent: Message(sent.c * 0.5 if len(sent.c) == 1 else sent.c),
        "batch is not equal to its items",
    ),
}


def test_the_contract_lets_an_outside_rule_pass() -> None:
    check_rule(Wrong("none"), oracle_of(Zero()))


@pytest.mark.parametrize("flaw", ["scaled", "misbooked", "narrow", "infinite", "offset"])
def test_the_contract_finds_a_flaw(flaw: str) -> None:
    with pytest.raises(AssertionError, match=FLAWS[flaw][1]):
        check_rule(Wrong(flaw), oracle_of(Zero()))


def test_the_contract_finds_that_items_differ_from_their_batch() -> None:
    with pytest.raises(AssertionError, match=FLAWS["forgetful"][1]):
        check_rule(Wrong("forgetful"), oracle_of(Zero()))


@dataclass(frozen=True)
class Square(Rule):
    """Relevance that goes with the square: not linear in R."""

    def send(self, node: Node) -> list[Message | None]:
        linear = linear_of(node, self)
        R = linear.relevance()
        linear.book(dropped=R - R * R * (linear.count() > 0))
        return [Message(R=linear.spread(R * R / linear.count().clamp(min=1)))]


def test_the_contract_finds_a_rule_that_is_not_linear_in_relevance() -> None:
    def oracle(a, W, b, z, R, connected):
        read = connected.double()
        return (read / read.sum(1, keepdim=True).clamp(min=1) * (R * R)[:, None]).sum(0)

    with pytest.raises(AssertionError, match="not linear in R"):
        check_rule(Square(), oracle)


@dataclass(frozen=True, repr=False)
class Unprintable(Zero):
    """Its repr is no code."""

    def __repr__(self) -> str:
        return "<Unprintable>"


def test_the_contract_finds_a_repr_that_is_no_code() -> None:
    with pytest.raises(AssertionError, match="is not code that builds the rule"):
        check_rule(Unprintable(), oracle_of(Zero()))


def test_the_contract_is_for_linear_rules() -> None:
    with pytest.raises(AssertionError, match="for rules of linear operations"):
        check_rule(HalfEach())


def test_a_rule_without_a_built_in_oracle_needs_one() -> None:
    with pytest.raises(InvalidInput, match="no built-in oracle for Gradient"):
        check_rule(Gradient())
