"""How many prototypes there will be, of what, and where each begins."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from whence import _draws
from whence.errors import InvalidInput
from whence.prototypes._objective import Objective
from whence.prototypes._parametrisation import Parametrisation
from whence.prototypes._start import Start


@dataclass(frozen=True, eq=False)
class Plan:
    """The first inputs (n, ...), the objective's entry of each, how many entries there are, and
    names; prototypes of one entry stand together."""

    x0: Tensor
    rows: Tensor
    entries: int
    names: list[str]
    drawn: bool  # by a Start, rather than given


def plan_of(
    goal: Objective, start: Tensor | Start | None, form: Parametrisation, count: int, seed: int
) -> Plan:
    """The plan, in the dtype and place that the start has by itself."""
    start = form.default_start if start is None else start
    if start is None:
        raise InvalidInput(
            f"start= must say where {form!r} begins: a tensor of inputs, Noise(shape), "
            "Zeros(shape), Mean(data) or ClassMeans(data, labels)."
        )
    classes: list[int | None] = [*goal.classes] if goal.classes is not None else [None]
    if isinstance(start, Tensor):
        classes, x0 = _given(start, classes, count)
    else:
        x0 = _drawn(start, classes, count, seed)
    rows = torch.arange(len(classes)).repeat_interleave(count)
    names = ["" if classes[row] is None else str(classes[row]) for row in rows.tolist()]
    return Plan(x0, rows, len(classes), names, not isinstance(start, Tensor))


def place_of(model: Callable[..., Any]) -> tuple[torch.dtype | None, torch.device | None]:
    """Where inputs of a model live: its dtype, but no half precision, and its device."""
    if not isinstance(model, nn.Module):
        return None, None
    found = [each for each in model.parameters() if each.is_floating_point()]
    if not found:
        return None, None
    return torch.promote_types(found[0].dtype, torch.float32), found[0].device


def _given(start: Tensor, classes: list[int | None], count: int) -> tuple[list[int | None], Tensor]:
    """A start that is given: one for all, one for each class, or one for each prototype."""
    if not start.is_floating_point() or start.dim() < 2 or not len(start):
        raise InvalidInput(
            "A start must hold float inputs with a batch axis in front, (n or 1, ...), got "
            f"{tuple(start.shape)} of {start.dtype}."
        )
    if not bool(start.isfinite().all()):
        raise InvalidInput("A start must be finite, got NaN or infinity.")
    if len(classes) == 1 and len(start) not in (1, count):
        classes = classes * len(start)
    if len(start) == len(classes) * count:
        return classes, start
    if len(start) not in (1, len(classes)):
        raise InvalidInput(
            f"A start for {len(classes)} classes with {count} prototypes each has 1, "
            f"{len(classes)} or {len(classes) * count} inputs, got {len(start)}."
        )
    spread = start.expand(len(classes), *start.shape[1:])
    return classes, spread.repeat_interleave(count, 0)


def _drawn(start: Start, classes: list[int | None], count: int, seed: int) -> Tensor:
    """A start that is drawn: random numbers belong to the class and the number within it."""
    each = [k for k in classes for _ in range(count)]
    ids = [f"{'' if k is None else k}/{each[:index].count(k)}" for index, k in enumerate(each)]
    x0 = start.draw(_draws.keys_of(ids, seed), each)
    if len(x0) != len(each):
        raise InvalidInput(
            f"{start!r} must draw one input for each of {len(each)}, got {tuple(x0.shape)}."
        )
    return x0
