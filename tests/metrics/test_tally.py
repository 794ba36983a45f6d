"""The streaming tally: any split gives the same numbers, bit for bit."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.metrics import Curve, Failure, Scores, Tally
from whence.metrics._tally import curve_rows

VALUES = torch.rand(12, generator=torch.Generator().manual_seed(3)).double()
ROWS = torch.rand(12, 5, generator=torch.Generator().manual_seed(4)).double()
X = torch.linspace(0, 1, 5).double()


def scores(rows: list[int]) -> Scores:
    curve = Curve(X, ROWS[rows], "share", "probability")
    return Scores(VALUES[rows], {"flipping": curve}, {"twice": 2 * VALUES[rows]})


def tally_of(*splits: list[int]) -> Tally:
    tally = Tally()
    for rows in splits:
        tally.update(scores(rows), rows)
    return tally


def numbers(tally: Tally) -> tuple[Tensor, Tensor, Tensor]:
    column = tally.compute()
    return column.values, column.curves["flipping"][1].y, column.details["twice"]


SPLITS = [
    ([[0, 1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 11]],),
    ([[11, 10, 9], [0, 2, 4, 6, 8], [1, 3, 5, 7]],),
    ([[each] for each in (5, 3, 11, 0, 1, 2, 4, 10, 9, 8, 7, 6)],),
]


@pytest.mark.parametrize("splits", [each for (each,) in SPLITS])
def test_any_split_gives_the_same_numbers(splits: list[list[int]]) -> None:
    whole, split = tally_of(list(range(12))), tally_of(*splits)

    assert split.ids == tuple(range(12))
    assert all(torch.equal(a, b) for a, b in zip(numbers(whole), numbers(split), strict=True))
    assert torch.equal(numbers(split)[0], VALUES)


def test_merging_is_a_union_in_any_order() -> None:
    a, b, c = tally_of([3, 1]), tally_of([0, 7]), tally_of([2])
    left, right = a.merge(b).merge(c), c.merge(b.merge(a))

    assert left.ids == right.ids == (0, 1, 2, 3, 7)
    assert torch.equal(numbers(left)[1], numbers(right)[1])


def test_merging_leaves_both_as_they_were() -> None:
    a, b = tally_of([0]), tally_of([1])
    a.merge(b)

    assert (a.ids, b.ids) == ((0,), (1,))


def test_a_sample_counts_once() -> None:
    with pytest.raises(InvalidInput, match="3 came twice"):
        tally_of([1, 3], [3])
    with pytest.raises(InvalidInput, match="2 came twice"):
        tally_of([2, 2])
    with pytest.raises(InvalidInput, match="1 came twice"):
        tally_of([1]).merge(tally_of([1]))


def test_what_is_refused_changes_nothing() -> None:
    tally = tally_of([1])
    with pytest.raises(InvalidInput):
        tally.update(scores([0, 1]), [0, 1])

    assert tally.ids == (1,)


def test_numbers_in_names_count_by_size() -> None:
    tally = Tally()
    names = ["pic-10", "pic-9", "a", 10, 9]
    tally.update(Scores(torch.arange(5).double()), names)

    assert tally.compute().ids == (9, 10, "a", "pic-9", "pic-10")
    assert tally.compute().values.tolist() == [4, 3, 2, 1, 0]


def test_methods_and_metrics_are_kept_apart() -> None:
    tally = Tally()
    tally.update(scores([0, 1]), [0, 1], method="lrp", metric="flipping")
    tally.update(scores([1, 0]), [0, 1], method="random", metric="flipping")

    assert tally.compute("lrp", "flipping").values.tolist() == VALUES[:2].tolist()
    assert tally.compute("random", "flipping").values.tolist() == VALUES[[1, 0]].tolist()
    assert tally.compute("random", "gini").values.shape == (0,)


def test_a_state_gives_the_same_tally_without_pickle(tmp_path) -> None:
    tally = tally_of([4, 1], [2])
    tally.fail(Failure("lrp", "flipping", "b", "ValueError: no", left_out=True))
    arrays, text = tally.state()
    np.savez(tmp_path / "state.npz", **arrays)
    with np.load(tmp_path / "state.npz", allow_pickle=False) as archive:
        again = Tally.from_state(dict(archive), text)

    assert again.ids == tally.ids
    assert again.failures == tally.failures
    assert all(torch.equal(a, b) for a, b in zip(numbers(again), numbers(tally), strict=True))
    assert again.compute().curves["flipping"][1].xlabel == "share"


def test_reasons_are_kept_with_their_samples() -> None:
    tally = Tally()
    tally.update(Scores(torch.tensor([1.0, math.nan]), reasons={1: "constant"}), ["a", "b"])

    assert tally.failures == (Failure("", "", "b", "constant", left_out=True),)


def test_a_detail_that_a_part_lacks_is_no_number() -> None:
    tally = Tally()
    tally.update(Scores(torch.zeros(1), details={"more": torch.ones(1)}), [0])
    tally.update(Scores(torch.zeros(1)), [1])
    found = tally.compute().details["more"]

    assert found[0] == 1
    assert found[1].isnan()


def test_values_of_another_number_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"3 ids came with values of shape \(2,\)"):
        Tally().update(Scores(torch.zeros(2)), [0, 1, 2])
    with pytest.raises(InvalidInput, match="whole numbers or strings"):
        Tally().update(Scores(torch.zeros(1)), [0.5])


def test_curves_of_another_shape_are_refused() -> None:
    wrong = Curve(X[:3], ROWS[:2], "", "")
    with pytest.raises(InvalidInput, match=r"curve 'c' needs y of shape \(2, points\)"):
        Tally().update(Scores(torch.zeros(2), {"c": wrong}), [0, 1])


def test_curves_of_different_lengths_are_read_at_common_places() -> None:
    tally = Tally()
    short = Curve(torch.tensor([0.0, 1.0]), torch.tensor([[0.0, 2.0]]), "", "")
    long = Curve(torch.tensor([0.0, 0.5, 1.0]), torch.tensor([[4.0, 0.0, 4.0]]), "", "")
    tally.update(Scores(torch.zeros(1), {"c": short}), [0])
    tally.update(Scores(torch.zeros(1), {"c": long}), [1])
    x, rows = curve_rows(tally.compute().curves["c"][1], points=5)

    assert x.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert rows.tolist() == [[0, 0.5, 1, 1.5, 2], [4, 2, 0, 2, 4]]


def failing(
    *rows: int, method: str = "lrp", metric: str = "", of: tuple[str, ...] = ("a",)
) -> Tally:
    """Samples that failed by each of the metrics."""
    tally = Tally()
    nothing = scores(list(rows))
    for each in of:
        empty = Scores(torch.full((len(rows),), math.nan), nothing.curves, nothing.details)
        tally.update(empty, rows, method=method, metric=each)
    for row in rows:
        tally.fail(Failure(method, metric, row, "out of memory"))
    return tally


def measured(*rows: int, of: tuple[str, ...] = ("a",)) -> Tally:
    tally = Tally()
    for each in of:
        tally.update(scores(list(rows)), rows, method="lrp", metric=each)
    return tally


def test_what_is_measured_takes_the_place_of_what_failed_in_any_order() -> None:
    failed = measured(0, 2).merge(failing(3, 1))
    before, after = failed.merge(measured(1)), measured(1).merge(failed)

    assert failed.failed == {1: {("lrp", "a")}, 3: {("lrp", "a")}}
    assert before.failed == after.failed == {3: {("lrp", "a")}}
    assert [each.id for each in before.failures] == [each.id for each in after.failures] == [3]
    assert before.compute("lrp", "a").values[:3].tolist() == VALUES[:3].tolist()
    assert after.compute("lrp", "a").values[:3].tolist() == VALUES[:3].tolist()
    assert torch.equal(before.compute("lrp", "a").curves["flipping"][1].y, ROWS[:4])


def test_of_two_failures_the_later_one_counts() -> None:
    later = failing(1)
    later.fail(Failure("lrp", "", 1, "still no memory"))

    assert [each.error for each in failing(1).merge(later).failures] == ["still no memory"]
    assert failing(1).merge(later).ids == (1,)


def test_a_method_that_failed_may_be_measured_by_one_metric_first() -> None:
    both = ("a", "b")
    first = failing(1, of=both).merge(measured(1))
    turned = measured(1).merge(failing(1, of=both))

    assert first.failed == turned.failed == {1: {("lrp", "b")}}
    assert [(each.metric, each.id) for each in first.failures] == [("b", 1)]
    assert first.compute("lrp", "a").values.tolist() == VALUES[[1]].tolist()


def test_an_explanation_that_fails_later_costs_no_number_that_was_measured() -> None:
    first = measured(1).merge(failing(1, metric="b", of=("b",)))
    later = first.merge(failing(1, of=("b",)))

    assert [(each.metric, each.id) for each in later.failures] == [("b", 1)]
    assert later.failed == {1: {("lrp", "b")}}


def test_what_is_left_out_has_not_failed() -> None:
    tally = Tally()
    tally.update(Scores(torch.tensor([math.nan]), reasons={0: "constant"}), ["a"])

    assert tally.failed == {}
    with pytest.raises(InvalidInput, match="'a' came twice"):
        tally.merge(tally)
