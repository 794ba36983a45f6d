"""A frozen explanation equals the recorded one, on inputs and targets it has never seen."""

import pytest
import torch
from torch import Tensor, nn

from whence.composites import (
    Composite,
    EpsilonAlpha2Beta1,
    EpsilonEverywhere,
    EpsilonGammaBox,
    EpsilonPlusFlat,
)
from whence.errors import InvalidInput, UnsupportedModel
from whence.explainers import LRP, Sensitivity
from whence.targets import Contrast, Given


class Small(nn.Module):
    """Convolution, batch norm, residual sum, pooling, dense."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.head = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.relu(self.norm(self.first(x)))
        h = torch.relu(h + self.second(h))
        return self.head(nn.functional.max_pool2d(h, 4).flatten(1)).softmax(1)


class Branching(nn.Module):
    """Runs differently for different values."""

    def forward(self, x: Tensor) -> Tensor:
        return x * 2 if x.sum() > 0 else x * 3


@pytest.fixture
def net() -> nn.Module:
    return Small().double().eval()


TARGETS = [None, 2, [1, 4, 0], Contrast(3, 1)]
COMPOSITES = [
    EpsilonEverywhere(),
    EpsilonPlusFlat(),
    EpsilonAlpha2Beta1(),
    EpsilonGammaBox(-9.0, 9.0),
]


@pytest.mark.parametrize("target", TARGETS, ids=str)
@pytest.mark.parametrize("rules", COMPOSITES, ids=["epsilon", "z+", "alpha-beta", "gamma"])
def test_a_frozen_explanation_holds_for_new_inputs(
    net: nn.Module, rules: Composite, target: object
) -> None:
    explainer = LRP(net, rules)
    frozen = explainer.compile(torch.rand(3, 2, 8, 8).double(), optimise=False)
    signed = torch.randn(3, 2, 8, 8).double()

    expected = explainer.explain(signed, target).relevance
    torch.testing.assert_close(frozen(signed, target), expected, rtol=1e-9, atol=1e-12)


# torch's own compiler still uses what torch deprecates
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_machine_code_gives_the_same(net: nn.Module) -> None:
    explainer = LRP(net, EpsilonPlusFlat())
    frozen = explainer.compile(torch.rand(3, 2, 8, 8).double())
    x = torch.randn(3, 2, 8, 8).double()

    assert "machine code" in repr(frozen) or "the compiler failed" in repr(frozen)
    torch.testing.assert_close(
        frozen(x, 1), explainer.explain(x, 1).relevance, rtol=1e-7, atol=1e-9
    )


def test_methods_of_the_gradient_family_freeze_too(net: nn.Module) -> None:
    frozen = Sensitivity(net).compile(torch.rand(3, 2, 8, 8).double(), optimise=False)
    x = torch.randn(3, 2, 8, 8).double()

    torch.testing.assert_close(frozen(x, 1), Sensitivity(net).explain(x, 1).relevance)


def test_another_shape_is_refused(net: nn.Module) -> None:
    frozen = LRP(net).compile(torch.rand(3, 2, 8, 8).double(), optimise=False)

    with pytest.raises(InvalidInput, match=r"compiled for inputs of shape \(3, 2, 8, 8\)"):
        frozen(torch.rand(2, 2, 8, 8).double())


def test_a_model_that_branches_on_data_is_refused() -> None:
    with pytest.raises(UnsupportedModel, match="reads a value back"):
        LRP(Branching()).compile(torch.rand(3, 4), optimise=False)


def test_a_failing_compiler_is_said_and_the_graph_still_runs(
    net: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compile_nothing(graph: object) -> object:
        def fail(*_: object) -> None:
            raise RuntimeError("no compiler here")

        return fail

    monkeypatch.setattr(torch, "compile", compile_nothing)
    x = torch.rand(3, 2, 8, 8).double()
    frozen = LRP(net, EpsilonPlusFlat()).compile(x)

    assert "the compiler failed: no compiler here" in repr(frozen)
    assert frozen(x, 1).shape == x.shape


def test_given_relevance_is_refused_where_coefficients_are_needed(net: nn.Module) -> None:
    x = torch.rand(3, 2, 8, 8).double()
    frozen = LRP(net).compile(x, optimise=False)

    with pytest.raises(InvalidInput, match="Given relevance has no coefficients"):
        frozen(x, Given(torch.ones(5)))
