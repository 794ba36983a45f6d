"""Rules that treat the message as a gradient, and the one that passes relevance on."""

import pytest
import torch
from torch import nn

from whence.composites import Composite, where
from whence.explainers import LRP
from whence.rules import DeconvnetReLU, Flat, Gradient, GuidedReLU, Pass, Rule, Zero
from whence.targets import Given, Weights

GRADIENT = Composite([(where.all, Gradient())])


def _net() -> nn.Module:
    norm = nn.BatchNorm2d(3)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.running_mean)
    return (
        nn.Sequential(
            nn.Conv2d(2, 3, 3),
            norm,
            nn.GELU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(12, 6),
            nn.LayerNorm(6),
            nn.Softmax(1),
            nn.Linear(6, 2),
        )
        .double()
        .eval()
    )


def test_gradient_on_everything_is_gradient_times_input() -> None:
    model, x = _net(), torch.randn(2, 2, 6, 6).double().requires_grad_()
    found = LRP(model, GRADIENT).explain(x, 1)
    (gradient,) = torch.autograd.grad(model(x)[:, 1].sum(), x)

    torch.testing.assert_close(found.relevance, (x * gradient).detach())


def test_gradient_turns_given_relevance_into_a_coefficient_once() -> None:
    model, x = nn.Sequential(nn.Linear(4, 3), nn.Tanh()).double(), torch.randn(2, 4).double()
    R = torch.randn(2, 3).double()
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(leaf), leaf, R / model(x).detach())

    torch.testing.assert_close(LRP(model, GRADIENT).explain(x, Given(R)).relevance, x * gradient)


def test_relevance_at_an_output_of_zero_is_booked_by_gradient() -> None:
    x, R = torch.tensor([[0.0, 1.0]]), torch.tensor([[3.0, 4.0]])
    found = LRP(nn.Tanh(), GRADIENT).explain(x, Given(R), ledger="full")

    assert found.ledger.total("dropped") == 3.0


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        # x = (-1, 1, -2, 2) and the signal above c = (5, 6, -7, -8); what arrives is x c
        (DeconvnetReLU(), [-5.0, 6.0, 0.0, 0.0]),
        (GuidedReLU(), [0.0, 6.0, 0.0, 0.0]),
        (Gradient(), [0.0, 6.0, 0.0, -16.0]),
    ],
    ids=repr,
)
def test_the_three_backward_relus_by_hand(rule: Rule, expected: list[float]) -> None:
    x, c = torch.tensor([[-1.0, 1.0, -2.0, 2.0]]), torch.tensor([5.0, 6.0, -7.0, -8.0])
    found = LRP(nn.ReLU(), Composite([(where.all, rule)])).explain(x, Weights(c))

    assert found.relevance.tolist() == [expected]


@pytest.mark.parametrize("rule", [DeconvnetReLU(), GuidedReLU()], ids=repr)
def test_backward_relus_behind_a_layer_see_its_exact_output(rule: Rule) -> None:
    model, x = nn.Sequential(nn.Linear(5, 8), nn.ReLU()).double(), torch.randn(3, 5).double()
    c = torch.randn(8).double()
    composite = Composite([(where.all, Gradient()), (where.kind("relu"), rule)])
    opened = {DeconvnetReLU: torch.ones(3, 8), GuidedReLU: model(x) > 0}[type(rule)]
    expected = x * ((opened.double() * c.clamp(min=0)) @ model[0].weight)

    torch.testing.assert_close(LRP(model, composite).explain(x, Weights(c)).relevance, expected)


def test_pass_leaves_relevance_as_it_is() -> None:
    R = torch.randn(2, 4)
    found = LRP(nn.Linear(4, 4), Composite([(where.all, Pass())])).explain(
        torch.randn(2, 4), Given(R), ledger="full"
    )

    assert torch.equal(found.relevance, R)
    found.ledger.check()


def test_pass_replaces_the_share_that_a_function_would_book() -> None:
    # sigmoid(0) = 1/2 is booked without the rule, and passed on with it
    x, c = torch.randn(2, 3).double(), torch.ones(3).double()
    plain = LRP(nn.Sigmoid()).explain(x, Weights(c), ledger="full")
    passed = LRP(nn.Sigmoid(), Composite([(where.all, Pass())])).explain(x, Weights(c))

    torch.testing.assert_close(plain.relevance, torch.sigmoid(x) - 0.5)
    torch.testing.assert_close(passed.relevance, torch.sigmoid(x))


def test_flat_below_a_layer_only_blurs() -> None:
    # decomposition depth [bach2016]: R at the hidden layer is LRP-0's, below it spreads evenly
    model, x = _dense(), torch.randn(2, 4).double()
    composite = Composite([(where.nature("linear"), Zero())]).below("2", Flat())
    found = LRP(model, composite).explain(x, 1)
    hidden = LRP(model, Composite([(where.nature("linear"), Zero())])).explain(x, 1, taps=["0"])
    expected = hidden.at("0").sum(1, keepdim=True).expand(2, 4) / 4

    torch.testing.assert_close(found.relevance, expected)


def _dense() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2)).double()
