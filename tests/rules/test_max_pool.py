"""Max pooling: winners, ties, and windows of every geometry."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from whence.composites import Composite, where
from whence.explainers import LRP
from whence.rules import MaxPool
from whence.targets import Given, Weights

SPLIT = Composite([(where.nature("max"), MaxPool())])
FIRST = Composite([(where.nature("max"), MaxPool("first"))])


def test_ties_share_in_equal_parts() -> None:
    x = torch.tensor([[[[6.0, 6.0], [0.0, 6.0]]]])
    found = LRP(nn.MaxPool2d(2), SPLIT).explain(x, Weights(torch.ones(1)))

    assert found.relevance.tolist() == [[[[2.0, 2.0], [0.0, 2.0]]]]
    found.ledger.check()


@pytest.mark.parametrize("composite", [FIRST, Composite([])], ids=["rule", "nature"])
def test_torchs_winner_takes_all_otherwise(composite: Composite) -> None:
    x = torch.tensor([[[[6.0, 6.0], [0.0, 6.0]]]])
    found = LRP(nn.MaxPool2d(2), composite).explain(x, Weights(torch.ones(1)))

    assert found.relevance.tolist() == [[[[6.0, 0.0], [0.0, 0.0]]]]


def test_a_window_of_zeros_splits_given_relevance() -> None:
    found = LRP(nn.MaxPool2d(2), SPLIT).explain(
        torch.zeros(1, 1, 2, 2), Given(torch.full((1, 1, 1, 1), 8.0))
    )

    assert found.relevance.tolist() == [[[[2.0, 2.0], [2.0, 2.0]]]]


GEOMETRIES = [
    {"kernel_size": 2},
    {"kernel_size": 3, "stride": 2, "padding": 1},
    {"kernel_size": 3, "stride": 2, "ceil_mode": True},
    {"kernel_size": 2, "stride": 1, "dilation": 2},
    {"kernel_size": (2, 3), "stride": (3, 1), "padding": (1, 0), "ceil_mode": True},
]


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
@pytest.mark.parametrize("composite", [SPLIT, FIRST, Composite([])], ids=["split", "first", "none"])
def test_windows_of_any_geometry_agree_with_loops(geometry: dict, composite: Composite) -> None:
    x = torch.randn(2, 2, 6, 5, dtype=torch.float64) - 3  # no ties; padding must never win
    R = torch.randn(F.max_pool2d(x, **geometry).shape, dtype=torch.float64)
    found = LRP(nn.MaxPool2d(**geometry), composite).explain(x, Given(R))

    torch.testing.assert_close(found.relevance, _loops(x, R, **geometry))


@pytest.mark.parametrize("geometry", GEOMETRIES[:4], ids=str)
def test_split_ties_agree_with_loops(geometry: dict) -> None:
    x = torch.randint(0, 3, (2, 2, 6, 5)).double()
    R = torch.randn(F.max_pool2d(x, **geometry).shape, dtype=torch.float64)
    found = LRP(nn.MaxPool2d(**geometry), SPLIT).explain(x, Given(R))

    torch.testing.assert_close(found.relevance, _loops(x, R, **geometry))


@pytest.mark.parametrize(
    "geometry", [{"kernel_size": 2}, {"kernel_size": 3, "stride": 2, "padding": 1}], ids=str
)
def test_one_axis_is_pooled_like_two(geometry: dict) -> None:
    x = torch.randint(0, 3, (2, 2, 7)).double()
    R = torch.randn(F.max_pool1d(x, **geometry).shape, dtype=torch.float64)
    found = LRP(nn.MaxPool1d(**geometry), SPLIT).explain(x, Given(R))
    # the same with a first axis of length 1
    two = {name: (1, value) for name, value in geometry.items() if name != "padding"}
    two["padding"] = (0, geometry.get("padding", 0))
    expected = _loops(x[:, :, None], R[:, :, None], **two)[:, :, 0]

    torch.testing.assert_close(found.relevance, expected)


def _loops(
    x: Tensor, R: Tensor, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False
) -> Tensor:
    """Each window's relevance, shared among its largest elements."""
    size, pad, gap = _pair(kernel_size), _pair(padding), _pair(dilation)
    step = size if stride is None else _pair(stride)
    found = torch.zeros_like(x)
    for index in itertools.product(*map(range, R.shape)):
        spots = [
            (index[2] * step[0] - pad[0] + i * gap[0], index[3] * step[1] - pad[1] + j * gap[1])
            for i, j in itertools.product(range(size[0]), range(size[1]))
        ]
        inside = [(i, j) for i, j in spots if 0 <= i < x.shape[2] and 0 <= j < x.shape[3]]
        plane = x[index[0], index[1]]
        top = max(float(plane[spot]) for spot in inside)
        winners = [spot for spot in inside if float(plane[spot]) == top]
        for spot in winners:
            found[(*index[:2], *spot)] += R[index] / len(winners)
    return found


def _pair(value) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value
