"""Intervals and tests of scores, against enumeration and hand computation."""

import itertools
import math

import pytest
import torch

from whence.errors import InvalidInput
from whence.metrics import Difference, Interval, holm, mean_interval, paired_difference
from whence.metrics._statistics import mean_band


def test_an_interval_is_the_middle_of_all_resampled_means() -> None:
    values = torch.tensor([0.0, 1.0, 5.0]).double()
    # All 27 samples of three with replacement, each as likely.
    means = torch.tensor(
        [sum(chosen) / 3 for chosen in itertools.product(values.tolist(), repeat=3)],
        dtype=torch.float64,
    )
    low, high = means.quantile(torch.tensor([0.1, 0.9], dtype=torch.float64)).tolist()

    found = mean_interval(values, confidence=0.8, times=50_000)

    assert found.mean == 2.0
    assert found.low == pytest.approx(low, abs=1e-12)
    assert found.high == pytest.approx(high, abs=1e-12)


def test_an_interval_of_many_samples_is_that_of_the_normal_distribution() -> None:
    values = torch.randn(500).double()
    error = float(values.std()) / math.sqrt(500)

    found = mean_interval(values, times=10_000)

    assert found.low == pytest.approx(found.mean - 1.96 * error, abs=0.1 * error)
    assert found.high == pytest.approx(found.mean + 1.96 * error, abs=0.1 * error)


def test_equal_scores_have_an_interval_of_one_point() -> None:
    found = mean_interval(torch.full((7,), 0.1).double())

    assert (found.low, found.high) == (found.mean, found.mean)


def test_an_interval_is_the_same_each_time_and_depends_on_the_seed() -> None:
    values = torch.rand(50).double()

    assert mean_interval(values) == mean_interval(values)
    assert mean_interval(values) != mean_interval(values, seed=1)


def test_samples_without_a_score_are_left_out_and_counted() -> None:
    values = torch.tensor([1.0, math.nan, 3.0, math.nan]).double()

    found = mean_interval(values)

    assert (found.mean, found.count, found.missing) == (2.0, 2, 2)
    assert mean_interval(values[[0, 2]]).low == found.low


def test_one_sample_has_a_mean_and_no_interval() -> None:
    found = mean_interval(torch.tensor([0.5]))

    assert found.mean == 0.5
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_no_samples_have_no_mean() -> None:
    assert math.isnan(mean_interval(torch.zeros(0)).mean)
    assert math.isnan(paired_difference(torch.zeros(0), torch.zeros(0)).p)


def test_a_band_is_the_interval_at_each_point() -> None:
    rows = torch.rand(9, 4).double()
    mean, low, high = mean_band(rows, times=300)
    third = mean_interval(rows[:, 2], times=300)

    assert (float(mean[2]), float(low[2]), float(high[2])) == pytest.approx(
        (third.mean, third.low, third.high), abs=1e-12
    )


def test_a_small_paired_test_tries_all_signs() -> None:
    first, second = torch.tensor([3.0, 2.0, 5.0, 1.0]), torch.tensor([1.0, 3.0, 1.0, 0.0])
    # Differences 2, -1, 4, 1 with sum 6. Of 16 sign patterns |sum| >= 6 holds for
    # +2 +1 +4 +1 = 8, +2 -1 +4 +1 = 6, +2 +1 +4 -1 = 6 and their negatives.
    found = paired_difference(first, second)

    assert found.mean == 1.5
    assert found.p == 6 / 16
    assert found.wins == 0.75


def test_the_smallest_p_of_a_small_test_is_two_in_all_patterns() -> None:
    assert paired_difference(torch.ones(5), torch.zeros(5)).p == 2 / 32


def test_a_large_paired_test_agrees_with_a_small_one_on_the_same_question() -> None:
    differences = torch.tensor([0.3, -0.1, 0.2, 0.4, -0.2, 0.1, 0.05, 0.35, -0.15, 0.22, 0.4, 0.1])
    exact = paired_difference(differences, torch.zeros(12)).p
    # A zero changes no sum, and makes the test draw its signs.
    more = torch.cat([differences, torch.zeros(1)])

    assert paired_difference(more, torch.zeros(13), times=100_000).p == pytest.approx(
        exact, abs=0.003
    )


def test_a_paired_test_of_equal_methods_finds_nothing() -> None:
    values = torch.rand(40).double()
    found = paired_difference(values, values)

    assert (found.mean, found.low, found.high) == (0.0, 0.0, 0.0)
    assert found.p == 1.0
    assert found.effect == 0.0


def test_swapping_the_methods_flips_the_difference() -> None:
    first, second = torch.rand(30).double(), torch.rand(30).double()
    there, back = paired_difference(first, second), paired_difference(second, first)

    assert there.mean == -back.mean
    assert there.low == pytest.approx(-back.high, abs=1e-12)
    assert there.p == back.p
    assert there.wins == pytest.approx(1 - back.wins)


def test_pairs_that_lack_either_score_are_left_out() -> None:
    first = torch.tensor([1.0, math.nan, 3.0, 4.0]).double()
    second = torch.tensor([0.0, 1.0, math.nan, 1.0]).double()
    found = paired_difference(first, second)

    assert (found.mean, found.count, found.missing) == (2.0, 2, 2)


def test_an_effect_is_the_mean_in_standard_deviations() -> None:
    found = paired_difference(torch.tensor([1.0, 2.0, 3.0]), torch.zeros(3))

    assert found.effect == 2.0  # mean 2, standard deviation 1


def test_scores_of_different_samples_cannot_be_paired() -> None:
    with pytest.raises(InvalidInput, match=r"one score of each method for each sample.*\(3,\)"):
        paired_difference(torch.zeros(3), torch.zeros(4))


def test_a_confidence_is_a_share() -> None:
    with pytest.raises(InvalidInput, match="confidence lies between 0 and 1"):
        mean_interval(torch.rand(5), confidence=95.0)


def test_holm_multiplies_by_the_tests_that_are_left() -> None:
    # Sorted: 0.01 x 4, 0.02 x 3, 0.04 x 2 -> 0.04, 0.06, 0.08; 0.03 is third, 0.03 x 2 = 0.06.
    assert holm([0.04, 0.01, 0.02, 0.03]) == pytest.approx([0.06, 0.04, 0.06, 0.06])


def test_holm_stops_at_one_and_passes_over_what_is_no_number() -> None:
    found = holm([0.9, math.nan, 0.8])

    assert found[0] == found[2] == 1.0
    assert math.isnan(found[1])


def test_a_difference_reads_as_a_line() -> None:
    assert str(Difference(0.25, 0.1, -0.4)) == "+0.250 [+0.100, -0.400]"
    assert str(Interval(0.25, 0.1, math.nan)) == "0.250 [0.100, nan]"


def test_small_and_large_numbers_are_shown_by_their_digits() -> None:
    assert str(Interval(1.25e-5, 1e-5, 2e-5)) == "1.25e-05 [1e-05, 2e-05]"
    assert str(Interval(51234.0, 50000.0, 52000.0)) == "5.12e+04 [5e+04, 5.2e+04]"
    assert str(Difference(0.0, 0.0, 0.0)) == "+0.000 [+0.000, +0.000]"
