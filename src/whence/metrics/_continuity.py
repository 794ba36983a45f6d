"""Continuity: how much an explanation changes where its input hardly does."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.metrics._batch import Batch
from whence.metrics._case import Case
from whence.metrics._curve import Curve
from whence.metrics._explained import explained
from whence.metrics._metric import Cost, Metric, Scores
from whence.metrics._neighbours import Ball, Neighbours

SIZES = {
    "absolute": "the change of relevance as it is, as in the paper",
    "relative": "the change as a share of the sample's own relevance, ||R(x)||_1",
}
_NO_PAIR = -torch.inf  # where two inputs are the same
QUADRANTS = ("upper left", "upper right", "lower left", "lower right")


@dataclass(frozen=True)
class Continuity(Metric):
    """Explanation continuity: the largest change of relevance for a change of the input.

        max_(x, x') ||R(x) - R(x')||_1 / ||x - x'||_2

    Use it to see whether two inputs that are nearly the same are explained alike; the gradient of a
    net of ReLUs jumps where a neuron switches, and what is made of it jumps too. The pairs are a
    sample and its random neighbours (`Ball`, `Cube`), or the neighbouring pictures of a sequence in
    which the sample moves pixel by pixel (`Shifts`). All are asked about the class that wins on the
    untouched sample.

    `size="relative"` divides by ||R(x)||_1, without which methods whose relevance has another unit
    (sensitivity, say) cannot be compared. Pairs of equal inputs count for nothing.

    `details["mean"]` is the mean over the pairs, beside the worst of them. For `Shifts` the curves
    are the ratio at each step, at the middle between two places, and the relevance in the four
    quadrants of the picture as it moves.

    Unlike the paper, whose maximum is over all pairs, only these neighbours are tried: the value is
    a lower bound. References: [montavon2018, sec. 7.1].
    """

    near: Neighbours = field(default_factory=Ball)
    size: str = "absolute"

    name: ClassVar[str] = "continuity"
    direction: ClassVar[int] = -1
    range: ClassVar[tuple[float, float]] = (0.0, float("inf"))
    needs: ClassVar[tuple[str, ...]] = ("model", "explainer")
    invariances: ClassVar[frozenset[str]] = frozenset({"batch", "order"})
    sources: ClassVar[tuple[str, ...]] = ("montavon2018",)
    equation: ClassVar[str] = "max_x' ||R(x) - R(x')||_1 / ||x - x'||_2"

    def __post_init__(self) -> None:
        if self.size not in SIZES:
            raise InvalidInput(f"size must be one of {', '.join(SIZES)}, got {self.size!r}.")

    def measure(self, case: Case) -> Scores:
        batch, points = case.batch, self.near.points()
        ratio = batch.x.new_zeros(len(batch), points, dtype=torch.float64)
        parts = ratio.new_zeros(len(batch), points, len(QUADRANTS))
        fresh = self._fresh(batch.x)
        before = batch.x[:0], ratio[:0]
        for samples, part, x, R in explained(case, self.near):
            own = batch.x[samples, None], case.relevance[samples, None].double()
            if part.start == 0:
                before = own
            far = _norm(x.double() - _previous(before[0], x, own[0], fresh[part]).double(), 2)
            change = _norm(R - _previous(before[1], R, own[1], fresh[part]), 1)
            ratio[samples, part] = (change / far).masked_fill(far == 0, _NO_PAIR)
            parts[samples, part] = _quadrants(R)
            before = x[:, -1:], R[:, -1:]
        whole = _norm(case.relevance.double(), 1, 1)
        if self.size == "relative":
            ratio = ratio / whole[:, None].masked_fill(whole[:, None] == 0, torch.nan)
        return self._scores(case, ratio, parts)

    def cost(self, batch: Batch) -> Cost:
        return Cost(0, {"untouched": 1}, self.near.points())

    def _fresh(self, x: Tensor) -> Tensor:
        """Which neighbours are compared with the sample itself, and not with the one before."""
        path = self.near.path() or (1,) * self.near.points()
        return torch.tensor([abs(place) == 1 for place in path], device=x.device)

    def _scores(self, case: Case, ratio: Tensor, parts: Tensor) -> Scores:
        none = (ratio == _NO_PAIR).all(1)
        known = ratio.masked_fill(ratio == _NO_PAIR, torch.nan)
        worst = ratio.amax(1).masked_fill(none, torch.nan)
        lost = (worst.isnan() & ~none).nonzero().flatten().tolist()
        reasons = dict.fromkeys(
            none.nonzero().flatten().tolist(), "no neighbour differs from the sample"
        )
        reasons |= dict.fromkeys(lost, "its relevance is zero everywhere, or NaN near it")
        curves = self._curves(case, known, parts) if self.near.path() else {}
        return Scores(worst, curves, {"mean": known.nanmean(1)}, reasons)

    def _curves(self, case: Case, ratio: Tensor, parts: Tensor) -> dict[str, Curve]:
        path = torch.tensor(self.near.path(), dtype=torch.float64, device=ratio.device)
        order, middle = path.argsort(), path - path.sign() / 2
        curves = {
            self.name: Curve(
                middle[order], ratio[:, order], "place", "change of relevance per change of input"
            )
        }
        if case.relevance.dim() != 4:
            return curves
        places = torch.cat([path, path.new_zeros(1)])
        whole = torch.cat([parts, _quadrants(case.relevance.double()[:, None])], 1)
        order = places.argsort()
        for number, quadrant in enumerate(QUADRANTS):
            curves[quadrant] = Curve(
                places[order], whole[:, order, number], "place", "relevance in the quadrant"
            )
        return curves


def _previous(before: Tensor, found: Tensor, own: Tensor, fresh: Tensor) -> Tensor:
    """What each neighbour is compared with: the sample's own, or that of the one before."""
    mask = fresh.view(1, -1, *[1] * (found.dim() - 2))
    return torch.where(mask, own, torch.cat([before, found[:, :-1]], 1))


def _norm(of: Tensor, order: int, axis: int = 2) -> Tensor:
    return torch.linalg.vector_norm(of.flatten(axis), order, dim=axis)


def _quadrants(R: Tensor) -> Tensor:
    """Sums over the quadrants of pictures, (samples, neighbours, 4); zeros for other inputs."""
    if R.dim() != 5:
        return R.new_zeros(*R.shape[:2], len(QUADRANTS))
    rows = R.sum(2).tensor_split(2, -2)
    return torch.stack(
        [half.sum((-2, -1)) for each in rows for half in each.tensor_split(2, -1)], 2
    )
