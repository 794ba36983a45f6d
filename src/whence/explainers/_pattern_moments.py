"""Means and covariances of a layer's inputs and outputs, merged part by part in float64."""

from dataclasses import dataclass

import torch
from torch import Tensor

from whence.explainers._pattern_layers import Rows

_CONSTANT = 1e-12  # a variance below this fraction of the mean square is rounding


@dataclass(frozen=True)
class Moments:
    """Of the samples on which one holds: their number, means and summed products of deviations.

    For neuron j and its input i: mean_x and xy are (neurons, inputs), since each neuron may have
    samples of its own; count, mean_y and yy are (neurons, 1).
    """

    count: Tensor
    mean_x: Tensor
    mean_y: Tensor
    xy: Tensor
    yy: Tensor

    @classmethod
    def of(cls, rows: Rows, chosen: Tensor | None = None) -> "Moments":
        """Over all samples, or over those `chosen` for each neuron, (samples, neurons)."""
        mask = torch.ones_like(rows.y) if chosen is None else chosen.to(rows.y)
        count = mask.sum(0)[:, None]
        some = count.clamp(min=1)
        mean_y = (mask * rows.y).sum(0)[:, None] / some
        centred = mask * (rows.y - mean_y[:, 0])
        yy = (centred * rows.y).sum(0)[:, None]
        mean_x, xy = _correlate(mask, rows.x) / some, _correlate(centred, rows.x)
        each = len(rows.level) // len(rows.mean)
        mean_x = mean_x + rows.mean.repeat_interleave(each, 0) * (count > 0)
        return cls(count, mean_x, mean_y + rows.level[:, None] * (count > 0), xy, yy)

    def plus(self, other: "Moments") -> "Moments":
        """The moments of both sets of samples together.

        References: [chan1983].
        """
        count = self.count + other.count
        dx, dy = other.mean_x - self.mean_x, other.mean_y - self.mean_y
        part = other.count / count.clamp(min=1)
        both = self.count * part
        return Moments(
            count,
            self.mean_x + dx * part,
            self.mean_y + dy * part,
            self.xy + other.xy + dx * dy * both,
            self.yy + other.yy + dy.square() * both,
        )

    def pattern(self, expected: Tensor, W: Tensor) -> Tensor:
        """a = (E[x y] - E[x] E') / (w^T E[x y] - w^T E[x] E'), with `expected` for E', a mean of y.

        Where nothing varies the pattern is zero. Shape (neurons, inputs).
        """
        count = self.count.clamp(min=1)
        above = self.xy / count + self.mean_x * (self.mean_y - expected)
        below = (W * above).sum(1, keepdim=True)
        square = self.yy / count + self.mean_y.square()
        alive = below > _CONSTANT * square
        return torch.where(alive, above / torch.where(alive, below, 1), 0)


def _correlate(g: Tensor, x: Tensor) -> Tensor:
    """sum over the samples of g_j x_i, (neurons, inputs)."""
    grouped = g.unflatten(1, (x.shape[1], -1))
    return torch.einsum("sgo,sgi->goi", grouped, x).flatten(0, 1)
