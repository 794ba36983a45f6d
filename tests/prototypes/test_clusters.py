"""Clusters that were planted, and a prototype for each."""

import pytest
import torch
from torch import Tensor, nn

import whence
from whence.errors import InvalidInput
from whence.prototypes import LogProbability, Towards, as_objective, clusters


@pytest.fixture
def planted() -> tuple[Tensor, Tensor]:
    """Three groups of 20, 10 and 5 points, mixed up, and the group of each."""
    group = torch.tensor([0] * 20 + [1] * 10 + [2] * 5)[torch.randperm(35)]
    centres = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]], dtype=torch.float64)
    return centres[group] + 0.1 * torch.randn(35, 2, dtype=torch.float64), group


@pytest.mark.parametrize("method", ["kmeans", "agglomerative"])
def test_planted_groups_are_found_largest_first(
    planted: tuple[Tensor, Tensor], method: str
) -> None:
    x, group = planted
    found = clusters(x, 3, method=method)

    assert torch.equal(found.labels, group)
    assert found.sizes.tolist() == [20, 10, 5]
    torch.testing.assert_close(found.centres[1], x[group == 1].mean(0))
    torch.testing.assert_close(found.means(x), found.centres)
    assert found.members(2).tolist() == torch.nonzero(group == 2).flatten().tolist()
    assert repr(found) == "Clusters(3 of [20, 10, 5] samples)"


def test_the_same_seed_gives_the_same_groups() -> None:
    x = torch.rand(50, 4)

    assert torch.equal(clusters(x, 5, seed=3).labels, clusters(x, 5, seed=3).labels)


def test_groups_by_pattern_ignore_strength() -> None:
    x = torch.tensor([[1.0, 0.0], [9.0, 0.1], [0.0, 2.0], [0.1, 20.0]])

    assert clusters(x, 2, unit=True).labels.tolist() == [0, 0, 1, 1]
    assert clusters(x, 1).labels.tolist() == [0, 0, 0, 0]


def test_each_prototype_goes_to_its_own_centre() -> None:
    net = nn.Sequential(nn.Linear(2, 2, bias=False)).double()
    centres = torch.tensor([[1.0, -1.0], [0.5, 2.0]], dtype=torch.float64)
    zero = as_objective(lambda output: 0 * output[:, 0])
    found = whence.maximize(
        net,
        zero + Towards("0", 1.0, centres),
        start=torch.zeros(2, 2, dtype=torch.float64),
        optimiser="lbfgs",
        steps=200,
    )

    torch.testing.assert_close(net(found.inputs).detach(), centres, rtol=0, atol=1e-6)


def test_one_point_serves_all() -> None:
    net = nn.Sequential(nn.Identity())
    objective = Towards("0", 2.0, torch.tensor([1.0, 2.0]))
    found = whence.maximize(net, objective, start=torch.zeros(3, 2), steps=1, keep="last")

    assert found.history[0].tolist() == [-10.0] * 3


def test_errors_say_what_to_do() -> None:
    net = nn.Sequential(nn.Linear(2, 2))
    x = torch.zeros(4, 2)
    points = torch.zeros(4, 2)

    with pytest.raises(InvalidInput, match="method must be one of kmeans, agglomerative"):
        clusters(x, 2, method="spectral")
    with pytest.raises(InvalidInput, match="1 <= count <= samples, got count 5"):
        clusters(x, 5)
    with pytest.raises(InvalidInput, match="These clusters are of 4 samples"):
        clusters(x, 1).means(x[:3])
    with pytest.raises(InvalidInput, match="must be at least 0"):
        Towards("0", -1.0, points)
    with pytest.raises(InvalidInput, match="4 points need as many entries"):
        whence.maximize(net, LogProbability(1) + Towards("0", 1.0, points), start=x, count=4)
    with pytest.raises(InvalidInput, match="must have the shape of one sample"):
        whence.maximize(net, Towards("0", 1.0, torch.zeros(3)), start=x)
