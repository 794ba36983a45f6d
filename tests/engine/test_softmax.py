"""Softmax and its kin: c by the plain gradient, the zero-order term of the expansion booked."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from laws import rand
from whence.explainers import LRP
from whence.targets import Weights

KINDS: dict[str, Callable[[Tensor], Tensor]] = {
    "softmax": lambda x: x.softmax(-1),
    "over another axis": lambda x: F.softmax(x, dim=1),
    "by default": lambda x: torch.softmax(x, dim=2),
    "log softmax": lambda x: F.log_softmax(x, -1),
    "softmin": lambda x: F.softmin(x, dim=-1),
    "logsumexp": lambda x: x.logsumexp(-1, keepdim=True).expand(-1, -1, 4),
    "by name": lambda x: F.softmax(input=x, dim=-1),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_passes_and_the_rest_is_booked(kind: str) -> None:
    x, weights = rand(2, 3, 4), rand(3, 4, seed=2)
    leaf = x.clone().requires_grad_()
    score = (KINDS[kind](leaf) * weights).sum()
    gradient = torch.autograd.grad(score, leaf)[0]

    # the last step is there so that softmax is not the model's head
    model = lambda x: KINDS[kind](x) * 1.0  # noqa: E731
    ex = LRP(model).explain(x, Weights(weights), ledger="full")

    torch.testing.assert_close(ex.relevance, x * gradient, rtol=1e-10, atol=1e-12)
    expected = score.detach() - (x * gradient).sum()
    assert ex.ledger.check().total("softmax") == pytest.approx(float(expected), abs=1e-12)


@pytest.mark.parametrize("masked", [-torch.inf, torch.finfo(torch.float64).min])
@pytest.mark.parametrize("by", ["masked_fill", "add", "where"])
def test_masked_scores_take_nothing_and_leave_no_nan(by: str, masked: float) -> None:
    x, v = rand(2, 3, 4), rand(4, 5, seed=3)
    hidden = torch.tensor([False, True, False, True])
    ways = {
        "masked_fill": lambda x: x.masked_fill(hidden, masked),
        "add": lambda x: x + torch.zeros(4).double().masked_fill_(hidden, masked),
        "where": lambda x: torch.where(hidden, torch.tensor(masked).double(), x),
    }

    model = lambda x: ways[by](x).softmax(-1) @ v  # noqa: E731
    ex = LRP(model).explain(x, Weights(rand(3, 5, seed=4)), ledger="full")
    short = LRP(lambda x: x.softmax(-1) @ v[~hidden])
    expected = short.explain(x[..., ~hidden], Weights(rand(3, 5, seed=4))).relevance

    torch.testing.assert_close(ex.relevance[..., ~hidden], expected, rtol=1e-10, atol=1e-12)
    assert not ex.relevance[..., hidden].any()
    ex.ledger.check()


def test_a_row_of_nothing_but_the_lowest_number_leaves_no_nan_where_no_relevance_comes() -> None:
    x, lowest = rand(2, 3, 4), torch.finfo(torch.float64).min
    mask = torch.zeros(3, 4).double()
    mask[1] = lowest

    model = lambda x: (x + mask).softmax(-1)[:, ::2] * 1.0  # noqa: E731
    ex = LRP(model).explain(x, Weights(rand(2, 4, seed=2)), ledger="full")

    assert ex.relevance.isfinite().all()
    assert not ex.relevance[:, 1].any()
    ex.ledger.check()


@pytest.mark.parametrize("hard", [False, True])
def test_the_way_back_sees_the_draw_of_a_gumbel_softmax(hard: bool) -> None:
    x, weights = rand(2, 4), rand(4, seed=2)
    model = lambda x: F.gumbel_softmax(x, 0.7, hard) * 1.0  # noqa: E731
    torch.manual_seed(1)
    leaf = x.clone().requires_grad_()
    y = model(leaf)
    gradient = torch.autograd.grad((y * weights).sum(), leaf)[0]

    torch.manual_seed(1)
    ex = LRP(model).explain(x, Weights(weights), ledger="full")

    torch.testing.assert_close(ex.output, y.detach())
    torch.testing.assert_close(ex.relevance, x * gradient)
    ex.ledger.check()


def test_a_softmax_in_lower_precision_keeps_the_message_precise() -> None:
    x, weights = rand(2, 3, 4), rand(3, 4, seed=2)

    model = lambda x: F.softmax(x, dim=-1, dtype=torch.float32).double() * 1.0  # noqa: E731
    ex = LRP(model).explain(x, Weights(weights), ledger="full")

    assert ex.relevance.dtype == torch.float64
    ex.ledger.check()
