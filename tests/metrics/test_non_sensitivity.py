"""Non-sensitivity: by hand, both ways, and how often the model is asked."""

import pytest
import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.metrics import Batch, Case, Constant, NonSensitivity, Patches
from whence.metrics._cost import foretold

X = torch.tensor([[1.0, 2.0, 3.0], [2.0, -1.0, 0.5]], dtype=torch.float64)


def model(x: Tensor) -> Tensor:
    """2 a - c: the second feature is not used."""
    return (2 * x[:, :1] - x[:, 2:]).flatten(1)


def details(relevance: list[float]) -> tuple[list[float], list[float], list[float]]:
    maps = torch.tensor([relevance, relevance], dtype=torch.float64)
    scores = NonSensitivity()(model, X, maps, 0)
    found = scores.values, scores.details["unfounded"], scores.details["missed"]
    return found[0].tolist(), found[1].tolist(), found[2].tolist()


def test_a_map_of_what_is_used_is_right() -> None:
    assert details([2.0, 0.0, -1.0]) == ([0, 0], [0, 0], [0, 0])


def test_both_faults_count() -> None:
    assert details([2.0, 1.0, 0.0]) == ([2 / 3] * 2, [1 / 3] * 2, [1 / 3] * 2)


def test_the_opposite_map_gets_the_worst_value() -> None:
    assert details([0.0, 1.0, 0.0]) == ([1, 1], [1 / 3] * 2, [2 / 3] * 2)


def test_rounding_is_no_relevance() -> None:
    assert details([2.0, 1e-9, -1.0])[0] == [0, 0]


def test_a_model_that_ignores_its_input_uses_nothing() -> None:
    def constant(x: Tensor) -> Tensor:
        return torch.ones(len(x), 1, dtype=x.dtype)

    zero = NonSensitivity()(constant, X, torch.zeros_like(X), 0)
    one = NonSensitivity()(constant, X, torch.ones_like(X), 0)

    assert zero.values.tolist() == [0, 0]
    assert one.values.tolist() == [1, 1]


def test_a_replacement_that_changes_nothing_shows_nothing() -> None:
    # The first feature of the first sample is 1 already.
    scores = NonSensitivity(Constant(1.0))(model, X, torch.tensor([[2.0, 0.0, -1.0]] * 2), 0)

    assert scores.details["unfounded"].tolist() == pytest.approx([1 / 3, 0])


def test_patches_are_replaced_whole() -> None:
    def right_half(x: Tensor) -> Tensor:
        return x[:, :, :, 2:].flatten(1).sum(1, keepdim=True)

    x = torch.rand(2, 3, 4, 4, dtype=torch.float64)
    relevance = torch.zeros(2, 1, 4, 4, dtype=torch.float64)
    relevance[..., 3] = 1
    scores = NonSensitivity(features=Patches(2))(right_half, x, relevance, 0)

    assert scores.values.tolist() == [0, 0]


def test_the_model_is_asked_exactly_as_often_as_foretold_and_once_for_all_explanations() -> None:
    batch, metric = Batch(model, X, 0, chunk=4), NonSensitivity()
    metric.measure(Case(batch, X))
    metric.measure(Case(batch, -X))

    assert foretold([metric.cost(batch)], explanations=2) == 1 + 3 * 3
    assert batch.forwarded == len(X) * 10


def test_results_do_not_depend_on_the_batch() -> None:
    whole = NonSensitivity()(model, X, torch.ones_like(X), 0, ids=["a", "b"])
    alone = NonSensitivity()(model, X[1:], torch.ones(1, 3), 0, ids=["b"], chunk=1)

    assert alone.values.tolist() == whole.values[1:].tolist()


def test_a_negative_tolerance_is_refused() -> None:
    with pytest.raises(InvalidInput, match="tolerance must not be negative, got -1"):
        NonSensitivity(tolerance=-1)
