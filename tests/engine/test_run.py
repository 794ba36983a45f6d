"""Whole models, as people write them: their inputs, outputs, precision and modes."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from laws import ZERO, assert_closes, assert_gradient_times_input, rand
from running import Wrapped
from whence.explainers import LRP


class _ModelOutput(OrderedDict[str, Any]):
    """As in Hugging Face: a dictionary whose entries are attributes too."""

    def __getattr__(self, name: str) -> Any:
        return self[name]


OUTPUTS: dict[str, tuple[Callable[[Tensor], Any], Any]] = {
    "a tuple": (lambda y: (y, y.sum()), None),
    "a tuple by index": (lambda y: (y.sum(), y), 1),
    "a list": (lambda y: [y], None),
    "a dict with logits": (lambda y: {"loss": y.sum(), "logits": y}, None),
    "a dict by name": (lambda y: {"loss": y.sum(), "scores": y}, "scores"),
    "a model output": (lambda y: _ModelOutput(hidden=(y,), logits=y), None),
    "a function of it": (lambda y: {"deep": [{"er": y}]}, lambda out: out["deep"][0]["er"]),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_models_may_return(name: str) -> None:
    shape, which = OUTPUTS[name]
    x = rand(3, 6)
    plain = LRP(Wrapped(), ZERO).explain(x, 2)
    ex = LRP(Wrapped(shape), ZERO, output=which).explain(x, 2)

    assert torch.equal(ex.relevance, plain.relevance)
    assert torch.equal(ex.score, plain.score)


def test_several_inputs_get_relevance_each() -> None:
    model = Wrapped(prepare=lambda a, b: torch.cat([a, 2 * b], 1))
    a, b = rand(3, 2), rand(3, 4, seed=1)
    ex = assert_closes(model, (a, b))
    whole = assert_closes(Wrapped(), torch.cat([a, 2 * b], 1))

    assert isinstance(ex.relevance, tuple)
    torch.testing.assert_close(torch.cat(ex.relevance, 1), whole.relevance)


def test_keyword_inputs_come_back_under_their_names() -> None:
    model = Wrapped(prepare=lambda *, left, mask, right: torch.cat([left, right * mask], 1))
    left, right = rand(3, 2), rand(3, 4, seed=1)
    ex = assert_closes(model, {"left": left, "mask": torch.ones(3, 4).double(), "right": right})
    whole = assert_closes(Wrapped(), torch.cat([left, right], 1))

    assert list(ex.relevance) == ["left", "right"]
    torch.testing.assert_close(torch.cat([*ex.relevance.values()], 1), whole.relevance)


def test_an_input_that_is_not_a_tensor_passes_through() -> None:
    model = Wrapped(prepare=lambda x, times, flag: x * times if flag else x)
    ex = assert_closes(model, (rand(3, 6), 2, True))

    assert ex.relevance[1:] == (None, None)


def test_normalisation_inside_the_model_books_its_shift() -> None:
    mean, std = torch.full((6,), 0.5).double(), torch.full((6,), 0.25).double()
    model = Wrapped(prepare=lambda x: (x - mean) / std)
    x = rand(3, 6).abs()

    assert_gradient_times_input(model, x)
    assert assert_closes(model, x).ledger.total("bias") != 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_relevance_has_the_models_precision(dtype: torch.dtype) -> None:
    ex = LRP(Wrapped().to(dtype), ZERO).explain(rand(3, 6, dtype=dtype), 1, ledger="full")

    assert ex.relevance.dtype == dtype
    assert ex.ledger.check().tolerance == {torch.float32: 1e-5, torch.float64: 1e-11}[dtype]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_models_get_float32_messages(dtype: torch.dtype) -> None:
    images = rand(2, 3, 8, 8).to(dtype)
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 4, 3), nn.GELU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(4),
        nn.Linear(4, 3),
    ).eval()  # fmt: skip
    half = LRP(model.to(dtype), ZERO).explain(images, 1, ledger="full")
    full = LRP(model.float(), ZERO).explain(images.float(), 1)

    assert half.relevance.dtype == torch.float32
    similarity = F.cosine_similarity(half.relevance.flatten(), full.relevance.flatten(), dim=0)
    assert similarity > 0.98


@pytest.mark.parametrize("requires_grad", [True, False])
def test_frozen_and_trainable_parameters_give_the_same(requires_grad: bool) -> None:
    model = Wrapped().requires_grad_(requires_grad)
    x = rand(3, 6).requires_grad_(requires_grad)
    ex = LRP(model, ZERO).explain(x, 1)

    expected = LRP(Wrapped(), ZERO).explain(rand(3, 6), 1)
    assert torch.equal(ex.relevance, expected.relevance)
    assert not ex.relevance.requires_grad
    assert x.grad is None


def test_an_explanation_under_no_grad_is_the_same() -> None:
    with torch.no_grad():
        ex = LRP(Wrapped(), ZERO).explain(rand(3, 6), 1)

    assert torch.equal(ex.relevance, LRP(Wrapped(), ZERO).explain(rand(3, 6), 1).relevance)


def test_a_model_decorated_with_no_grad_is_the_same() -> None:
    model = Wrapped()
    ex = LRP(torch.no_grad()(model.forward), ZERO).explain(rand(3, 6), 1)

    assert torch.equal(ex.relevance, LRP(model, ZERO).explain(rand(3, 6), 1).relevance)


@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
def test_a_checkpointed_model_is_the_same(reentrant: bool) -> None:
    model = Wrapped()

    def saving(x: Tensor) -> Tensor:
        h = checkpoint(model.net[:2], x, use_reentrant=reentrant)
        return checkpoint(model.net[2], h, use_reentrant=reentrant)

    plain, ex = assert_closes(model, rand(3, 6)), assert_closes(saving, rand(3, 6))

    assert torch.equal(ex.relevance, plain.relevance)


class _Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return torch.relu(x) * 2

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad * 1000  # not what forward does, and not what is explained


def test_a_custom_function_is_explained_as_its_operations_with_a_note() -> None:
    x = rand(3, 6)
    ex = assert_closes(lambda x: _Double.apply(x), x)
    plain = assert_closes(lambda x: torch.relu(x) * 2, x)

    assert torch.equal(ex.relevance, plain.relevance)
    assert any("_Double" in note for note in ex.notes)


def test_weight_norm_by_parametrisation_is_the_same_as_its_weights() -> None:
    plain = nn.Linear(6, 4).double()
    normed = nn.Linear(6, 4).double()
    normed.load_state_dict(plain.state_dict())
    torch.nn.utils.parametrizations.weight_norm(normed)
    x = rand(3, 6)

    torch.testing.assert_close(
        assert_closes(normed, x).relevance, assert_closes(plain, x).relevance
    )


def test_dropout_in_evaluation_is_the_identity() -> None:
    model = nn.Sequential(nn.Dropout(0.5), nn.Linear(6, 4), nn.Dropout(0.9)).double().eval()

    assert_gradient_times_input(model, rand(3, 6))


def test_dropout_in_training_explains_one_draw_and_says_so() -> None:
    model = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.Linear(8, 4, bias=False)).double()
    x = rand(3, 6)
    ex = assert_closes(model, x)

    assert any("dropout in '1'" in note and "training" in note for note in ex.notes)


def test_the_modes_of_all_modules_stay_as_they_are() -> None:
    model = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.Linear(8, 4)).double()
    model[0].eval()
    LRP(model, ZERO).explain(rand(3, 6), 1)

    assert [each.training for each in model] == [False, True, True]
    assert not model[0]._forward_hooks
    assert not torch.nn.modules.module._global_forward_hooks
