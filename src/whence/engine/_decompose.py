"""Calls that are recorded as the simpler calls they consist of.

Each function below runs under the recording mode, so that every step becomes an operation of its
own: a gated linear unit is a product of a signal and a sigmoid, and gets the product's rule.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from whence.engine._decompose_attention import (
    dropped_attention,
    multi_head_attention,
    with_plain_mask,
)
from whence.engine._decompose_recurrent import SEQUENCES, layered, pack, pad

Number = int | float


def decomposition(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A function without arguments that does the same in simpler calls, or None."""
    if name.startswith("conv") and _padding(name, args, kwargs) == "same":
        return lambda: _conv_same(name, *args, **kwargs)
    if name == "scaled_dot_product_attention" and not _drops(args, kwargs):
        return with_plain_mask(args, kwargs)
    if name in SEQUENCES:
        return layered(name, args)
    simpler = _SIMPLER.get(name)
    return None if simpler is None else lambda: simpler(*args, **kwargs)


def _glu(input: Tensor, dim: int = -1) -> Tensor:
    signal, gate = input.chunk(2, dim)
    return signal * torch.sigmoid(gate)


def _normalize(
    input: Tensor, p: Number = 2.0, dim: int = 1, eps: Number = 1e-12, out: None = None
) -> Tensor:
    return input / torch.linalg.vector_norm(input, p, dim, keepdim=True).clamp_min(eps)


def _addmm(
    input: Any, mat1: Tensor, mat2: Tensor, *, beta: Number = 1, alpha: Number = 1
) -> Tensor:
    product = torch.matmul(mat1, mat2)
    product = product if alpha == 1 else product * alpha
    return product + (input if beta == 1 else input * beta)


def _baddbmm(
    input: Any, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1
) -> Tensor:
    return _addmm(input, batch1, batch2, beta=beta, alpha=alpha)


def _addmv(input: Any, mat: Tensor, vec: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
    return _addmm(input, mat, vec, beta=beta, alpha=alpha)


def _addcmul(input: Tensor, tensor1: Any, tensor2: Any, *, value: Number = 1) -> Tensor:
    product = tensor1 * tensor2
    return input + (product if value == 1 else product * value)


def _addcdiv(input: Tensor, tensor1: Any, tensor2: Any, *, value: Number = 1) -> Tensor:
    quotient = tensor1 / tensor2
    return input + (quotient if value == 1 else quotient * value)


def _rsub(input: Tensor, other: Any, *, alpha: Number = 1) -> Tensor:
    return torch.neg(input if alpha == 1 else input * alpha) + other


def _lerp(input: Tensor, end: Tensor, weight: Any) -> Tensor:
    return input * (1 - weight) + end * weight


def _add_scaled(sign: int) -> Callable[..., Tensor]:
    def add(input: Any, other: Any, *, alpha: Number = 1) -> Tensor:
        return torch.add(input, other * (sign * alpha))

    return add


def _with_mean(spread: Callable[..., Tensor]) -> Callable[..., tuple[Tensor, Tensor]]:
    def both(
        input: Tensor, dim: Any = None, *given: bool, keepdim: bool = False, **settings: Any
    ) -> tuple[Tensor, Tensor]:
        if isinstance(dim, bool):  # torch's older form: unbiased, over all axes
            dim, given = None, (dim,)
        if given:  # unbiased, and perhaps keepdim
            settings["correction"] = int(given[0])
            keepdim = given[1] if len(given) > 1 else keepdim
        if "unbiased" in settings:
            settings["correction"] = int(settings.pop("unbiased"))
        axes = tuple(range(input.dim())) if dim is None else dim
        mean = input.mean(axes, keepdim=keepdim)
        return spread(input, axes, keepdim=keepdim, **settings), mean

    return both


def _gumbel_softmax(
    logits: Tensor, tau: Number = 1, hard: bool = False, eps: Number = 1e-10, dim: int = -1
) -> Tensor:
    """One draw, which the way back sees too."""
    noise = -torch.empty_like(logits).exponential_().log()
    soft = ((logits + noise) / tau).softmax(dim)
    if not hard:
        return soft
    winner = torch.zeros_like(soft).scatter_(dim, soft.argmax(dim, keepdim=True), 1.0)
    return winner - soft.detach() + soft


def _cosine(x1: Tensor, x2: Tensor, dim: int = 1, eps: Number = 1e-8) -> Tensor:
    first = x1 / torch.linalg.vector_norm(x1, 2, dim, keepdim=True).clamp_min(eps)
    second = x2 / torch.linalg.vector_norm(x2, 2, dim, keepdim=True).clamp_min(eps)
    return (first * second).sum(dim)


_SIMPLER: dict[str, Callable[..., Any]] = {
    "glu": _glu,
    "normalize": _normalize,
    "addmm": _addmm,
    "addmv": _addmv,
    "baddbmm": _baddbmm,
    "addcmul": _addcmul,
    "addcdiv": _addcdiv,
    "rsub": _rsub,
    "lerp": _lerp,
    "add_scaled": _add_scaled(1),
    "sub_scaled": _add_scaled(-1),
    "cosine_similarity": _cosine,
    "std_mean": _with_mean(torch.std),
    "var_mean": _with_mean(torch.var),
    "gumbel_softmax": _gumbel_softmax,
    "_pack_padded_sequence": pack,
    "_pad_packed_sequence": pad,
    "scaled_dot_product_attention": dropped_attention,
    "multi_head_attention_forward": multi_head_attention,
}


def _drops(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether attention drops at random."""
    return bool(args[4] if len(args) > 4 else kwargs.get("dropout_p", 0.0))


def _padding(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if "transpose" in name:
        return None
    return args[4] if len(args) > 4 else kwargs.get("padding", 0)


def _conv_same(
    name: str,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: str = "same",
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    """`padding="same"` pads more at the end when the total is odd, so it pads before."""
    spatial = weight.dim() - 2
    dilations = [dilation] * spatial if isinstance(dilation, int) else list(dilation)
    pads: list[int] = []
    for step, size in zip(dilations[::-1], tuple(weight.shape[2:])[::-1], strict=True):
        total = step * (size - 1)
        pads += [total // 2, total - total // 2]
    convolve = getattr(F, name)
    if all(before == after for before, after in zip(pads[::2], pads[1::2], strict=True)):
        return convolve(input, weight, bias, stride, pads[::2][::-1], dilation, groups)
    return convolve(F.pad(input, pads), weight, bias, stride, 0, dilation, groups)
