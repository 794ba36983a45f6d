"""The contract that every method of explanation keeps."""

import copy
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from whence.explainers import Explainer
from whence.testing._untouched import untouched

Make = Callable[[nn.Module], Explainer]

_NEAR = {torch.float64: 1e-9, torch.float32: 1e-3}


def check_explainer(
    make: Make, model: nn.Module | None = None, inputs: Tensor | None = None
) -> None:
    """Raise AssertionError unless a method of explanation keeps its contract.

    `make(model)` builds the explainer. Checked: relevance has the input's shape, dtype and device
    and is finite; `attribute` is `explain().relevance`; a batch equals its items, for the highest
    class, one class, and a class for each sample; twice gives the same; frozen or trainable
    parameters and the caller's `no_grad` make no difference; float32 agrees with float64; model and
    inputs are as before, also after an exception.

    model: gives (batch, classes); a small convolutional net that writes in place by default.
    inputs: one float tensor of at least two samples.

    ```python
    check_explainer(lambda model: SmoothGrad(model, n=4))
    ```
    """
    model = small_net() if model is None else model
    inputs = pictures() if inputs is None else inputs
    if not isinstance(inputs, Tensor) or len(inputs) < 2:
        raise AssertionError("check_explainer needs one tensor of at least two samples.")
    model, inputs = copy.deepcopy(model).double(), inputs.double()
    _check_untouched(make, copy.deepcopy(model), inputs)
    _check_form(make, model, inputs)
    _check_form(make, copy.deepcopy(model).float(), inputs.float())
    _check_precision(make, model, inputs)
    _check_batch(make, model, inputs)
    _check_modes(make, model, inputs)


def small_net() -> nn.Module:
    """A trained-looking net of 3 classes for 2x8x8 pictures: in-place steps, a norm, pooling."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            first=nn.LeakyReLU(0.5, inplace=True),  # writes into what the model is given
            conv=nn.Conv2d(2, 4, 3, padding=1),
            relu=nn.ReLU(inplace=True),
            pool=nn.MaxPool2d(2),
            conv2=nn.Conv2d(4, 6, 3),
            norm=nn.BatchNorm2d(6),
            relu2=nn.ReLU(),
            mean=nn.AvgPool2d(2),
            flat=nn.Flatten(),
            dropout=nn.Dropout(0.5),
            head=nn.Linear(6, 3),
        )
        norm = layers["norm"]
        nn.init.uniform_(norm.running_var, 0.5, 1.5)  # type: ignore[arg-type]
        nn.init.normal_(norm.bias)  # type: ignore[arg-type]
        return nn.Sequential(layers).double().eval()


def pictures() -> Tensor:
    """Three pictures for `small_net`."""
    generator = torch.Generator().manual_seed(1)
    return torch.randn(3, 2, 8, 8, generator=generator, dtype=torch.float64)


class _Failing(nn.Module):
    """Runs the model, then raises."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.inner = model

    def forward(self, x: Tensor) -> Tensor:
        raise _Expected(self.inner(x).shape)


class _Expected(Exception):
    """What `_Failing` raises."""


def _check_form(make: Make, model: nn.Module, inputs: Tensor) -> None:
    found = make(model).explain(inputs, 1)
    place, relevance = repr(found.method), found.relevance
    if not isinstance(relevance, Tensor):
        raise AssertionError(f"{place}: relevance is {type(relevance).__name__}, not a tensor.")
    for name in ("shape", "dtype", "device"):
        got, want = getattr(relevance, name), getattr(inputs, name)
        if got != want:
            raise AssertionError(f"{place}: relevance has {name} {got}, the input {want}.")
    if not bool(relevance.isfinite().all()):
        raise AssertionError(f"{place}: relevance is not finite.")
    if not bool(relevance.any()):
        raise AssertionError(f"{place}: relevance is zero everywhere, so nothing was checked.")
    if relevance.requires_grad:
        raise AssertionError(f"{place}: relevance requires grad, which nobody asked for.")
    if tuple(found.score.shape) != (len(inputs),):
        raise AssertionError(f"{place}: score has shape {tuple(found.score.shape)}, not (batch,).")
    attributed = make(model).attribute(inputs, target=1)
    _assert_equal(attributed, relevance, f"{place}: attribute() is not explain().relevance")


def _check_precision(make: Make, model: nn.Module, inputs: Tensor) -> None:
    narrow = make(copy.deepcopy(model).float()).explain(inputs.float(), 1)
    wide = make(model).explain(inputs, 1).relevance
    what = f"{narrow.method!r}: float32 and float64 differ"
    _assert_near(narrow.relevance.double(), wide, _NEAR[torch.float32], what)


def _check_batch(make: Make, model: nn.Module, inputs: Tensor) -> None:
    classes = model(inputs.clone()).shape[1]
    each = [index % classes for index in range(len(inputs))]
    for target, of_item in ((None, lambda i: None), (1, lambda i: 1), (each, lambda i: [each[i]])):
        batch = make(model).explain(inputs, target)
        for index in range(len(inputs)):
            item = make(model).explain(inputs[index : index + 1], of_item(index))
            what = f"{batch.method!r}: sample {index} of a batch, target {target}, differs from it"
            what += " explained alone"
            _assert_near(batch.relevance[index : index + 1], item.relevance, 1e-9, what)


def _check_modes(make: Make, model: nn.Module, inputs: Tensor) -> None:
    explainer = make(model)
    first = explainer.explain(inputs, 1)
    place = repr(first.method)
    again = explainer.explain(inputs, 1).relevance
    _assert_equal(again, first.relevance, f"{place}: twice the same question, two answers")
    fresh = make(copy.deepcopy(model)).explain(inputs.clone(), 1).relevance
    _assert_equal(fresh, first.relevance, f"{place}: an equal model gives another answer")
    with torch.no_grad():
        silent = make(model).explain(inputs, 1).relevance
    _assert_near(silent, first.relevance, 1e-12, f"{place}: no_grad makes a difference")
    for trainable in (False, True):
        other = copy.deepcopy(model).requires_grad_(trainable)
        asked = inputs.clone().requires_grad_(trainable)
        relevance = make(other).explain(asked, 1).relevance
        what = f"{place}: requires_grad={trainable} makes a difference"
        _assert_near(relevance, first.relevance, 1e-12, what)


def _check_untouched(make: Make, model: nn.Module, inputs: Tensor) -> None:
    model.requires_grad_(True)
    next(model.parameters()).requires_grad_(False)
    list(model.parameters())[1].grad = torch.ones_like(list(model.parameters())[1])
    inputs = inputs.clone().requires_grad_()
    place = type(make(model)).__name__
    with untouched(model, inputs, what=place):
        make(model).explain(inputs, 1)
        make(model).attribute(inputs)
    failing = _Failing(model)
    with untouched(failing, inputs, what=f"{place}, when the model raises,"):
        _assert_raises(lambda: make(failing).explain(inputs, 1), _Expected, place)
    with untouched(model, inputs, what=f"{place}, when the target is wrong,"):
        _assert_raises(lambda: make(model).explain(inputs, 10_000), Exception, place)


def _assert_raises(call: Callable[[], Any], error: type[Exception], place: str) -> None:
    try:
        call()
    except error:
        return
    raise AssertionError(f"{place}: no {error.__name__} was raised.")


def _assert_equal(found: Tensor, expected: Tensor, what: str) -> None:
    if found.shape != expected.shape or not torch.equal(found, expected):
        raise AssertionError(f"{what}.")


def _assert_near(found: Tensor, expected: Tensor, tolerance: float, what: str) -> None:
    size = float(expected.abs().max())
    error = float((found - expected).abs().max())
    if not error <= tolerance * size:
        raise AssertionError(f"{what}: by {error:.1e}, the largest relevance is {size:.1e}.")
