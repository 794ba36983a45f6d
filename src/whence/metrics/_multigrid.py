"""Missing pixels as the mean of their neighbours: the linear system, for many pictures at once.

With the weights w of the 3x3 neighbourhood, 4 in the middle, 2 beside it, 1 at the corners, and 0
outside of the picture, a missing pixel is u_i = sum_j w_ij u_j / sum_j w_ij. The middle cancels.
Over the missing pixels this is a system with a symmetric positive matrix, D - W. It is solved by
conjugate gradients; where the gaps are wide, preconditioned by one V-cycle of multigrid.

W is two sums of neighbouring elements along each axis, [1 2 1] = [1 1] * [1 1]: four additions of
shifted memory. For that all planes lie one after the other, each with a row and a column of zeros
at its end.
"""

import copy
import math
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

# Error aimed at, as a share of the range of the plane's known values.
_TOLERANCE = {torch.float32: 2e-5, torch.float64: 1e-11}
_LIMIT = 500  # iterations; the widest gaps take about ten
_SWEEPS = 4  # of Jacobi's method on the coarsest grid
_GUESSES = 7  # steps that tell how wide the gaps are
_NARROW = 0.97  # what a sweep leaves of the error, where gaps are some ten pixels wide


def solved(x: Tensor, gone: Tensor) -> Tensor:
    """x with the missing pixels from their neighbours; float32 or float64, (n, channels, height,
    width).

    gone: (n, channels or 1, height, width), booleans. Planes without a known pixel have no
    solution; there the result means nothing.
    """
    gone = gone & ~gone.all(-1).all(-1)[..., None, None]
    grid = _Grid(gone, x.shape[1], x.dtype)
    slow = _slowness(grid)
    wide = (slow > _NARROW).flatten(1).any(1)
    few = wide.tolist()
    if not any(few):
        return _in_narrow_gaps(x, grid, slow)
    if all(few):
        return _in_wide_gaps(x, gone, grid)
    found = torch.empty_like(x)
    narrow = ~wide
    found[narrow] = _in_narrow_gaps(
        x[narrow], _Grid(gone[narrow], x.shape[1], x.dtype), slow[narrow]
    )
    found[wide] = _in_wide_gaps(x[wide], gone[wide], _Grid(gone[wide], x.shape[1], x.dtype))
    return found


def _in_narrow_gaps(x: Tensor, grid: "_Grid", slow: Tensor) -> Tensor:
    picture, mean = _started(x, grid)
    _sweep(grid, picture, slow)
    picture.inner.add_(mean)
    return picture.cells


def _in_wide_gaps(x: Tensor, gone: Tensor, grid: "_Grid") -> Tensor:
    grids = [grid]
    while min(gone.shape[2:]) > 4 and bool(gone.any()):
        gone = _all_of_4(gone)
        grids.append(_Grid(gone, x.shape[1], x.dtype))
    picture, mean = _started(x, grid)
    size = picture.inner.amax(2, keepdim=True) - picture.inner.amin(2, keepdim=True)
    _iterate(grids, picture, size * _TOLERANCE[x.dtype])
    picture.inner.add_(mean)
    return picture.cells


class _Vector:
    """Numbers on planes: `flat` with `margin` zeros at both ends, `inner` as (n, channels, length),
    `cells` as (n, channels, height, width). What is used each iteration is sliced once."""

    def __init__(self, grid: "_Grid") -> None:
        height, width = grid.size
        pitch, margin = width + 1, width + 2
        count = math.prod(grid.shape) + 2 * margin
        self.flat = flat = grid.free.new_zeros(count)
        self.inner = flat[margin:-margin].view(grid.shape)
        self.cells = self.inner.unflatten(2, (height + 1, width + 1))[..., :-1, :-1]
        one, two = grid.scratch[0, : count - 1], grid.scratch[1, : count - 2]
        self._adds = [(flat[:-1], flat[1:], one), (one[:-1], one[1:], two)]
        one = grid.scratch[0, : count - 2 - pitch]
        self._adds.append((two[:-pitch], two[pitch:], one))
        two = grid.scratch[1, : count - 2 - 2 * pitch]
        self._adds.append((one[:-pitch], one[pitch:], two))
        self._sum = two.view(grid.shape)

    def around(self) -> Tensor:
        """W v, (n, channels, length); valid until the grid's next such call."""
        for first, second, out in self._adds:
            torch.add(first, second, out=out)
        return self._sum


class _Grid:
    """Planes of one size: which cells are missing, and vectors to work with."""

    def __init__(self, gone: Tensor, channels: int, dtype: torch.dtype) -> None:
        n, _, height, width = gone.shape
        self.size = height, width
        self.shape = (n, channels, (height + 1) * (width + 1))
        self.free = F.pad(gone.to(dtype), (0, 1, 0, 1)).flatten(2)
        sums = _ones_around(height, gone)[:, None] * _ones_around(width, gone)
        self.sums = F.pad(sums, (0, 1, 0, 1), value=16).flatten().to(dtype)
        self.share = self.free / self.sums

    def of_masks(self) -> "_Grid":
        """The same cells, with one channel for each mask."""
        grid = copy.copy(self)
        grid.shape = self.free.shape
        return grid

    @cached_property
    def inverse(self) -> Tensor:
        """1 / (D - W) on the diagonal; 4 is the middle."""
        return self.free / (self.sums - 4).clamp(min=1)

    @cached_property
    def scratch(self) -> Tensor:
        return self.free.new_empty(2, math.prod(self.shape) + 2 * (self.size[1] + 2))

    @cached_property
    def _products(self) -> Tensor:
        return self.scratch[0, : math.prod(self.shape)].view(self.shape)

    @cached_property
    def r(self) -> _Vector:
        return _Vector(self)

    @cached_property
    def z(self) -> _Vector:
        return _Vector(self)

    @cached_property
    def work(self) -> _Vector:
        return _Vector(self)

    def residual(self, v: _Vector, r: Tensor) -> Tensor:
        """r - (D - W) v, also at known cells; valid until the next call."""
        return v.around().addcmul_(self.sums, v.inner, value=-1).add_(r)

    def dot(self, a: Tensor, b: Tensor) -> Tensor:
        """Of each plane, (n, channels, 1)."""
        return torch.mul(a, b, out=self._products).sum(2, keepdim=True)

    def largest(self, a: Tensor) -> Tensor:
        """The largest size in each plane, (n, channels, 1)."""
        return torch.abs(a, out=self._products).amax(2, keepdim=True)


def _ones_around(length: int, like: Tensor) -> Tensor:
    """[1 2 1] over ones: what lies outside counts nothing."""
    sums = torch.full((length,), 4, device=like.device)
    sums[0] -= 1
    sums[-1] -= 1
    return sums


def _all_of_4(gone: Tensor) -> Tensor:
    """Cells of twice the width; missing where all within the picture are."""
    height, width = gone.shape[2:]
    gone = F.pad(gone, (0, width % 2, 0, height % 2), value=True)
    return gone.unflatten(3, (-1, 2)).all(4).unflatten(2, (-1, 2)).all(3)


def _started(x: Tensor, grid: _Grid) -> tuple[_Vector, Tensor]:
    """The picture less the mean of its known pixels, the missing from their known neighbours, else
    0; and that mean, (n, channels, 1)."""
    picture, masks = _Vector(grid), _Vector(grid.of_masks())
    masks.cells.fill_(1)
    known = masks.inner.sub_(grid.free)
    picture.cells.copy_(x)
    planes = picture.inner.mul_(known)
    mean = planes.sum(2, keepdim=True) / known.sum(2, keepdim=True).clamp(min=1)
    planes.addcmul_(mean, known, value=-1)
    weight = grid.free / masks.around().clamp(min=1)
    planes.addcmul_(picture.around(), weight)
    return picture, mean


def _slowness(grid: _Grid) -> Tensor:
    """An upper bound of the largest eigenvalue of D^-1 W over the missing pixels of each plane, (n,
    masks, 1): by Collatz and Wielandt, for any m > 0 it is at most the largest (D^-1 W m) / m."""
    vector = _Vector(grid.of_masks())
    m = vector.inner.copy_(grid.free)
    for _ in range(_GUESSES - 1):
        torch.mul(vector.around(), grid.share, out=m)
    after = vector.around() * grid.share
    # in two steps: the maximum over one long row is slow
    bound = after.div_(m.clamp(min=1e-30)).unflatten(2, (-1, grid.size[1] + 1)).amax(3).amax(2)
    return bound[..., None].clamp(0.3, 1)


def _sweep(grid: _Grid, picture: _Vector, slow: Tensor) -> None:
    """Chebyshev's iteration on the picture, in place, with no sums over planes: the eigenvalues of
    D^-1 W lie between 0 and `slow`. How many steps a plane takes depends on that alone."""
    u, d = picture.inner, torch.zeros_like(picture.inner)
    ratio = 2 / slow - 1
    steps = (math.log(1 / (8 * _TOLERANCE[u.dtype])) / ratio.double().acosh()).ceil()
    scale, rho = 1 / (1 - slow / 2), 1 / ratio
    keep = torch.zeros_like(scale)
    for step in range(int(steps.max())):
        change = picture.around().addcmul_(grid.sums, u, value=-1)
        d.mul_(keep).addcmul_(change, grid.share)
        u.addcmul_(d, scale * (step < steps))
        after = 1 / (2 * ratio - rho)
        keep = after * rho * scale / (4 * after / slow)
        scale, rho = 4 * after / slow, after


def _iterate(grids: list[_Grid], picture: _Vector, tolerance: Tensor) -> None:
    """Conjugate gradients on the picture, in place, until the preconditioned residual, which
    estimates the error, is within the tolerance. Planes do not depend on each other."""
    grid, direction = grids[0], _Vector(grids[0])
    u, p = picture.inner, direction.inner
    r = picture.around().addcmul_(grid.sums, u, value=-1) * grid.free
    active, before = torch.ones_like(tolerance), torch.ones_like(tolerance)
    for _ in range(_LIMIT):
        z = _cycle(grids, 0, r)
        active = active * (grid.largest(z) > tolerance)
        if not bool(active.any()):
            return
        size = grid.dot(r, z)
        torch.addcmul(z, p, size / before, out=p)
        q = direction.around().addcmul_(grid.sums, p, value=-1).mul_(grid.free)  # -(D - W) p
        along = grid.dot(p, q)
        length = torch.where(along < 0, -active * size / along, 0)
        u.addcmul_(p, length)
        r.addcmul_(q, length)
        before = torch.where(size > 0, size, 1)


def _cycle(grids: list[_Grid], level: int, r: Tensor) -> Tensor:
    """Roughly the solution of (D - W) z = r: Jacobi's method before and after a coarser grid.

    At high frequencies the eigenvalues of D^-1 (D - W) lie in [2/3, 4/3], so a plain sweep leaves a
    third of them. The coarse matrix is the same stencil, as the energy of a function in two
    dimensions does not depend on the mesh. Symmetric and positive, as conjugate gradients need.
    """
    grid, coarser = grids[level], level + 1
    z = torch.mul(r, grid.inverse, out=grid.z.inner)
    if coarser == len(grids):
        for _ in range(_SWEEPS):
            z.addcmul_(grid.residual(grid.z, r), grid.inverse)
        return z
    torch.mul(grid.residual(grid.z, r), grid.share, out=grid.work.inner)
    _restrict(grid, grids[coarser])
    _cycle(grids, coarser, grids[coarser].r.inner)
    _prolong(grids[coarser], grid)
    z.addcmul_(grid.work.around(), grid.share)
    return z.addcmul_(grid.residual(grid.z, r), grid.inverse)


def _restrict(fine: _Grid, coarse: _Grid) -> None:
    """coarse.r: sums of W work over four cells; the transpose of `_prolong`."""
    height, width = fine.size
    found = fine.work.around().unflatten(2, (height + 1, width + 1))[..., :-1, :-1]
    rows = found[..., ::2, :].clone()
    rows[..., : height // 2, :] += found[..., 1::2, :]
    cells = coarse.r.cells.copy_(rows[..., ::2])
    cells[..., : width // 2] += rows[..., 1::2]


def _prolong(coarse: _Grid, fine: _Grid) -> None:
    """fine.work: each cell of coarse.z four times. W then makes it linear in between."""
    height, width = fine.size
    rows = coarse.z.cells.repeat_interleave(2, 3)[..., :width]
    fine.work.cells[..., ::2, :] = rows
    fine.work.cells[..., 1::2, :] = rows[..., : height // 2, :]
