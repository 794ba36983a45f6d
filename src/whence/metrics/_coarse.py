"""Coarser grids: what relaxation hardly changes in wide gaps, solved with few numbers.

Each cell stands for 2x2 cells of the finer grid, and its value e is added to all of them that are
missing. The equations of a cell are

    sum_j w_ij (e_j - e_i) - h_i e_i + f_i = 0,   j over the cells with a missing pixel

with the same weights, as the energy of a function in two dimensions does not depend on the mesh. h
counts how strongly the pixels of a cell are held by known ones beside them: the sum of w over all
such pairs. f is what is left of the finer grid's equations, summed.

At the picture's border there are fewer neighbours: the outermost quarter row of pixels has no
energy. On a coarser grid that is a smaller share of a cell. So the cells there count more: with
numbers s on the cells, w_ij becomes s_i w_ij s_j; s is 1 within. In v = s e and f / s this is

    sum_j w_ij v_j - d_i v_i + f_i / s_i = 0,   d_i = (sum_j w_ij s_j + h_i / s_i) / s_i
"""

import math
from functools import lru_cache

import torch
from torch import Tensor

from whence.metrics._planes import Planes, fours

# Steps that leave 1/17 of what is rough, eigenvalues of D^-1 W in [0, 1/2]: 1 / (1 - root), at the
# roots of Chebyshev's polynomial of degree 2.
_STEPS = tuple(1 / (0.75 - 0.25 * math.cos(math.pi * k / 4)) for k in (1, 3))
_SMALL = 4  # cells along the longer side of the coarsest grid, which is solved directly


class CoarseGrids:
    """All coarser grids for masks; made once, used in each cycle.

    missing, held: of the picture's pixels, (n, masks, height, width) each, as planes.
    """

    def __init__(self, missing: Planes, held: Tensor, channels: int) -> None:
        n, masks, height, width = missing.cells.shape
        counts = Planes(held, (n, 2 * masks, height, width))
        torch.cat([missing.inner, held], 1, out=counts.inner)
        self._grids: list[_Grid] = []
        while not self._grids or max(self._grids[-1].size) > _SMALL:
            level = len(self._grids) + 1
            size = (counts.cells.shape[2] + 1) // 2, (counts.cells.shape[3] + 1) // 2
            coarser = Planes(held, (n, 2 * masks, *size))
            fours(counts, coarser.cells)
            scale = _scale(height, width, level, held.dtype, held.device)
            self._grids.append(_Grid(coarser, scale, channels))
            counts = coarser
        self._last = _inverse(self._grids[-1])
        self.left = self._grids[0].f.inner

    def solved(self) -> Tensor:
        """Roughly e for what is in `left`, (n, channels, length); a V-cycle."""
        *grids, last = self._grids
        for grid, coarser in zip(grids, self._grids[1:], strict=True):
            grid.smooth_from_zero()
            grid.pass_down(coarser)
        n, channels, height, width = last.f.cells.shape
        groups = self._last.shape[1]
        f = last.f.cells.reshape(n, groups, channels // groups, height * width)
        last.e.cells.copy_((f @ self._last).view(n, channels, height, width))
        for grid, coarser in zip(grids[::-1], self._grids[:0:-1], strict=True):
            grid.pass_up(coarser)
            grid.smooth()
        return self._grids[0].e.inner


class _Grid:
    """One grid. v and f: (n, channels, length); `counts`: missing pixels, and h."""

    def __init__(self, counts: Planes, scale: Planes, channels: int) -> None:
        n, masks, *self.size = counts.cells.shape
        masks //= 2
        shape = n, channels, self.size[0], self.size[1]
        self.v, self.f, self.e = (Planes(counts.flat, shape) for _ in range(3))
        missing, self.held = counts.inner.split(masks, 1)
        self.missing = (missing > 0).to(missing.dtype)
        self.scale = scale.inner
        self._counting = Planes(counts.flat, (n, masks, self.size[0], self.size[1]))
        torch.mul(self.missing, self.scale, out=self._counting.inner)
        weights = self._counting.around().sub(self._counting.inner, alpha=4)
        self._over = self.missing / self.scale
        self._diagonal = (weights + self.held / self.scale) / self.scale + 4
        self._step = self.missing / self._diagonal
        self._first = self._step * _STEPS[0]
        self._quarters = [
            tuple(each.cells[..., down::2, across::2] for each in (self.v, self._counting))
            for down in (0, 1)
            for across in (0, 1)
        ]

    def smooth_from_zero(self) -> None:
        f = self.f.inner.div_(self.scale)
        torch.mul(f, self._first, out=self.v.inner)
        for step in _STEPS[1:]:
            self.v.inner.addcmul_(self._change(), self._step, value=step)

    def smooth(self) -> None:
        for step in _STEPS[::-1]:
            self.v.inner.addcmul_(self._change(), self._step, value=step)
        torch.mul(self.v.inner, self._over, out=self.e.inner)

    def pass_down(self, coarser: "_Grid") -> None:
        torch.mul(self._change(), self._counting.inner, out=self.e.inner)  # e is free till pass_up
        fours(self.e, coarser.f.cells)

    def pass_up(self, coarser: "_Grid") -> None:
        for part, scale in self._quarters:
            part.addcmul_(coarser.e.cells[..., : part.shape[2], : part.shape[3]], scale)

    def _change(self) -> Tensor:
        change = self.v.around().addcmul_(self._diagonal, self.v.inner, value=-1)
        return change.add_(self.f.inner)


def _inverse(grid: _Grid) -> Tensor:
    """Of the coarsest grid's matrix in e, (n, masks, cells, cells)."""
    height, width = grid.size
    missing, held, scale = (_cells(each, height) for each in (grid.missing, grid.held, grid.scale))
    scaled = missing * scale
    weights = _couplings(height, width, held.dtype, held.device) * (
        scaled[..., None] * scaled[..., None, :]
    )
    diagonal = weights.sum(-1) + torch.where(missing > 0, held, 1)
    found = torch.linalg.inv(torch.diag_embed(diagonal) - weights)
    return found * (missing[..., None] * missing[..., None, :])


def _cells(x: Tensor, height: int) -> Tensor:
    return x.unflatten(2, (height + 1, -1))[..., :-1, :-1].flatten(2)


@lru_cache(16)
def _couplings(height: int, width: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """w between all cells of a small grid."""
    down, across = (
        torch.eye(length, dtype=dtype, device=device) * 2
        + torch.ones(length - 1, dtype=dtype, device=device).diag(1)
        + torch.ones(length - 1, dtype=dtype, device=device).diag(-1)
        for length in (height, width)
    )
    return torch.kron(down, across) - 4 * torch.eye(height * width, dtype=dtype, device=device)


@lru_cache(64)
def _scale(height: int, width: int, level: int, dtype: torch.dtype, device: torch.device) -> Planes:
    """s, 1 where planes end."""
    down, across = (_along(length, 2**level) for length in (height, width))
    cells = torch.tensor(down, dtype=dtype)[:, None] * torch.tensor(across, dtype=dtype)
    planes = Planes.of(cells[None, None].to(device))
    planes.inner[planes.inner == 0] = 1
    return planes


def _along(length: int, cell: int) -> list[float]:
    """s along one axis. Of the energy along the border, a row of cells has a share t when 2 s^2 +
    2 s is 4 t + 1: s^2 is from within the row, s from those between it and the next. When there is
    no next, 2 s^2 is 4 t."""
    count = -(-length // cell)
    if count == 1:
        return [(2 * (length - 0.5) / cell) ** 0.5]
    found = [1.0] * count
    for at, pixels in ((0, cell), (-1, length - (count - 1) * cell)):
        found[at] = ((8 * (pixels - 0.25) / cell + 3) ** 0.5 - 1) / 2
    return found
