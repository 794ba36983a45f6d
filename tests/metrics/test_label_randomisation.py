"""Label randomisation: the worst and the best value, and when a model is trained."""

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from whence.errors import InvalidInput
from whence.explainers import GradientTimesInput
from whence.metrics import Batch, Case, LabelRandomisation

X = torch.tensor([[1.0, 2.0, 3.0], [1.0, 1.0, 2.0]], dtype=torch.float64)


def linear(*weights: float) -> nn.Linear:
    net = nn.Linear(3, 1, bias=False).double().eval()
    with torch.no_grad():
        net.weight.copy_(torch.tensor([weights]))
    return net


def found(other: nn.Linear, **knobs: str) -> list[float]:
    model = linear(1, 2, 3)
    explainer = GradientTimesInput(model)
    relevance = explainer.explain(X, 0).relevance
    metric = LabelRandomisation(other, **knobs)
    return metric(model, X, relevance, 0, explainer=explainer).values.tolist()


def test_a_model_that_learned_the_same_gives_the_worst_value() -> None:
    assert found(linear(1, 2, 3)) == pytest.approx([1, 1], abs=1e-15)


def test_by_hand() -> None:
    # Maps (1, 4, 9) and (3, 2, 6): ranks 0 1 2 and 1 0 2, 1 - 6 x 2 / 24 = 1/2.
    # Maps (1, 2, 6) and (3, 1, 4): the same.
    assert found(linear(3, 1, 2)) == pytest.approx([1 / 2, 1 / 2], abs=1e-15)


def test_opposite_maps_are_alike_in_magnitude_only() -> None:
    assert found(linear(-1, -2, -3)) == pytest.approx([-1, -1], abs=1e-15)
    assert found(linear(-1, -2, -3), similarity="absolute-rank") == pytest.approx([1, 1])


def test_permuted_digits_are_told_from_the_same_ones_learned_again() -> None:
    digits = load_digits()
    x, labels = torch.tensor(digits.data).float() / 16, torch.tensor(digits.target)
    permuted = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(1))]
    model, again, other = trained(x, labels, 0), trained(x, labels, 1), trained(x, permuted, 1)
    explainer = GradientTimesInput(model)
    relevance = explainer.explain(x[:200]).relevance

    def alike(second: nn.Module) -> Tensor:
        return LabelRandomisation(second)(model, x[:200], relevance, explainer=explainer).values

    assert float(alike(again).mean()) > 0.3
    assert abs(float(alike(other).mean())) < 0.1


def trained(x: Tensor, labels: Tensor, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(150):
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(x), labels).backward()
        optimiser.step()
    return model.eval()


def test_a_function_trains_once() -> None:
    calls: list[int] = []

    def train() -> nn.Module:
        calls.append(1)
        return linear(3, 1, 2)

    metric, model = LabelRandomisation(train), linear(1, 2, 3)
    first = metric(model, X, X, explainer=GradientTimesInput(model))
    second = metric(model, X, X, explainer=GradientTimesInput(model))

    assert calls == [1]
    assert first.values.tolist() == second.values.tolist()


def test_it_costs_one_explanation_and_the_untouched_answer() -> None:
    model = linear(1, 2, 3)
    batch, metric = Batch(model, X), LabelRandomisation(linear(3, 1, 2))
    metric.measure(Case(batch, X, GradientTimesInput(model)))

    assert metric.cost(batch).explanations == 1
    assert batch.forwarded == len(X) * sum(metric.cost(batch).shared.values())


def test_the_model_itself_is_no_comparison() -> None:
    model = linear(1, 2, 3)

    with pytest.raises(InvalidInput, match="is the explained model itself"):
        LabelRandomisation(model)(model, X, X, explainer=GradientTimesInput(model))


def test_a_model_in_training_mode_is_refused() -> None:
    model = linear(1, 2, 3)

    with pytest.raises(InvalidInput, match="in training mode"):
        LabelRandomisation(linear(3, 1, 2).train())(model, X, X, explainer=GradientTimesInput)


def test_what_trains_must_give_a_module() -> None:
    model = linear(1, 2, 3)

    with pytest.raises(InvalidInput, match="returns one, got one that returns int"):
        LabelRandomisation(lambda: 3)(model, X, X, explainer=GradientTimesInput)  # type: ignore[arg-type, return-value]
