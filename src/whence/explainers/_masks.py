"""Conditions: masks on the relevance at named modules, for channels, neurons or anything."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from whence._errors import InvalidInput
from whence.engine import Tape
from whence.explainers._start import values_at


def masks_at(tape: Tape, conditions: Mapping[str, Any]) -> dict[int, list[tuple[str, Tensor]]]:
    """Masks by id of the value they weigh. References: [achtibat2023, eq. 6]."""
    masks: dict[int, list[tuple[str, Tensor]]] = {}
    for name, condition in conditions.items():
        for value in values_at(tape, name):
            mask = _mask(name, condition, value.shape)
            masks.setdefault(id(value), []).append((name, mask))
    return masks


def _mask(name: str, condition: Any, shape: torch.Size) -> Tensor:
    if isinstance(condition, int):
        condition = [condition]
    if isinstance(condition, (list, tuple)) and all(isinstance(i, int) for i in condition):
        channels = torch.zeros(shape[1])
        try:
            channels[list(condition)] = 1
        except IndexError as error:
            raise InvalidInput(
                f"The condition on {name!r} names channel {max(condition)}, but it has {shape[1]}."
            ) from error
        return channels.view(-1, *[1] * (len(shape) - 2))
    try:
        mask = torch.as_tensor(condition).to(torch.get_default_dtype())
    except (TypeError, ValueError, RuntimeError) as error:
        raise InvalidInput(
            f"The condition on {name!r} must be a channel, a list of channels or a mask, got "
            f"{condition!r}."
        ) from error
    if mask.dim() == 1 and len(shape) > 2 and mask.shape[0] == shape[1]:
        mask = mask.view(-1, *[1] * (len(shape) - 2))
    try:
        torch.broadcast_shapes(mask.shape, shape)
    except RuntimeError as error:
        raise InvalidInput(
            f"The condition on {name!r} has shape {tuple(mask.shape)}; it must be a list of "
            f"channels or broadcast to the module's output, shape {tuple(shape)}."
        ) from error
    return mask
