"""The loop: what it keeps, when it rests, how it ends early, and what it leaves alone."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

import whence
from whence.errors import Diverged, InvalidInput
from whence.prototypes import (
    L2,
    Generator,
    Layer,
    Neuron,
    Noise,
    Objective,
    Output,
    Prototypes,
    Seen,
    Zeros,
)
from whence.testing import untouched

# On -(x - 1)^2 gradient ascent multiplies the distance to 1 by 1 - 2 rate.
ORIGIN = torch.zeros(1, 1).double()


def hill(x: Tensor) -> Tensor:
    return -(x - 1).square().sum(1)


def climb(model: Callable[[Tensor], Tensor] = hill, **options: object) -> Prototypes:
    options = {"start": ORIGIN, "optimiser": "sgd", "rate": 0.25, **options}
    return whence.maximize(model, Output(), **options)  # type: ignore[arg-type]


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)).double().eval()


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


# What ends it early.


def cliff(x: Tensor) -> Tensor:
    """10 x + log(1 - x): not a number beyond 1."""
    return (10 * x + (1 - x).log()).sum(1)


def test_a_nan_is_an_error_that_keeps_the_best() -> None:
    # Slope 9 at 0; with rate 0.1 the second place is 0.9 and the slope there 0. With rate 0.2
    # the second place is 1.8, beyond the cliff.
    with pytest.raises(Diverged, match="at step 1 those of prototype 0 are not") as caught:
        climb(cliff, rate=0.2, steps=5)

    assert caught.value.found.inputs.item() == 0.0
    assert caught.value.found.history.tolist() == [[0.0]]
    assert climb(cliff, rate=0.1, steps=5).inputs.item() == pytest.approx(0.9)


def test_a_nan_names_the_class_and_keeps_finished_groups() -> None:
    model = lambda x: torch.stack([x.sum(1), (1 - x).log().sum(1) - 9 * x.sum(1)], 1)  # noqa: E731
    goal = whence.prototypes.Logit([0, 1])
    start = torch.tensor([[0.0], [2.0]]).double()

    with pytest.raises(Diverged, match=r"at step 0 those of prototype 1 \(class 1\)") as caught:
        whence.maximize(model, goal, start=start, optimiser="sgd", steps=2, batch_size=1)

    assert caught.value.found.names == ["0"]
    assert len(caught.value.found) == 1


def test_a_nan_at_the_start_has_nothing_to_keep() -> None:
    with pytest.raises(Diverged) as caught:
        climb(cliff, start=2 + ORIGIN)

    assert caught.value.found is None


def test_an_infinite_slope_is_an_error_too() -> None:
    with pytest.raises(Diverged, match="gradient must be finite, but at step 0"):
        climb(lambda x: x.sqrt().sum(1))


def test_a_prototype_at_rest_cannot_diverge_any_more() -> None:
    # The first has no slope, rests, and would be 0 / 0 two steps later; the second climbs.
    def model(x: Tensor) -> Tensor:
        return torch.stack([x[0, 0] * 0 / (x[0, 1] < 2.5), x[1, 0]])

    start = torch.zeros(2, 2).double()
    found = climb(
        model, start=start, patience=1, steps=6, operations=[Drift()], rate=0.1, keep="last"
    )

    assert found.steps.tolist() == [1, 6]
    assert found.inputs[0].tolist() == [0.0, 1.0]


class Drift(whence.prototypes.Operation):
    """The second number counts the steps."""

    every = 1

    def change(self, parameter: Tensor, generator: torch.Generator) -> Tensor:
        return parameter + torch.tensor([0.0, 1.0], dtype=parameter.dtype)


def interrupt(at: int) -> Callable[[int, Tensor, Tensor], None]:
    def told(step: int, objective: Tensor, prior: Tensor) -> None:
        if step == at:
            raise KeyboardInterrupt

    return told


def test_stopping_by_hand_keeps_what_was_reached() -> None:
    found = climb(steps=100, progress=interrupt(3))

    assert found.history.shape == (4, 1)
    assert found.inputs.item() == 1 - 1 / 8
    assert found.notes == ["Stopped by hand after step 3 of 100."]


def test_stopping_by_hand_says_what_was_not_begun() -> None:
    start = torch.zeros(5, 1).double()
    found = climb(start=start, steps=9, batch_size=2, progress=interrupt(0))

    assert len(found) == 2
    assert found.notes == ["Stopped by hand after step 0 of 9. 2 of 5 prototypes were begun."]


def test_stopping_before_anything_was_seen_stops() -> None:
    def model(x: Tensor) -> Tensor:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        climb(model)


# What is told.


def test_a_function_is_told_of_each_step() -> None:
    told: list[tuple[int, float, float]] = []
    climb(steps=2, prior=L2(1.0), progress=lambda *now: told.append((now[0], *map(float, now[1:]))))

    # x = 0, then 0 + 0.25 * 2 = 0.5, where both slopes cancel.
    assert told == [(0, -1.0, 0.0), (1, -0.25, -0.25), (2, -0.25, -0.25)]


def test_nothing_is_printed_unless_asked(capsys: pytest.CaptureFixture[str]) -> None:
    climb(steps=2)

    assert capsys.readouterr() == ("", "")


def test_a_bar_goes_to_standard_error_only(capsys: pytest.CaptureFixture[str]) -> None:
    climb(steps=2, progress=True)

    assert capsys.readouterr().out == ""


# What is left alone.


@pytest.mark.parametrize("optimiser", ["adam", "sgd", "lbfgs"])
def test_model_and_inputs_are_untouched(optimiser: str) -> None:
    model, start, around = net(), torch.randn(2, 4).double(), torch.randn(4).double()
    model[0].weight.requires_grad_(False)
    model[2].weight.grad = torch.ones_like(model[2].weight)
    model[1].register_forward_hook(lambda *_: None)

    with untouched(model, start, around):
        whence.maximize(
            model,
            Layer("0") + Neuron("1", 2),
            start=start,
            prior=L2(1.0, around=around),
            box=(-1, 1),
            steps=3,
            optimiser=optimiser,
        )


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_they_are_untouched_after_an_error_too(error: type[BaseException]) -> None:
    model = net()

    def fail(*_: object) -> None:
        raise error

    model[2].register_forward_hook(fail)
    start = torch.zeros(1, 4).double()
    with untouched(model, start), pytest.raises(error):
        whence.maximize(model, Layer("0"), start=start)


def test_a_decoder_is_untouched_too() -> None:
    decoder = nn.Linear(2, 4).double()
    with untouched(decoder):
        whence.maximize(net(), 1, parametrisation=Generator(decoder, (2,)), steps=2)


def test_the_state_of_random_numbers_is_untouched() -> None:
    model, before = net(), torch.get_rng_state()
    whence.maximize(
        model, [0, 1], start=Noise((4,)), transformations=[whence.prototypes.Perturb(0.1)], steps=2
    )

    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode])
def test_it_climbs_where_gradients_are_off(around: Callable[[], torch.no_grad]) -> None:
    model = net()
    expected = whence.maximize(model, 1, start=Zeros((4,)), steps=3).inputs
    with around():
        start = torch.zeros(1, 4).double()
        found = whence.maximize(model, 1, start=start, prior=L2(0.0, around=start), steps=3)

    assert torch.equal(found.inputs, expected)


@pytest.mark.parametrize("layer", [nn.Dropout(0.5), nn.BatchNorm1d(4), nn.Dropout1d(0.1)], ids=repr)
def test_a_model_in_training_is_refused(layer: nn.Module) -> None:
    model = nn.Sequential(layer, nn.Linear(4, 2))
    with pytest.raises(InvalidInput, match=r"evaluation mode, but 0 .* Call model.eval"):
        whence.maximize(model, 0, start=torch.zeros(1, 4))

    assert len(whence.maximize(model.eval(), 0, start=torch.zeros(1, 4), steps=1)) == 1


def test_a_model_without_a_gradient_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"has no gradient. Does the model detach"):
        climb(lambda x: x.detach().sum(1))


def test_values_of_another_shape_are_refused() -> None:
    with pytest.raises(InvalidInput, match="one number for each of 1 samples"):
        whence.maximize(hill, Output(lambda z: z.sum()), start=ORIGIN)


# Models of all kinds.


def test_a_part_of_the_answer_can_be_climbed() -> None:
    start = torch.zeros(1, 1).double()
    answer = {"loss": None, "logits": start, "height": None}

    def model(x: Tensor) -> dict[str, Tensor | None]:
        return {**answer, "logits": -hill(x), "height": hill(x)}

    named = whence.maximize(model, Output(), start=start, output="height", steps=1)
    default = whence.maximize(model, Output(), start=start, steps=1)

    assert named.history[0].item() == -1.0
    assert default.history[0].item() == 1.0


def test_a_missing_part_of_the_answer_is_an_error() -> None:
    with pytest.raises(
        InvalidInput, match=r"output='height' is not in the model's output: \['a'\]"
    ):
        whence.maximize(lambda x: {"a": x}, Output(), start=ORIGIN, output="height")


def test_an_answer_without_numbers_is_an_error() -> None:
    with pytest.raises(InvalidInput, match="no float tensor"):
        whence.maximize(lambda x: {"a": x.long()}, Output(), start=ORIGIN)


def test_a_model_can_be_called_ones_own_way_and_read_inside() -> None:
    model, scale = net(), torch.tensor(2.0).double()
    found = whence.maximize(
        model, Neuron("0", 1), start=Noise((4,)), call=lambda x: model(scale * x), steps=1
    )

    x0 = whence.maximize(model, Neuron("0", 1), start=Noise((4,)), steps=1)
    bias = model[0].bias.detach()[1]
    torch.testing.assert_close(found.history[0] - bias, 2 * (x0.history[0] - bias))


def test_a_model_of_half_precision_is_climbed_in_single() -> None:
    model = net().to(torch.bfloat16)
    found = whence.maximize(model, 1, start=Zeros((4,)), steps=20)

    assert found.inputs.dtype == torch.float32
    assert found.history[-1] > found.history[0]


def test_the_same_seed_gives_the_same_result() -> None:
    model = net()

    def run(seed: int) -> Tensor:
        jitter = [whence.prototypes.Perturb(0.2)]
        return whence.maximize(
            model, [0, 2], start=Noise((4,)), transformations=jitter, count=2, steps=5, seed=seed
        ).inputs

    assert torch.equal(run(3), run(3))
    assert not torch.equal(run(3), run(4))


@pytest.mark.gpu
def test_it_climbs_on_a_gpu_as_on_a_processor() -> None:
    model = net()
    here = whence.maximize(model, [0, 1], start=Noise((4,)), prior=L2(0.1), steps=20)
    there = whence.maximize(model.cuda(), [0, 1], start=Noise((4,)), prior=L2(0.1), steps=20)

    assert there.inputs.is_cuda
    torch.testing.assert_close(there.inputs.cpu(), here.inputs)


def test_nothing_to_improve_is_no_error() -> None:
    assert climb(start=1 + ORIGIN, steps=3, patience=1).objective.item() == 0.0
    assert math.isfinite(climb(start=1 + ORIGIN, optimiser="lbfgs", steps=3).objective.item())
