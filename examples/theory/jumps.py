"""Does a function of one number jump? Steps are made finer until it shows."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Along = Callable[[Tensor], Tensor]  # places in 0..1, (points,), to values, (points, features)

KEPT, FINER, TIMES = 4, 10, 2
FINEST = FINER**TIMES
LEAST = 0.01  # of the largest value: what is lower is not called a jump
CLEAR = 0.25  # of its height: what a jump must keep when steps are FINEST times smaller


@dataclass(frozen=True)
class Change:
    """The largest change in one step along a path, as a share of the largest |value|_1 on it.

    coarse: of the steps that the path was first divided in. fine: of the smallest steps, inside
    the coarse ones that changed most.
    """

    coarse: float
    fine: float

    @property
    def kept(self) -> float:
        """What is left of the largest change when steps are FINEST times smaller: about 1 / FINEST
        where the function is smooth, 1 where it jumps, NaN where it is constant."""
        return self.fine / self.coarse if self.coarse > 0 else float("nan")


def largest_change(value: Along, steps: int) -> Change:
    """The largest change of a function on 0..1 in one of `steps` equal steps, and in finer ones.

    Twice, the four steps that changed most are divided in ten. What a coarse step hides (up and
    down again) stays hidden, so a jump may be missed, but none is invented.
    """
    left = torch.arange(steps, dtype=torch.float64) / steps
    values = value(torch.arange(steps + 1, dtype=torch.float64) / steps)
    largest = float(values.abs().sum(1).max())
    if largest == 0:
        return Change(0.0, 0.0)
    change = (values[1:] - values[:-1]).abs().sum(1)
    coarse, width = float(change.max()), 1 / steps
    for _ in range(TIMES):
        chosen = left[change.argsort(descending=True, stable=True)[:KEPT]]
        left, change, width = _divided(value, chosen, width)
    return Change(coarse / largest, float(change.max()) / largest)


def find_jumps(value: Along, steps: int) -> Tensor:
    """Where a function on 0..1 jumps: the left ends of the steps that hold a jump, (jumps,).

    A step holds one if the function changes in it by more than a hundredth of its largest |value|,
    and one of a hundred steps within it keeps more than a quarter of that.
    """
    left = torch.arange(steps, dtype=torch.float64) / steps
    values = value(torch.arange(steps + 1, dtype=torch.float64) / steps)
    change = (values[1:] - values[:-1]).abs().sum(1)
    seen = change > LEAST * values.abs().sum(1).max()
    if not seen.any():
        return left[:0]
    inside = left[seen, None] + torch.arange(FINEST + 1, dtype=torch.float64) / FINEST / steps
    parts = value(inside.flatten()).view(*inside.shape, -1)
    finer = (parts[:, 1:] - parts[:, :-1]).abs().sum(-1).amax(1)
    return left[seen][finer > CLEAR * change[seen]]


def _divided(value: Along, left: Tensor, width: float) -> tuple[Tensor, Tensor, float]:
    """Each of some steps in ten: their left ends, what changes in them, how wide they are."""
    places = left[:, None] + torch.arange(FINER + 1, dtype=torch.float64) * (width / FINER)
    values = value(places.flatten()).view(*places.shape, -1)
    change = (values[:, 1:] - values[:, :-1]).abs().sum(-1)
    return places[:, :-1].flatten(), change.flatten(), width / FINER
