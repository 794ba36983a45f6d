"""How many multiplications with an addition an operation does: the work of a model."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_leaves


def multiply_adds(name: str, given: Mapping[str, Any], out: Any) -> int:
    """Multiply-adds of one operation of torch's dispatcher, by its name and its arguments.

    Convolutions, matrix products and attention count; all else is small beside them and counts
    nothing: additions of biases, norms, activations, pooling.
    """
    if name == "convolution":
        inputs, weight = given["input"], given["weight"]
        # Transposed, each input value meets every weight of its channel.
        return (inputs if given["transposed"] else out).numel() * weight[0].numel()
    if name == "linear":
        return out.numel() * given["weight"].shape[-1]
    if name.startswith("_scaled_dot_product"):
        query, key, value = (given[each] for each in ("query", "key", "value"))
        return query[..., 0].numel() * key.shape[-2] * (query.shape[-1] + value.shape[-1])
    if name in ("mm", "bmm", "mv", "dot", "addmm", "addbmm", "addmv", "baddbmm"):
        first = _factors(name, given)[0]
        return _products(name, first, out)
    return 0


def _factors(name: str, given: Mapping[str, Any]) -> list[Tensor]:
    """The two factors; the first argument of the others is what they are added to."""
    tensors = [each for each in tree_leaves(dict(given)) if isinstance(each, Tensor)]
    return tensors[1:] if "add" in name else tensors


def _products(name: str, first: Tensor, out: Tensor) -> int:
    batches = first.shape[0] if name == "addbmm" else 1
    return batches * out.numel() * first.shape[-1]
