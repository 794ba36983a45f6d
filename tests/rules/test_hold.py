"""Holding: what a rule holds constant carries no relevance, as if the model had detached it."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from laws import ZERO, rand, weights_for
from whence.composites import Composite, where
from whence.errors import InvalidInput, UnsupportedOperations
from whence.explainers import LRP
from whence.rules import HalfEach, Hold, Rule, SignalTakesAll
from whence.targets import Each, Neuron, Weights

X, Y, W = rand(3, 4), rand(3, 4, seed=1), rand(4, 4, seed=2)
Cut = Callable[[Tensor], Tensor]


def _keep(tensor: Tensor) -> Tensor:
    return tensor


def _cut(tensor: Tensor) -> Tensor:
    return tensor.detach()


# Each model takes the cut it is to make: none under Hold, detach() for the oracle.
MODELS: dict[str, tuple[Callable[[Tensor, Cut], Tensor], str]] = {
    "gate": (lambda x, cut: x * cut(torch.sigmoid(x @ W)), "sigmoid"),
    "gate first": (lambda x, cut: cut(torch.sigmoid(x @ W)) * x, "sigmoid"),
    "addend": (lambda x, cut: F.relu(x @ W) + cut(torch.sigmoid(x)), "sigmoid"),
    "subtrahend": (lambda x, cut: cut(torch.sigmoid(x)) - x @ W, "sigmoid"),
    "joined": (lambda x, cut: torch.cat([cut(torch.sigmoid(x)), x @ W], 1), "sigmoid"),
    "pattern": (
        lambda x, cut: (cut((x[:, :, None] * x[:, None]).softmax(-1)) @ x[:, :, None])[:, :, 0],
        "softmax",
    ),
    "made of held": (lambda x, cut: x * (cut(torch.sigmoid(x)).exp() @ W).cos(), "sigmoid"),
    "two held factors": (
        lambda x, cut: x * (cut(torch.sigmoid(x)) * cut(torch.sigmoid(x @ W))),
        "sigmoid",
    ),
    "denominator": (lambda x, cut: (x @ W) / cut(torch.sigmoid(x)), "sigmoid"),
    "layer norm": (
        lambda x, cut: (x - x.mean(-1, True)) * cut((x.var(-1, keepdim=True) + 1).rsqrt()),
        "rsqrt",
    ),
    "three factors": (
        lambda x, cut: torch.einsum("bi,bi,bi->bi", x, cut(torch.sigmoid(x)), x @ W),
        "sigmoid",
    ),
}
PRODUCTS = pytest.mark.parametrize("product", [HalfEach(), SignalTakesAll()], ids=repr)


@pytest.mark.parametrize("name", MODELS)
@PRODUCTS
def test_holding_equals_detaching_element_by_element(name: str, product: Rule) -> None:
    model, kind = MODELS[name]
    composite = ZERO + [(where.nature("product"), product)]
    held = LRP(lambda x: model(x, _keep), composite + [(where.kind(kind), Hold())])
    detached = LRP(lambda x: model(x, _cut), composite)
    target = weights_for(lambda x: model(x, _keep), X)

    found = held.explain(X, target, ledger="full")
    expected = detached.explain(X, target, ledger="full")

    torch.testing.assert_close(found.relevance, expected.relevance, rtol=1e-12, atol=1e-12)
    assert expected.relevance.abs().max() > 0.1
    found.ledger.check()


def test_the_live_factor_of_a_product_takes_all() -> None:
    composite = ZERO + [(where.kind("tanh"), Hold())]
    x, y = LRP(lambda x, y: x * torch.tanh(y), composite).explain((X, Y), _ONES).relevance

    torch.testing.assert_close(x, X * torch.tanh(Y))
    assert not y.any()


def test_a_held_addend_is_booked_as_bias() -> None:
    composite = ZERO + [(where.kind("tanh"), Hold())]
    ex = LRP(lambda x, y: x + torch.tanh(y), composite).explain((X, Y), _ONES, ledger="full")

    torch.testing.assert_close(ex.relevance[0], X)
    assert ex.ledger.total("bias") == pytest.approx(float(torch.tanh(Y).sum()))
    assert ex.ledger.total("dropped") == 0


def test_some_outputs_of_an_operation_can_be_held() -> None:
    def model(x: Tensor, cut: Cut) -> Tensor:
        signal, gate, shift = (x @ rand(4, 6, seed=3)).split(2, -1)
        return signal * cut(gate) + cut(shift)

    target = weights_for(lambda x: model(x, _keep), X)
    composite = ZERO + [(where.kind("split"), Hold(outputs=(1, 2)))]
    found = LRP(lambda x: model(x, _keep), composite).explain(X, target, ledger="full")
    expected = LRP(lambda x: model(x, _cut), ZERO).explain(X, target)

    torch.testing.assert_close(found.relevance, expected.relevance)
    assert found.relevance.abs().max() > 0.1
    found.ledger.check()


def test_what_lies_behind_a_held_operation_needs_no_rule() -> None:
    composite = Composite([(where.kind("mul"), HalfEach()), (where.kind("log"), Hold())])
    found = LRP(lambda x: x * (x.square().sum(-1, True) @ x[:1, :1]).abs().log(), composite)
    scale = (X.square().sum(-1, keepdim=True) @ X[:1, :1]).abs().log()

    torch.testing.assert_close(found.explain(X, _ONES).relevance, X * scale)


def test_an_operation_behind_a_held_one_still_needs_its_rule_on_another_way() -> None:
    composite = Composite([(where.nature("product"), HalfEach()), (where.kind("sigmoid"), Hold())])

    def model(x: Tensor) -> Tensor:
        h = F.linear(x, W)
        return h * torch.sigmoid(h)

    with pytest.raises(UnsupportedOperations, match="linear in the model's forward"):
        LRP(model, composite).explain(X, _ONES)


def test_a_held_output_explains_nothing_and_says_so() -> None:
    composite = ZERO + [(where.kind("sigmoid"), Hold())]
    ex = LRP(lambda x: torch.sigmoid(x), composite).explain(X, _ONES, ledger="full")

    assert not ex.relevance.any()
    assert ex.ledger.total("dropped") == pytest.approx(float(torch.sigmoid(X).sum()))


def test_many_targets_share_one_tape_under_hold() -> None:
    explainer = LRP(
        lambda x: F.relu(x @ W) * torch.sigmoid(x), ZERO + [(where.kind("sigmoid"), Hold())]
    )
    single = [explainer.explain(X, Neuron((i,))).relevance for i in range(4)]

    both = explainer.explain(X, Each([Neuron((i,)) for i in range(4)])).relevance

    assert torch.equal(both, torch.stack(single))


def test_a_recurrent_scan_with_held_parameters_is_a_linear_filter() -> None:
    model = _Scan()
    target = Weights(rand(4, seed=7))
    composite = ZERO + [(where.name("decay") | where.name("read"), Hold())]
    found = LRP(model, composite).explain(rand(2, 5, 4, seed=8), target, ledger="full")

    torch.testing.assert_close(found.relevance, _scan_oracle(model, rand(2, 5, 4, seed=8), target))
    found.ledger.check()


class _Scan(nn.Module):
    """h_t = sigmoid(a x_t) h_{t-1} + x_t,  y = c(x_T) h_T."""

    def __init__(self) -> None:
        super().__init__()
        self.decay, self.read = nn.Linear(4, 4), nn.Linear(4, 4)
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        h = torch.zeros_like(x[:, 0])
        for t in range(x.shape[1]):
            h = torch.sigmoid(self.decay(x[:, t])) * h + x[:, t]
        return self.read(x[:, -1]) * h


def _scan_oracle(model: _Scan, x: Tensor, target: Weights) -> Tensor:
    """x_s takes c_T (prod_{t > s} sigma_t) x_s: written out, without any engine."""
    with torch.no_grad():
        gates = torch.sigmoid(model.decay(x))
        read = model.read(x[:, -1]) * target.weights
        later = torch.stack([gates[:, s + 1 :].prod(1) for s in range(x.shape[1])], 1)
        return read[:, None] * later * x


# -- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize("outputs", [(), (-1,)])
def test_outputs_are_numbers_from_zero_on(outputs: Any) -> None:
    with pytest.raises(InvalidInput, match=r"Hold needs outputs= as numbers .* Try Hold\(\)"):
        Hold(outputs=outputs)


def test_an_output_that_is_not_there_is_an_error_with_the_place() -> None:
    composite = ZERO + [(where.kind("sigmoid"), Hold(outputs=(1,)))]

    with pytest.raises(
        InvalidInput, match=r"sigmoid in .* which has 1 output.*Narrow its selector"
    ):
        LRP(lambda x: x * torch.sigmoid(x), composite).explain(X, _ONES)


def test_hold_prints_as_the_code_that_builds_it() -> None:
    assert repr(Hold(outputs=[1, 2])) == "Hold(outputs=(1, 2))"
    assert Hold() == Hold(None)


_ONES = Weights(torch.ones(4, dtype=torch.float64))


# -- on the engine's other ways ------------------------------------------------------------------


def test_a_frozen_explanation_holds_as_well() -> None:
    model = nn.Sequential(nn.Linear(4, 4), _Gated(), nn.Linear(4, 3)).double()
    explainer = LRP(model, ZERO + [(where.kind("sigmoid"), Hold())])
    compiled = explainer.compile(X, optimise=False)

    torch.testing.assert_close(compiled(Y, 1), explainer.explain(Y, 1).relevance)


def test_relevance_with_held_values_can_be_differentiated() -> None:
    composite = ZERO + [(where.kind("sigmoid"), Hold())]
    x = X.clone().requires_grad_()
    ex = LRP(lambda x: x * torch.sigmoid(x), composite).explain(x, _ONES, create_graph=True)
    slope = torch.autograd.grad(ex.relevance.sum(), x)[0]
    sigmoid = torch.sigmoid(X)

    # the relevance x sigmoid(x) is differentiated in full: holding is about its way back only
    torch.testing.assert_close(slope, sigmoid + X * sigmoid * (1 - sigmoid))


def test_a_condition_at_a_held_value_changes_nothing() -> None:
    model = nn.Sequential(nn.Linear(4, 4), _Gated(), nn.Linear(4, 3)).double()
    explainer = LRP(model, ZERO + [(where.kind("sigmoid"), Hold())])
    masked = explainer.explain(X, 1, conditions={"1.gate": [0]}, taps=["1.gate"])

    assert not masked.at("1.gate").any()
    assert torch.equal(masked.relevance, explainer.explain(X, 1).relevance)


class _Gated(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)
