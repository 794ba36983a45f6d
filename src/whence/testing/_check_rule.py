"""The contract that every rule for linear operations keeps."""

import copy
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

import whence.rules
from whence._explanation import Explanation
from whence.composites import Composite, where
from whence.explainers import LRP
from whence.rules import Rule
from whence.targets import Given, Target, Weights
from whence.testing._layers import Layer, layers
from whence.testing._oracle import Oracle, oracle_of
from whence.testing._untouched import untouched

# |difference| relative to the largest relevance of the sample
_TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-3}
_RESIDUAL = {torch.float64: 1e-11, torch.float32: 1e-5}


def check_rule(
    rule: Rule,
    oracle: Oracle | None = None,
    dtype: torch.dtype = torch.float64,
    *,
    device: torch.device | str = "cpu",
    span: tuple[float, float] = (-2.0, 2.0),
) -> None:
    """Raise AssertionError unless a rule for linear operations keeps its contract.

    The rule is run through dense and convolutional layers of every kind (groups, stride, dilation,
    transposed, joined batch norms, one-sided neurons; signed inputs and inputs >= 0; behind ReLUs
    and not) and compared with a slow oracle on the dense matrix of each. Then the laws: sum in =
    sum out but for what the ledger books; zero in, zero out; linear in R; a batch equals its items;
    dtype and device kept; the model and the arguments untouched; the repr builds the rule again.

    oracle: `oracle(a, W, b, z, R, connected) -> R_in` for one sample, written from the paper: a
    (inputs,), W and connected (outputs, inputs), b, z and R (outputs,). Rules of `whence.rules`
    have built-in ones. span: what the inputs lie in, for rules that need a domain.

    ```python
    check_rule(Epsilon(0.1))
    check_rule(MyRule(), lambda a, W, b, z, R, connected: a * (W.T @ (R / z)))
    ```
    """
    _check_kind(rule)
    _check_repr(rule)
    oracle = oracle_of(rule) if oracle is None else oracle
    for layer in layers(span, dtype, torch.device(device)):
        for target in _targets(layer):
            _check_layer(rule, oracle, layer, target)
        _check_laws(rule, layer)


def _check_kind(rule: Rule) -> None:
    if "linear" not in rule.natures:
        raise AssertionError(
            f"check_rule is for rules of linear operations, but {rule!r} is for {rule.natures}."
        )


def _check_repr(rule: Rule) -> None:
    fields: Iterable[Any] = vars(rule).values()
    if any(callable(each) for each in fields):
        return  # a function does not print as the code that builds it
    names = {**vars(whence.rules), type(rule).__name__: type(rule), "tensor": torch.tensor}
    try:
        again = eval(repr(rule), dict(names))
    except Exception as error:
        raise AssertionError(f"The repr {rule!r} is not code that builds the rule.") from error
    if again != rule or hash(again) != hash(rule):
        raise AssertionError(f"The repr {rule!r} builds another rule, {again!r}.")


def _targets(layer: Layer) -> Sequence[Target]:
    """Relevance as coefficients; where nothing stands around the layer, also as it is."""
    shape = layer.model(layer.inputs).shape
    c = _noise(shape, layer.inputs, seed=1)
    return (
        [Weights(c), Given(_noise(shape, layer.inputs, seed=2))] if layer.signed else [Weights(c)]
    )


def _check_layer(rule: Rule, oracle: Oracle, layer: Layer, target: Target) -> None:
    place = f"{rule!r} on {layer.name}, {type(target).__name__}"
    dtype = layer.inputs.dtype
    found = _explain(rule, layer, target, layer.inputs)
    _assert_like(found.relevance, layer.inputs, place)
    R = target.relevance if isinstance(target, Given) else _started(layer, target)
    rows = R.flatten(0, layer.rows).flatten(1)
    # what a ReLU does not let through is not part of a row's size
    read = layer.z.clamp(min=0) if layer.ahead else layer.z
    W, b = layer.W.double(), layer.b.double()
    samples = zip(layer.a.double(), read.double(), rows.double(), strict=True)
    expected = torch.stack([oracle(a, W, b, z, R_row, layer.connected) for a, z, R_row in samples])
    got = found.relevance.flatten(0, layer.rows).flatten(1)
    _assert_close(got, expected, _TOLERANCE[dtype], f"{place}: differs from the oracle")
    row, ratio = found.ledger.worst()
    if not ratio <= _RESIDUAL[dtype]:
        raise AssertionError(
            f"{place}: {ratio:.1e} of the relevance at {row.op} is lost and not booked; the ledger "
            f"says\n{found.ledger}"
        )


def _check_laws(rule: Rule, layer: Layer) -> None:
    if not layer.signed:
        return  # the laws say nothing new there
    place = f"{rule!r} on {layer.name}"
    x, tolerance = layer.inputs, _TOLERANCE[layer.inputs.dtype]
    shape = layer.model(x).shape
    first, second = (_noise(shape, x, seed) for seed in (3, 4))
    kept = copy.deepcopy(rule)
    with untouched(layer.model, x, first, second, what=place):
        one = _explain(rule, layer, Given(first), x).relevance
        other = _explain(rule, layer, Given(second), x).relevance
        both = _explain(rule, layer, Given(2 * first - 3 * second), x).relevance
        none = _explain(rule, layer, Given(torch.zeros_like(first)), x).relevance
        item = _explain(rule, layer, Given(first[1:]), x[1:]).relevance
    size = float((2 * one).abs().max() + (3 * other).abs().max())
    _assert_close(both, 2 * one - 3 * other, tolerance, f"{place}: is not linear in R", size)
    _assert_close(item, one[1:], tolerance, f"{place}: a batch is not equal to its items")
    if bool((none != 0).any()):
        raise AssertionError(f"{place}: zero relevance in does not give zero out.")
    if kept != rule:
        raise AssertionError(f"{place}: the rule changed while it was used.")


def _explain(rule: Rule, layer: Layer, target: Target, inputs: Tensor) -> Explanation:
    composite = Composite([(where.nature("linear"), rule)])
    return LRP(layer.model, composite).explain(inputs, target, ledger="full")


def _started(layer: Layer, target: Target) -> Tensor:
    with torch.no_grad():
        output = layer.model(layer.inputs)
    return output * target.coefficients(output)


def _noise(shape: torch.Size, like: Tensor, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(like)


def _assert_like(found: Tensor, wanted: Tensor, place: str) -> None:
    for name in ("shape", "dtype", "device"):
        got, want = getattr(found, name), getattr(wanted, name)
        if got != want:
            raise AssertionError(f"{place}: relevance has {name} {got}, the input {want}.")


def _assert_close(
    found: Tensor, expected: Tensor, tolerance: float, what: str, size: float | None = None
) -> None:
    size = float(expected.abs().max()) if size is None else size
    if not bool(found.isfinite().all()):
        raise AssertionError(f"{what}: relevance is not finite.")
    error = float((found.double() - expected.double()).abs().max())
    if not error <= tolerance * size:
        raise AssertionError(
            f"{what}: by {error / max(size, 1e-300):.1e} of the largest relevance; the tolerance "
            f"is {tolerance:.0e}.\nfound    {found.flatten().tolist()[:12]}\n"
            f"expected {expected.flatten().tolist()[:12]}"
        )
