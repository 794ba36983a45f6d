"""Small nets and their explanations in float64."""

import pytest
import torch
from torch import Tensor, nn

import whence
from whence import Explanation


@pytest.fixture
def net() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 36, 4)
    ).double()


@pytest.fixture
def images() -> Tensor:
    return torch.rand(2, 1, 6, 6, dtype=torch.float64)


@pytest.fixture
def found(net: nn.Module, images: Tensor) -> Explanation:
    return whence.explain(net, images, 3, composite="epsilon-plus")
