"""The loop: what it keeps, when it rests, and its optimisers."""

import pytest
import torch
from torch import Tensor
from torch.optim import SGD, Optimizer

import whence
from climbing import climb
from whence.errors import InvalidInput
from whence.prototypes import (
    L2,
    Objective,
    Prototypes,
    Seen,
)

# What is kept.


def test_the_best_is_kept_when_steps_are_too_large() -> None:
    # Rate 1.05: the distance is multiplied by -1.1; the start is the best.
    best, last = climb(rate=1.05, steps=3), climb(rate=1.05, steps=3, keep="last")

    assert best.inputs.item() == 0.0
    assert best.objective.item() == -1.0
    assert last.inputs.item() == pytest.approx(1 + 1.1**3)
    assert last.history[:, 0].tolist() == pytest.approx([-1.0, -1.21, -1.4641, -1.771561])
    assert torch.equal(best.history, last.history)


def test_the_best_counts_the_prior() -> None:
    # The objective grows with x, and x^2 weighs more the farther it goes: the best is in between.
    found = climb(
        lambda x: x[:, 0], prior=L2(0.0625), operations=[whence.prototypes.Decay(-2.0)], steps=3,
        rate=1e-9, start=torch.tensor([[1.0]]).double(),
    )  # fmt: skip

    # places 1, -2, 4, -8: totals 1 - 1/16, -2 - 1/4, 4 - 1, -8 - 4
    assert found.inputs.item() == pytest.approx(4.0)
    assert found.total.item() == pytest.approx(3.0)


def test_each_prototype_keeps_its_own_best() -> None:
    start = torch.tensor([[0.0], [1.0], [3.0]]).double()
    found = climb(lambda x: -(x - 1).square().sum(1), start=start, rate=1.05, steps=2)

    assert found.inputs[:, 0].tolist() == [0.0, 1.0, 3.0]


def test_under_transformations_the_last_is_kept_unless_told() -> None:
    noise = [whence.prototypes.Perturb(0.1)]

    assert climb(transformations=noise, steps=1).made["keep"] == "last"
    assert climb(steps=1).made["keep"] == "best"
    assert climb(transformations=noise, steps=1, keep="best").made["keep"] == "best"


# When it rests.


def test_a_prototype_rests_after_steps_without_improvement() -> None:
    # Decay sends x to 0 from wherever it is: the objective 1 - x^2 gets better by less each time.
    found = climb(
        lambda x: 1 - x.square().sum(1), start=torch.ones(1, 1).double(), rate=0.25, steps=50,
        patience=2, tolerance=0.01,
    )  # fmt: skip

    # Values 1 - 4^-t: gains 3/4, 3/16, 3/64, 3/256 = 0.0117, 0.003, ...; steps 5 and 6 gain less
    # than 0.01 over the value of step 4.
    assert found.steps.tolist() == [6]
    assert found.history.shape == (7, 1)


def test_prototypes_rest_one_by_one_and_as_they_would_alone() -> None:
    start = torch.tensor([[1.0], [0.0], [9.0]]).double()

    def run(start: Tensor) -> Prototypes:
        return climb(start=start, steps=40, patience=1, tolerance=1e-3)

    together, apart = run(start), [run(each[None]) for each in start]

    assert together.steps[0] == 1
    assert 1 < together.steps[1] < together.steps[2] < 40
    assert together.steps.tolist() == [each.steps.item() for each in apart]
    assert torch.equal(together.inputs, torch.cat([each.inputs for each in apart]))
    assert together.history[2:, 0].isnan().all()
    assert together.history[: together.steps[1] + 1, 1].isfinite().all()


class Together(Objective):
    """Samples that are judged by their sum, though each has a value of its own."""

    joint = True  # type: ignore[assignment]

    def value(self, seen: Seen) -> Tensor:
        return -(seen.output - 1).square()


def test_prototypes_judged_together_rest_and_are_kept_together() -> None:
    start = torch.tensor([[1.0], [5.0]]).double()
    found = whence.maximize(
        lambda x: x[:, 0], Together(), start=start, optimiser="sgd", rate=0.25, steps=30,
        patience=2, tolerance=1e-6, batch_size=1,
    )  # fmt: skip

    assert found.steps[0] == found.steps[1] < 30
    assert found.made["batch_size"] == 2
    torch.testing.assert_close(found.inputs, torch.ones(2, 1).double(), rtol=0, atol=1e-2)


# Optimisers and rates.


def test_an_optimiser_of_ones_own_climbs() -> None:
    made: list[Optimizer] = []

    def heavy_ball(parameters: list[Tensor]) -> Optimizer:
        made.append(SGD(parameters, lr=0.25, momentum=0.5))
        return made[0]

    found = climb(optimiser=heavy_ball, rate=None, steps=2)

    # v = 2 (1 - x): first step 0.25 * 2 = 0.5; then 0.25 (0.5 * 2 + 1) = 0.5 more.
    assert found.inputs.item() == 1.0
    assert found.made["optimiser"] == "heavy_ball"
    assert len(made) == 1


@pytest.mark.parametrize(
    ("schedule", "places"),
    [
        ("constant", [0, 0.5, 0.75]),
        ("linear", [0, 0.5, 0.625]),  # rate 1/4, then 1/8: 0.5 + 2 * 0.5 / 8
        ("cosine", [0, 0.5, 0.625]),
        (lambda share: 1 - 2 * share, [0, 0.5, 0.5]),
    ],
)
def test_a_schedule_lowers_the_rate(schedule: object, places: list[float]) -> None:
    found = climb(schedule=schedule, steps=2)

    assert found.history[:, 0].tolist() == pytest.approx([-((x - 1) ** 2) for x in places])


def test_a_cosine_falls_slowly_at_first() -> None:
    # After one of three steps: (1 + cos 60 degrees) / 2 = 3/4 of the rate.
    found = climb(lambda x: x.sum(1), schedule="cosine", rate=1.0, steps=3)

    torch.testing.assert_close(found.history[:, 0].diff(), torch.tensor([1, 0.75, 0.25]).double())


def test_normalised_gradients_have_the_size_of_the_rate() -> None:
    start = torch.zeros(2, 2).double()
    found = climb(
        lambda x: x @ torch.tensor([30.0, -10.0]).double(), start=start, normalise=True, rate=0.5,
        steps=1,
    )  # fmt: skip

    assert found.inputs.tolist() == [[0.75, -0.25]] * 2


def test_no_slope_stays_no_slope_when_normalised() -> None:
    found = climb(lambda x: (x * 0).sum(1), normalise=True, steps=2)

    assert found.inputs.item() == 0.0


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"optimiser": "sdg"}, "one of adam, sgd, lbfgs or a function"),
        ({"optimiser": lambda p: SGD(p), "rate": 0.1}, "Leave rate= out"),
        ({"rate": 0.0}, "rate= must be above 0"),
        ({"schedule": "step"}, "one of constant, linear, cosine or a function"),
        ({"steps": 0}, "steps= must be at least 1, got 0"),
        ({"patience": 0}, "patience= must be at least 1"),
        ({"count": 0}, "count= must be at least 1"),
        ({"copies": 0}, "copies= must be at least 1"),
        ({"batch_size": 0}, "batch_size= must be at least 1"),
        ({"keep": "first"}, 'keep= must be "best" or "last"'),
    ],
)
def test_a_wrong_knob_is_an_error(options: dict[str, object], match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        climb(**options)
