"""How much of a class do its prototypes stand for?"""

from dataclasses import dataclass

import torch
from torch import Tensor

from whence.errors import InvalidInput


@dataclass(frozen=True, eq=False)
class Coverage:
    """What share of held-out samples of a class lies near a prototype.

    - `radius`: how near that is: the class' own typical distance between neighbours.
    - `nearest`: the prototype nearest to each held-out sample, int64 (samples,), and `distance`.
    - `covered`: whether it is within the radius, bool (samples,).
    """

    radius: float
    nearest: Tensor
    distance: Tensor
    covered: Tensor
    prototypes: int

    @property
    def share(self) -> float:
        """The share of the held-out samples that are covered."""
        return float(self.covered.double().mean())

    @property
    def shares(self) -> Tensor:
        """The part of it that each prototype covers as the nearest one, (prototypes,); they add up
        to `share`."""
        counts = torch.bincount(self.nearest[self.covered], minlength=self.prototypes)
        return counts.double() / len(self.nearest)

    def __repr__(self) -> str:
        each = ", ".join(f"{share:.0%}" for share in self.shares.tolist())
        return f"Coverage({self.share:.0%} within {self.radius:.4g}; by prototype: {each})"


def coverage(
    prototypes: Tensor, held_out: Tensor, samples: Tensor, *, quantile: float = 0.5
) -> Coverage:
    """How much of a class several prototypes stand for, in a space of features phi.

        r = quantile over samples s of  min_{s' != s} ||phi(s) - phi(s')||
        covered(h)  iff  min_k ||phi(x_k) - phi(h)|| <= r
        coverage = share of the held-out samples h that are covered

    So a held-out sample counts as stood for if a prototype is as close to it as samples of the
    class typically are to their nearest neighbour. That asks a lot: a prototype is one point, and
    most real samples would cover little themselves. Compare with as many real samples,
    `coverage(samples[chosen], ...)`, before calling a number small.

    - `prototypes`: phi of the prototypes, (K, ...); `held_out`: phi of samples of the class that
      were used for nothing; `samples`: phi of other samples of the class, which give r.
    - `quantile`: 0.5 takes the median distance of neighbours; 0.95 the distance within which 95 %
      of the samples have one.

    Unlike what a histogram of distances says, r is taken among `samples` only, so that a class with
    more of them has a smaller one.
    """
    x, h, s = (each.detach().flatten(1).double() for each in (prototypes, held_out, samples))
    if not (len(x) and len(h) and len(s) >= 2) or not x.shape[1] == h.shape[1] == s.shape[1]:
        raise InvalidInput(
            "coverage needs features of at least one prototype, one held-out sample and two "
            f"samples, all of one length; got {tuple(x.shape)}, {tuple(h.shape)}, {tuple(s.shape)}."
        )
    if not 0 <= quantile <= 1:
        raise InvalidInput(f"quantile must lie in [0, 1], got {quantile}.")
    among = distances(s, s)
    among.fill_diagonal_(float("inf"))
    radius = float(among.amin(1).quantile(quantile))
    distance, nearest = distances(h, x).min(1)
    return Coverage(radius, nearest, distance, distance <= radius, len(x))


def distances(first: Tensor, second: Tensor) -> Tensor:
    """||a - b|| of each pair, (len(first), len(second)); the fast way would cancel digits."""
    return torch.cdist(first, second, compute_mode="donot_use_mm_for_euclid_dist")
