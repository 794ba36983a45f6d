"""Closed forms of vector-Jacobian products agree with autograd, in every spelling."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from laws import ZERO, assert_gradient_times_input, rand
from whence.explainers import LRP
from whence.targets import Weights

VECTOR, MATRIX = rand(5, seed=1), rand(3, 1, 5, seed=2)
LINEAR: dict[str, Callable[[Tensor], Tensor]] = {
    "transpose": lambda x: x.transpose(1, -1),
    "transpose by name": lambda x: torch.transpose(x, dim0=3, dim1=1),
    "permute": lambda x: x.permute(0, 3, 1, 2),
    "permute from the end": lambda x: x.permute((0, -1, 2, 1)),
    "permute a list": lambda x: x.permute([0, 2, 1, 3]),
    "permute by name": lambda x: torch.permute(input=x, dims=(0, 2, 3, 1)),
    "times a number": lambda x: 2.5 * x,
    "times a vector": lambda x: x * VECTOR,
    "a matrix times it": lambda x: MATRIX * x,
    "times more than it has": lambda x: x[:, :1] * MATRIX,
    "times by name": lambda x: torch.mul(x, other=VECTOR),
    "in place": lambda x: (x + 0).mul_(VECTOR),
}


@pytest.mark.parametrize("name", LINEAR)
def test_a_linear_step_passes_its_transpose(name: str) -> None:
    assert_gradient_times_input(LINEAR[name], rand(2, 3, 4, 5))


@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 1, 4), (2, 3, 1), (2, 1, 1)])
def test_a_product_passes_half_of_its_gradient_to_each_factor(shape: tuple[int, ...]) -> None:
    x, y, weights = rand(2, 3, 4), rand(*shape, seed=1), rand(3, 4, seed=2)

    R_x, R_y = LRP(torch.mul, ZERO).explain((x, y), Weights(weights)).relevance

    torch.testing.assert_close(R_x, x * y * weights / 2)
    torch.testing.assert_close(R_y, (x * y * weights / 2).sum_to_size(shape))
