from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from whence import zoo
from whence._explanation import Explanation
from whence.composites import Composite, where
from whence.errors import InvalidInput
from whence.explainers import LRP, Explainer, GradientTimesInput, Sensitivity
from whence.metrics import Ball, Batch, Case, Continuity, Cube, Metric, Neighbours, Scores, Shifts
from whence.rules import ZPlus
from whence.testing import check_metric


class MaxNet(nn.Module):
    """max(x1, x2) for x >= 0: half the sum of relu(x1 - x2), relu(x2 - x1) and x1 + x2."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(2, 3, bias=False, dtype=torch.float64)
        self.output = nn.Linear(3, 1, bias=False, dtype=torch.float64)
        self.hidden.weight.data = torch.tensor([[1.0, -1], [-1, 1], [1, 1]], dtype=torch.float64)
        self.output.weight.data = torch.full((1, 3), 0.5, dtype=torch.float64)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.hidden(x).relu())


class Points(Neighbours):
    """Given neighbours, alone or on a path."""

    def __init__(self, inputs: Tensor, path: tuple[int, ...] = ()) -> None:
        self.inputs, self._path = inputs, path

    def points(self) -> int:
        return len(self.inputs)

    def path(self) -> tuple[int, ...]:
        return self._path

    def of(self, batch: Batch) -> Callable[[slice, slice], Tensor]:
        return lambda samples, points: self.inputs[None, points].expand(
            len(batch.x[samples]), *self.inputs[points].shape
        )


class Known(Explainer):
    """Relevance that is a given function of the inputs; keeps what it was asked."""

    def __init__(self, model: Any, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__(model)
        self.function, self.sizes, self.targets = function, [], []

    def explain(self, inputs: Any, target: Any = None) -> Explanation:
        self.sizes.append(len(inputs))
        self.targets.append(target)
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


def z_plus(model: nn.Module) -> LRP:
    return LRP(model, Composite([(where.all, ZPlus())]))


def measured(metric: Continuity, explainer: Explainer, x: Tensor, **about: Any) -> Scores:
    relevance = explainer.explain(x, about.get("target")).relevance
    return metric(explainer.model, x, relevance, explainer=explainer, **about)


X = torch.tensor([[1.1, 1.0]], dtype=torch.float64)
MIRRORED = torch.tensor([[1.0, 1.1]], dtype=torch.float64)


def test_simple_taylor_jumps_where_the_maximum_changes_sides() -> None:
    # R goes from (1.1, 0) to (0, 1.1): 2.2 over the distance 0.1 sqrt(2).
    found = measured(Continuity(Points(MIRRORED)), GradientTimesInput(MaxNet()), X)

    assert found.values.item() == pytest.approx(2.2 / (0.1 * 2**0.5), rel=1e-9)


def test_sensitivity_jumps_as_well() -> None:
    # (1, 0) to (0, 1).
    found = measured(Continuity(Points(MIRRORED)), Sensitivity(MaxNet()), X)

    assert found.values.item() == pytest.approx(2 / (0.1 * 2**0.5), rel=1e-9)


def test_z_plus_is_continuous_there() -> None:
    # R = (x1 - x2 / 2, x2 / 2) for x1 > x2: from (0.6, 0.5) to (0.5, 0.6).
    found = measured(Continuity(Points(MIRRORED)), z_plus(MaxNet()), X)

    assert found.values.item() == pytest.approx(0.2 / (0.1 * 2**0.5), rel=1e-9)


def test_as_neighbours_come_nearer_only_the_gradient_grows() -> None:
    def value(explainer: Explainer, gap: float) -> float:
        x = torch.tensor([[1 + gap, 1.0]], dtype=torch.float64)
        return measured(Continuity(Points(x.flip(1))), explainer, x).values.item()

    taylor, deep = GradientTimesInput(MaxNet()), z_plus(MaxNet())

    assert value(taylor, 1e-4) == pytest.approx(1000 * value(taylor, 1e-1), rel=0.1)
    assert value(deep, 1e-4) == pytest.approx(value(deep, 1e-1), rel=1e-6)


def test_z_plus_stays_below_its_bound_in_a_ball_around_the_kink() -> None:
    # |dR_1| + |dR_2| <= |dx_1| + |dx_2| <= sqrt(2) ||dx||.
    x = torch.tensor([[1.0, 1.0], [2.0, 1.9]], dtype=torch.float64)
    near = Ball(0.2, count=100, scale="absolute")
    deep = measured(Continuity(near), z_plus(MaxNet()), x).values
    taylor = measured(Continuity(near), GradientTimesInput(MaxNet()), x).values

    assert bool((deep <= 2**0.5 + 1e-9).all())
    assert bool((taylor > 4).all())


def test_a_moving_picture_by_hand() -> None:
    # w x of x = (0, 4, 0) with w = (1, 2, 5): 0 8 0, to the right 0 0 20, to the left 4 0 0.
    w = torch.tensor([1.0, 2, 5], dtype=torch.float64)
    x = torch.tensor([[[0.0, 4, 0]]], dtype=torch.float64)
    explainer = Known(flat_sum, lambda each: w * each)
    found = measured(Continuity(Shifts(1)), explainer, x)

    right, left = (8 + 20) / 32**0.5, (8 + 4) / 32**0.5
    assert found.values.item() == pytest.approx(right)
    assert found.details["mean"].item() == pytest.approx((right + left) / 2)
    assert found.curves["continuity"].x.tolist() == [-0.5, 0.5]
    assert found.curves["continuity"].y[0].tolist() == pytest.approx([left, right])


def test_on_a_path_each_place_is_compared_with_the_one_before_it() -> None:
    places = torch.tensor([[2.0, 0], [4.0, 0], [0.0, 0]], dtype=torch.float64)
    x = torch.tensor([[1.0, 0]], dtype=torch.float64)
    explainer = Known(flat_sum, torch.square)
    found = measured(Continuity(Points(places, (1, 2, -1))), explainer, x)

    # R = (x^2, 0): 1 -> 4 over 1, 4 -> 16 over 2, 1 -> 0 over 1.
    assert found.curves["continuity"].x.tolist() == [-0.5, 0.5, 1.5]
    assert found.curves["continuity"].y.tolist() == [[1, 3, 6]]


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 100])
@pytest.mark.parametrize("near", [Shifts(3), Ball(0.5, 5), Cube(0.5, 7)])
def test_the_size_of_parts_changes_nothing(near: Neighbours, chunk: int) -> None:
    x = torch.rand(3, 2, 6, 6, dtype=torch.float64)
    whole = measured(Continuity(near), Known(flat_sum, torch.square), x, chunk=1000)
    parts = measured(Continuity(near), Known(flat_sum, torch.square), x, chunk=chunk)

    torch.testing.assert_close(parts.values, whole.values, rtol=1e-12, atol=0)
    assert {name: curve.y.shape for name, curve in parts.curves.items()} == {
        name: curve.y.shape for name, curve in whole.curves.items()
    }


def test_the_relevance_in_the_quadrants_adds_up_and_follows_the_picture() -> None:
    x = torch.zeros(1, 2, 4, 4, dtype=torch.float64)
    x[0, :, 0, 1] = 3
    found = measured(Continuity(Shifts(2, background=0.0)), Known(flat_sum, torch.square), x)

    # At column 1 with 9 in each of two channels; from one step to the right on, in the right half.
    assert found.curves["upper left"].x.tolist() == [-2, -1, 0, 1, 2]
    assert found.curves["upper left"].y.tolist() == [[0, 18, 18, 0, 0]]
    assert found.curves["upper right"].y.tolist() == [[0, 0, 0, 18, 18]]
    assert found.curves["lower left"].y.abs().max() == 0


def test_relative_size_makes_methods_of_other_units_comparable() -> None:
    w = torch.tensor([1.0, -2.0], dtype=torch.float64)
    x = torch.tensor([[3.0, 1.0]], dtype=torch.float64)
    near = Points(torch.tensor([[3.0, 2.0]], dtype=torch.float64))
    one = Known(flat_sum, lambda each: w * each)
    many = Known(flat_sum, lambda each: 1000 * w * each)

    # The change is 2, over ||(3, -2)||_1 = 5, over the distance 1.
    assert measured(Continuity(near, "relative"), one, x).values.item() == pytest.approx(2 / 5)
    assert measured(Continuity(near, "relative"), many, x).values.item() == pytest.approx(2 / 5)
    assert measured(Continuity(near), many, x).values.item() == pytest.approx(2000)


def test_a_sample_whose_neighbours_are_itself_has_no_number() -> None:
    x = torch.stack([torch.full((1, 4, 4), 2.0), torch.rand(1, 4, 4)]).double()
    found = measured(Continuity(Shifts(1)), Known(flat_sum, torch.square), x)

    assert found.values.isnan().tolist() == [True, False]
    assert found.reasons == {0: "no neighbour differs from the sample"}


def test_nan_near_a_sample_leaves_it_without_a_number() -> None:
    x = torch.tensor([[1.0, 1.0], [5.0, 5.0]], dtype=torch.float64)
    explainer = Known(flat_sum, torch.sqrt)
    found = measured(Continuity(Points(torch.tensor([[4.0, -1], [2, 2]]).double())), explainer, x)
    none = measured(Continuity(Points(torch.tensor([[4.0, 1], [2, 2]]).double())), explainer, x)

    assert found.values.isnan().all()
    assert "NaN near it" in found.reasons[1]
    assert not none.values.isnan().any()


def test_exactly_as_many_samples_are_explained_as_the_cost_says() -> None:
    x = torch.rand(3, 1, 5, 5).double()
    model = Asked()
    explainer = Known(model, torch.square)
    metric = Continuity(Shifts(2))
    batch = Batch(model, x, chunk=3)
    metric.measure(Case(batch, x**2, explainer))
    cost = metric.cost(batch)

    assert sum(explainer.sizes) == cost.explanations * 3 == 4 * 3
    assert max(explainer.sizes) <= 3
    assert batch.forwarded == model.count == sum(cost.shared.values()) * 3 == 3
    assert cost.forwards == 0


class Asked(nn.Module):
    """Two scores, the first wins where the sum is small; counts samples."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        self.count += len(x)
        return torch.stack([torch.zeros(len(x)), x.flatten(1).sum(1)], 1)


def test_neighbours_are_asked_about_the_class_of_their_untouched_sample() -> None:
    x = torch.tensor([[1.0, 1.0], [-1.0, -1.0]], dtype=torch.float64)
    explainer = Known(Asked(), torch.square)
    case = Case(Batch(explainer.model, x), x, explainer)
    Continuity(Points(torch.tensor([[-9.0, 0.0], [9.0, 0.0]]).double())).measure(case)

    assert explainer.targets[0].k.tolist() == [1, 1, 0, 0]


def test_relevance_summed_over_channels_is_compared_with_such_relevance() -> None:
    x = torch.rand(2, 3, 4, 4, dtype=torch.float64)
    summed = (x**2).sum(1)
    explainer = Known(flat_sum, torch.square)
    found = Continuity(Shifts(1))(flat_sum, x, summed, explainer=explainer).values
    moved = Shifts(1).frames(x).square().sum(2)
    distance = Shifts(1).frames(x).diff(dim=1).flatten(2).norm(dim=2)
    wanted = (moved.diff(dim=1).abs().flatten(2).sum(2) / distance).amax(1)

    torch.testing.assert_close(found, wanted)


def test_relevance_of_another_shape_is_refused() -> None:
    x = torch.rand(2, 3, 4, 4, dtype=torch.float64)
    explainer = Known(flat_sum, lambda each: each[..., ::2, ::2])
    with pytest.raises(InvalidInput, match=r"shape \(3, 2, 2\).*has \(3, 4, 4\)"):
        Continuity(Shifts(1))(flat_sum, x, x, explainer=explainer)


def test_without_an_explainer_nothing_can_be_explained_again() -> None:
    with pytest.raises(InvalidInput, match="needs explainer="):
        Continuity()(flat_sum, torch.rand(1, 3), torch.rand(1, 3))


def test_an_unknown_size_lists_those_there_are() -> None:
    with pytest.raises(InvalidInput, match="absolute, relative"):
        Continuity(size="big")


def test_on_moving_digits_lrp_is_more_continuous_than_the_gradient(data: Path) -> None:
    net = zoo.model("lenet5-mnist", root=data)
    x = net.preprocess(zoo.dataset("mnist", root=data).batch(range(50))[0])
    metric = Continuity(Shifts(4), size="relative")
    lrp, taylor, sensitivity = (
        measured(metric, explainer, x).values
        for explainer in (LRP(net.module), GradientTimesInput(net.module), Sensitivity(net.module))
    )

    assert lower_end(taylor - lrp) > 0
    assert lower_end(sensitivity - lrp) > 0


def lower_end(difference: Tensor) -> float:
    """Of the 95 % interval of the mean."""
    error = difference.std() / len(difference) ** 0.5
    return (difference.mean() - 1.96 * error).item()


@pytest.mark.parametrize(
    "metric",
    [Continuity(Ball(count=3)), Continuity(Shifts(2)), Continuity(Cube(count=3), "relative")],
    ids=repr,
)
def test_it_keeps_its_contract(metric: Metric) -> None:
    check_metric(lambda: metric)
