"""The target of question answering."""

from itertools import product

import pytest
import torch

from whence.errors import InvalidInput
from whence.targets import Span


def test_a_span_is_a_start_score_and_an_end_score() -> None:
    output = torch.arange(12.0).view(1, 2, 6)

    assert Span(1, 3).score(output).tolist() == [1 + 9]
    assert Span(1, 3).coefficients(output).nonzero().tolist() == [[0, 0, 1], [0, 1, 3]]


def test_each_sample_may_have_its_own_span() -> None:
    output = torch.arange(16.0).view(2, 2, 4)

    assert Span([0, 1], [2, 1]).score(output).tolist() == [0 + 6, 9 + 13]


@pytest.mark.parametrize("longest", [1, 2, 30])
def test_the_best_span_is_that_of_all_pairs(longest: int) -> None:
    output = torch.randn(3, 2, 7)
    allowed = torch.rand(3, 7) > 0.3
    pairs = [(s, e) for s, e in product(range(7), repeat=2) if s <= e < s + longest]
    best = [
        max(
            float(output[i, 0, s] + output[i, 1, e])
            for s, e in pairs
            if allowed[i, s] and allowed[i, e]
        )
        for i in range(3)
    ]
    found = Span(longest=longest).found(output, allowed)

    assert found.score(output).tolist() == pytest.approx(best)


@pytest.mark.parametrize(
    ("span", "match"),
    [
        (Span(3, 2), r"0 <= start <= end < 5, got \[3\] to \[2\]"),
        (Span(0, 5), r"0 <= start <= end < 5, got \[0\] to \[5\]"),
        (Span(-1, 2), r"0 <= start <= end < 5, got \[-1\]"),
    ],
    ids=str,
)
def test_a_span_outside_of_the_text_is_refused(span: Span, match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        span.coefficients(torch.zeros(1, 2, 5))


def test_half_a_span_is_refused() -> None:
    with pytest.raises(InvalidInput, match="both start and end, or neither"):
        Span(start=1)


def test_scores_that_are_no_starts_and_ends_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"shape \(batch, 2, tokens\), got \(1, 3\)"):
        Span(0, 1).coefficients(torch.zeros(1, 3))
