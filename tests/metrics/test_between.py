"""The area between the curves, and the symmetric gain: signs, extremes, and how they relate."""

import pytest
import torch

from perturbing import Scorer, Weighted, all_orders, ones, row
from whence.metrics import ABPC, SRG, Constant, Deletion, Insertion, Pixels, RegionPerturbation

ERASED = Constant(0.0)
X, SUM = row(8, 1, 2, 4), Weighted(1, 1, 1, 1)
PICTURES = torch.rand(5, 2, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
MAPS = torch.randn(5, 2, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(3))


def test_the_areas_by_hand() -> None:
    # morf: 15 7 3 1 0; lerf: 15 14 12 8 0
    abpc = ABPC(features=Pixels(), replacement=ERASED)(SUM, X, X, 0)

    assert abpc.values.tolist() == pytest.approx([(7 + 9 + 7) / 5])
    assert abpc.curves["lerf"].y.tolist() == [[15, 14, 12, 8, 0]]
    assert SRG(replacement=ERASED)(SUM, X, X, 0).values.tolist() == pytest.approx([23 / 4])


def test_the_reverse_of_a_map_has_the_opposite_sign() -> None:
    for metric in (ABPC(features=Pixels()), SRG()):
        there, back = (metric(Scorer(), PICTURES, sign * MAPS).values for sign in (1, -1))

        torch.testing.assert_close(there, -back, rtol=1e-12, atol=1e-15)


def test_contributions_are_the_best_of_all_orders_and_their_negative_the_worst() -> None:
    every = SRG(replacement=ERASED)(SUM, X.expand(24, 4), all_orders(4), 0).values
    best, worst = (SRG(replacement=ERASED)(SUM, X, sign * X, 0).values for sign in (1, -1))

    assert float(best) == pytest.approx(float(every.max()))
    assert float(worst) == pytest.approx(float(every.min()))


def test_a_constant_map_has_none_on_average() -> None:
    found = SRG(replacement=ERASED)(SUM, X.expand(2000, 4), ones(2000, 4), 0).values

    assert abs(float(found.mean())) < 4 * float(found.std()) / 2000**0.5
    assert float(found.std()) > 0.1


def test_it_is_the_difference_of_two_aopc() -> None:
    knobs = {"features": Pixels(), "replacement": ERASED, "steps": 7}
    morf, lerf = (
        RegionPerturbation(order=order, **knobs)(Scorer(), PICTURES, MAPS).values
        for order in ("morf", "lerf")
    )

    torch.testing.assert_close(ABPC(**knobs)(Scorer(), PICTURES, MAPS).values, morf - lerf)


def test_gain_is_insertion_less_deletion_where_both_replace_alike() -> None:
    knobs = {"step": 1, "replacement": ERASED}
    gain = SRG(replacement=ERASED)(Scorer(), PICTURES, MAPS).values
    insertion, deletion = (
        metric(**knobs)(Scorer(), PICTURES, MAPS).values for metric in (Insertion, Deletion)
    )

    torch.testing.assert_close(gain, insertion - deletion)
