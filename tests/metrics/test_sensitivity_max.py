from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from whence._explanation import Explanation
from whence.errors import InvalidInput
from whence.explainers import Explainer
from whence.metrics import Batch, Case, Cube, Metric, SensitivityMax, Shifts
from whence.testing import check_metric


class Known(Explainer):
    """Relevance that is a given function of the inputs; counts what it was asked."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__(flat_sum)
        self.function, self.asked = function, 0

    def explain(self, inputs: Any, target: Any = None) -> Explanation:
        self.asked += len(inputs)
        return Explanation(
            relevance=self.function(inputs),
            inputs=inputs,
            output=None,
            target=target,
            score=torch.zeros(len(inputs)),
            method="known",
        )


def flat_sum(x: Tensor) -> Tensor:
    return x.flatten(1).sum(1, keepdim=True)


def test_by_hand() -> None:
    # R = x: moved by one pixel (0, 3, 4) is (0, 0, 3) or (3, 4, 0), away by (0, 3, 1), (3, 1, 4).
    x = torch.tensor([[[0.0, 3, 4]]], dtype=torch.float64)
    explainer = Known(lambda each: each)
    found = SensitivityMax(Shifts(1, background=0.0))(flat_sum, x, x, explainer=explainer)

    assert found.values.item() == pytest.approx(26**0.5 / 5)
    assert found.details["mean"].item() == pytest.approx((26**0.5 + 10**0.5) / 2 / 5)


def test_the_best_explanation_does_not_change() -> None:
    x = torch.rand(3, 1, 4, 4, dtype=torch.float64)
    explainer = Known(torch.ones_like)
    found = SensitivityMax()(flat_sum, x, torch.ones_like(x), explainer=explainer)

    assert found.values.tolist() == [0, 0, 0]


def test_a_linear_explanation_stays_within_the_radius() -> None:
    # R = x with |x_i| = 1 and range 2: ||d|| / ||x|| <= 2 radius, and most of it is reached.
    x = torch.ones(2, 1, 4, 4, dtype=torch.float64)
    x[..., ::2] = -1
    explainer = Known(lambda each: each)
    found = SensitivityMax(Cube(0.1, 200))(flat_sum, x, x, explainer=explainer).values

    assert bool((found <= 0.2).all())
    assert bool((found > 0.1).all())


def test_the_unit_of_the_relevance_does_not_count() -> None:
    x = torch.rand(2, 5, dtype=torch.float64)
    one = SensitivityMax()(flat_sum, x, x**3, explainer=Known(lambda each: each**3))
    many = SensitivityMax()(flat_sum, x, -7 * x**3, explainer=Known(lambda each: -7 * each**3))

    torch.testing.assert_close(one.values, many.values)


def test_more_points_never_lower_the_maximum() -> None:
    x = torch.rand(4, 5, dtype=torch.float64)
    few, many = (
        SensitivityMax(Cube(0.1, count))(flat_sum, x, x**2, explainer=Known(torch.square)).values
        for count in (3, 30)
    )

    assert bool((many >= few).all())


def test_an_explanation_of_zeros_has_no_number() -> None:
    x = torch.rand(2, 5, dtype=torch.float64)
    relevance = x * torch.tensor([[1.0], [0.0]])
    found = SensitivityMax()(flat_sum, x, relevance, explainer=Known(lambda each: each))

    assert found.values.isnan().tolist() == [False, True]
    assert found.reasons == {1: "its relevance is zero everywhere"}


@pytest.mark.parametrize("chunk", [1, 4, 1000])
def test_samples_do_not_depend_on_their_company(chunk: int) -> None:
    x = torch.rand(5, 3, 4, 4, dtype=torch.float64)
    together = SensitivityMax()(flat_sum, x, x**2, explainer=Known(torch.square), chunk=chunk)
    alone = SensitivityMax()(flat_sum, x[3:4], x[3:4] ** 2, explainer=Known(torch.square), ids=[3])

    torch.testing.assert_close(together.values[3:4], alone.values)


def test_exactly_as_many_samples_are_explained_as_the_cost_says() -> None:
    x = torch.rand(3, 4, dtype=torch.float64)
    batch, explainer = Batch(flat_sum, x), Known(torch.square)
    metric = SensitivityMax(Cube(count=7))
    metric.measure(Case(batch, x**2, explainer))

    assert explainer.asked == 3 * metric.cost(batch).explanations == 21
    assert batch.forwarded == 3 * sum(metric.cost(batch).shared.values())


def test_it_needs_an_explainer() -> None:
    with pytest.raises(InvalidInput, match="needs explainer="):
        SensitivityMax()(flat_sum, torch.rand(1, 3), torch.rand(1, 3))


def test_when_memory_is_short_fewer_are_explained_at_a_time() -> None:
    x = torch.rand(4, 3, dtype=torch.float64)
    sizes: list[int] = []

    def small(each: Tensor) -> Tensor:
        sizes.append(len(each))
        if len(each) > 5:
            raise torch.OutOfMemoryError("out of memory")
        return each**2

    short = SensitivityMax()(flat_sum, x, x**2, explainer=Known(small)).values
    enough = SensitivityMax()(flat_sum, x, x**2, explainer=Known(torch.square)).values

    assert max(sizes) > 5
    torch.testing.assert_close(short, enough)


@pytest.mark.parametrize(
    "metric", [SensitivityMax(Cube(count=3)), SensitivityMax(Shifts(1, -2, 0.0))], ids=repr
)
def test_it_keeps_its_contract(metric: Metric) -> None:
    check_metric(lambda: metric)
