"""Laws that tests of the engine share; every helper asserts and returns what it computed."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from whence._explanation import Explanation
from whence.composites import Composite, where
from whence.explainers import LRP
from whence.rules import HalfEach, Zero
from whence.targets import Weights

ZERO = Composite([(where.nature("linear"), Zero()), (where.nature("product"), HalfEach())])


def rand(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """Normal numbers of both signs, the same for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


def assert_closes(
    model: Callable[..., Any], inputs: Any, target: Any = None, composite: Composite = ZERO
) -> Explanation:
    """Explain with a full ledger; every row closes, and score = inputs + what was booked."""
    target = weights_for(model, inputs) if target is None else target
    ex = LRP(model, composite).explain(inputs, target, ledger="full")
    ledger = ex.ledger.check()
    booked = sum(ledger.total(column) for column in ("bias", "epsilon", "dropped", "softmax"))
    handled = max([1.0, *(float(row.absolute.sum()) for row in ledger)])
    missing = float(ledger.score.sum()) - float(ledger.explained.sum()) - booked
    assert abs(missing) <= ledger.tolerance * handled * max(1, len(ledger)), ledger
    return ex


def assert_gradient_times_input(
    model: Callable[..., Any], x: Tensor, *, factor: float = 1.0
) -> Tensor:
    """LRP-0 of a piecewise-linear model is x times autograd's gradient, element by element."""
    target = weights_for(model, x)
    leaf = x.clone().requires_grad_()
    with torch.enable_grad():
        score = target.score(model(leaf.clone())).sum()
        gradient = torch.autograd.grad(score, leaf)[0]

    ex = assert_closes(model, x, target)
    assert gradient.abs().max() > 0
    torch.testing.assert_close(ex.relevance, factor * gradient * x, rtol=1e-9, atol=1e-11)
    return ex.relevance


def weights_for(model: Callable[..., Any], inputs: Any) -> Weights:
    """A target that weighs every element of the output differently."""
    args = (inputs.clone(),) if isinstance(inputs, Tensor) else inputs
    with torch.no_grad():
        output = model(**args) if isinstance(args, dict) else model(*args)
    return Weights(rand(*output.shape[1:], seed=99, dtype=output.dtype))
