import pytest
import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.metrics import Ball, Batch, Cube, Neighbours, Shifts

ALL = slice(None)


def never(x: Tensor) -> Tensor:
    raise AssertionError("neighbours ask no model")


def near(neighbours: Neighbours, x: Tensor, ids: list[int] | None = None) -> Tensor:
    return neighbours.of(Batch(never, x, ids=ids))(ALL, ALL)


def test_a_cube_is_filled_to_its_sides_and_not_beyond() -> None:
    x = torch.rand(2, 3, 4, 4, dtype=torch.float64)
    away = (near(Cube(0.5, count=50, scale="absolute"), x) - x[:, None]).abs()

    assert away.max() <= 0.5
    assert away.max() > 0.49
    assert abs(away.mean().item() - 0.25) < 0.01  # of 4,800 numbers uniform in 0..0.5


def test_a_radius_is_a_share_of_the_samples_range() -> None:
    x = torch.tensor([[0.0, 1.0], [0.0, 255.0]], dtype=torch.float64)
    away = (near(Cube(0.1, count=200), x) - x[:, None]).abs().amax((1, 2))

    assert 0.09 < away[0] <= 0.1
    assert 22.95 < away[1] <= 25.5


def test_a_ball_is_filled_evenly() -> None:
    x = torch.zeros(1, 2, dtype=torch.float64)
    radius = near(Ball(3.0, count=2000, scale="absolute"), x)[0].norm(dim=1)

    assert radius.max() <= 3
    # A quarter of a disc's area lies within half its radius; 4 standard deviations are 0.039.
    assert abs((radius < 1.5).double().mean().item() - 1 / 4) < 0.039


def test_the_directions_in_a_ball_are_even() -> None:
    x = torch.zeros(1, 3, dtype=torch.float64)
    points = near(Ball(1.0, count=3000, scale="absolute"), x)[0]

    # E[x_i] = 0 and Var[x_i] = 1/5 in the unit ball of three dimensions.
    assert points.mean(0).abs().max() < 4 * (1 / 5 / 3000) ** 0.5
    assert (points.var(0) - 1 / 5).abs().max() < 0.02


@pytest.mark.parametrize("neighbours", [Cube(0.1, 3), Ball(0.1, 3), Shifts(1)])
def test_neighbours_belong_to_the_sample(neighbours: Neighbours) -> None:
    x = torch.rand(4, 1, 5, 5, dtype=torch.float64)
    together = near(neighbours, x, ids=[10, 11, 12, 13])
    alone = near(neighbours, x[2:3], ids=[12])

    assert torch.equal(together[2:3], alone)


@pytest.mark.parametrize("neighbours", [Cube(0.1, 3), Ball(0.1, 3), Shifts(2)])
def test_some_points_are_those_of_all(neighbours: Neighbours) -> None:
    make = neighbours.of(Batch(never, torch.rand(3, 1, 5, 5, dtype=torch.float64)))

    assert torch.equal(make(slice(1, 2), slice(1, 3)), make(ALL, ALL)[1:2, 1:3])


def test_a_shift_moves_the_picture_and_fills_the_border() -> None:
    x = torch.tensor([[[[1.0, 2.0, 3.0]]]])
    moved = near(Shifts(2, background=-1.0), x)[0, :, 0, 0].tolist()

    assert moved == [[-1, 1, 2], [-1, -1, 1], [2, 3, -1], [3, -1, -1]]


def test_the_edge_is_repeated() -> None:
    x = torch.tensor([[[[1.0, 2.0, 3.0]]]])
    moved = near(Shifts(1), x)[0, :, 0, 0].tolist()

    assert moved == [[1, 1, 2], [2, 3, 3]]


def test_a_shift_may_go_down() -> None:
    x = torch.tensor([[[[1.0], [2.0]]]])
    moved = near(Shifts(1, along=-2, background=0.0), x)[0, :, 0, :, 0].tolist()

    assert moved == [[0, 1], [2, 0]]


def test_the_path_goes_out_from_the_sample_both_ways() -> None:
    assert Shifts(3).path() == (1, 2, 3, -1, -2, -3)
    assert Shifts(3).points() == 6


def test_frames_are_in_order_with_the_sample_in_the_middle() -> None:
    frames = Shifts(1, background=0.0).frames(torch.tensor([[[1.0, 2.0, 3.0]]]))

    assert frames[0, :, 0].tolist() == [[2, 3, 0], [1, 2, 3], [0, 1, 2]]


def test_a_shift_needs_an_axis_after_the_channels() -> None:
    with pytest.raises(InvalidInput, match="axes after the channels"):
        near(Shifts(1, along=-3), torch.zeros(1, 1, 4, 4))
    with pytest.raises(InvalidInput, match="axes after the channels"):
        near(Shifts(1), torch.zeros(1, 4))


def test_a_shift_leaves_something_in_the_picture() -> None:
    with pytest.raises(InvalidInput, match="smaller reach"):
        near(Shifts(4), torch.zeros(1, 1, 4, 4))


def test_token_ids_have_no_neighbours() -> None:
    with pytest.raises(InvalidInput, match="Explain the embeddings"):
        near(Cube(), torch.zeros(1, 4, dtype=torch.int64))


def test_wrong_knobs_are_refused() -> None:
    with pytest.raises(InvalidInput, match="radius > 0"):
        Cube(0)
    with pytest.raises(InvalidInput, match="count >= 1"):
        Ball(count=0)
    with pytest.raises(InvalidInput, match="relative, absolute"):
        Cube(scale="range")
    with pytest.raises(InvalidInput, match="reach >= 1"):
        Shifts(0)
    with pytest.raises(InvalidInput, match='"edge"'):
        Shifts(background="mirror")
