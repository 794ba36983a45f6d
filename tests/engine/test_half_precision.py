"""Models in half precision: messages are float32, so that little is lost and nothing vanishes."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from laws import ZERO, rand
from whence.composites import AttnLRP
from whence.explainers import LRP
from whence.rules import Uniform
from whence.targets import Logit, Weights

HALVES = pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
WIDTH, HEADS, TOKENS, VOCABULARY = 32, 4, 12, 40


class _Norm(nn.Module):
    """RMS norm that computes in float32, as language models do."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + 1e-6)
        return self.weight * wide.to(x.dtype)


def _turned(x: Tensor) -> Tensor:
    """Rotary positions: pairs of features turned by an angle that grows with the token."""
    angles = torch.arange(x.shape[-2])[:, None] / 100 ** torch.linspace(0, 1, x.shape[-1] // 2)
    cos, sin = (f(torch.cat([angles, angles], -1)).to(x.dtype) for f in (torch.cos, torch.sin))
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat([-second, first], -1) * sin


class _Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.before, self.between = _Norm(), _Norm()
        self.project, self.out = nn.Linear(WIDTH, 3 * WIDTH, False), nn.Linear(WIDTH, WIDTH, False)
        self.gate, self.up = nn.Linear(WIDTH, 64, False), nn.Linear(WIDTH, 64, False)
        self.down = nn.Linear(64, WIDTH, False)

    def forward(self, x: Tensor) -> Tensor:
        parts = self.project(self.before(x)).chunk(3, -1)
        Q, K, V = (each.unflatten(-1, (HEADS, -1)).transpose(1, 2) for each in parts)
        mixed = F.scaled_dot_product_attention(_turned(Q), _turned(K), V, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).flatten(2))
        h = self.between(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


class _Llama(nn.Module):
    """A language model in small: the last token's scores over a vocabulary."""

    def __init__(self, dtype: torch.dtype, saving: bool | None = None) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.blocks = nn.ModuleList(_Block() for _ in range(4))
        self.norm, self.head = _Norm(), nn.Linear(WIDTH, VOCABULARY, False)
        self.saving = saving  # None: no checkpointing; else whether it is the reentrant kind
        for number, each in enumerate(self.parameters()):
            if each.dim() > 1:
                rounded = rand(*each.shape, seed=number).to(torch.bfloat16)
                each.data = rounded / each.shape[1] ** 0.5
        self.to(torch.bfloat16).to(dtype)  # the same weights in every precision

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embedding(ids)
        for block in self.blocks:
            kept = self.saving is None
            x = block(x) if kept else checkpoint(block, x, use_reentrant=self.saving)
        return self.head(self.norm(x))[:, -1]


@pytest.fixture
def ids() -> Tensor:
    return torch.randint(VOCABULARY, (3, TOKENS))


@HALVES
def test_a_language_model_in_half_precision_is_explained_as_in_float64(
    ids: Tensor, dtype: torch.dtype
) -> None:
    exact = LRP(_Llama(torch.float64), AttnLRP()).explain(ids, Logit(7)).relevance
    ex = LRP(_Llama(dtype), AttnLRP()).explain(ids, Logit(7), ledger="full")
    pair = torch.stack([ex.relevance.double().flatten(), exact.flatten()])

    assert ex.relevance.dtype == torch.float32
    assert torch.corrcoef(pair)[0, 1] > 0.999
    ex.ledger.check()


@HALVES
def test_the_book_is_held_to_one_rounding_step_of_what_the_model_computed_in(
    ids: Tensor, dtype: torch.dtype
) -> None:
    ex = LRP(_Llama(dtype), AttnLRP()).explain(ids, Logit(7), ledger="full")
    tolerances = {row.tolerance for row in ex.ledger}

    assert tolerances == {torch.finfo(dtype).eps, 1e-5}  # the norms compute in float32


@HALVES
def test_a_lost_percent_is_found_in_half_precision_too(
    ids: Tensor, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = Uniform.send
    lossy = lambda self, node: [m and m.times(torch.tensor(0.98)) for m in send(self, node)]  # noqa: E731
    monkeypatch.setattr(Uniform, "send", lossy)
    ex = LRP(_Llama(dtype), AttnLRP()).explain(ids, Logit(7), ledger="full")

    assert "does NOT close" in ex.ledger.verdict


@HALVES
@pytest.mark.parametrize("kind", ["linear", "scale", "matmul"])
def test_coefficients_too_small_for_half_precision_do_not_vanish(
    kind: str, dtype: torch.dtype
) -> None:
    small = 2.0**-10
    weight = torch.full((1, 1), small, dtype=dtype)
    step = {
        "linear": lambda x: F.linear(x, weight),
        "scale": lambda x: x * small,
        "matmul": lambda x: x @ weight,
    }[kind]
    x = torch.full((1, 1), 1024.0, dtype=dtype)
    relevance = LRP(lambda x: step(step(step(x))), ZERO).explain(x, 0).relevance

    assert float(relevance) == 2.0**-20  # c = 2^-30, and the smallest number of float16 is 2^-24


def test_relevance_that_float16_could_not_hold_stays_finite() -> None:
    weight = torch.full((1, 8), 200.0, dtype=torch.float16)
    x = torch.full((1, 8), 40.0, dtype=torch.float16)
    model = lambda x: F.linear(x, weight)[:, :1]  # noqa: E731
    relevance = LRP(model, ZERO).explain(x, 0).relevance

    assert torch.equal(relevance, torch.full((1, 8), 8000.0))


@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
def test_a_checkpointed_language_model_is_explained_the_same(ids: Tensor, reentrant: bool) -> None:
    saving = LRP(_Llama(torch.float64, saving=reentrant), AttnLRP()).explain(ids, Logit(7))
    plain = LRP(_Llama(torch.float64), AttnLRP()).explain(ids, Logit(7))

    assert torch.equal(saving.relevance, plain.relevance)


def test_frozen_and_trainable_language_models_are_explained_the_same(ids: Tensor) -> None:
    frozen = _Llama(torch.float64).requires_grad_(False)
    plain = LRP(_Llama(torch.float64), AttnLRP()).explain(ids, Logit(7))

    assert torch.equal(LRP(frozen, AttnLRP()).explain(ids, Logit(7)).relevance, plain.relevance)


# -- casts inside of a model ---------------------------------------------------------------------


@HALVES
def test_what_a_cast_rounds_by_is_booked_as_bias(dtype: torch.dtype) -> None:
    x, weight = rand(3, 4, dtype=torch.float32), rand(4, seed=1, dtype=torch.float32)
    target = Weights(weight)
    ex = LRP(lambda x: x.to(dtype).float(), ZERO).explain(x, target, ledger="full")
    rounding = float(((x.to(dtype).float() - x).double() * weight).sum())

    torch.testing.assert_close(ex.relevance, x * weight)
    assert ex.ledger.total("bias") == pytest.approx(rounding, rel=1e-5)


def test_a_mask_too_low_for_the_lower_precision_leaves_no_nan() -> None:
    x, lowest = rand(3, 4), torch.finfo(torch.float64).min
    hidden = torch.tensor([True, False, False, True])
    model = lambda x: x.masked_fill(hidden, lowest).float().softmax(-1) * 1.0  # noqa: E731
    ex = LRP(model, ZERO).explain(x, Weights(rand(4, seed=1)), ledger="full")

    assert torch.tensor(ex.ledger.total("bias")).isfinite()
    ex.ledger.check()


def test_a_cast_to_float32_inside_of_a_float64_model_keeps_the_precision_of_coefficients() -> None:
    x, weight = rand(3, 4), rand(4, seed=1)
    ex = LRP(lambda x: x.float().double() + x, ZERO).explain(x, Weights(weight), ledger="full")

    assert ex.relevance.dtype == torch.float64
    torch.testing.assert_close(ex.relevance, 2 * x * weight, rtol=1e-15, atol=1e-15)
