"""Objectives, computed by hand on what a run shows."""

import math
import threading

import numpy
import pytest
import torch
from torch import Tensor, nn

import whence
from whence import targets
from whence.errors import InvalidInput
from whence.prototypes import (
    Channel,
    Concept,
    Cosine,
    Direction,
    Layer,
    Logit,
    LogProbability,
    Neuron,
    Objective,
    Output,
    Seen,
    Target,
    as_objective,
)

# Two samples, two channels, 1 x 2 positions.
MAPS = torch.tensor([[[[1.0, 3.0]], [[-2.0, 0.0]]], [[[0.0, 0.0]], [[4.0, -1.0]]]]).double()


def seen(made: Tensor = MAPS, output: Tensor | None = None, rows: list[int] | None = None) -> Seen:
    scores = made.flatten(1) if output is None else output
    index = torch.tensor(rows or [0] * len(made))
    return Seen(made, scores, scores, "scores", index, {"layer": [made], "twice": [made, 2 * made]})


@pytest.mark.parametrize(
    ("objective", "expected"),
    [
        (Neuron("layer", (0, 0, 1)), [3.0, 0.0]),
        (Neuron("layer", (-1, 0, -2)), [-2.0, 4.0]),
        (Channel("layer", 1), [-1.0, 1.5]),
        (Channel("layer", 0, axis=-1), [-0.5, 2.0]),
        (Layer("layer"), [14 / 4, 17 / 4]),
        (Direction("layer", torch.tensor([1.0, 2.0])), [(-3 + 3) / 2, (8 - 2) / 2]),
        (Direction("layer", torch.ones(2, 1, 2)), [2.0, 3.0]),
        (Cosine("layer", torch.tensor([0.0, 5.0])), [(-2 / math.sqrt(5) + 0) / 2, (1 - 1) / 2]),
        (Neuron("twice", (0, 0, 0), call=1), [2.0, 0.0]),
        (Channel("twice", 1, call=-1), [-2.0, 3.0]),
        (Logit(3), [0.0, -1.0]),
        (Output(lambda z: z[:, 1] * 2), [6.0, 0.0]),
        (Target(targets.Contrast(0, 2)), [1 + 2, 0 - 4]),
        (Target(targets.Neuron(1)), [3.0, 0.0]),
        (Target(lambda z: z.sum(1)), [2.0, 3.0]),
        (Target(targets.Relative(1.5, targets.Logit(0))), [-0.5, -1.5]),
        (Target(targets.Weights(torch.tensor([1.0, 0, 0, -1.0]))), [1.0, 1.0]),
    ],
    ids=lambda each: type(each).__name__,  # a function's repr has its address
)
def test_an_objective_has_its_value(objective: Objective, expected: list[float]) -> None:
    torch.testing.assert_close(objective.value(seen()), torch.tensor(expected).double())


def test_a_concept_multiplies_length_and_cosine() -> None:
    # Mean features (2, -1) and (0, 1.5); along (1, 1): dot products 1 and 1.5, cosines
    # 1 / sqrt(10) and 1 / sqrt(2).
    found = Concept("layer", torch.tensor([1.0, 1.0]), power=2.0).value(seen())

    torch.testing.assert_close(found, torch.tensor([1 / 10, 1.5 / 2]).double())


def test_a_concept_that_is_missed_keeps_a_slope() -> None:
    a = torch.tensor([[-1.0, 1.0]]).double().requires_grad_()
    found = Concept("layer", torch.tensor([1.0, 0.0]), power=3.0, floor=0.1).value(seen(a))
    slope = torch.autograd.grad(found.sum(), a)[0]

    assert found.item() == pytest.approx(-1e-3)
    torch.testing.assert_close(slope, torch.tensor([[1e-3, 0.0]]).double())


def test_a_cosine_of_nothing_is_zero_with_no_slope() -> None:
    a = torch.zeros(1, 2).double().requires_grad_()
    found = Cosine("layer", torch.tensor([1.0, 0.0])).value(seen(a))

    assert found.item() == 0
    assert torch.autograd.grad(found.sum(), a)[0].tolist() == [[0.0, 0.0]]


def test_log_probabilities_pick_the_class_of_each_row() -> None:
    scores = torch.tensor([[0.0, math.log(3)], [0.0, math.log(3)], [math.log(4), 0.0]]).double()
    goal = LogProbability([1, 0])

    found = goal.value(seen(MAPS[[0, 0, 1]], scores, [0, 1, 1]))

    torch.testing.assert_close(found.exp(), torch.tensor([3 / 4, 1 / 4, 4 / 5]).double())


@pytest.mark.parametrize(
    ("objective", "expected"),
    [
        (Logit(0) + Logit(1), [4.0, 0.0]),
        (Logit(0) - 2 * Logit(1), [-5.0, 0.0]),
        (Logit(0) * Logit(1), [3.0, 0.0]),
        (1 - Logit(1) / 2, [-0.5, 1.0]),
        (-Logit(1) + 1, [-2.0, 1.0]),
        ((Logit(0) + 0.5 * Channel("layer", 1)) * Layer("layer"), [0.5 * 3.5, 0.75 * 4.25]),
        (sum([Logit(0), Logit(1), Logit(2)]), [2.0, 4.0]),
    ],
    ids=repr,
)
def test_objectives_compute(objective: Objective, expected: list[float]) -> None:
    torch.testing.assert_close(objective.value(seen()), torch.tensor(expected).double())


def test_what_is_computed_reads_the_modules_of_its_parts() -> None:
    goal = Channel("a", 0) * Neuron("b", 1) - 2 * Layer("a") + LogProbability([1, 2])

    assert goal.modules == ("a", "b")
    assert goal.classes == (1, 2)
    assert not goal.joint


def test_a_single_class_goes_with_any_batch() -> None:
    assert (LogProbability([4, 5]) - Logit(0)).classes == (4, 5)
    assert (Logit(0) + LogProbability([4, 5])).classes == (4, 5)


def test_batches_of_different_length_do_not_mix() -> None:
    with pytest.raises(InvalidInput, match="as many classes, or one; got 2 and 3"):
        LogProbability([0, 1]) + Logit([0, 1, 2])


@pytest.mark.parametrize(
    ("objective", "match"),
    [
        (Neuron("layer", 1), "A neuron of 'layer' has 3 indices"),
        (Neuron("layer", (0, 0, 2)), "outside of 'layer', whose output is \\(2, 1, 2\\)"),
        (Channel("layer", 2), "run from 0 to 1, got 2"),
        (Channel("twice", 0), "ran 2 times. Say which run counts: call=0"),
        (Channel("twice", 0, call=2), "there is no call=2"),
        (Direction("layer", torch.ones(3)), "must have shape \\(2,\\)"),
        (Logit(4), "Classes run from 0 to 3, got 4"),
        (Logit(-1), "Classes run from 0 to 3, got -1"),
        (Output(), "needs one number for each of 2 samples, got \\(2, 4\\)"),
        (Layer("other"), "'other' was not watched"),
    ],
)
def test_what_cannot_be_read_is_an_error(objective: Objective, match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        objective.value(seen())


@pytest.mark.parametrize("classes", [[], ()])
def test_no_class_is_an_error(classes: object) -> None:
    with pytest.raises(InvalidInput, match="At least one class"):
        LogProbability(classes)  # type: ignore[arg-type]


def test_given_relevance_is_nothing_to_climb() -> None:
    with pytest.raises(InvalidInput, match="does not depend on the input"):
        Target(targets.Given(torch.ones(2)))


@pytest.mark.parametrize(
    ("asked", "classes"),
    [
        (3, (3,)),
        ([3, 5], (3, 5)),
        (range(3), (0, 1, 2)),
        (torch.tensor([1, 0]), (1, 0)),
        (torch.tensor(2), (2,)),
        (numpy.array([1, 0]), (1, 0)),
        (numpy.int64(4), (4,)),
    ],
)
def test_classes_mean_their_log_probability(asked: object, classes: tuple[int, ...]) -> None:
    goal = as_objective(asked)

    assert isinstance(goal, LogProbability)
    assert goal.classes == classes


def test_other_targets_mean_themselves() -> None:
    goal = as_objective(targets.Logit(2))

    assert isinstance(goal, Target)
    assert goal.modules == ()
    assert as_objective(targets.Neuron(2, at="body.1")).modules == ("body.1",)


def test_a_bool_is_no_class() -> None:
    with pytest.raises(InvalidInput, match="got a bool"):
        as_objective(True)


class Twice(nn.Module):
    """One layer used twice, and a ReLU that overwrites what a layer returned."""

    def __init__(self) -> None:
        super().__init__()
        self.shared = nn.Linear(3, 3)
        self.relu = nn.ReLU(inplace=True)
        self.double().eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.shared(self.relu(self.shared(x)))


def test_each_call_of_a_shared_module_can_be_climbed() -> None:
    net, x = Twice(), torch.randn(1, 3, dtype=torch.float64)
    first = whence.maximize(net, Neuron("shared", 1, call=0), start=x, steps=1)
    last = whence.maximize(net, Neuron("shared", 1, call=-1), start=x, steps=1)

    torch.testing.assert_close(first.history[0], net.shared(x).detach()[:, 1])
    torch.testing.assert_close(last.history[0], net(x).detach()[:, 1])


def test_a_module_is_read_before_others_write_over_it() -> None:
    net, x = Twice(), -torch.ones(1, 3, dtype=torch.float64)
    net.shared.weight.data = torch.eye(3).double()
    net.shared.bias.data.zero_()
    found = whence.maximize(
        net, Neuron("shared", 0, call=0), start=x, optimiser="sgd", rate=0.5, steps=1
    )

    assert found.history[:, 0].tolist() == [-1.0, -0.5]  # not 0, which the ReLU left there


def test_a_tuple_output_is_read_at_its_first_tensor() -> None:
    net = nn.LSTM(2, 3, batch_first=True).double().eval()
    x = torch.randn(1, 4, 2, dtype=torch.float64)
    found = whence.maximize(net, Layer(""), start=x, steps=1)

    torch.testing.assert_close(found.history[0], net(x)[0].detach().square().mean((1, 2)))


def test_an_unknown_module_is_named_with_its_neighbours() -> None:
    with pytest.raises(InvalidInput, match=r"no module 'shard'.*Close names: shared"):
        whence.maximize(Twice(), Layer("shard"), start=torch.zeros(1, 3))


def test_a_module_that_does_not_run_is_an_error() -> None:
    net = nn.Sequential(nn.Linear(3, 3))
    net.spare = nn.Linear(3, 3)

    with pytest.raises(InvalidInput, match="'spare' did not run"):
        whence.maximize(net, Layer("spare"), start=torch.zeros(1, 3), call=net[0])


class Busy(nn.Module):
    """Runs its layer in another thread as well."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3)
        self.double().eval()

    def forward(self, x: Tensor) -> Tensor:
        other = threading.Thread(target=self.layer, args=(x.detach() * 0,))
        other.start()
        other.join()
        return self.layer(x)


def test_what_other_threads_run_does_not_count() -> None:
    net, x = Busy(), torch.randn(1, 3, dtype=torch.float64)
    found = whence.maximize(net, Neuron("layer", 2), start=x, steps=1)

    torch.testing.assert_close(found.history[0], net.layer(x).detach()[:, 2])
