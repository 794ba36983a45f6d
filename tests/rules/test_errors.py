"""Rules say what must hold, what came, and what to do."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch import nn

from whence.composites import Composite, where
from whence.engine import Message, Node
from whence.errors import InvalidInput
from whence.explainers import LRP
from whence.rules import (
    AlphaBeta,
    Epsilon,
    Gamma,
    MaxPool,
    Pass,
    Rule,
    TaylorRule,
    ZBox,
    Zero,
    ZPlus,
)

WRONG_VALUES = [
    (lambda: AlphaBeta(2.0, 2.0), "alpha - beta = 1 and beta >= 0, got 2.0 and 2.0.*Try"),
    (lambda: AlphaBeta(0.5, -0.5), "alpha - beta = 1 and beta >= 0"),
    (lambda: AlphaBeta.from_bach2015(2.0, 1.0), r"alpha \+ beta = 1, got 2.0 and 1.0"),
    (lambda: AlphaBeta.from_bach2015(0.5, 0.5), "beta >= 0, got 0.5 and -0.5"),
    (lambda: AlphaBeta(bias="half"), "AlphaBeta needs bias= one of .*'half'"),
    (lambda: ZPlus(bias="none"), "ZPlus needs bias= one of"),
    (lambda: Zero(bias="none"), "Zero needs bias= one of"),
    (lambda: Gamma(bias="none"), "Gamma needs bias= one of"),
    (lambda: Epsilon(bias="none"), "Epsilon needs bias= one of"),
    (lambda: Gamma(-0.5), "gamma >= 0, got -0.5"),
    (lambda: Gamma(float("nan")), "gamma >= 0, got nan"),
    (lambda: Epsilon(0.0), r"epsilon > 0, got 0.0. Try Zero\(\)"),
    (lambda: Epsilon(scale="rms"), "'relative' or 'absolute', got 'rms'"),
    (lambda: ZBox(1.0, 0.0), "low <= high, got 1.0 and 0.0"),
    (lambda: TaylorRule("up"), "one of .*'activation'.* or a function, got 'up'"),
    (lambda: MaxPool("last"), "ties= one of .*got 'last'"),
]


@pytest.mark.parametrize(("build", "message"), WRONG_VALUES)
def test_a_wrong_value_is_refused(build: Callable[[], Rule], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        build()


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [
        (-1.0, 0.5, "inside the box, at .*values run from 0 to 1, the box from -1 to 0.5"),
        (torch.zeros(5), torch.ones(5), r"must broadcast to one input, shape \(3,\); got \(5,\)"),
    ],
)
def test_an_input_that_does_not_fit_the_box_is_refused(low, high, message: str) -> None:
    explainer = LRP(nn.Linear(3, 2), Composite([(where.first, ZBox(low, high))]))

    with pytest.raises(InvalidInput, match=message):
        explainer.explain(torch.tensor([[0.0, 0.5, 1.0]]), 0)


def test_pass_refuses_an_operation_that_changes_the_shape() -> None:
    explainer = LRP(nn.Linear(3, 2), Composite([(where.all, Pass())]))

    with pytest.raises(InvalidInput, match=r"turns \[\(1, 3\)\] into \(1, 2\). Try Epsilon"):
        explainer.explain(torch.ones(1, 3), 0)


@pytest.mark.parametrize("pool", [nn.MaxPool3d(2), nn.AdaptiveMaxPool3d(1)])
def test_the_tie_rule_names_the_operation_it_is_not_for(pool: nn.Module) -> None:
    explainer = LRP(pool, Composite([(where.nature("max"), MaxPool())]))

    with pytest.raises(InvalidInput, match="is for max_pool1d and max_pool2d, but was given"):
        explainer.explain(torch.randn(1, 1, 2, 2, 2), lambda output: output.flatten(1).sum(1))


@dataclass(frozen=True)
class Misplaced(Rule):
    """A linear rule that says it is for pointwise operations."""

    natures: ClassVar[tuple[str, ...]] = ("pointwise",)

    def send(self, node: Node) -> list[Message | None]:
        return Zero().send(node)


def test_a_linear_rule_elsewhere_names_the_operation() -> None:
    explainer = LRP(nn.Tanh(), Composite([(where.all, Misplaced())]))

    with pytest.raises(InvalidInput, match=r"is for linear operations, but was given .*tanh"):
        explainer.explain(torch.ones(1, 3), 0)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (ZBox(0.0, 1.0), ZBox(torch.tensor(0.0), torch.tensor(1.0))),
        (Gamma(0.5), Gamma(gamma=0.5)),
        (AlphaBeta(2.0, 1.0), AlphaBeta()),
    ],
)
def test_equal_rules_are_equal_and_hash_alike(first: Rule, second: Rule) -> None:
    assert first == second
    assert hash(first) == hash(second)


def test_rules_of_other_values_differ() -> None:
    assert ZBox(0.0, 1.0) != ZBox(0.0, 2.0)
    assert ZBox(0.0, 1.0) != Zero()
    assert Epsilon(0.1) != Epsilon(0.2)
