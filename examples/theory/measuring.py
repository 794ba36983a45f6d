"""What relevance adds up to, whether it is negative, whether it jumps: measured for any method."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor, nn

from theory.jumps import Change, largest_change
from whence.explainers import Explainer

CLOSE = 0.01  # a sum that differs from a candidate by less, in the median, decomposes it
NEGLIGIBLE = 1e-9  # of the absolute relevance: less of it below zero counts as none
SMOOTH = 0.1  # of the largest change may be left when steps are 100 times smaller


@dataclass(frozen=True, eq=False)
class Setting:
    """A net with what is asked about it.

    inputs: (samples, ...), explained for `classes`. paths: functions of places in 0..1, (points,),
    to inputs, each with the class that is explained on it; divided in so many steps. low, high: the
    box of valid inputs. like: inputs such as the net was made for, for methods that need some.
    """

    name: str
    net: nn.Module
    inputs: Tensor
    classes: Tensor
    paths: tuple[tuple[Callable[[Tensor], Tensor], int], ...]
    steps: int
    low: float
    high: float
    like: Tensor

    def score(self, x: Tensor, classes: Tensor | int) -> Tensor:
        """f, one number for each input."""
        y = self.net(x)
        index = torch.as_tensor(classes).expand(len(x))
        return y.gather(1, index[:, None])[:, 0]


@dataclass(frozen=True)
class Candidates:
    """What relevance may sum to, (samples,) each."""

    score: Tensor
    difference: Tensor
    slope: Tensor


@dataclass(frozen=True)
class Properties:
    """What was measured of one method on one net.

    score, difference, slope: the median over samples of |sum R - candidate| / |candidate|, for f,
    f - f(0) and |grad f|^2. negative: the mean share of negative relevance. coarse, kept: the
    largest change in a step along the paths, as a share of the largest |R|_1 there, and what is
    left of it when steps are a hundred times smaller; of all paths the one with the largest `kept`.
    """

    score: float
    difference: float
    slope: float
    negative: float
    coarse: float
    kept: float

    @property
    def decomposes(self) -> str:
        """The name of the candidate that the sum is close to."""
        named = {"f": self.score, "f - f(0)": self.difference, "‖∇f‖²": self.slope}
        close = [name for name, gap in named.items() if gap <= CLOSE]
        return close[0] if close else "neither"

    @property
    def conservative(self) -> bool:
        return self.score <= CLOSE

    @property
    def positive(self) -> bool:
        return self.negative <= NEGLIGIBLE

    @property
    def continuous(self) -> bool:
        return not self.kept > SMOOTH


def candidates(setting: Setting) -> Candidates:
    """f, f - f(0) and the squared norm of its gradient, by autograd."""
    x = setting.inputs.clone().requires_grad_()
    f = setting.score(x, setting.classes)
    (gradient,) = torch.autograd.grad(f.sum(), x)
    zero = setting.score(torch.zeros_like(setting.inputs), setting.classes)
    return Candidates(f.detach(), (f - zero).detach(), gradient.square().flatten(1).sum(1))


def measure(setting: Setting, explainer: Explainer) -> Properties:
    """All properties of one method on one net."""
    R = explainer.explain(setting.inputs, setting.classes).relevance.detach().flatten(1)
    total, amount = R.sum(1), R.abs().sum(1)
    against = candidates(setting)
    below = R.clamp(max=0).abs().sum(1) / amount.clamp(min=torch.finfo(R.dtype).tiny)
    changes = [
        largest_change(along(explainer, path, k), setting.steps) for path, k in setting.paths
    ]
    worst = worst_of(changes)
    return Properties(
        score=gap(total, against.score),
        difference=gap(total, against.difference),
        slope=gap(total, against.slope),
        negative=float(below.mean()),
        coarse=worst.coarse,
        kept=worst.kept,
    )


def own_change(setting: Setting) -> Change:
    """The same for the score itself: what continuous means on these paths."""
    return worst_of(
        [
            largest_change(
                lambda places, path=path, k=k: setting.score(path(places), k)[:, None].detach(),
                setting.steps,
            )
            for path, k in setting.paths
        ]
    )


def worst_of(changes: list[Change]) -> Change:
    """The change of which most is kept; constant ones last."""
    return max(changes, key=lambda each: each.kept if each.coarse > 0 else -1.0)


def gap(total: Tensor, candidate: Tensor) -> float:
    return median(((total - candidate).abs() / candidate.abs()).tolist())


def along(
    explainer: Explainer, path: Callable[[Tensor], Tensor], k: int
) -> Callable[[Tensor], Tensor]:
    """Relevance on a path: places (points,) to (points, features), 128 inputs at a time."""

    def value(places: Tensor) -> Tensor:
        parts = [
            explainer.explain(path(part), k).relevance.detach().flatten(1)
            for part in places.split(128)
        ]
        return torch.cat(parts)

    return value
