"""Missing pixels as the mean of their neighbours: the linear system, for many pictures at once.

With the weights w of the 3x3 neighbourhood, 2 beside a pixel, 1 at its corners, and 0 outside of
the picture, a missing pixel is u_i = sum_j w_ij u_j / D_i, D_i = sum_j w_ij. Over the missing
pixels this is a system with a symmetric positive matrix. Where gaps are narrow it is solved by
over-relaxation, with the longest steps that pay; where they are wide, by cycles of plain relaxation
and corrections from coarser grids.
"""

import math
from functools import lru_cache

import torch
from torch import Tensor

from whence.errors import WhenceError
from whence.metrics._coarse import CoarseGrids
from whence.metrics._planes import Planes
from whence.metrics._quarters import Quarter, Relaxation, inner

# Of the range of a plane's known values: the error aimed at in narrow gaps, about, and the last
# correction in wide ones, which leaves a third of itself.
_TOLERANCE = {torch.float32: 5e-4, torch.float64: 1e-11}
_SMALL = {torch.float32: 2e-4, torch.float64: 1e-11}
_LIMIT = 200  # cycles; the widest gaps take about seven
_GUESSES = 5  # steps that tell how wide the gaps are
_NARROW = 0.97  # what plain averaging leaves of the error, where gaps are some ten pixels wide
_CAUTION = 0.85  # of the distance to 1: over-relaxation is faster beyond the best step than below
_FACTOR = 0.3  # what a cycle leaves of the error, about
_STUCK = 0.6  # more than this share of the last correction: it went too far, as beside thin walls,
_LESS = 0.8  # which coarse grids hardly see; then this share of what follows is taken


def solved(x: Tensor, gone: Tensor) -> Tensor:
    """x with the missing pixels from their neighbours; float32 or float64, (n, channels, height,
    width). Known pixels stay as they are.

    gone: (n, channels or 1, height, width), booleans. Where nothing of a plane is known there is no
    solution: it becomes the mean of what it was.
    """
    with torch.inference_mode():
        missing = gone.to(x.dtype)
        empty = missing.sum((2, 3), keepdim=True) == math.prod(x.shape[2:])
        if bool(empty.any()):
            missing = missing * ~empty
            x = torch.where(empty, x.mean((2, 3), keepdim=True), x)
        known = x * (1 - missing)
        values = _values(known, missing)
    return torch.addcmul(known, values, missing)  # out here, an ordinary tensor


def _values(known: Tensor, missing: Tensor) -> Tensor:
    slow = _slowness(missing)
    wide = (slow > _NARROW).flatten(1).any(1)
    if not bool(wide.any()):
        return _in_narrow_gaps(_Start(known, missing), slow)
    if bool(wide.all()):
        return _in_wide_gaps(_Start(known, missing))
    values = torch.empty_like(known)
    values[wide] = _in_wide_gaps(_Start(known[wide], missing[wide]))
    narrow = ~wide
    values[narrow] = _in_narrow_gaps(_Start(known[narrow], missing[narrow]), slow[narrow])
    return values


class _Start:
    """The known pixels less their mean, and 0."""

    def __init__(self, known: Tensor, missing: Tensor) -> None:
        self.missing, self.channels = missing, known.shape[1]
        present = 1 - missing
        self.mean = known.sum((2, 3), keepdim=True) / present.sum((2, 3), keepdim=True)
        self.centred = torch.addcmul(known, self.mean, present, value=-1)
        diagonal, self._over = _diagonal(*known.shape[2:], known.dtype, known.device)
        self.relaxation = Relaxation(self.centred, diagonal)

    def steps(self) -> dict[Quarter, Tensor]:
        """1 / D where pixels are missing, by quarters."""
        return inner(self.missing * self._over)

    def values(self) -> Tensor:
        return self.relaxation.pictures().add_(self.mean)


def _in_narrow_gaps(start: _Start, slow: Tensor) -> Tensor:
    """Over-relaxation by Young's formula. How many sweeps a plane takes depends on that alone."""
    slow = 1 - _CAUTION * (1 - slow)
    length = 2 / (1 + (1 - slow**2).sqrt())
    sweeps = (math.log(_TOLERANCE[slow.dtype]) / (length - 1).log()).ceil() + 1
    ends = set(sweeps.flatten().tolist())
    plain = steps = start.steps()
    for sweep in range(int(max(ends))):
        if sweep == 1 or sweep in ends:
            lengths = length * (sweep < sweeps)
            steps = {key: each * lengths for key, each in plain.items()}
        start.relaxation.sweep(steps)
    return start.values()


def _in_wide_gaps(start: _Start) -> Tensor:
    """Cycles, sped up by Chebyshev's method for errors that shrink by a factor in [-_FACTOR,
    _FACTOR]; a picture is done when its correction is small."""
    steps, missing = start.steps(), inner(start.missing)
    u = start.relaxation
    grids = _grids(start.missing, start.channels)
    size = start.centred.amax((2, 3)) - start.centred.amin((2, 3))
    enough = size * _SMALL[size.dtype]
    active = share = size.new_ones(len(size), 1, 1)
    past, weight, before = None, 1.0, size * math.inf
    for cycle in range(_LIMIT):
        now = u.copies()
        u.sweep(steps)
        u.left(missing, grids.left)
        e = grids.solved()
        largest = e.abs().amax(2)
        going, stuck = (largest > enough).any(1), (largest > _STUCK * before).any(1)
        if bool(stuck.any()):
            share = torch.where(stuck[:, None, None], share * _LESS, share).clamp(min=0.5)
        u.add(e.mul_(share), missing)
        u.sweep(steps)
        if past is not None:
            weight = 1 / (1 - _FACTOR**2 * weight / (2 if cycle == 1 else 4))
            u.lean(past, active * (weight - 1))
        on = going.tolist()
        if not any(on):
            break
        past, before = now, largest
        if not all(on):
            active = active * going[:, None, None]
            steps = {key: each * active for key, each in steps.items()}
            missing = {key: each * active for key, each in missing.items()}
    else:
        raise WhenceError(
            f"Imputed pixels must settle within {_LIMIT} cycles, and some of these did not. Report "
            f"the masks, please; Mean() and Blur() fill in without solving."
        )
    return start.values()


@lru_cache(8)
def _diagonal(
    height: int, width: int, dtype: torch.dtype, device: torch.device
) -> tuple[dict[Quarter, Tensor], Tensor]:
    """D by quarters, and 1 / D as a picture."""
    sums = _weights(height, width, dtype, device).cells
    return inner(sums), 1 / sums.clamp(min=1)


@lru_cache(8)
def _weights(height: int, width: int, dtype: torch.dtype, device: torch.device) -> Planes:
    """D."""
    ones = Planes(torch.empty(0, dtype=dtype, device=device), (1, 1, height, width))
    ones.cells.fill_(1)
    sums = ones.around() - 4
    ones.cells.copy_(sums.unflatten(2, ones.padded.shape[2:])[..., :-1, :-1])
    return ones


def _grids(missing: Tensor, channels: int) -> CoarseGrids:
    planes = Planes.of(missing)
    weights = _weights(*missing.shape[2:], missing.dtype, missing.device).inner
    held = (weights + 4 * planes.inner - planes.around()).mul_(planes.inner)
    return CoarseGrids(planes, held, channels)


def _slowness(missing: Tensor) -> Tensor:
    """An upper bound of the largest eigenvalue of D^-1 W, without the middle, over the missing
    pixels of each plane, (n, masks, 1): by Collatz and Wielandt, for any m > 0 it is at most the
    largest (D^-1 W m) / m."""
    planes = Planes.of(missing)
    weights = _weights(*missing.shape[2:], missing.dtype, missing.device).inner
    share, m = planes.inner / (weights + 4), planes.inner
    for _ in range(_GUESSES - 1):
        torch.mul(planes.around(), share, out=m)
    after = planes.around().sub_(m, alpha=4).mul_(planes.inner > 0)
    after.div_(weights.clamp(min=1)).div_(m.clamp(min=1e-30))
    # in two steps: the maximum over one long row is slow
    return after.view(planes.padded.shape).amax(3).amax(2)[..., None].clamp(0.1, 1)
