"""Conditions: masks on the relevance at named modules, for channels, neurons, heads or anything."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from whence.engine import Op, Tape, Value
from whence.errors import InvalidInput
from whence.explainers._start import values_at

# what says where the channels are: behind the batch, or last
_CHANNELS_FIRST = ("conv", "batch_norm", "group_norm", "instance_norm", "local_response", "pixel_")
_CHANNELS_LAST = ("linear", "embedding", "layer_norm", "rms_norm", "lstm", "gru", "rnn")
_ELEMENTWISE = ("pointwise", "scale", "sum", "product", "softmax")
_KEEPS_PLACES = {"dropout", "contiguous", "clone", "to", "float", "double", "half", "bfloat16"}
_VIEWS = ("view", "reshape")


def masks_at(tape: Tape, conditions: Mapping[str, Any]) -> dict[int, list[tuple[str, Tensor]]]:
    """Masks by id of the value they weigh. References: [achtibat2023, eq. 6]."""
    masks: dict[int, list[tuple[str, Tensor]]] = {}
    for name, condition in conditions.items():
        for value in values_at(tape, name):
            mask = _mask(name, condition, value)
            masks.setdefault(id(value), []).append((name, mask))
    return masks


def _mask(name: str, condition: Any, value: Value) -> Tensor:
    if isinstance(condition, int):
        condition = [condition]
    if isinstance(condition, (list, tuple)) and all(isinstance(i, int) for i in condition):
        return _of_channels(name, list(condition), value)
    shape = value.shape
    try:
        mask = torch.as_tensor(condition).to(torch.get_default_dtype())
    except (TypeError, ValueError, RuntimeError) as error:
        raise InvalidInput(
            f"The condition on {name!r} must be a channel, a list of channels or a mask, got "
            f"{condition!r}."
        ) from error
    if mask.dim() == 1 and len(shape) > 2 and len(mask) == shape[1]:
        if len(mask) != shape[-1] or _channel_axis(name, value) == 1:
            mask = mask.view(-1, *[1] * (len(shape) - 2))
    try:
        torch.broadcast_shapes(mask.shape, shape)
    except RuntimeError as error:
        raise InvalidInput(
            f"The condition on {name!r} has shape {tuple(mask.shape)}; it must be a list of "
            f"channels or broadcast to the module's output, shape {tuple(shape)}."
        ) from error
    return mask


def _of_channels(name: str, channels: list[int], value: Value) -> Tensor:
    """Ones for some channels; neurons of a layer on tokens are its channels, on the last axis."""
    shape, axis = value.shape, _channel_axis(name, value)
    mask = torch.zeros(shape[axis])
    try:
        mask[channels] = 1
    except IndexError as error:
        raise InvalidInput(
            f"The condition on {name!r} names channel {max(channels)}, but it has {shape[axis]}."
        ) from error
    return mask.view(-1, *[1] * (len(shape) - 1 - axis))


def _channel_axis(name: str, value: Value) -> int:
    """The axis of the channels: 1 or the last, by what made the values; else by their number."""
    last = len(value.shape) - 1
    if last < 2:
        return last
    maker = _placing(value)
    if maker is not None:
        return 1 if _is_channels_first(maker) else last
    if last > 2:
        return 1  # as of images and videos, and of attention patterns, whose heads come first
    raise InvalidInput(
        f"The condition on {name!r} does not say which axis of its output, shape "
        f"{tuple(value.shape)}, holds the channels: nothing tells tokens of a text from the time "
        "steps of a convolution. Give a mask of two axes instead: ones(1, width) with zeros where "
        "nothing shall pass for the last axis, ones(channels, 1) for the first."
    )


def _placing(value: Value) -> Op | None:
    """The nearest operation above which the place of the channels is known."""
    waiting, seen = [(value, False)], set[int]()
    while waiting:
        current, viewed = waiting.pop(0)
        op = current.op
        if op is None or id(current) in seen:
            continue
        seen.add(id(current))
        if _is_channels_last(op) or (_is_channels_first(op) and not viewed):
            return op
        if op.nature in _ELEMENTWISE or op.name in _KEEPS_PLACES:
            waiting.extend((each, viewed) for each in op.inputs if each.shape == current.shape)
        elif op.name in _VIEWS:  # may merge or part batch and tokens, and leave the last axis
            last = current.shape[-1]
            waiting.extend((each, True) for each in op.inputs if each.shape[-1:] == (last,))
    return None


def _is_channels_first(op: Op) -> bool:
    return op.name.startswith(_CHANNELS_FIRST) or "pool" in op.name


def _is_channels_last(op: Op) -> bool:
    matrix = op.name in ("matmul", "mm", "bmm", "addmm") and op.nature == "linear"
    place, name = (2, "mat2") if op.name == "addmm" else (1, "other")
    on_the_right = matrix and isinstance(op.argument(place, name), Tensor)
    return op.name.startswith(_CHANNELS_LAST) or on_the_right
