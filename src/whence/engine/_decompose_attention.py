"""Multi-head attention as the projections and the attention that it consists of.

Needed because torch's `multi_head_attention_forward` is one call, from the embedding to the output
projection. Each step here is an operation of its own on the tape: the projections are linear, and
the heads' attention stays the fused kernel unless its weights are asked for.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention.bias import CausalBias

Number = int | float


def with_plain_mask(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Callable[[], Tensor] | None:
    """Attention whose mask is torch's `CausalBias`, with the truth values that it stands for."""
    mask = args[3] if len(args) > 3 else kwargs.get("attn_mask")
    if not isinstance(mask, CausalBias):
        return None
    query = args[0] if args else kwargs["query"]
    seen = mask._materialize(query.device)
    if len(args) > 3:
        args = (*args[:3], seen, *args[4:])
    else:
        kwargs = {**kwargs, "attn_mask": seen}
    return lambda: F.scaled_dot_product_attention(*args, **kwargs)


def dropped_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: Number = 0.0,
    is_causal: bool = False,
    *,
    scale: Number | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Attention with dropout, written out, so that the way back sees the draw of the way forth."""
    if enable_gqa:
        groups = query.shape[-3] // key.shape[-3]
        key, value = (each.repeat_interleave(groups, -3) for each in (key, value))
    if isinstance(attn_mask, CausalBias):
        attn_mask = attn_mask._materialize(query.device)
    scores = query @ key.transpose(-2, -1) * (query.shape[-1] ** -0.5 if scale is None else scale)
    if is_causal:
        kept = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        scores = scores.masked_fill(kept.logical_not(), -torch.inf)
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        scores = scores.masked_fill(attn_mask.logical_not(), -torch.inf)
    elif attn_mask is not None:
        scores = scores + attn_mask
    return F.dropout(scores.softmax(-1), dropout_p, True) @ value


def multi_head_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: Number,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """What `F.multi_head_attention_forward` computes; tensors are (tokens, batch, width)."""
    single = query.dim() == 2  # (tokens, width): a batch of one
    if single:
        query, key, value = (each.unsqueeze(1) for each in (query, key, value))
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    batch, width = query.shape[1:]
    causal = is_causal and key_padding_mask is None and not need_weights
    mask = None if causal else _as_scores(attn_mask, query.dtype)
    weights = (q_proj_weight, k_proj_weight, v_proj_weight)
    in_proj_weight = None if use_separate_proj_weight else in_proj_weight  # it may be empty then
    q, k, v = _project(query, key, value, in_proj_weight, in_proj_bias, weights)
    if bias_k is not None and bias_v is not None:
        k = torch.cat([k, bias_k.expand(1, batch, width)])
        v = torch.cat([v, bias_v.expand(1, batch, width)])
    q = _heads(q, batch, num_heads)
    k = _heads(k, batch, num_heads) if static_k is None else static_k.unflatten(0, (batch, -1))
    v = _heads(v, batch, num_heads) if static_v is None else static_v.unflatten(0, (batch, -1))
    if add_zero_attn:
        k, v = (torch.cat([each, torch.zeros_like(each[:, :, :1])], 2) for each in (k, v))
    if mask is not None and mask.dim() == 3:  # one for each head of each sample
        mask = mask.unflatten(0, (batch, num_heads))
    mask = _with_padding(mask, key_padding_mask, q.dtype)
    if mask is not None and mask.shape[-1] < k.shape[2]:  # what was added can always be seen
        mask = F.pad(mask, (0, k.shape[2] - mask.shape[-1]))
    p, pattern = dropout_p if training else 0.0, None
    if need_weights:
        out, pattern = _with_pattern(q, k, v, mask, p)
        pattern = pattern.mean(1) if average_attn_weights else pattern
    else:
        out = F.scaled_dot_product_attention(q, k, v, mask, p, causal)
    out = out.permute(2, 0, 1, 3).reshape(-1, batch, width)
    out = F.linear(out, out_proj_weight, out_proj_bias)
    if not single:
        return out, pattern
    return out.squeeze(1), None if pattern is None else pattern.squeeze(0)


def _with_pattern(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, p: Number
) -> tuple[Tensor, Tensor]:
    """Attention written out, for who wants to see the pattern."""
    scores = (q * math.sqrt(1.0 / q.shape[-1])) @ k.transpose(-2, -1)
    pattern = (scores if mask is None else scores + mask).softmax(-1)
    pattern = F.dropout(pattern, p, True) if p else pattern
    return pattern @ v, pattern


def _project(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    separate: tuple[Any, Any, Any],
) -> list[Tensor]:
    """q, k and v from one packed weight, in one product where all read the same tensor."""
    if weight is not None and query is key and key is value:
        return list(F.linear(query, weight, bias).chunk(3, -1))
    weights = separate if weight is None else weight.chunk(3)
    biases = (None, None, None) if bias is None else bias.chunk(3)
    given = zip((query, key, value), weights, biases, strict=True)
    return [F.linear(x, W, b) for x, W, b in given]


def _heads(x: Tensor, batch: int, heads: int) -> Tensor:
    """(tokens, batch, width) -> (batch, heads, tokens, width of a head)."""
    return x.reshape(x.shape[0], batch, heads, -1).permute(1, 2, 0, 3)


def _as_scores(mask: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """A mask of truth values (True: not seen) as what is added to the scores."""
    if mask is None or mask.dtype != torch.bool:
        return mask
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(mask, -torch.inf)


def _with_padding(mask: Tensor | None, padding: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """The mask of (tokens, keys) and the mask of (batch, keys) together."""
    padding = _as_scores(padding, dtype)
    if padding is None:
        return mask
    padding = padding[:, None, None]
    return padding if mask is None else mask + padding
