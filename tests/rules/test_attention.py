"""Attention: the fused kernel against fractions, the paper's R-form, and the same written out."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention.bias import causal_lower_right
from torch.utils._python_dispatch import TorchDispatchMode

from laws import rand
from whence._explanation import Explanation
from whence.composites import CPLRP, AttnLRP, Composite, where
from whence.errors import InvalidInput
from whence.explainers import LRP
from whence.rules import Attention, Gradient, Zero
from whence.targets import Weights

EXACT = [(where.nature("linear"), Zero())]
HALF, HELD = AttnLRP() + EXACT, CPLRP() + EXACT
Form = Callable[..., Tensor]


def fused(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, **options: Any) -> Tensor:
    """One call of torch's kernel."""
    return F.scaled_dot_product_attention(q, k, v, mask, **options)


def by_name(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """The same call without a position."""
    return F.scaled_dot_product_attention(query=q, key=k, value=v, attn_mask=mask)


def written_out(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor | None = None,
    *,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """The same in single operations."""
    if enable_gqa:
        groups = q.shape[1] // k.shape[1]
        k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
    scores = q @ k.transpose(-1, -2) * (1 / math.sqrt(q.shape[-1]) if scale is None else scale)
    if is_causal:
        seen = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
        scores = scores.masked_fill(~seen, -torch.inf)
    if mask is not None and mask.dtype == torch.bool:
        scores = scores.masked_fill(~mask, -torch.inf)
    elif mask is not None:
        scores = scores + mask
    return scores.softmax(-1) @ v


def explain(
    form: Form, inputs: tuple[Tensor, ...], composite: Composite = HALF, **options: Any
) -> Explanation:
    """Explained with a target that weighs every element of the output differently."""
    with torch.no_grad():
        shape = form(*inputs, **options).shape
    model = lambda *given: form(*given, **options)  # noqa: E731
    target = Weights(rand(*shape[1:], seed=7))
    return LRP(model, composite).explain(inputs, target, ledger="full")


def qkv(batch: int = 2, heads: int = 2, queries: int = 4, keys: int = 5, width: int = 3) -> Any:
    """Queries, keys and values of as many heads."""
    return (
        rand(batch, heads, queries, width, seed=1),
        rand(batch, heads, keys, width, seed=2),
        rand(batch, heads, keys, width, seed=3),
    )


# -- by hand --------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [fused, written_out])
def test_one_query_and_two_keys_by_hand(form: Form) -> None:
    # scores 0 and ln 3, so P = (1/4, 3/4); O = 4/4 + 3 * 8/4 = 7, half of it to P and half to V.
    # c_P = V / 2 = (2, 4), sum P c_P = 7/2, c_S = P (c_P - 7/2) = (-3/8, 3/8).
    log3 = math.log(3)
    q = torch.tensor([[[1.0]]], dtype=torch.float64)
    k = torch.tensor([[[0.0], [log3]]], dtype=torch.float64)
    v = torch.tensor([[[4.0], [8.0]]], dtype=torch.float64)

    model = lambda q, k, v: form(q, k, v)  # noqa: E731
    ex = LRP(model, HALF).explain((q, k, v), Weights(torch.ones(1, 1).double()), ledger="full")
    R_q, R_k, R_v = ex.relevance

    torch.testing.assert_close(R_v.flatten(), torch.tensor([1 / 2, 3]).double())
    torch.testing.assert_close(R_q.flatten(), torch.tensor([3 / 16 * log3]).double())
    torch.testing.assert_close(R_k.flatten(), torch.tensor([0, 3 / 16 * log3]).double())
    assert ex.ledger.check().total("softmax") == pytest.approx(7 / 2 - 3 / 8 * log3, rel=1e-12)


# -- the paper's R-form ---------------------------------------------------------------------------


def paper(
    q: Tensor, k: Tensor, v: Tensor, bias: Tensor, R_out: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The rules of the paper one after the other, on one head, in terms of relevance alone.

    O = A V:        R_A[j, i] = sum_p A[j, i] V[i, p] R[j, p] / (2 O[j, p]),  R_V[i, p] likewise
    A = softmax(S): R_S[i] = S[i] (R_A[i] - A[i] sum_l R_A[l])
    S = s Q K^T + M: the share of the product in the sum, then as for O
    """
    scale = q.shape[-1] ** -0.5
    dots = scale * q @ k.T
    S = dots + bias
    A = S.softmax(-1)
    share = R_out / (2 * (A @ v))
    R_A = torch.einsum("ji,ip,jp->ji", A, v, share)
    R_V = torch.einsum("ji,ip,jp->ip", A, v, share)
    R_S = S * (R_A - A * R_A.sum(-1, keepdim=True))
    share = R_S * (dots / S) / (2 * dots)
    R_Q = torch.einsum("jd,id,ji->jd", scale * q, k, share)
    R_K = torch.einsum("jd,id,ji->id", scale * q, k, share)
    return R_Q, R_K, R_V


def test_the_rule_is_the_papers_r_form() -> None:
    q, k, v = qkv(batch=1, heads=1)
    bias = rand(4, 5, seed=5)
    weights = rand(1, 4, 3, seed=7)
    expected = paper(q[0, 0], k[0, 0], v[0, 0], bias, weights[0] * fused(q, k, v, bias)[0, 0])

    found = explain(lambda q, k, v: fused(q, k, v, bias), (q, k, v)).relevance

    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one[0, 0], other, rtol=1e-9, atol=1e-12)


# -- fused is the same as written out -------------------------------------------------------------

MASKS = {
    "none": {},
    "causal": {"is_causal": True},
    "scale": {"scale": 0.3},
    "truth values": {"mask": torch.tensor([[1, 0, 1, 1, 0], [1, 1, 1, 1, 1]] * 2).bool()},
    "numbers": {"mask": rand(4, 5, seed=5)},
    "one for all queries": {"mask": rand(2, 1, 1, 5, seed=5)},
    "minus infinity": {
        "mask": torch.zeros(4, 5).double().masked_fill_(rand(4, 5) > 0.5, -math.inf)
    },
    "the smallest number": {
        "mask": torch.zeros(4, 5)
        .double()
        .masked_fill_(rand(4, 5) > 0.5, torch.finfo(torch.float64).min)
    },
}
# which of q, k and v the input reaches
REACHED = ["qkv", "q", "k", "v", "qk", "qv", "kv"]


@pytest.mark.parametrize("composite", [HALF, HELD], ids=["half", "held"])
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("reached", REACHED)
def test_fused_equals_written_out(reached: str, mask: str, composite: Composite) -> None:
    given = dict(zip("qkv", qkv(), strict=True))
    constant = {name: given.pop(name) for name in "qkv" if name not in reached}

    def model(form: Form) -> Form:
        def attend(*inputs: Tensor) -> Tensor:
            return form(**constant, **dict(zip(given, inputs, strict=True)), **MASKS[mask])

        return attend

    one = explain(model(fused), tuple(given.values()), composite)
    other = explain(model(written_out), tuple(given.values()), composite)

    torch.testing.assert_close(one.relevance, other.relevance, rtol=1e-9, atol=1e-12)
    columns = ("bias", "softmax", "dropped")
    totals = [[ex.ledger.check().total(column) for column in columns] for ex in (one, other)]
    assert totals[0] == pytest.approx(totals[1], abs=1e-11)


def test_grouped_queries_share_their_keys() -> None:
    q, k, v = rand(2, 4, 3, 2, seed=1), rand(2, 2, 5, 2, seed=2), rand(2, 2, 5, 2, seed=3)

    one, other = (explain(form, (q, k, v), enable_gqa=True) for form in (fused, written_out))

    torch.testing.assert_close(one.relevance, other.relevance, rtol=1e-9, atol=1e-12)
    assert one.ledger.check().total("softmax") == pytest.approx(other.ledger.total("softmax"))


def test_a_mask_made_of_the_input_takes_its_share() -> None:
    q, k, v = qkv()
    bias = rand(2, 2, 4, 5, seed=5)
    forms = [lambda q, k, v, mask, form=form: form(q, k, v, mask) for form in (fused, written_out)]

    one, other = (explain(form, (q, k, v, bias)) for form in forms)

    torch.testing.assert_close(one.relevance, other.relevance, rtol=1e-9, atol=1e-12)
    assert one.ledger.check().total("softmax") == pytest.approx(other.ledger.total("softmax"))
    assert one.ledger.total("bias") == 0


def test_keys_that_are_masked_get_nothing_at_all() -> None:
    q, k, v = qkv()
    mask = torch.tensor([[True, True, True, False, False]])

    R_q, R_k, R_v = explain(fused, (q, k, v), mask=mask).relevance

    assert not R_k[..., 3:, :].any()
    assert not R_v[..., 3:, :].any()
    assert R_q.all()


def test_a_query_that_sees_nothing_stays_finite() -> None:
    q, k, v = qkv()
    mask = torch.ones(4, 5, dtype=torch.bool)
    mask[2] = False

    ex = explain(fused, (q, k, v), mask=mask)

    assert all(R.isfinite().all() for R in ex.relevance)
    ex.ledger.check()


LOWEST = torch.finfo(torch.float64).min


@pytest.mark.parametrize("composite", [HALF, HELD], ids=["half", "held"])
def test_a_query_that_sees_all_keys_at_the_lowest_number_closes(composite: Composite) -> None:
    q, k, v = (each[:, 0] for each in qkv())  # where the fused kernel runs, its own gradient errs
    mask = torch.zeros(4, 5).double()
    mask[2] = LOWEST

    ex = explain(fused, (q, k, v), composite, mask=mask)

    assert all(R.isfinite().all() for R in ex.relevance)
    ex.ledger.check()


@pytest.mark.parametrize("mask", [torch.tensor([True, True, False, True, True]), rand(5, seed=4)])
def test_a_mask_of_keys_alone_equals_the_same_for_every_query(mask: Tensor) -> None:
    q, k, v = (each[:, 0] for each in qkv())  # torch takes such a mask without heads only

    one = explain(fused, (q, k, v), mask=mask)
    other = explain(fused, (q, k, v), mask=mask.expand(4, 5))

    torch.testing.assert_close(one.relevance, other.relevance)
    one.ledger.check()


def test_torchs_causal_bias_is_the_mask_that_it_stands_for() -> None:
    q, k, v = qkv(keys=7)
    mask = torch.ones(4, 7, dtype=torch.bool).tril(3)

    one = explain(by_name, (q, k, v), mask=causal_lower_right(4, 7))
    other = explain(fused, (q, k, v), mask=mask)

    assert torch.equal(one.output, other.output)
    assert all(map(torch.equal, one.relevance, other.relevance))


def test_torchs_causal_bias_hides_keys_under_dropout_too() -> None:
    q, k, v = qkv(queries=2, keys=5)
    first = lambda *given: fused(*given, mask=causal, dropout_p=0.2)[..., :1, :]  # noqa: E731
    causal = causal_lower_right(2, 5)

    R_q, R_k, R_v = LRP(first, HALF).explain((q, k, v), Weights(rand(2, 1, 3))).relevance

    assert R_q[..., 0, :].any()
    assert not R_k[..., 4:, :].any()
    assert not R_v[..., 4:, :].any()


# -- the policies ---------------------------------------------------------------------------------


def test_held_patterns_are_those_of_a_model_that_detaches_them() -> None:
    q, k, v = qkv()

    ex = explain(fused, (q, k, v), HELD)
    constant = explain(lambda v: fused(q, k, v), (v,), HELD)

    torch.testing.assert_close(ex.relevance[2], constant.relevance[0])
    assert not ex.relevance[0].any()
    assert not ex.relevance[1].any()
    assert ex.ledger.check().total("softmax") == 0


def test_what_reaches_only_a_held_pattern_is_dropped() -> None:
    q, k, v = qkv()

    ex = explain(lambda q, k: fused(q, k, v), (q, k), HELD)

    assert ex.ledger.check().total("dropped") == pytest.approx(float(ex.score.sum()))
    assert not any(R.any() for R in ex.relevance)


def test_the_plain_gradient_is_a_policy_too() -> None:
    inputs = tuple(each.requires_grad_() for each in qkv())
    weights = rand(2, 4, 3, seed=7)
    gradients = torch.autograd.grad((fused(*inputs) * weights).sum(), inputs)
    plain = Composite([(where.nature("attention"), Gradient())])

    found = explain(fused, tuple(each.detach() for each in inputs), plain).relevance

    for R, x, gradient in zip(found, inputs, gradients, strict=True):
        torch.testing.assert_close(R, (x * gradient).detach())


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"needs pattern= one of .*, got 'full'"):
        Attention("full")


def test_a_batch_is_explained_as_its_items() -> None:
    q, k, v = qkv(batch=3)

    whole = explain(fused, (q, k, v)).relevance
    single = explain(fused, (q[1:2], k[1:2], v[1:2])).relevance

    for one, other in zip(whole, single, strict=True):
        torch.testing.assert_close(one[1:2], other)


def test_relevance_can_be_differentiated() -> None:
    q, k, v = qkv(batch=1, heads=1)
    attend = LRP(lambda q: fused(q, k, v), HALF)
    target = Weights(rand(1, 4, 3, seed=7))

    def relevance(q: Tensor) -> Tensor:
        return attend.explain(q, target, create_graph=True, ledger=None).relevance

    assert torch.autograd.gradcheck(relevance, (q.requires_grad_(),))


# -- the kernel stays -----------------------------------------------------------------------------


class Watch(TorchDispatchMode):
    """Notes the names of all operations and the size of the largest tensor that was made."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.largest = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.names.add(func.__name__.split(".")[0])
        made = result if isinstance(result, (tuple, list)) else [result]
        self.largest = max([self.largest, *(t.numel() for t in made if isinstance(t, Tensor))])
        return result


@pytest.mark.parametrize("ledger", [None, "summary", "full"])
def test_the_fused_kernel_runs_and_no_tokens_by_tokens_array_is_made(ledger: str | None) -> None:
    tokens = 2048
    x = rand(1, 1, tokens, 4, dtype=torch.float32)
    explainer = LRP(lambda x: fused(x, x, x, is_causal=True), HALF)

    with Watch() as watch:
        explainer.explain(x, Weights(torch.ones(1, tokens, 4)), ledger=ledger)

    assert watch.largest < tokens * tokens
    assert "_scaled_dot_product_flash_attention_for_cpu" in watch.names
    assert "_scaled_dot_product_flash_attention_for_cpu_backward" in watch.names


def test_blocks_of_queries_book_what_all_queries_at_once_book(monkeypatch) -> None:
    q, k, v = qkv(queries=7)
    bias = rand(7, 5, seed=5)
    once = explain(fused, (q, k, v), mask=bias).ledger

    monkeypatch.setattr("whence.rules._attention._BLOCK", 2 * 2 * 2 * 5)
    blocks = explain(fused, (q, k, v), mask=bias).ledger

    assert blocks.total("softmax") == pytest.approx(once.total("softmax"), rel=1e-12)
    assert blocks.total("bias") == pytest.approx(once.total("bias"), rel=1e-12)


# -- whole blocks ---------------------------------------------------------------------------------


class Block(nn.Module):
    """A transformer block with RMS norms and a gated layer written by hand, on one head."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        self.form = form
        self.qkv = nn.Linear(6, 18, bias=False)
        self.gate, self.up = nn.Linear(6, 8, bias=False), nn.Linear(6, 8, bias=False)
        self.down = nn.Linear(8, 6, bias=False)

    @staticmethod
    def norm(x: Tensor, *, hold: bool = False) -> Tensor:
        normaliser = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)
        return x * (normaliser.detach() if hold else normaliser)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.norm(x))[:, None].chunk(3, -1)
        x = x + self.form(q, k, v, is_causal=True)[:, 0]
        h = self.norm(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


def gradient_form(block: Block, x: Tensor, weights: Tensor) -> Tensor:
    """AttnLRP as a modified gradient, written down for this block: x times autograd's gradient of
    a function whose held parts are detached and whose halves are averages."""
    x = x.clone().requires_grad_()
    q, k, v = block.qkv(block.norm(x, hold=True))[:, None].chunk(3, -1)

    def half(y: Tensor) -> Tensor:
        return 0.5 * y + 0.5 * y.detach()

    def quarter(y: Tensor) -> Tensor:
        return 0.25 * y + 0.75 * y.detach()

    h = x + written_out(quarter(q), quarter(k), half(v), is_causal=True)[:, 0]
    n = block.norm(h, hold=True)
    g = block.gate(n)
    silu = g * torch.sigmoid(g.detach())
    y = h + block.down(half(silu) * half(block.up(n)))
    return (torch.autograd.grad((y * weights).sum(), x)[0] * x).detach()


@pytest.mark.parametrize("form", [fused, written_out])
def test_a_block_equals_the_modified_gradient_of_the_paper(form: Form) -> None:
    block = Block(form).double().eval()
    x = rand(2, 5, 6)
    weights = rand(5, 6, seed=9)

    ex = LRP(block, HALF).explain(x, Weights(weights), ledger="full")

    torch.testing.assert_close(
        ex.relevance, gradient_form(block, x, weights), rtol=1e-9, atol=1e-12
    )
    ex.ledger.check()


@pytest.mark.parametrize("form", [fused, written_out])
def test_attention_is_explained_by_attnlrp_without_being_asked(form: Form) -> None:
    block, x = Block(form).double().eval(), rand(2, 5, 6)
    target = Weights(rand(5, 6, seed=9))

    by_default = LRP(block).explain(x, target).relevance

    torch.testing.assert_close(by_default, LRP(block, AttnLRP()).explain(x, target).relevance)


@pytest.mark.parametrize("trainable", [True, False])
def test_frozen_parameters_make_no_difference(trainable: bool) -> None:
    block, x = Block(fused).double().eval(), rand(2, 5, 6)
    weights = rand(5, 6, seed=9)
    expected = gradient_form(block, x, weights)
    block.requires_grad_(trainable)

    found = LRP(block, HALF).explain(x, Weights(weights)).relevance

    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)
