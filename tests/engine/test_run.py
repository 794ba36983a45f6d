"""Whole models, as people write them: their inputs, outputs, precision, modes and callables."""

import functools
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from laws import ZERO, assert_closes, assert_gradient_times_input, rand, weights_for
from whence import rules
from whence.composites import Composite, where
from whence.explainers import LRP
from whence.targets import Weights

SCALE = torch.full((6,), 2.0, dtype=torch.float64)  # a global that no module owns


def _net(*, bias: bool = True) -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 8, bias=bias), nn.ReLU(), nn.Linear(8, 4, bias=bias)).double()


class _Wrapped(nn.Module):
    """A net whose output is handed through `shape`, and its input through `prepare`."""

    def __init__(
        self,
        shape: Callable[[Tensor], Any] = lambda y: y,
        prepare: Callable[..., Tensor] = lambda x: x,
    ) -> None:
        super().__init__()
        self.net, self.shape, self.prepare = _net(), shape, prepare
        self.net.load_state_dict(_net().state_dict() | _STATE)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.shape(self.net(self.prepare(*args, **kwargs)))


_STATE = {name: rand(*each.shape, seed=7) for name, each in _net().state_dict().items()}


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
    plain = LRP(_Wrapped(), ZERO).explain(x, 2)
    ex = LRP(_Wrapped(shape), ZERO, output=which).explain(x, 2)

    assert torch.equal(ex.relevance, plain.relevance)
    assert torch.equal(ex.score, plain.score)


def test_several_inputs_get_relevance_each() -> None:
    model = _Wrapped(prepare=lambda a, b: torch.cat([a, 2 * b], 1))
    a, b = rand(3, 2), rand(3, 4, seed=1)
    ex = assert_closes(model, (a, b))
    whole = assert_closes(_Wrapped(), torch.cat([a, 2 * b], 1))

    assert isinstance(ex.relevance, tuple)
    torch.testing.assert_close(torch.cat(ex.relevance, 1), whole.relevance)


def test_keyword_inputs_come_back_under_their_names() -> None:
    model = _Wrapped(prepare=lambda *, left, mask, right: torch.cat([left, right * mask], 1))
    left, right = rand(3, 2), rand(3, 4, seed=1)
    ex = assert_closes(model, {"left": left, "mask": torch.ones(3, 4).double(), "right": right})
    whole = assert_closes(_Wrapped(), torch.cat([left, right], 1))

    assert list(ex.relevance) == ["left", "right"]
    torch.testing.assert_close(torch.cat([*ex.relevance.values()], 1), whole.relevance)


def test_an_input_that_is_not_a_tensor_passes_through() -> None:
    model = _Wrapped(prepare=lambda x, times, flag: x * times if flag else x)
    ex = assert_closes(model, (rand(3, 6), 2, True))

    assert ex.relevance[1:] == (None, None)


def test_normalisation_inside_the_model_books_its_shift() -> None:
    mean, std = torch.full((6,), 0.5).double(), torch.full((6,), 0.25).double()
    model = _Wrapped(prepare=lambda x: (x - mean) / std)
    x = rand(3, 6).abs()

    assert_gradient_times_input(model, x)
    assert assert_closes(model, x).ledger.total("bias") != 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_relevance_has_the_models_precision(dtype: torch.dtype) -> None:
    ex = LRP(_Wrapped().to(dtype), ZERO).explain(rand(3, 6, dtype=dtype), 1, ledger="full")

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
    model = _Wrapped().requires_grad_(requires_grad)
    x = rand(3, 6).requires_grad_(requires_grad)
    ex = LRP(model, ZERO).explain(x, 1)

    expected = LRP(_Wrapped(), ZERO).explain(rand(3, 6), 1)
    assert torch.equal(ex.relevance, expected.relevance)
    assert not ex.relevance.requires_grad
    assert x.grad is None


def test_an_explanation_under_no_grad_is_the_same() -> None:
    with torch.no_grad():
        ex = LRP(_Wrapped(), ZERO).explain(rand(3, 6), 1)

    assert torch.equal(ex.relevance, LRP(_Wrapped(), ZERO).explain(rand(3, 6), 1).relevance)


def test_a_model_decorated_with_no_grad_is_the_same() -> None:
    model = _Wrapped()
    ex = LRP(torch.no_grad()(model.forward), ZERO).explain(rand(3, 6), 1)

    assert torch.equal(ex.relevance, LRP(model, ZERO).explain(rand(3, 6), 1).relevance)


@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
def test_a_checkpointed_model_is_the_same(reentrant: bool) -> None:
    model = _Wrapped()

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


# -- token ids and pictures of integers ----------------------------------------------------------


class _Tokens(nn.Module):
    """Token ids, moved around in `prepare`, to the mean of their embeddings."""

    def __init__(self, prepare: Callable[[Tensor], Tensor] = lambda ids: ids) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 6, dtype=torch.float64)
        self.embedding.weight.data = rand(10, 6, seed=4)
        self.prepare = prepare

    def forward(self, ids: Tensor) -> Tensor:
        return torch.relu(self.embedding(self.prepare(ids))).flatten(2).mean(1)


IDS = torch.tensor([[1, 2, 2, 5], [0, 9, 3, 1], [4, 4, 4, 7]])


def _token_reference(model: _Tokens, ids: Tensor, target: Weights) -> Tensor:
    e = model.embedding(ids).detach().requires_grad_()
    target.score(torch.relu(e).mean(1)).sum().backward()
    assert e.grad is not None
    return (e * e.grad).sum(-1).detach()


def test_token_ids_get_one_value_each() -> None:
    model = _Tokens()
    target = weights_for(model, IDS)
    ex = assert_closes(model, IDS, target)

    assert ex.relevance.shape == IDS.shape
    torch.testing.assert_close(ex.relevance, _token_reference(model, IDS, target))


@pytest.mark.parametrize(
    "prepare",
    [
        lambda ids: ids.view(-1, 4),
        lambda ids: ids.long(),
        lambda ids: ids[:, [3, 2, 1, 0]],
        lambda ids: ids.flip(1),
        lambda ids: torch.cat([ids[:, :2], ids[:, 2:]], 1),
        lambda ids: ids.clone().contiguous(),
        lambda ids: ids.to(torch.int64),
    ],
)
def test_token_ids_may_be_moved_before_the_embedding(prepare: Callable[[Tensor], Tensor]) -> None:
    model = _Tokens(prepare)
    target = weights_for(_Tokens(), IDS)

    torch.testing.assert_close(
        assert_closes(model, IDS, target).relevance, _token_reference(model, IDS, target)
    )


def test_token_ids_cut_off_get_no_relevance() -> None:
    model = _Tokens(lambda ids: ids[:, :3])
    ex = assert_closes(model, IDS)

    assert (ex.relevance[:, 3] == 0).all()
    assert (ex.relevance[:, :3] != 0).any()


BAGS = [
    {"mode": "sum"},
    {"mode": "mean"},
    {"mode": "max"},
    {"mode": "sum", "padding_idx": 2},
    {"mode": "mean", "padding_idx": 2},
    {"mode": "max", "padding_idx": 2},
]


@pytest.mark.parametrize("options", BAGS, ids=str)
def test_embedding_bags_share_among_their_tokens(options: dict[str, Any]) -> None:
    bag = nn.EmbeddingBag(10, 6, dtype=torch.float64, **options)
    ex = assert_closes(bag, IDS)

    assert ex.relevance.shape == IDS.shape
    torch.testing.assert_close(ex.relevance.sum(1), ex.score)
    assert "padding_idx" not in options or (ex.relevance[IDS == 2] == 0).all()


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_bags_of_different_sizes_are_given_by_offsets(mode: str) -> None:
    bag = nn.EmbeddingBag(10, 6, mode=mode, dtype=torch.float64)
    flat, offsets = torch.tensor([1, 2, 2, 5, 0]), torch.tensor([0, 3])
    ex = LRP(lambda ids: bag(ids, offsets), ZERO).explain(flat, lambda y: y.sum(1))

    torch.testing.assert_close(ex.relevance.sum(), ex.score.sum())
    torch.testing.assert_close(ex.relevance[:3].sum(), bag(flat, offsets)[0].sum().detach())


def test_weights_of_bags_weigh() -> None:
    bag = nn.EmbeddingBag(10, 6, mode="sum", dtype=torch.float64)
    weights = rand(3, 4)
    ex = LRP(lambda ids: bag(ids, per_sample_weights=weights), ZERO).explain(
        IDS, lambda y: y.sum(1)
    )

    torch.testing.assert_close(ex.relevance, (bag.weight[IDS].sum(-1) * weights).detach())


def test_pictures_of_bytes_get_relevance_of_their_own_shape() -> None:
    pixels = (rand(3, 6).abs() * 60).to(torch.uint8)
    model = _Wrapped(prepare=lambda x: x.to(torch.float64) / 255)
    ex = LRP(model, ZERO).explain(pixels, 1, ledger="full")
    expected = LRP(_Wrapped(), ZERO).explain(pixels.double() / 255, 1)

    ex.ledger.check()
    torch.testing.assert_close(ex.relevance, expected.relevance)


# -- callables and tensors that existed before ---------------------------------------------------


def _closure() -> Callable[[Tensor], Tensor]:
    net = _Wrapped()
    return lambda x: net(x)


class _Holder:
    def __init__(self) -> None:
        self.net = _Wrapped()
        self.list = [_Wrapped()]

    def score(self, x: Tensor) -> Tensor:
        return self.net(x)

    def __call__(self, x: Tensor) -> Tensor:
        return self.list[0](x)


def _scaled(net: nn.Module, x: Tensor, *, by: Tensor) -> Tensor:
    return net(x * by)


CALLABLES: dict[str, Callable[[], Callable[..., Any]]] = {
    "a closure": _closure,
    "a bound method": lambda: _Holder().score,
    "a callable object": _Holder,
    "a partial": lambda: functools.partial(_scaled, _Wrapped(), by=torch.ones(6).double()),
    "a method of a module": lambda: _Wrapped().forward,
    "a module in a list": lambda: nn.ModuleList([_Wrapped()])[0],
}


@pytest.mark.parametrize("name", CALLABLES)
def test_callables_are_explained_like_the_module_inside(name: str) -> None:
    x = rand(3, 6)
    ex = LRP(CALLABLES[name](), ZERO).explain(x, 1, ledger="full")

    ex.ledger.check()
    assert torch.equal(ex.relevance, LRP(_Wrapped(), ZERO).explain(x, 1).relevance)


def test_plain_tensors_on_modules_and_globals_are_constants() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = {"shift": rand(6, seed=8)}
            self.gate = rand(6, seed=9)

        def forward(self, x: Tensor) -> Tensor:
            return x * SCALE * self.gate + self.table["shift"]

    assert_gradient_times_input(Model(), rand(3, 6))


def test_a_constant_that_is_cached_in_the_first_call_is_accepted() -> None:
    class Model(nn.Module):
        table: Tensor | None = None

        def forward(self, x: Tensor) -> Tensor:
            if self.table is None:
                self.table = torch.arange(6, dtype=x.dtype)
            return x * self.table

    model = Model()

    assert_gradient_times_input(model, rand(3, 6))
    assert_gradient_times_input(model, rand(3, 6))


def test_a_data_dependent_branch_is_followed_as_it_runs() -> None:
    net = _Wrapped()

    def model(x: Tensor) -> Tensor:
        h = net.net[0](x)
        if h.sum() > 0:
            return F.relu(h)
        return -2 * h

    assert_gradient_times_input(model, rand(3, 6))
    assert_gradient_times_input(model, -rand(3, 6))


def test_a_data_dependent_loop_is_followed_as_it_runs() -> None:
    def model(x: Tensor) -> Tensor:
        h = x
        while h.detach().abs().max() < 100:
            h = h + 2 * h.flip(1)
        return h

    assert_gradient_times_input(model, rand(3, 6))


def test_two_explanations_of_one_explainer_are_equal() -> None:
    explainer = LRP(_Wrapped(), ZERO)

    first, second = explainer.explain(rand(3, 6), 1), explainer.explain(rand(3, 6), 1)

    assert torch.equal(first.relevance, second.relevance)


def test_parameters_gradients_and_versions_stay_as_they_are() -> None:
    model = _Wrapped()
    model.net(rand(3, 6)).sum().backward()
    before = [(p.clone(), p.grad.clone(), p._version) for p in model.parameters()]  # type: ignore[union-attr]
    assert_closes(model, rand(3, 6))

    after = [(p, p.grad, p._version) for p in model.parameters()]
    torch.testing.assert_close([*map(list, after)], [*map(list, before)], rtol=0, atol=0)


def test_relevance_of_any_form_enters_a_bag() -> None:
    net = nn.Sequential(nn.EmbeddingBag(10, 6, mode="sum"), nn.Linear(6, 2, bias=False)).double()
    flat = Composite([(where.nature("linear"), rules.Flat())])
    ex = LRP(net, flat).explain(IDS, 1, ledger="full")

    tokens = net[0].weight[IDS]  # (samples, tokens, dimensions)
    shares = tokens / tokens.sum(1, keepdim=True) * (ex.score / 6)[:, None, None]
    ex.ledger.check()
    torch.testing.assert_close(ex.relevance, shares.sum(-1).detach())
