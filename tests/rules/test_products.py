"""Products of values that depend on the input: who gets the relevance of x y."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from whence.composites import Composite, where
from whence.errors import UnsupportedOperations
from whence.explainers import LRP
from whence.rules import Flat, HalfEach, SignalTakesAll, Zero
from whence.targets import Given, Weights

HALF = Composite([(where.nature("product"), HalfEach()), (where.nature("linear"), Zero())])
SIGNAL = Composite([(where.nature("product"), SignalTakesAll()), (where.nature("linear"), Zero())])
BOTH = pytest.mark.parametrize("composite", [HALF, SIGNAL], ids=["half", "signal"])


@pytest.fixture
def x() -> Tensor:
    return torch.randn(3, 4, dtype=torch.float64)


@pytest.fixture
def y() -> Tensor:
    return torch.randn(3, 4, dtype=torch.float64)


@BOTH
def test_two_signals_get_half_each(composite: Composite, x: Tensor, y: Tensor) -> None:
    found = _explain(lambda x, y: x * y, composite, (x, y))

    torch.testing.assert_close(found, (x * y / 2, x * y / 2))


@BOTH
def test_a_square_gets_its_relevance_once(composite: Composite, x: Tensor) -> None:
    (found,) = _explain(lambda x: x * x, composite, (x,))

    torch.testing.assert_close(found, x * x)


GATED = {
    "sigmoid": lambda x, y: x * torch.sigmoid(y),
    "gate first": lambda x, y: torch.sigmoid(y) * x,
    "softmax": lambda x, y: y.softmax(-1) * x,
    "reshaped": lambda x, y: x * torch.sigmoid(y).view(-1).view(3, 4),
    "scaled": lambda x, y: x * (2.0 * torch.sigmoid(y)),
}


@pytest.mark.parametrize("gate", GATED)
def test_the_signal_takes_all_and_the_gate_none(gate: str, x: Tensor, y: Tensor) -> None:
    model = GATED[gate]
    signal, gated = _explain(model, SIGNAL, (x, y))

    torch.testing.assert_close(signal, model(x, y))
    assert not gated.any()


@pytest.mark.parametrize("gate", GATED)
def test_half_goes_to_a_gate_where_the_rule_says_so(gate: str, x: Tensor, y: Tensor) -> None:
    signal, _ = _explain(GATED[gate], HALF, (x, y))

    torch.testing.assert_close(signal, GATED[gate](x, y) / 2)


SELF_GATED = {
    "swish": lambda x: x * torch.sigmoid(x),
    "scaled swish": lambda x: x * torch.sigmoid(1.702 * x),
    "hard swish": lambda x: x * torch.nn.functional.relu6(x + 3) / 6,
    "mish": lambda x: x * torch.tanh(torch.nn.functional.softplus(x)),
    "gelu": lambda x: 0.5 * x * (1 + torch.erf(x / 2**0.5)),
}


@pytest.mark.parametrize("name", SELF_GATED)
def test_a_value_that_gates_itself_keeps_all(name: str, x: Tensor) -> None:
    (found,) = _explain(SELF_GATED[name], SIGNAL, (x,))

    torch.testing.assert_close(found, SELF_GATED[name](x))


@BOTH
def test_matmul_of_two_dependents_is_shared_uniformly(composite: Composite) -> None:
    x, y = torch.randn(2, 3, 4).double(), torch.randn(2, 4, 5).double()
    c = torch.randn(3, 5).double()
    first, second = _explain(torch.matmul, composite, (x, y), c)

    torch.testing.assert_close(first, x * (c @ y.mT) / 2)
    torch.testing.assert_close(second, y * (x.mT @ c) / 2)


@BOTH
@pytest.mark.parametrize(
    "model",
    [
        lambda x: x / x.norm(dim=1, keepdim=True),
        lambda x: x / torch.linalg.vector_norm(x, dim=1, keepdim=True).clamp_min(1e-12),
        lambda x: torch.nn.functional.normalize(x),
        lambda x: x / x.abs().sum(1, keepdim=True),
    ],
    ids=["norm", "vector_norm", "normalize", "sum"],
)
def test_a_normaliser_below_the_line_is_held_constant(
    model: Callable[[Tensor], Tensor], composite: Composite, x: Tensor
) -> None:
    (found,) = _explain(model, composite, (x,))

    torch.testing.assert_close(found, model(x))


def test_a_reciprocal_is_a_gate(x: Tensor) -> None:
    composite = Composite([*SIGNAL, (where.nature("inverse"), Zero())])
    with pytest.raises(UnsupportedOperations, match="rsqrt"):
        _explain(lambda x: x * torch.rsqrt(x.square().sum(1, keepdim=True)), composite, (x,))


@BOTH
def test_a_constant_factor_is_no_product(composite: Composite, x: Tensor, y: Tensor) -> None:
    (found,) = _explain(lambda x: (x * y) * 2.0, composite, (x,))

    torch.testing.assert_close(found, x * y * 2)


@BOTH
def test_broadcast_factors_sum_what_they_get(composite: Composite, x: Tensor) -> None:
    g = torch.randn(3, 1).double()
    first, second = _explain(lambda x, g: x * g, composite, (x, g))

    torch.testing.assert_close(first, x * g / 2)
    torch.testing.assert_close(second, (x * g / 2).sum(1, keepdim=True))


@BOTH
def test_relevance_as_such_is_shared_too(composite: Composite, x: Tensor, y: Tensor) -> None:
    R = torch.randn(3, 4).double()
    found = LRP(lambda x, y: x * y, composite).explain((x, y), Given(R), ledger="full")

    torch.testing.assert_close(found.relevance, (R / 2, R / 2))
    found.ledger.check()


def test_relevance_at_a_product_that_is_zero_is_booked() -> None:
    x, y = torch.tensor([[0.0, 1.0]]).double(), torch.tensor([[2.0, 3.0]]).double()
    R = torch.tensor([[5.0, 7.0]]).double()
    found = LRP(lambda x, y: x * y, HALF).explain((x, y), Given(R), ledger="full")

    assert found.ledger.check().total("dropped") == 5.0
    assert found.relevance[0].tolist() == [[0.0, 3.5]]


def test_relevance_of_a_flat_layer_passes_a_gated_product(x: Tensor) -> None:
    linear = torch.nn.Linear(4, 2).double()
    composite = Composite([*SIGNAL, (where.nature("linear"), Flat())])
    found = LRP(torch.nn.Sequential(_Swish(), linear), composite).explain(
        x, Weights(torch.ones(2).double()), ledger="full"
    )
    R = linear(x * torch.sigmoid(x)).detach().sum(1, keepdim=True)

    torch.testing.assert_close(found.relevance, (R / 4).expand(3, 4))
    found.ledger.check()


class _Swish(torch.nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(x)


def _explain(model, composite: Composite, inputs: tuple, c: Tensor | None = None) -> tuple:
    """Relevance of each input; every row of the ledger closes."""
    c = torch.ones_like(model(*inputs)[0]) if c is None else c
    found = LRP(model, composite).explain(inputs, Weights(c), ledger="full")
    found.ledger.check()
    return tuple(found.relevance)
