"""What is asked of the model: each needed copy once, however many metrics need it."""

import pytest
import torch

from perturbing import Counting, measure_all
from whence.errors import InvalidInput
from whence.metrics import (
    ABPC,
    SRG,
    Batch,
    Case,
    Constant,
    Deletion,
    Insertion,
    Mean,
    Metric,
    Patches,
    PixelFlipping,
    Pixels,
    RegionPerturbation,
    Sufficiency,
    Uniform,
)
from whence.metrics._cost import foretold
from whence.metrics._curve import Removal, counts_for, removal_curve

X = torch.rand(3, 2, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
MAPS = [X, X.flip(3), X.roll(1, 2)]
NOISE = Uniform(draws=3)
CASES: dict[str, tuple[list[Metric], int, int]] = {  # metrics, maps -> forwards of one sample
    "16 pixels": ([PixelFlipping()], 1, 1 + 15 + 1),
    "steps of 5": ([PixelFlipping(step=5)], 1, 1 + 3 + 1),
    "3 draws": ([PixelFlipping(step=4, replacement=NOISE)], 1, 1 + 3 * 3 + 3),
    "two maps share both ends": ([PixelFlipping()], 2, 1 + 2 * 15 + 1),
    "random is shared by all maps": ([PixelFlipping(order="random")], 3, 1 + 15 + 1),
    "abpc asks for both orders": ([ABPC(features=Pixels(), replacement=Mean())], 1, 1 + 30 + 1),
    "srg and both its curves": (
        [SRG(), PixelFlipping(order="lerf"), PixelFlipping()], 2, 1 + 2 * 30 + 1
    ),
    "insertion is lerf": (
        [Insertion(step=1, replacement=Mean()), PixelFlipping(order="lerf")], 1, 1 + 15 + 1
    ),
    "steps that meet": ([PixelFlipping(step=2), PixelFlipping(step=4)], 1, 1 + 7 + 1),
    "another replacement is another end": (
        [Deletion(step=8, replacement=Constant(0.0)), Deletion(step=8, replacement=Mean())],
        1, 1 + 2 * (1 + 1),
    ),
    "regions and pixels share the ends": (
        [RegionPerturbation(features=Patches(2), replacement=Mean()), Sufficiency((0.5,))],
        2, 1 + 2 * (3 + 1) + 1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_as_many_forwards_as_are_needed_and_foretold(name: str) -> None:
    metrics, maps, needed = CASES[name]
    model = Counting()
    batch = Batch(model, X)
    measure_all(metrics, batch, MAPS[:maps])

    assert model.seen == batch.forwarded == 3 * needed
    assert foretold([metric.cost(batch) for metric in metrics], maps) == needed


def test_points_asked_later_join_those_that_are_known() -> None:
    batch = Batch(Counting(), X)
    case, removal = Case(batch, X), Removal(Pixels(), Mean())
    first = removal_curve(case, removal, "morf", [0, 4, 8])
    whole = removal_curve(case, removal, "morf", list(range(17)))

    assert torch.equal(whole[:, [0, 4, 8]], first)
    fresh = removal_curve(Case(Batch(Counting(), X), X), removal, "morf", list(range(17)))
    assert torch.equal(whole, fresh)
    assert batch.forwarded == 3 * 17


@pytest.mark.parametrize(
    ("knobs", "counts"),
    [({}, [0, 1, 2, 3, 4, 5]), ({"step": 2}, [0, 2, 4, 5]), ({"step": 2, "most": 3}, [0, 2, 3]),
     ({"most": 99, "step": 5}, [0, 5])],
)  # fmt: skip
def test_counts_end_with_the_last(knobs: dict[str, int], counts: list[int]) -> None:
    assert counts_for(5, **knobs) == counts


def test_counts_that_are_none_are_refused() -> None:
    with pytest.raises(InvalidInput, match="step and most must be at least 1, got 0 and None"):
        counts_for(5, step=0)
    with pytest.raises(InvalidInput, match="between 0 and 16 features"):
        removal_curve(Case(Batch(Counting(), X), X), Removal(Pixels(), Mean()), "morf", [17])


def test_token_ids_are_not_pixels() -> None:
    ids = torch.tensor([[3, 4, 5]])
    with pytest.raises(InvalidInput, match="Take WordDeleting"):
        PixelFlipping()(lambda x: x.double(), ids, ids.double())
