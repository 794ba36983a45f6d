"""Inputs that the model cannot take, and weights that spoil every answer, said in words."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from whence.errors import InvalidInput
from whence.explainers._inputs import Inputs
from whence.explainers._text import text_leaves

_TABLES = ("position_embeddings", "position_embedding", "embed_positions", "wpe")
_PICTURES = ("vision", "visual", "image", "patch")


def check_inputs(model: Callable[..., Any], given: Inputs) -> None:
    """Raise before the model runs if the inputs cannot be right for it."""
    _check_device(model, given)
    _check_masks(given)
    for name, each in given.kwargs.items():
        if name.endswith("input_ids") and isinstance(each, Tensor) and each.is_floating_point():
            raise InvalidInput(
                f"{name} must be whole numbers, got {each.dtype}. Try {name}.long(); embeddings "
                "are given as inputs_embeds."
            )
    ids = {name: leaf for name, leaf in text_leaves(given).items() if not leaf.is_floating_point()}
    if ids and isinstance(model, nn.Module):
        table = _input_table(model)
        for name, leaf in ids.items():
            if table is not None:
                _check_ids(name, leaf, *table)
            _check_length(model, name, leaf)


def explain_failure(model: Callable[..., Any], given: Inputs, error: Exception) -> Exception:
    """What was wrong when a table of embeddings was asked for a row it does not have, or a decoder
    got nothing to read."""
    if isinstance(error, ValueError):
        return _without_decoder(model, given, error)
    if isinstance(model, nn.Module) and "index out of range in self" in str(error):
        for name, leaf in text_leaves(given).items():
            for path, rows in _tables(model):
                try:
                    _check_ids(name, leaf, path, rows)
                except InvalidInput as reason:
                    return reason
    return error


def _without_decoder(model: Callable[..., Any], given: Inputs, error: ValueError) -> Exception:
    reads = any(name.startswith("decoder_input") or name == "labels" for name in given.kwargs)
    pair = getattr(getattr(model, "config", None), "is_encoder_decoder", False)
    hints = any(hint in str(error) for hint in ("decoder_input", "inputs_embeds"))
    if isinstance(error, InvalidInput) or reads or not pair or not hints:
        return error
    return InvalidInput(
        "An encoder-decoder needs what its decoder reads, and the inputs hold nothing for it. Add "
        "decoder_input_ids, such as torch.full((batch, 1), model.config.decoder_start_token_id) "
        "for the first token; or explain a whole answer with whence.explain_continuation."
    )


def check_finite(model: Callable[..., Any], score: Tensor) -> None:
    """Raise if the explained score is not a number, and name the weights that are not."""
    if bool(score.detach().isfinite().all()):
        return
    _check_weights(model)
    where = (~score.detach().isfinite()).flatten().nonzero().flatten().tolist()
    raise InvalidInput(
        f"The score must be a finite number, got {score.flatten()[where[0]].item()} (sample "
        f"{where[0]}). The inputs are finite: the model overflows on them, or divides by zero."
    )


def check_relevance(model: Callable[..., Any], relevance: list[Tensor]) -> None:
    """Raise if relevance is not a number because weights are not, and the score did not show it:
    fused attention gives finite numbers for keys that are NaN."""
    if not all(bool(each.detach().sum().isfinite()) for each in relevance):
        _check_weights(model)


def _check_weights(model: Callable[..., Any]) -> None:
    if not isinstance(model, nn.Module):
        return
    # Buffers may hold -inf on purpose, as masks do.
    bad = [name for name, each in model.named_parameters() if not _all(torch.isfinite, each)]
    bad += [name for name, each in model.named_buffers() if not _all(_is_number, each)]
    if bad:
        raise InvalidInput(
            f"Weights must be numbers, but these hold NaN or infinity: {', '.join(bad[:8])}. Load "
            "the model again, or look at how it was trained."
        )


def _all(test: Callable[[Tensor], Tensor], weights: Tensor) -> bool:
    return not weights.is_floating_point() or bool(test(weights.detach()).all())


def _is_number(weights: Tensor) -> Tensor:
    return ~weights.isnan()


def _check_device(model: Callable[..., Any], given: Inputs) -> None:
    if not isinstance(model, nn.Module):
        return
    first = next(model.parameters(), None)
    tensors = [each for each in (*given.args, *given.kwargs.values()) if isinstance(each, Tensor)]
    if first is None or all(each.device == first.device for each in tensors):
        return
    devices = {each.device for each in model.parameters()}
    for each in tensors:
        if each.device not in devices:
            raise InvalidInput(
                "Inputs and model must be on the same device, got an input on "
                f"{each.device} and a model on {', '.join(sorted(map(str, devices)))}. "
                f"Try inputs.to({str(first.device)!r})."
            )


def _check_masks(given: Inputs) -> None:
    for name, mask in given.kwargs.items():
        is_mask = isinstance(mask, Tensor) and name.endswith("attention_mask") and mask.dim() == 2
        if is_mask and not mask.is_floating_point():
            empty = (mask == 0).all(1)
            if bool(empty.any()):
                raise InvalidInput(
                    f"{name} must keep at least one token of each sample, but that of sample "
                    f"{int(empty.nonzero()[0])} is all zeros. Leave the sample out."
                )


def _check_ids(name: str, ids: Tensor, path: str, rows: int) -> None:
    low, high = int(ids.min()), int(ids.max())
    if low < 0 or high >= rows:
        raise InvalidInput(
            f"{name} must lie between 0 and {rows - 1}, the rows of {path}, got "
            f"{low if low < 0 else high}. Is it the tokenizer of this model?"
        )


def _check_length(model: nn.Module, name: str, leaf: Tensor) -> None:
    most = _longest(model)
    if most is not None and leaf.shape[1] > most:
        raise InvalidInput(
            f"{name} may have {most} tokens, as many as the model has positions, got "
            f"{leaf.shape[1]}. Cut the text (tokenizer(..., truncation=True, max_length={most})) "
            "or explain it in parts."
        )


def _input_table(model: nn.Module) -> tuple[str, int] | None:
    """The name and the rows of the table of token embeddings, where the model tells it."""
    tell = getattr(model, "get_input_embeddings", None)
    if not callable(tell):
        return None
    try:
        table = tell()
    except (NotImplementedError, AttributeError):
        return None
    if not isinstance(table, nn.Embedding):
        return None
    path = next((name for name, each in model.named_modules() if each is table), "the embeddings")
    return path, table.num_embeddings


def _longest(model: nn.Module) -> int | None:
    """How many tokens the learned positions cover; None where positions are computed."""
    found = []
    for path, module in model.named_modules():
        if not isinstance(module, nn.Embedding) or path.split(".")[-1] not in _TABLES:
            continue
        if not any(each in path for each in _PICTURES):
            # Some families leave rows out at the start, up to the padding's or a fixed number.
            left_out = 0 if module.padding_idx is None else module.padding_idx + 1
            offset = getattr(module, "offset", None)
            found.append(module.num_embeddings - (offset if isinstance(offset, int) else left_out))
    return min(found, default=None)


def _tables(model: nn.Module) -> Iterator[tuple[str, int]]:
    for path, module in model.named_modules():
        if isinstance(module, (nn.Embedding, nn.EmbeddingBag)):
            yield path or "the embedding", module.num_embeddings
