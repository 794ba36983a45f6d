"""What a comparison says: never more than its intervals and tests."""

from typing import Any

import pytest
import torch

from whence.metrics import Scores, Tally
from whence.runs import Evaluation
from whence.serve._compare_words import progress, says

STEADY = [0.9, 0.91, 0.92, 0.93, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99, 0.9, 0.91, 0.92]
LOW = [0.1 + 0.01 * k for k in range(13)]


def measured(direction: int = 1, **scores: list[float]) -> Evaluation:
    tally = Tally()
    for method, values in scores.items():
        found = Scores(torch.tensor(values, dtype=torch.float64))
        tally.update(found, range(len(values)), method=method, metric="m")
    return Evaluation(tally, tuple(scores), {"m": {"direction": direction}}, {})


def test_what_is_larger_on_every_sample_is_better() -> None:
    found = says(measured(lrp=STEADY, random=LOW), "m")

    assert found == ["lrp is better than random."]


def test_where_smaller_is_better_the_order_turns() -> None:
    found = says(measured(-1, lrp=STEADY, random=LOW), "m")

    assert found == [
        "random is better than lrp.",
        "Not shown to be better than the control, random: lrp.",
    ]


def test_a_difference_that_changes_its_sign_is_open() -> None:
    other = [each + (0.05 if k % 2 else -0.05) for k, each in enumerate(STEADY)]
    found = says(measured(lrp=STEADY, taylor=other, random=LOW), "m")

    assert found[-1] == "Open, these samples do not tell which is better: lrp or taylor."
    assert found[0] == "lrp is better than random."
    assert found[1] == "taylor is better than random."


def test_equal_methods_are_said_to_be_no_better_than_chance() -> None:
    found = says(measured(lrp=LOW, taylor=LOW, random=LOW), "m")

    assert found == [
        "Not shown to be better than the control, random: lrp and taylor.",
        "Open, these samples do not tell which is better: lrp or taylor.",
    ]


@pytest.mark.parametrize(
    ("count", "least"),
    [(5, "0.38"), (7, "0.094")],  # 6 pairs x 2 / 2^5, and x 2 / 2^7
)
def test_too_few_samples_for_any_finding_are_said_with_how_many_it_takes(
    count: int, least: str
) -> None:
    scores: dict[str, Any] = dict.fromkeys(("a", "b", "c"), STEADY[:count]) | {
        "random": LOW[:count]
    }
    found = says(measured(**scores), "m")

    assert found == [
        f"With {count} samples nothing can be shown: the smallest possible p over 6 pairs is "
        f"{least}. It takes at least 8."
    ]


def test_with_as_many_as_it_takes_a_difference_can_be_shown() -> None:
    found = says(measured(a=STEADY[:6], random=LOW[:6]), "m")  # p = 2 / 2^6 = 0.031

    assert found == ["a is better than random."]
    assert "It takes at least 6." in says(measured(a=STEADY[:5], random=LOW[:5]), "m")[-1]


@pytest.mark.parametrize("count", [0, 1])
def test_one_sample_says_nothing(count: int) -> None:
    found = says(measured(lrp=STEADY[:count], random=LOW[:count]), "m")

    assert found == ["Too few samples are measured to say anything."]


def test_a_method_without_scores_is_not_judged() -> None:
    nothing = [float("nan")] * len(LOW)
    found = says(measured(lrp=STEADY, grad=nothing, random=LOW), "m")

    assert found[0] == "lrp is better than random."
    assert "grad has no scores." in found
    assert not any("grad is" in line or "than grad" in line for line in found)


def test_of_many_open_pairs_the_first_are_named() -> None:
    scores: dict[str, Any] = dict.fromkeys("abcde", STEADY) | {"random": LOW}
    found = says(measured(**scores), "m")

    assert found[-1].endswith("; and 4 more pairs.")
    assert found[-1].count(" or ") == 6


def test_progress_tells_what_the_budget_reached() -> None:
    assert progress(3, 20, 1.26, finished=False) == "3 of 20 samples in 1.3 s"
    assert progress(20, 20, 0.8, finished=True) == "20 of 20 samples in 0.8 s."
    assert progress(12, 20, 5.0, finished=True) == (
        "12 of 20 samples in 5.0 s. Four times the samples would halve the intervals."
    )
