"""Completeness: by hand, with and without a ledger."""

import pytest
import torch
from torch import Tensor, nn

from whence.composites import EpsilonPlus
from whence.engine import Ledger
from whence.errors import InvalidInput
from whence.explainers import LRP, Explainer, GradientTimesInput, IntegratedGradients
from whence.metrics import Completeness, Scores
from whence.metrics._completeness import booked_of


@pytest.fixture
def model() -> nn.Linear:
    net = nn.Linear(2, 1).double().eval()
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[2.0, -1.0]]))
        net.bias.fill_(1.0)
    return net


X = torch.tensor([[3.0, 1.0], [1.0, 0.0]], dtype=torch.float64)  # scores 6 and 3


def measured(explainer: Explainer, x: Tensor = X) -> Scores:
    found = explainer.explain(x, 0)
    return Completeness()(explainer.model, x, found.relevance, 0, explanation=found)


def test_what_the_bias_took_is_missing_and_booked(model: nn.Linear) -> None:
    scores = measured(LRP(model))

    # The bias 1 of 6 and of 3; epsilon takes a millionth of z.
    assert scores.values.tolist() == pytest.approx([1 / 6, 1 / 3], abs=1e-5)
    assert scores.details["booked"].tolist() == pytest.approx([1 / 6, 1 / 3], abs=1e-5)
    assert scores.details["unbooked"].tolist() == pytest.approx([0, 0], abs=1e-12)


def test_without_a_ledger_nothing_is_known_to_be_booked(model: nn.Linear) -> None:
    scores = measured(GradientTimesInput(model))

    assert scores.values.tolist() == pytest.approx([1 / 6, 1 / 3], abs=1e-12)
    assert scores.details["unbooked"].isnan().all()


def test_a_path_from_zero_misses_the_score_at_zero(model: nn.Linear) -> None:
    assert measured(IntegratedGradients(model)).values.tolist() == pytest.approx([1 / 6, 1 / 3])


def test_every_sample_of_a_deep_net_is_booked_in_full() -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))
    net, x = net.double().eval(), torch.rand(5, 1, 6, 6, dtype=torch.float64)
    scores = measured(LRP(net, EpsilonPlus()), x)

    assert scores.details["unbooked"].abs().max() < 1e-10
    assert scores.values.min() > 1e-3  # so there was something to book
    assert (scores.details["booked"].abs() - scores.values).abs().max() < 1e-10


def test_relevance_that_is_tampered_with_is_unbooked(model: nn.Linear) -> None:
    found = LRP(model).explain(X, 0)
    scores = Completeness()(model, X, 1.01 * found.relevance, 0, explanation=found)

    # 1 % of 5 of the score 6, and of 2 of the score 3.
    assert scores.details["unbooked"].tolist() == pytest.approx([0.05 / 6, 0.02 / 3], rel=1e-4)


def test_all_inputs_count() -> None:
    def model(a: Tensor, b: Tensor) -> Tensor:
        return a + 2 * b

    inputs = torch.tensor([[1.0]]).double(), torch.tensor([[3.0]]).double()
    explainer = GradientTimesInput(model)
    found = explainer.explain(inputs, 0)
    scores = Completeness()(model, inputs, found.relevance[0], 0, explanation=found)

    assert scores.values.tolist() == [0]


def test_a_score_of_zero(model: nn.Linear) -> None:
    x = torch.tensor([[-1.0, -1.0], [0.0, 1.0]], dtype=torch.float64)  # scores 0 and 0, R -1, -1
    found = GradientTimesInput(model).explain(x, 0)
    relevance = torch.tensor([[0.0, 0.0], [0.0, -1.0]], dtype=torch.float64)
    scores = Completeness()(model, x, relevance, 0, explanation=found)

    assert scores.values.tolist() == [0, float("inf")]


def test_sums_over_the_whole_batch_are_nobodys_in_particular() -> None:
    ledger = Ledger(2, torch.float64)
    ledger.open("linear", "", "").book(bias=torch.tensor(3.0).double())

    assert booked_of(ledger, 2).isnan().all()


def test_without_an_explanation_it_says_what_is_missing(model: nn.Linear) -> None:
    with pytest.raises(InvalidInput, match="needs explanation=, the whole result"):
        Completeness()(model, X, X, 0)
