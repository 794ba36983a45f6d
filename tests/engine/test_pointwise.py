"""Pointwise functions: R_in = R_out but for the share of f(0), which is booked."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from whence._explanation import Explanation
from whence.composites import Composite, where
from whence.explainers import LRP
from whence.rules import Zero
from whence.targets import Given, Weights

ZERO = Composite([(where.nature("linear"), Zero())])
# With f(0) as it should be: what is not zero there is booked as bias.
ACTIVATIONS = [
    (nn.ReLU(), 0.0),
    (nn.ReLU6(), 0.0),
    (nn.LeakyReLU(0.2), 0.0),
    (nn.LeakyReLU(-0.2), 0.0),
    (nn.LeakyReLU(0.0), 0.0),
    (nn.PReLU(init=0.3), 0.0),
    (nn.PReLU(init=-0.3), 0.0),
    (nn.RReLU().eval(), 0.0),
    (nn.ELU(), 0.0),
    (nn.CELU(0.5), 0.0),
    (nn.SELU(), 0.0),
    (nn.GELU(), 0.0),
    (nn.GELU("tanh"), 0.0),
    (nn.SiLU(), 0.0),
    (nn.Mish(), 0.0),
    (nn.Hardswish(), 0.0),
    (nn.Hardshrink(0.5), 0.0),
    (nn.Softshrink(0.5), 0.0),
    (nn.Softsign(), 0.0),
    (nn.Tanh(), 0.0),
    (nn.Tanhshrink(), 0.0),
    (nn.Hardtanh(), 0.0),
    (nn.Hardtanh(0.25, 1.0), 0.25),
    (nn.Threshold(0.1, 0.0), 0.0),
    (nn.Threshold(0.1, 20.0), 20.0),
    (nn.Sigmoid(), 0.5),
    (nn.Hardsigmoid(), 0.5),
    (nn.LogSigmoid(), -0.6931471805599453),
    (nn.Softplus(), 0.6931471805599453),
    (nn.Softplus(beta=3.0, threshold=2.0), 0.6931471805599453 / 3),
]
FUNCTIONS = [
    (torch.sin, 0.0),
    (torch.cos, 1.0),
    (torch.exp, 1.0),
    (torch.expm1, 0.0),
    (torch.erf, 0.0),
    (torch.atan, 0.0),
    (torch.sinh, 0.0),
    (torch.cosh, 1.0),
    (torch.abs, 0.0),
    (torch.square, 0.0),
    (lambda x: x**3, 0.0),
    (lambda x: 2.0**x, 1.0),
    (lambda x: x.clamp(0.5, 1.0), 0.5),
    (lambda x: x.clamp(min=-0.3), 0.0),
    (lambda x: torch.log1p(x.abs()), 0.0),
    (lambda x: F.relu(x).sqrt(), 0.0),
]
every_function = pytest.mark.parametrize(
    ("function", "at_zero"),
    [*ACTIVATIONS, *FUNCTIONS],
    ids=lambda each: getattr(each, "__name__", str(each)),
)
X = torch.tensor([[-9.0, -2.5, -1.0, -0.3, 0.02, 0.4, 1.0, 3.5, 21.0]], dtype=torch.float64)


@every_function
def test_relevance_passes_but_for_the_share_at_zero(function, at_zero: float) -> None:
    c = torch.randn(X.shape[1], dtype=torch.float64)
    found = _explain(_double(function), X, c)
    expected = c * (_double(function)(X.clone()) - at_zero)

    torch.testing.assert_close(found.relevance, expected.detach(), rtol=1e-12, atol=1e-12)
    assert found.ledger.total("bias") == pytest.approx(at_zero * float(c.sum()), abs=1e-9)


@every_function
def test_given_relevance_passes_unchanged(function, at_zero: float) -> None:
    x = torch.tensor([[-2.0, 0.0, 1e-300, 1.5]], dtype=torch.float64)
    R = torch.randn(1, 4, dtype=torch.float64)
    found = LRP(_double(function)).explain(x, Given(R), ledger="full")

    assert torch.equal(found.relevance, R)
    found.ledger.check()


@every_function
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_at_zero_and_near_it_relevance_stays_finite(function, at_zero: float, dtype) -> None:
    x = torch.tensor([[0.0, -0.0, 1e-30, -1e-12, 1e-9, -1e-6, 1e-4]], dtype=dtype)
    found = _explain(_typed(function, dtype), x, torch.ones(7, dtype=dtype))
    wide = x.double()
    expected = (_double(function)(wide.clone()) - at_zero).detach()

    assert found.relevance.isfinite().all()
    assert not found.relevance[x == 0].any()
    torch.testing.assert_close(
        found.relevance.double(), expected, rtol=0, atol=float(torch.finfo(dtype).eps)
    )


# c_in at x = 0 is the slope there: seen through a layer below, whose input is not zero
SLOPES = [
    (nn.ELU(), 1.0),
    (nn.CELU(0.5), 1.0),
    (nn.GELU(), 0.5),
    (nn.GELU("tanh"), 0.5),
    (nn.SiLU(), 0.5),
    (nn.Mish(), 0.6),
    (nn.Hardswish(), 0.5),
    (nn.Softsign(), 1.0),
    (nn.Tanh(), 1.0),
    (nn.Tanhshrink(), 0.0),
    (nn.Hardtanh(), 1.0),
    (nn.Sigmoid(), 0.25),
    (nn.Hardsigmoid(), 1 / 6),
    (nn.LogSigmoid(), 0.5),
    (nn.Softplus(), 0.5),
    (torch.sin, 1.0),
    (torch.exp, 1.0),
    (torch.square, 0.0),
]


@pytest.mark.parametrize("x", [[2.0, -2.0], [2.0, -2.0 + 1e-12], [2.0, -2.0 - 1e-7]], ids=str)
@pytest.mark.parametrize(
    ("function", "slope"), SLOPES, ids=lambda each: getattr(each, "__name__", str(each))
)
def test_the_coefficient_at_zero_is_the_slope(function, slope: float, x: list[float]) -> None:
    # h = x1 + x2 is zero or nearly so, and sends R_i = x_i c
    found = _explain(
        lambda x: function(x[:, :1] + x[:, 1:]), torch.tensor([x]).double(), torch.ones(1).double()
    )

    torch.testing.assert_close(
        found.relevance, torch.tensor([[2 * slope, -2 * slope]]).double(), rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize("slope", [0.2, -0.2, 0.0])
def test_an_in_place_leaky_relu_reads_the_sign_it_had(slope: float) -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.LeakyReLU(slope, inplace=True)).double()
    x = torch.randn(5, 3).double()
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(F.leaky_relu(model[0](leaf), slope).sum(), leaf)
    found = LRP(model, ZERO).explain(x, Weights(torch.ones(4).double()), ledger="full")

    torch.testing.assert_close(found.relevance, x * gradient)
    found.ledger.check()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("function", [nn.SiLU(), nn.Sigmoid(), nn.Tanh(), nn.GELU()], ids=str)
def test_half_precision_keeps_to_the_slow_formula(function, dtype) -> None:
    x = torch.linspace(-3, 3, 13).to(dtype)[None]
    found = LRP(function).explain(x, Weights(torch.ones(13)))
    at_zero = float(function(torch.zeros(())))

    torch.testing.assert_close(
        found.relevance.double(), function(x.double()) - at_zero, rtol=0.02, atol=0.02
    )


def _typed(function, dtype: torch.dtype):
    return function.to(dtype) if isinstance(function, nn.Module) else function


def _double(function):
    return _typed(function, torch.float64)


def _explain(model, x: Tensor, c: Tensor) -> Explanation:
    """The explanation of sum c f(x), each row of its ledger closed."""
    found = LRP(model).explain(x, Weights(c), ledger="full")
    found.ledger.check()
    return found


def test_what_was_masked_by_minus_infinity_is_a_constant() -> None:
    hidden = torch.tensor([True, False, False, True])
    model = lambda x: x.masked_fill(hidden, -torch.inf).exp() * 1.0  # noqa: E731
    x, weights = torch.randn(3, 4).double(), torch.randn(4).double()
    found = LRP(model).explain(x, Weights(weights), ledger="full")

    expected = torch.where(hidden, 0, weights * (x.exp() - 1))
    torch.testing.assert_close(found.relevance, expected)
    found.ledger.check()
