"""The numbers that are read from outputs."""

import math

import pytest
import torch

from whence import targets
from whence.errors import InvalidInput
from whence.metrics import Batch

LOGS = torch.tensor([[1.0, 2.0, 5.0]], dtype=torch.float64).log()  # probabilities 1/8, 2/8, 5/8


def number(how: str, scores, target=1, k=None) -> float:
    batch = Batch(lambda x: scores.expand(len(x), -1), torch.ones(1, 2), target)
    return float(batch.read(how, k)(batch.untouched, slice(0, 1), 1))


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("auto", 2 / 8),
        ("probability", 2 / 8),
        ("log-probability", math.log(2 / 8)),
        ("logit", math.log(2)),
        ("log-odds", math.log(2 / 6)),
        ("right", 0.0),
        ("score", math.log(2)),
    ],
)
def test_readings_computed_by_hand(how: str, expected: float) -> None:
    assert number(how, LOGS) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(
    ("how", "expected"),
    [("auto", 2 / 8), ("log-probability", math.log(2 / 8)), ("log-odds", math.log(2 / 6))],
)
def test_a_model_that_ends_in_a_softmax_gets_no_second_one(how: str, expected: float) -> None:
    assert number(how, LOGS.softmax(1)) == pytest.approx(expected, rel=1e-14)


def test_a_probability_of_zero_has_a_finite_logarithm() -> None:
    sure = torch.tensor([[1.0, 0.0]])

    assert math.isfinite(number("log-probability", sure))


def test_another_class_can_be_read() -> None:
    assert number("probability", LOGS, target=1, k=2) == pytest.approx(5 / 8, rel=1e-14)
    assert number("right", LOGS, target=1, k=2) == 1


def test_one_score_is_read_as_it_is() -> None:
    assert number("auto", torch.tensor([[3.5]]), target=None) == 3.5


def test_each_sample_is_asked_about_its_own_class() -> None:
    batch = Batch(lambda x: LOGS.expand(len(x), -1), torch.ones(3, 2), [2, 0, 1])
    read = batch.read("probability")(LOGS.expand(4, -1), slice(1, 3), 2)

    assert torch.allclose(read, torch.tensor([[1, 1], [2, 2]]).double() / 8, rtol=1e-14)


def test_a_contrast_is_read_by_its_own_score() -> None:
    assert number("auto", LOGS, targets.Contrast(2, 0)) == pytest.approx(math.log(5), rel=1e-14)


def test_an_unknown_reading_is_refused() -> None:
    with pytest.raises(InvalidInput, match="read= must be auto or one of probability"):
        number("odds", LOGS)


def test_a_reading_of_classes_needs_two() -> None:
    with pytest.raises(InvalidInput, match=r"two classes at least; got Logit and \(1, 1\)"):
        number("probability", torch.tensor([[3.5]]), target=None)


def test_probabilities_are_no_logits() -> None:
    with pytest.raises(InvalidInput, match="returns probabilities, which are no logits"):
        number("logit", LOGS.softmax(1))


@pytest.mark.parametrize(
    "target", [targets.Each([0, 1]), targets.Neuron(0, at="layer")], ids=["several", "hidden"]
)
def test_targets_that_are_no_number_of_the_output_are_refused(target) -> None:
    with pytest.raises(InvalidInput, match="Measure one target of the output at a time"):
        number("auto", LOGS, target)
