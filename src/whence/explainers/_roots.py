"""Where a score is zero on a straight line: a scan from the input outwards, then a bracket.

All functions here work on points of shape (copies, batch, values): several points for each sample,
and each row on its own, so that a sample's root does not depend on its batch.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor


class Surface(ABC):
    """A score as a function of points (copies, batch, values)."""

    @abstractmethod
    def value(self, points: Tensor) -> Tensor:
        """f, shape (copies, batch)."""

    @abstractmethod
    def slope(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """f, and its gradient of the points' shape."""


@dataclass(frozen=True, eq=False)
class Crossing:
    """On each line the bracket of a root, 0 being the start and 1 the end, and whether f changes
    its sign there; without a change both ends are where |f| was smallest."""

    below: Tensor  # (copies, batch): f still has its sign here
    above: Tensor
    found: Tensor


def along(start: Tensor, end: Tensor, t: Tensor) -> Tensor:
    """The points at t in [0, 1] of the segments from start to end."""
    t = t[..., None]
    return (1 - t).to(start.dtype) * start + t.to(start.dtype) * end


def first_crossing(
    surface: Surface, start: Tensor, end: Tensor, points: int, most: int = 80
) -> Crossing:
    """The sign change nearest to `start` among those that `points` steps to `end` see.

    The root belongs to the side of `start`, where the score still has its sign: there its slope is
    that of the way from the start.
    """
    first = surface.value(start)
    found, least = first == 0, torch.full_like(first, torch.inf)
    below = torch.zeros_like(first, dtype=torch.float64)
    above, nearest = below.clone(), below.clone()
    for step in range(1, points + 1):
        t = torch.full_like(below, step / points)
        value = surface.value(along(start, end, t))
        changes = ~found & (value * first <= 0)
        above = torch.where(changes, t, above)
        found = found | changes
        below = torch.where(found, below, t)
        nearest = torch.where(value.abs() < least, t, nearest)
        least = torch.minimum(least, value.abs())
        if bool(found.all()):
            break
    below, above = narrow(surface, (start, end), (below, above), first, most)
    return Crossing(torch.where(found, below, nearest), torch.where(found, above, nearest), found)


def narrow(
    surface: Surface,
    line: tuple[Tensor, Tensor],
    bracket: tuple[Tensor, Tensor],
    first: Tensor,
    most: int = 80,
) -> tuple[Tensor, Tensor]:
    """A bracket as narrow as the digits allow (t with the sign of `first`, t without), by row.

    Two of three steps follow the secant (with the weights of the Illinois method), one halves: on
    nets, which are straight between kinks, the secant hits at once, and halving keeps it safe.
    """
    below, above = bracket
    sign, digits = first.sign(), 4 * torch.finfo(first.dtype).eps
    low, high = (surface.value(along(*line, t)) * sign for t in (below, above))
    for step in range(most):
        middle = (below + above) / 2
        secant = below + (above - below) * (low / (low - high)).nan_to_num(nan=0.5)
        inside = (secant > below) & (secant < above) & (high < 0) & (low > 0)
        t = middle if step % 3 == 2 else torch.where(inside, secant, middle)
        if bool(((middle <= below) | (middle >= above)).all()):
            break
        value = surface.value(along(*line, t)) * sign
        keeps = value > 0
        done = keeps & (value <= digits * first.abs())
        below = torch.where(keeps, t, below)
        above = torch.where(keeps & ~done, above, t)
        # The end that stays counts half, so that the secant does not creep.
        low, high = torch.where(keeps, value, low / 2), torch.where(keeps, high / 2, value)
    return below, above
