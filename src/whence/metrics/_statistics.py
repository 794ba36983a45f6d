"""What the scores of samples say about a method, and about two of them: intervals and tests."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from whence.errors import InvalidInput

TIMES = 5000
_BLOCK = 1 << 22  # numbers held at once while drawing
_EXACT = 12  # with so many differences all signs are tried


@dataclass(frozen=True)
class Interval:
    """A mean over samples, with the interval that holds it with the confidence asked for.

    count: how many samples have a score; missing: how many have none (NaN) and are left out.
    """

    mean: float
    low: float
    high: float
    count: int = 0
    missing: int = 0

    def __str__(self) -> str:
        return _in_words(self.mean, self.low, self.high)


@dataclass(frozen=True)
class Difference:
    """A mean difference over the same samples, with its interval.

    - `p`: of the sign-flip test that neither is larger; adjusted where several were compared.
    - `effect`: the mean in standard deviations of the differences (Cohen's d of paired samples).
    - `wins`: the share of samples in which the first is larger, ties counted half.
    - `count`, `missing`: samples with both scores, and those left out.
    """

    mean: float
    low: float
    high: float
    p: float = math.nan
    effect: float = math.nan
    wins: float = math.nan
    count: int = 0
    missing: int = 0

    def __str__(self) -> str:
        return _in_words(self.mean, self.low, self.high, "+")


def mean_interval(
    values: Tensor, *, confidence: float = 0.95, times: int = TIMES, seed: int = 0
) -> Interval:
    """The mean of one score for each sample, shape (samples,), with its bootstrap interval.

    Samples are drawn again with replacement, `times` times, and the middle `confidence` of the
    means is kept: the percentile bootstrap [efron1979]. NaN is left out and counted. One sample
    has no interval: its ends are NaN.
    """
    kept = _kept(values)
    missing = values.numel() - len(kept)
    if not len(kept):
        return Interval(math.nan, math.nan, math.nan, 0, missing)
    low, high = _ends(kept[:, None], confidence, times, seed)
    return Interval(float(kept.mean()), float(low), float(high), len(kept), missing)


def mean_band(
    rows: Tensor, *, confidence: float = 0.95, times: int = 1000, seed: int = 0
) -> tuple[Tensor, Tensor, Tensor]:
    """The mean of curves of shape (samples, points), and its interval at each point: three of
    (points,). Samples with a NaN are left out."""
    kept = rows.double().cpu()
    kept = kept[~kept.isnan().any(1)]
    if not len(kept):
        nothing = torch.full(rows.shape[1:], math.nan, dtype=torch.float64)
        return nothing, nothing, nothing
    low, high = _ends(kept, confidence, times, seed)
    return kept.mean(0), low, high


def paired_difference(
    first: Tensor, second: Tensor, *, confidence: float = 0.95, times: int = TIMES, seed: int = 0
) -> Difference:
    """How much larger the first is than the second on the same samples, both (samples,).

        d_i = first_i - second_i,   p = P(|mean of s_i d_i| >= |mean of d_i|),  s_i = +1 or -1

    The interval is the percentile bootstrap of the mean of d. p is that of the sign-flip
    permutation test: if neither is larger, each d_i could as well have the other sign. Up to 12
    samples all signs are tried; with more, `times` random ones, and then p >= 1 / (times + 1).
    Samples that lack either score are left out and counted.
    """
    if first.shape != second.shape or first.dim() != 1:
        raise InvalidInput(
            "A paired comparison needs one score of each method for each sample, got shapes "
            f"{tuple(first.shape)} and {tuple(second.shape)}."
        )
    differences = first.double().cpu() - second.double().cpu()
    kept = _kept(differences)
    missing = differences.numel() - len(kept)
    if not len(kept):
        return Difference(math.nan, math.nan, math.nan, count=0, missing=missing)
    low, high = _ends(kept[:, None], confidence, times, seed)
    mean = float(kept.mean())
    return Difference(
        mean=mean,
        low=float(low),
        high=float(high),
        p=_sign_flips(kept, times, seed),
        effect=_effect(kept),
        wins=float(((kept > 0).double() + (kept == 0).double() / 2).mean()),
        count=len(kept),
        missing=missing,
    )


def holm(chances: Sequence[float]) -> list[float]:
    """The p-values of several tests, adjusted so that the chance of any false finding is bounded.

    The k-th smallest of m is multiplied by m - k + 1, and none becomes smaller than one before it
    [holm1979]. NaN stays NaN and is not counted.
    """
    places = sorted((p, place) for place, p in enumerate(chances) if not math.isnan(p))
    adjusted, highest = list(chances), 0.0
    for k, (p, place) in enumerate(places):
        highest = max(highest, min(1.0, (len(places) - k) * p))
        adjusted[place] = highest
    return adjusted


def _in_words(mean: float, low: float, high: float, sign: str = "") -> str:
    """Three decimals, or three digits where these would say too little or too much."""
    largest = max((abs(each) for each in (mean, low, high) if math.isfinite(each)), default=0.0)
    form = f"{sign}.3f" if largest == 0 or 0.01 <= largest < 1000 else f"{sign}.3g"
    return f"{mean:{form}} [{low:{form}}, {high:{form}}]"


def _kept(values: Tensor) -> Tensor:
    values = values.detach().double().cpu().flatten()
    return values[~values.isnan()]


def _ends(rows: Tensor, confidence: float, times: int, seed: int) -> tuple[Tensor, Tensor]:
    """The ends of the interval of the mean over axis 0, each of shape (columns,)."""
    if not 0 < confidence < 1 or times < 1:
        raise InvalidInput(
            f"confidence lies between 0 and 1 and times is at least 1, got {confidence}, {times}."
        )
    if len(rows) < 2:
        nothing = torch.full(rows.shape[1:], math.nan, dtype=torch.float64)
        return nothing, nothing
    # Deviations from the mean are resampled: a constant stays exactly what it is.
    centre = rows.mean(0)
    generator = torch.Generator().manual_seed(seed)

    def drawn(size: int) -> Tensor:
        chosen = torch.randint(len(rows), (size, len(rows)), generator=generator)
        counts = torch.zeros(size, len(rows), dtype=torch.float64)
        return counts.scatter_add_(1, chosen, torch.ones(1, dtype=torch.float64).expand_as(chosen))

    means = torch.cat(list(_blocks(drawn, rows - centre, times))) / len(rows)
    outside = (1 - confidence) / 2
    # torch's quantile has a limit of elements.
    ends = torch.from_numpy(np.quantile(means.numpy(), [outside, 1 - outside], axis=0))
    return centre + ends[0], centre + ends[1]


def _sign_flips(differences: Tensor, times: int, seed: int) -> float:
    count = len(differences)
    observed = differences.sum().abs()
    # Sums that are equal but for rounding count as reached.
    reached = observed - 1e-12 * differences.abs().sum()
    if count <= _EXACT:
        every = torch.arange(2**count)[:, None] >> torch.arange(count) & 1
        sums = (2.0 * every.double() - 1) @ differences
        return float((sums.abs() >= reached).double().mean())
    generator = torch.Generator().manual_seed(seed)

    def drawn(size: int) -> Tensor:
        return 2.0 * torch.randint(2, (size, count), generator=generator).double() - 1

    found = sum(
        int((sums.abs() >= reached).sum()) for sums in _blocks(drawn, differences[:, None], times)
    )
    return (found + 1) / (times + 1)


def _blocks(drawn: Callable[[int], Tensor], rows: Tensor, times: int) -> Iterator[Tensor]:
    """Weights for the samples, `times` of them, times the rows: (a block of times, columns)."""
    size = max(1, min(times, _BLOCK // len(rows)))
    for start in range(0, times, size):
        yield drawn(min(size, times - start)) @ rows


def _effect(differences: Tensor) -> float:
    if len(differences) < 2:
        return math.nan
    mean, spread = float(differences.mean()), float(differences.std())
    if spread == 0:
        return 0.0 if mean == 0 else math.copysign(math.inf, mean)
    return mean / spread
