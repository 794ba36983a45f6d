"""Missing pixels from their neighbours, a quarter of them at a time.

A picture is four quarters, by even and odd rows and columns. The eight neighbours of a pixel all
lie in the other three. So all pixels of a quarter can be solved for at once, from the newest values
of the others: Gauss and Seidel's method in four colours; with longer steps, over-relaxation.

    u_i += step_i * (sum_j w_ij u_j - D_i u_i),   w: 2 beside i, 1 at its corners; D_i = sum_j w_ij

For a pixel of an even row and column, p the sums of two beside each other, and the rows above:

    sum_j w_ij u_j = (p(corners) + 2 u(below)) + the same one row up + 2 p(beside)
"""

import torch
from torch import Tensor

from whence.metrics._planes import Planes

Quarter = tuple[int, int]  # 1 for odd rows, 1 for odd columns
QUARTERS: tuple[Quarter, ...] = ((0, 0), (0, 1), (1, 0), (1, 1))


def quarters(x: Tensor) -> dict[Quarter, Planes]:
    """(n, channels, height, width) in four, all of one size; 0 where there is no pixel."""
    n, channels, height, width = x.shape
    found = {}
    for down, across in QUARTERS:
        planes = Planes(x, (n, channels, (height + 1) // 2, (width + 1) // 2))
        part = x[..., down::2, across::2]
        planes.cells[..., : part.shape[2], : part.shape[3]].copy_(part)
        found[down, across] = planes
    return found


def inner(x: Tensor) -> dict[Quarter, Tensor]:
    return {key: planes.inner for key, planes in quarters(x).items()}


class Relaxation:
    """Pictures u, (n, channels, height, width), that are solved in place; `diagonal` is D."""

    def __init__(self, u: Tensor, diagonal: dict[Quarter, Tensor]) -> None:
        self.u, self._diagonal, self._shape = quarters(u), diagonal, u.shape
        first = self.u[0, 0]
        flats = first.flat.new_zeros(5, len(first.flat))
        self._pairs, self._corners = dict(zip(QUARTERS, flats[:4], strict=True)), flats[4]
        self._sum = torch.empty_like(first.inner)
        self._views = {key: self._seen_from(key) for key in QUARTERS}
        self._sums = [self._beside(across) for across in (0, 1)]

    def sweep(self, steps: dict[Quarter, Tensor]) -> None:
        """Each pixel once. Steps are 0 where pixels are known, 1 / D where missing, or longer."""
        self._pair(1)
        self._relax((0, 0), steps)
        self._pair(0)
        self._relax((1, 1), steps)
        self._relax((0, 1), steps)
        self._pair(1)
        self._relax((1, 0), steps)

    def left(self, missing: dict[Quarter, Tensor], out: Tensor) -> None:
        """What a sweep with steps of 1 / D left at missing pixels, summed over 2x2: nothing in the
        quarter that was last."""
        torch.mul(self._change((0, 0)), missing[0, 0], out=out)
        self._pair(0)
        for key in ((1, 1), (0, 1)):
            out.addcmul_(self._change(key), missing[key])

    def add(self, e: Tensor, missing: dict[Quarter, Tensor]) -> None:
        """e, a number for 2x2 pixels, to those missing."""
        for key, planes in self.u.items():
            planes.inner.addcmul_(e, missing[key])

    def copies(self) -> list[Tensor]:
        return [planes.inner.clone() for planes in self.u.values()]

    def lean(self, past: list[Tensor], by: Tensor) -> None:
        """u + by * (u - past)."""
        for planes, old in zip(self.u.values(), past, strict=True):
            planes.inner.lerp_(old, -by)

    def pictures(self) -> Tensor:
        found = self._sum.new_empty(self._shape)
        for (down, across), planes in self.u.items():
            part = found[..., down::2, across::2]
            part.copy_(planes.cells[..., : part.shape[2], : part.shape[3]])
        return found

    def _relax(self, key: Quarter, steps: dict[Quarter, Tensor]) -> None:
        self.u[key].inner.addcmul_(self._change(key), steps[key])

    def _change(self, key: Quarter) -> Tensor:
        """sum_j w_ij u_j - D_i u_i; valid until the next call."""
        pairs, below, here, there, beside, u = self._views[key]
        torch.add(pairs, below, alpha=2, out=self._corners)
        torch.add(here, there, out=self._sum)
        return self._sum.add_(beside, alpha=2).addcmul_(self._diagonal[key], u, value=-1)

    def _pair(self, across: int) -> None:
        """p of the two quarters with these columns, as seen from the other columns."""
        for first, second, out in self._sums[across]:
            torch.add(first, second, out=out)

    def _beside(self, across: int) -> list[tuple[Tensor, Tensor, Tensor]]:
        found = []
        for down in (0, 1):
            flat, pairs = self.u[down, across].flat, self._pairs[down, across]
            found.append((flat[:-1], flat[1:], pairs[across : len(pairs) - 1 + across]))
        return found

    def _seen_from(self, key: Quarter) -> tuple[Tensor, ...]:
        (down, across), planes = key, self.u[key]
        start, stop = planes.margin, len(planes.flat) - planes.margin
        shift = planes.pitch if down else -planes.pitch

        def shaped(flat: Tensor, by: int = 0) -> Tensor:
            return flat[start + by : stop + by].view(planes.inner.shape)

        return (
            self._pairs[1 - down, 1 - across],
            self.u[1 - down, across].flat,
            shaped(self._corners),
            shaped(self._corners, shift),
            shaped(self._pairs[down, 1 - across]),
            planes.inner,
        )
