"""nn.MultiheadAttention and the encoder and decoder layers, taken apart as they run."""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from laws import rand
from whence._explanation import Explanation
from whence.composites import AttnLRP, Composite, where
from whence.explainers import LRP
from whence.rules import Zero
from whence.targets import Weights

HALF = AttnLRP() + [(where.nature("linear"), Zero())]


def explain(model: Any, inputs: Any, composite: Composite = HALF, **options: Any) -> Explanation:
    """Explained with a target that weighs every element of the first output differently."""
    args = inputs if isinstance(inputs, tuple) else (inputs,)
    with torch.no_grad():
        found = model(*(each.clone() for each in args))
    shape = (found if isinstance(found, Tensor) else found[0]).shape
    target = Weights(rand(*shape[1:], seed=7))
    return LRP(model, composite, **options).explain(inputs, target, ledger="full")


def filled(module: nn.Module) -> Any:
    """Every parameter, biases too, with random numbers."""
    generator = torch.Generator().manual_seed(5)
    for parameter in module.double().parameters():
        parameter.data.normal_(0, 0.5, generator=generator)
    return module.eval()


# -- nn.MultiheadAttention ------------------------------------------------------------------------

PADDED = torch.tensor([[False] * 5, [False, False, False, True, True]])
BEFORE = torch.triu(torch.ones(4, 5, dtype=torch.bool), 2)
CALLS = {
    "plain": ({}, {}),
    "biased": ({"bias": False}, {}),
    "added key and value": ({"add_bias_kv": True}, {}),
    "added zero": ({"add_zero_attn": True}, {}),
    "other widths": ({"kdim": 3, "vdim": 2}, {}),
    "padded": ({}, {"key_padding_mask": PADDED}),
    "masked": ({}, {"attn_mask": BEFORE}),
    "masked by numbers": ({}, {"attn_mask": rand(4, 5, seed=4)}),
    "masked by head": ({}, {"attn_mask": rand(4, 4, 5, seed=4)}),
    "masked and padded": ({}, {"attn_mask": BEFORE, "key_padding_mask": PADDED}),
    "all at once": (
        {"add_bias_kv": True, "add_zero_attn": True},
        {"attn_mask": BEFORE, "key_padding_mask": PADDED},
    ),
}


class Called(nn.Module):
    """Calls attention with fixed options and hands over its first output."""

    def __init__(self, attention: nn.Module, **options: Any) -> None:
        super().__init__()
        self.attention, self.options = attention, options

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return self.attention(query, key, value, **self.options)[0]


class ByHand(nn.Module):
    """Multi-head attention from single operations, on the parameters of a torch module."""

    def __init__(self, torchs: nn.MultiheadAttention, **options: Any) -> None:
        super().__init__()
        self.torchs, self.options = torchs, options

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        t = self.torchs
        if t.in_proj_weight is None:
            W_q, W_k, W_v = t.q_proj_weight, t.k_proj_weight, t.v_proj_weight
        else:
            W_q, W_k, W_v = t.in_proj_weight.split(t.embed_dim)
        b_q, b_k, b_v = (None,) * 3 if t.in_proj_bias is None else t.in_proj_bias.split(t.embed_dim)
        q, k, v = F.linear(query, W_q, b_q), F.linear(key, W_k, b_k), F.linear(value, W_v, b_v)
        if t.bias_k is not None:
            k = torch.cat([k, t.bias_k.expand(len(k), -1, -1)], 1)
            v = torch.cat([v, t.bias_v.expand(len(v), -1, -1)], 1)
        if t.add_zero_attn:
            zero = torch.zeros_like(k[:, :1])
            k, v = torch.cat([k, zero], 1), torch.cat([v, zero], 1)
        q, k, v = (x.unflatten(-1, (t.num_heads, -1)).transpose(1, 2) for x in (q, k, v))
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        mask = self.mask(len(query), query.shape[1], key.shape[1], scores)
        out = (scores + mask).softmax(-1) @ v
        return t.out_proj(out.transpose(1, 2).flatten(2))

    def mask(self, batch: int, queries: int, keys: int, scores: Tensor) -> Tensor:
        seen = scores.new_zeros(batch, self.torchs.num_heads, queries, keys)
        padding, mask = (self.options.get(n) for n in ("key_padding_mask", "attn_mask"))
        if padding is not None:
            seen = seen.masked_fill(padding[:, None, None], -torch.inf)
        if mask is not None and mask.dtype == torch.bool:
            seen = seen.masked_fill(mask, -torch.inf)
        elif mask is not None:
            seen = seen + (mask.unflatten(0, (batch, -1)) if mask.dim() == 3 else mask)
        return F.pad(seen, (0, scores.shape[-1] - keys))


@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize("call", CALLS)
def test_multihead_attention_equals_its_hand_written_form(call: str, need_weights: bool) -> None:
    made, options = CALLS[call]
    attention = filled(nn.MultiheadAttention(4, 2, batch_first=True, **made))
    inputs = (
        rand(2, 4, 4, seed=1),
        rand(2, 5, made.get("kdim", 4), seed=2),
        rand(2, 5, made.get("vdim", 4), seed=3),
    )
    model = Called(attention, need_weights=need_weights, **options)
    with torch.no_grad():
        output = model(*inputs)

    one, other = explain(model, inputs), explain(ByHand(attention, **options), inputs)

    torch.testing.assert_close(one.output, output, rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(one.output, other.output, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(one.relevance, other.relevance, rtol=1e-9, atol=1e-11)
    one.ledger.check()
    other.ledger.check()


@pytest.mark.parametrize("need_weights", [False, True])
def test_separate_projections_are_read_where_the_packed_one_is_empty(need_weights: bool) -> None:
    q, k, v = (rand(3, 2, 4, seed=seed) for seed in (1, 2, 3))
    weight, bias, out = rand(12, 4, seed=4), rand(12, seed=5), rand(4, 4, seed=6)
    packed = (weight, bias, None, None, False, 0.0, out, None, False, None, need_weights)
    parts = dict(zip(("q", "k", "v"), weight.chunk(3), strict=True))
    given = {f"{name}_proj_weight": part for name, part in parts.items()}
    empty = (torch.empty(0).double(), *packed[1:])

    def call(*args: Any, **options: Any) -> Any:
        return lambda q, k, v: F.multi_head_attention_forward(q, k, v, 4, 2, *args, **options)[0]

    one = explain(call(*packed), (q, k, v), batch_axis=1)
    other = explain(call(*empty, use_separate_proj_weight=True, **given), (q, k, v), batch_axis=1)

    torch.testing.assert_close(one.relevance, other.relevance)


@pytest.mark.parametrize("need_weights", [False, True])
def test_self_attention_reads_its_input_once(need_weights: bool) -> None:
    attention = filled(nn.MultiheadAttention(4, 2, batch_first=True))
    torchs = Called(attention, need_weights=need_weights)
    x = rand(2, 4, 4)

    one = explain(lambda x: torchs(x, x, x), x)
    other = explain(lambda x: ByHand(attention)(x, x, x), x)

    torch.testing.assert_close(one.relevance, other.relevance, rtol=1e-9, atol=1e-11)


def test_tokens_may_come_first_and_samples_may_be_single() -> None:
    attention = filled(nn.MultiheadAttention(4, 2))
    x = rand(3, 4, 4)
    batch_first = filled(nn.MultiheadAttention(4, 2, batch_first=True))
    expected = explain(Called(batch_first), (x, x + 1, x - 1)).relevance
    turned = tuple(each.transpose(0, 1).contiguous() for each in (x, x + 1, x - 1))

    model = lambda *x: Called(attention)(*x).transpose(0, 1)  # noqa: E731
    target = Weights(rand(4, 4, seed=7))
    found = LRP(model, HALF, batch_axis=1).explain(turned, target).relevance

    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.transpose(0, 1), other, rtol=1e-9, atol=1e-11)


def test_a_single_sequence_is_a_batch_of_one() -> None:
    attention = filled(nn.MultiheadAttention(4, 2, batch_first=True))
    x, weights = rand(5, 4), rand(5, 4, seed=7)
    expected = explain(lambda x: Called(attention)(x, x, x), x[None]).relevance[0]

    single = LRP(lambda x: Called(attention)(x[0], x[0], x[0])[None], HALF)
    found = single.explain(x[None], Weights(weights)).relevance[0]

    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("average", [True, False])
def test_the_attention_weights_can_be_explained(average: bool) -> None:
    attention = filled(nn.MultiheadAttention(4, 2, batch_first=True))
    x = rand(2, 4, 4)
    options = {"average_attn_weights": average}
    expected = attention(x, x, x, **options)[1]

    model = lambda x: attention(x, x, x, **options)[1]  # noqa: E731
    ex = explain(model, x)

    torch.testing.assert_close(ex.output, expected, rtol=1e-13, atol=1e-13)
    assert ex.relevance.abs().sum() > 0
    ex.ledger.check()


def test_causal_attention_needs_no_mask() -> None:
    attention = filled(nn.MultiheadAttention(4, 2, batch_first=True))
    x, mask = rand(2, 4, 4), nn.Transformer.generate_square_subsequent_mask(4).double()
    hint = Called(attention, attn_mask=mask, is_causal=True, need_weights=False)
    told = Called(attention, attn_mask=mask, need_weights=False)

    one, other = (explain(lambda x, m=model: m(x, x, x), x) for model in (hint, told))

    torch.testing.assert_close(one.relevance, other.relevance, rtol=1e-9, atol=1e-11)


# -- encoders and decoders ------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")  # torch's own fast path
@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("bias", [True, False])
def test_an_encoder_leaves_its_fast_path(norm_first: bool, activation: str, bias: bool) -> None:
    layer = nn.TransformerEncoderLayer(
        4, 2, 8, activation=activation, batch_first=True, norm_first=norm_first, bias=bias
    )
    nested = {} if norm_first else {"enable_nested_tensor": bias}
    encoder = filled(nn.TransformerEncoder(layer, 2, **({"enable_nested_tensor": False} | nested)))
    padding = torch.tensor([[False] * 4, [False, False, True, True]])
    x = rand(2, 4, 4)
    with torch.no_grad():
        output = encoder(x, src_key_padding_mask=padding)
    weights = rand(4, 4, seed=7)[:2]

    model = lambda x: encoder(x, src_key_padding_mask=padding)[:, :2]  # noqa: E731
    ex = LRP(model, HALF).explain(x, Weights(weights), ledger="full")

    torch.testing.assert_close(ex.output, output[:, :2], rtol=1e-12, atol=1e-12)
    assert ex.relevance[0].all()
    assert not ex.relevance[1, 2:].any()  # padding gets exactly nothing
    ex.ledger.check()


def test_a_decoder_explains_what_it_reads_and_what_it_has_said() -> None:
    layer = nn.TransformerDecoderLayer(4, 2, 8, batch_first=True)
    decoder = filled(nn.TransformerDecoder(layer, 2))
    said, read = rand(2, 3, 4, seed=1), rand(2, 5, 4, seed=2)
    causal = nn.Transformer.generate_square_subsequent_mask(3).double()

    def model(said: Tensor, read: Tensor) -> Tensor:
        return decoder(said, read, tgt_mask=causal, tgt_is_causal=True)[:, 0]

    ex = explain(model, (said, read))

    assert not ex.relevance[0][:, 1:].any()  # the first word cannot see the next
    assert ex.relevance[1].all()
    ex.ledger.check()


def test_a_layer_equals_one_that_is_written_by_hand() -> None:
    layer = filled(nn.TransformerEncoderLayer(4, 2, 8, batch_first=True, norm_first=True))
    by_hand = ByHand(layer.self_attn)
    x = rand(2, 4, 4)

    def model(x: Tensor) -> Tensor:
        h = layer.norm1(x)
        x = x + by_hand(h, h, h)
        return x + layer.linear2(F.relu(layer.linear1(layer.norm2(x))))

    one, other = explain(layer, x), explain(model, x)

    torch.testing.assert_close(one.output, other.output, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(one.relevance, other.relevance, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("need_weights", [False, True])
def test_dropout_in_attention_is_one_draw_that_is_explained(need_weights: bool) -> None:
    attention = filled(nn.MultiheadAttention(4, 2, dropout=0.5, batch_first=True)).train()
    x = rand(2, 4, 4)

    model = Called(attention, need_weights=need_weights)
    ex = explain(lambda x: model(x, x, x), x)

    assert any("random draw" in note for note in ex.notes)
    ex.ledger.check()
