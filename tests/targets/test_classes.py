"""Targets that name classes and tokens, on (batch, classes) and (batch, tokens, classes)."""

import math

import pytest
import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.targets import Contrast, Highest, Logit, LogOdds, LogProbability, Target, Token

Z = torch.tensor([[math.log(2), 0.0, 0.0], [0.0, math.log(6), 0.0]], dtype=torch.float64)
AT = [
    (Highest(position=1), Highest()),
    (Logit(2, 1), Logit(2)),
    (Token([2, 0], 1), Logit([2, 0])),
    (Contrast(0, 1, 1), Contrast(0, 1)),
    (LogOdds(1, 1), LogOdds(1)),
    (LogProbability(1, 1), LogProbability(1)),
]


def test_the_log_probability_by_hand() -> None:
    target = LogProbability([0, 1])

    torch.testing.assert_close(
        target.score(Z), torch.tensor([math.log(1 / 2), math.log(3 / 4)], dtype=Z.dtype)
    )
    torch.testing.assert_close(
        target.coefficients(Z),
        torch.tensor([[1 / 2, -1 / 4, -1 / 4], [-1 / 8, 1 / 4, -1 / 8]], dtype=Z.dtype),
    )


@pytest.mark.parametrize("target", [LogProbability(1), LogOdds(1)], ids=repr)
def test_the_coefficients_of_a_log_are_its_gradient(target: Target) -> None:
    z = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(target.score(z).sum(), z)

    torch.testing.assert_close(target.coefficients(z), slope)


def test_a_contrast_without_classes_sets_the_winner_against_the_second() -> None:
    z = torch.tensor([[1.0, 3.0, 2.0], [5.0, -1.0, 4.0]])

    assert Contrast().coefficients(z).tolist() == [[0, 1, -1], [1, 0, -1]]
    assert Contrast().score(z).tolist() == [1, 1]


def test_a_contrast_without_a_second_class_takes_the_best_other() -> None:
    z = torch.tensor([[1.0, 3.0, 2.0]])

    assert Contrast(0).coefficients(z).tolist() == [[1, -1, 0]]
    assert Contrast(1).coefficients(z).tolist() == [[0, 1, -1]]
    assert Contrast(b=0).coefficients(z).tolist() == [[-1, 1, 0]]


@pytest.mark.parametrize(("there", "alone"), AT, ids=lambda each: type(each).__name__)
def test_at_a_position_a_target_is_what_it_is_on_that_position_alone(
    there: Target, alone: Target
) -> None:
    output = torch.randn(2, 4, 3, dtype=torch.float64)
    c = there.coefficients(output)

    torch.testing.assert_close(c[:, 1], alone.coefficients(output[:, 1]))
    torch.testing.assert_close(there.score(output), alone.score(output[:, 1]))
    torch.testing.assert_close(there.score(output, c), there.score(output))
    assert not c[:, [0, 2, 3]].any()


@pytest.mark.parametrize("position", [[1, -1], torch.tensor([1, 3])], ids=["list", "tensor"])
def test_each_sample_may_have_its_own_position(position: list[int] | Tensor) -> None:
    output = torch.randn(2, 4, 3)

    assert Token(2, position).coefficients(output).nonzero().tolist() == [[0, 1, 2], [1, 3, 2]]


@pytest.mark.parametrize(
    ("target", "shape", "match"),
    [
        (Token(0, 4), (2, 4, 3), "Positions run from 0 to 3, got 4"),
        (Token(0, -5), (2, 4, 3), "Positions run from 0 to 3, got -5"),
        (Token(0, [1, 1, 1]), (2, 4, 3), r"One position for each of the 2 samples.*\(3,\)"),
        (Token(0), (2, 3), r"position= is for scores of each token.*got \(2, 3\)"),
        (Logit(0), (2, 4, 3), r"needs an output of shape \(batch, classes\).*give position="),
        (Logit(3, 1), (2, 4, 3), "Classes run from 0 to 2, got 3"),
        (Token("good"), (2, 4, 3), "must be a number here, got 'good'.*tokenizer="),
        (Contrast(["a", "b"], 0), (2, 3), "must be a number here"),
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_refused(
    target: Target, shape: tuple[int, ...], match: str
) -> None:
    with pytest.raises(InvalidInput, match=match):
        target.coefficients(torch.zeros(shape))
