import pytest
import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.metrics import Batch, Constant, Noise, Perturbation, Squares, Uniform

ALL = slice(None)


def never(x: Tensor) -> Tensor:
    raise AssertionError("perturbations ask no model")


def taken(
    perturbation: Perturbation, x: Tensor, ids: list[int] | None = None
) -> tuple[Tensor, Tensor | None]:
    return perturbation.of(Batch(never, x, ids=ids))(ALL, ALL)


def test_noise_has_the_stated_spread_of_each_sample() -> None:
    x = torch.stack([torch.linspace(0, 1, 400), torch.linspace(0, 50, 400)]).double()
    difference, gone = taken(Noise(0.1, count=50), x)

    # 20,000 numbers each: the standard error of the spread is 0.5 %.
    assert gone is None
    torch.testing.assert_close(
        difference.flatten(1).std(1), torch.tensor([0.1, 5.0]).double(), rtol=0.02, atol=0
    )
    assert difference.flatten(1).mean(1).abs().lt(torch.tensor([0.003, 0.15])).all()


def test_a_square_has_its_side_lies_inside_and_takes_all_channels() -> None:
    x = torch.rand(2, 3, 8, 10, dtype=torch.float64) + 1
    difference, gone = taken(Squares(3, count=20, replacement=Constant(0.0)), x)

    assert gone is not None
    assert gone.shape == (2, 20, 1, 8, 10)
    assert gone.flatten(2).sum(2).unique().tolist() == [9]
    assert gone.any(-1).flatten(2).sum(2).unique().tolist() == [3]
    torch.testing.assert_close(difference, x[:, None] * gone)


def test_a_share_is_of_each_axis() -> None:
    _, gone = taken(Squares(0.25, count=5), torch.rand(1, 1, 8, 12))

    assert gone is not None
    assert gone.any(-1).flatten(2).sum(2).unique().tolist() == [2]
    assert gone.any(-2).flatten(2).sum(2).unique().tolist() == [3]


def test_squares_lie_everywhere_they_fit() -> None:
    _, gone = taken(Squares(2, count=300), torch.rand(1, 1, 3, 3))

    # Four places; each has 75 of 300, 4 standard deviations are 30.
    assert gone is not None
    corners = gone[0, :, 0, [0, 0, 2, 2], [0, 2, 0, 2]].sum(0)
    assert corners.sum() == 300
    assert bool(((corners - 75).abs() < 30).all())


def test_samples_of_features_lose_a_run_of_them() -> None:
    _, gone = taken(Squares(2, count=9), torch.rand(1, 5))

    assert gone is not None
    assert gone.shape == (1, 9, 5)
    assert gone.sum(2).unique().tolist() == [2]


@pytest.mark.parametrize("perturbation", [Noise(count=4), Squares(2, count=4)])
def test_perturbations_belong_to_the_sample(perturbation: Perturbation) -> None:
    x = torch.rand(3, 1, 5, 5, dtype=torch.float64)
    together, alone = taken(perturbation, x)[0], taken(perturbation, x[2:], ids=[2])[0]

    assert torch.equal(together[2:], alone)


@pytest.mark.parametrize(
    "perturbation", [Noise(count=4), Squares(2, count=4), Squares(2, 4, Uniform(0, 1, draws=3))]
)
def test_some_draws_are_those_of_all(perturbation: Perturbation) -> None:
    make = perturbation.of(Batch(never, torch.rand(3, 1, 5, 5, dtype=torch.float64)))

    assert torch.equal(make(slice(1, 2), slice(1, 4))[0], make(ALL, ALL)[0][1:2, 1:4])


def test_each_square_takes_the_next_draw_of_a_random_replacement() -> None:
    x = torch.zeros(1, 1, 2, 2, dtype=torch.float64)
    difference, _ = taken(Squares(2, count=4, replacement=Uniform(0, 1, draws=2)), x)

    assert torch.equal(difference[:, 0], difference[:, 2])
    assert not torch.equal(difference[:, 0], difference[:, 1])


def test_wrong_knobs_are_refused() -> None:
    with pytest.raises(InvalidInput, match="level > 0"):
        Noise(0)
    with pytest.raises(InvalidInput, match="share of the picture"):
        Squares(1.5)
    with pytest.raises(InvalidInput, match="count >= 1"):
        Squares(count=0)
    with pytest.raises(InvalidInput, match="9 pixels does not fit an axis of 8"):
        taken(Squares(9), torch.rand(1, 1, 8, 9))
    with pytest.raises(InvalidInput, match="WordDeleting"):
        taken(Noise(), torch.zeros(1, 4, dtype=torch.int64))
