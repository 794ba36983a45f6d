"""Writes in place that autograd refuses, beside the same without writes."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from laws import assert_closes, assert_gradient_times_input, rand

Function = Callable[[Tensor], Tensor]


def _chunk(h: Tensor) -> Tensor:
    first, second = h.chunk(2, 1)
    first.relu_()
    return torch.cat([h, first, second], 1)


def _chunk_apart(h: Tensor) -> Tensor:
    first, second = h[:, :3].relu(), h[:, 3:]
    return torch.cat([first, second, first, second], 1)


def _split(h: Tensor) -> Tensor:
    parts = h.view(3, 2, 3).split(1, 1)
    parts[0].mul_(3)
    return torch.cat([h * 2, parts[1][:, 0]], 1)


def _split_apart(h: Tensor) -> Tensor:
    return torch.cat([h[:, :3] * 6, h[:, 3:] * 2, h[:, 3:]], 1)


def _constant_overwritten(h: Tensor) -> Tensor:
    scale = torch.ones(3, 6, dtype=h.dtype)
    early = h * scale
    scale.mul_(5)
    return early + h * scale


def _constant_in_a_list_overwritten(h: Tensor) -> Tensor:
    extra = torch.ones(3, 6, dtype=h.dtype)
    early = torch.cat([h, h * 5, extra], 1)
    extra.zero_()
    return early[:, :6] + early[:, 6:12] + extra


def _six_times(h: Tensor) -> Tensor:
    return h * 6


def _matrix_overwritten(h: Tensor) -> Tensor:
    w = torch.eye(6, dtype=h.dtype)
    early = h @ w
    w.mul_(5)
    return early + F.linear(input=h, weight=w)


def _view_of_a_constant_overwritten(h: Tensor) -> Tensor:
    scale = torch.ones(2, 6, dtype=h.dtype)
    row = scale[0]
    early = h * row
    scale[0] = 5
    return early + h * row


def _residual(h: Tensor) -> Tensor:
    y = F.relu(h)
    y += h
    y.relu_()
    return y


def _residual_apart(h: Tensor) -> Tensor:
    return F.relu(F.relu(h) + h)


def _loop(h: Tensor) -> Tensor:
    state = torch.zeros(3, 2, dtype=h.dtype)
    out = torch.zeros(3, 3, 2, dtype=h.dtype)
    for i in range(3):
        state = (state + h[:, 2 * i : 2 * i + 2]).relu_()
        out[:, i] = state
    return out.flatten(1)


def _loop_apart(h: Tensor) -> Tensor:
    a = h[:, :2].relu()
    b = (a + h[:, 2:4]).relu()
    return torch.cat([a, b, (b + h[:, 4:]).relu()], 1)


@pytest.mark.parametrize(
    ("in_place", "apart"),
    [
        (_chunk, _chunk_apart),
        (_split, _split_apart),
        (_constant_overwritten, _six_times),
        (_constant_in_a_list_overwritten, _six_times),
        (_matrix_overwritten, _six_times),
        (_view_of_a_constant_overwritten, _six_times),
        (_residual, _residual_apart),
        (_loop, _loop_apart),
    ],
)
def test_what_autograd_refuses_equals_the_same_without_writes(
    in_place: Function, apart: Function
) -> None:
    mixing, x = rand(6, 6, seed=5), rand(3, 6)
    written = assert_closes(lambda x: in_place(x @ mixing), x)

    expected = assert_gradient_times_input(lambda x: apart(x @ mixing), x)
    torch.testing.assert_close(written.relevance, expected, rtol=1e-12, atol=1e-12)
