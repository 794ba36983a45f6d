"""Planes in memory so that what lies beside a pixel is a shift away, for many planes at once.

All planes lie one after the other, each with a row and a column of zeros at its end, and zeros
before the first and after the last: the neighbours of all pixels are the same memory, shifted, and
what lies outside of a picture is 0.
"""

import torch
from torch import Tensor


class Planes:
    """Numbers on planes: `flat` is all of the memory, with `margin` zeros at both ends; `inner` is
    (n, channels, length) and `padded` (n, channels, height + 1, width + 1), with the zeros at each
    plane's end; `cells` is (n, channels, height, width)."""

    def __init__(self, like: Tensor, shape: tuple[int, int, int, int]) -> None:
        n, channels, height, width = shape
        self.pitch = width + 1
        self.margin = margin = width + 2
        count = n * channels * (height + 1) * self.pitch
        self.flat = like.new_zeros(count + 2 * margin)
        self.padded = self.flat[margin:-margin].view(n, channels, height + 1, self.pitch)
        self.inner, self.cells = self.padded.flatten(2), self.padded[..., :-1, :-1]
        self._adds: list[tuple[Tensor, Tensor, Tensor]] = []

    @classmethod
    def of(cls, cells: Tensor) -> "Planes":
        n, channels, height, width = cells.shape
        planes = cls(cells, (n, channels, height, width))
        planes.cells.copy_(cells)
        return planes

    def around(self) -> Tensor:
        """W v: the sum over the 3x3 neighbourhood, 4 in the middle, 2 beside it and 1 at the
        corners, (n, channels, length); valid until the next call."""
        if not self._adds:
            self._plan()
        for first, second, out in self._adds:
            torch.add(first, second, out=out)
        return self._sum

    def _plan(self) -> None:
        # [1 2 1] = [1 1] * [1 1] along each axis: four additions
        one, two = torch.empty_like(self.flat), torch.empty_like(self.flat)
        source, count = self.flat, len(self.flat)
        for shift, out in ((1, one), (1, two), (self.pitch, one), (self.pitch, two)):
            count -= shift
            self._adds.append((source[:count], source[shift : shift + count], out[:count]))
            source = out
        self._sum = two[:count].view(self.inner.shape)


def fours(planes: Planes, out: Tensor) -> Tensor:
    """The sums of 2x2 cells, (n, channels, half the height, half the width)."""
    height, width = out.shape[2:]
    rows = planes.padded[..., 0 : 2 * height : 2, :] + planes.padded[..., 1 : 2 * height : 2, :]
    return torch.add(rows[..., 0 : 2 * width : 2], rows[..., 1 : 2 * width : 2], out=out)
