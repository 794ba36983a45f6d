"""Activations and products in place, beside the same out of place."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from laws import assert_closes, assert_gradient_times_input, rand

Function = Callable[[Tensor], Tensor]
ACTIVATIONS: dict[str, Function] = {
    "elu": lambda h: F.elu(h, inplace=True),
    "elu_": lambda h: F.elu_(h),
    "silu": lambda h: F.silu(h, inplace=True),
    "celu": lambda h: F.celu(h, inplace=True),
    "selu": lambda h: F.selu(h, inplace=True),
    "hardswish": lambda h: F.hardswish(h, inplace=True),
    "mish": lambda h: F.mish(h, inplace=True),
    "relu6": lambda h: F.relu6(h, inplace=True),
    "leaky_relu": lambda h: F.leaky_relu(h, 0.2, inplace=True),
    "hardtanh": lambda h: F.hardtanh(h, inplace=True),
    "hardsigmoid": lambda h: F.hardsigmoid(h, inplace=True),
    "threshold": lambda h: F.threshold(h, 0.1, 0.0, inplace=True),
    "sigmoid_": lambda h: h.sigmoid_(),
    "tanh_": lambda h: torch.tanh_(h),
    "sqrt_ of square_": lambda h: h.square_().sqrt_(),
    "exp_": lambda h: h.exp_(),
}
OUT_OF_PLACE: dict[str, Function] = {
    "elu": F.elu,
    "elu_": F.elu,
    "silu": F.silu,
    "celu": F.celu,
    "selu": F.selu,
    "hardswish": F.hardswish,
    "mish": F.mish,
    "relu6": F.relu6,
    "leaky_relu": lambda h: F.leaky_relu(h, 0.2),
    "hardtanh": F.hardtanh,
    "hardsigmoid": F.hardsigmoid,
    "threshold": lambda h: F.threshold(h, 0.1, 0.0),
    "sigmoid_": torch.sigmoid,
    "tanh_": torch.tanh,
    "sqrt_ of square_": lambda h: h.square().sqrt(),
    "exp_": torch.exp,
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_in_place_equals_itself_out_of_place(name: str) -> None:
    first, second = nn.Linear(6, 6).double(), nn.Linear(6, 4).double()
    x = rand(3, 6)
    in_place = assert_closes(lambda x: second(ACTIVATIONS[name](first(x))), x)
    out_of_place = assert_closes(lambda x: second(OUT_OF_PLACE[name](first(x))), x)

    torch.testing.assert_close(in_place.relevance, out_of_place.relevance, rtol=1e-12, atol=1e-13)


def test_an_activation_in_place_on_a_tensor_read_before_keeps_the_old_value() -> None:
    def in_place(x: Tensor) -> Tensor:
        h = x * 2
        early = h + 0
        return early + F.silu(h, inplace=True)

    x = rand(3, 6)
    changed = assert_closes(in_place, x)
    plain = assert_closes(lambda x: x * 2 + F.silu(x * 2), x)

    torch.testing.assert_close(changed.relevance, plain.relevance)


def test_a_product_in_place_halves_its_relevance() -> None:
    def model(x: Tensor) -> Tensor:
        h = x * 2
        h *= x.flip(1)
        return h

    assert_gradient_times_input(model, rand(3, 6), factor=0.5)


def test_addcmul_in_place_of_two_signals_is_a_product_and_a_sum() -> None:
    x = rand(3, 6)
    in_place = assert_closes(lambda x: (x * 1).addcmul_(x, x.flip(1)), x)
    apart = assert_closes(lambda x: x + x * x.flip(1), x)

    torch.testing.assert_close(in_place.relevance, apart.relevance)


def test_a_write_through_data_is_seen() -> None:
    """`h.data` shares memory with h; a write through it must change h or be an error."""

    def model(x: Tensor) -> Tensor:
        h = x * 2
        h.data.mul_(3)
        return h

    ex = assert_closes(model, rand(3, 6))

    torch.testing.assert_close(ex.relevance.sum() + ex.ledger.total("bias"), ex.score.sum())
