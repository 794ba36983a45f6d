"""Sums of products over rows: the same in one pass as written out, whatever the shape."""

from math import fsum

import pytest
import torch
from torch import Tensor

from whence._numerics import dot, dot_and_sum, plain

# (rows, elements): below the fast path; rows of one piece; of several; of odd, prime, long lengths
SHAPES = [(2, 5), (1000, 49), (64, 4096), (4, 3 * 2**14), (3, 98_304), (2, 40_009), (1, 2**17)]


@pytest.fixture(params=SHAPES, ids=str)
def pair(request: pytest.FixtureRequest) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return (
        torch.randn(request.param, dtype=torch.float64),
        torch.randn(request.param, dtype=torch.float64),
    )


def _written_out(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    products = [fsum(row) for row in (x.double() * y.double()).tolist()]
    sums = [fsum(row) for row in x.double().tolist()]
    return torch.tensor(products, dtype=torch.float64), torch.tensor(sums, dtype=torch.float64)


def test_equals_the_exact_sums(pair: tuple[Tensor, Tensor]) -> None:
    with torch.no_grad():
        found = dot_and_sum(*pair)

        for mine, exact in zip(found, _written_out(*pair), strict=True):
            torch.testing.assert_close(mine, exact, rtol=0, atol=1e-11)
        torch.testing.assert_close(dot(*pair), found[0], rtol=0, atol=1e-11)


def test_keeps_the_digits_of_float32(pair: tuple[Tensor, Tensor]) -> None:
    x, y = (each.abs().float() for each in pair)  # of one sign: long sums lose the most
    with torch.no_grad():
        for mine, exact in zip(dot_and_sum(x, y), _written_out(x, y), strict=True):
            torch.testing.assert_close(mine.double(), exact, rtol=1e-6, atol=0)


def test_is_the_plain_way_while_a_graph_is_captured_or_a_gradient_wanted(
    pair: tuple[Tensor, Tensor],
) -> None:
    x, y = pair
    with torch.no_grad(), plain():
        assert torch.equal(dot(x, y), (x * y).sum(1))
    x.requires_grad_()
    (grad,) = torch.autograd.grad(dot(x, y).sum(), x)

    assert torch.equal(grad, y)


def test_takes_any_layout_and_mixed_precisions() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(300, 400).double().t(), torch.randn(400, 300)
    with torch.no_grad():
        found = dot_and_sum(x, y)

    for mine, exact in zip(found, _written_out(x, y), strict=True):
        torch.testing.assert_close(mine, exact, rtol=0, atol=1e-11)


def test_infinite_and_missing_numbers_stay_in_their_row() -> None:
    x, y = torch.ones(40, 1024), torch.ones(40, 1024)
    x[3, 5], x[7, 9] = torch.inf, torch.nan
    with torch.no_grad():
        products, sums = dot_and_sum(x, y)

    for found in (products, sums):
        assert found[3] == torch.inf
        assert found[7].isnan()
        assert (found[[i for i in range(40) if i not in (3, 7)]] == 1024).all()
