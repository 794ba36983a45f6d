"""What a comparison says in plain sentences, and never more than its intervals."""

import math
from collections.abc import Sequence

from whence.runs import Comparison as Pair
from whence.runs import Evaluation
from whence.serve._compare_schemas import CONTROL

_SHOWN = 6  # pairs that are named
_EXACT = 12  # samples up to which the test tries all signs


def says(found: Evaluation, metric: str) -> list[str]:
    """What is better beyond doubt, what is open, and what so many samples can show at all."""
    pairs = [pair for pair in found.comparisons(metric) if pair.difference.count]
    empty = [each for each in found.methods if not found.interval(each, metric).count]
    count = max((pair.difference.count for pair in pairs), default=0)
    if count < 2:
        return ["Too few samples are measured to say anything."]
    lines = _floor(pairs, count, 1 - found.confidence)
    lines = lines or [*_won(found, metric), *_no_better(pairs), *_open(pairs)]
    return lines + [f"{each} has no scores." for each in empty]


def progress(done: int, asked: int, seconds: float, *, finished: bool) -> str:
    """How far the budget reached.

    >>> progress(12, 20, 5.04, finished=True)
    '12 of 20 samples in 5.0 s. Four times the samples would halve the intervals.'
    """
    line = f"{done} of {asked} samples in {seconds:.1f} s"
    if not finished:
        return line
    return line + (". Four times the samples would halve the intervals." if done < asked else ".")


def _won(found: Evaluation, metric: str) -> list[str]:
    return [
        f"{rank.method} is better than {_listed(rank.beats)}."
        for rank in found.ranking(metric)
        if rank.beats
    ]


def _no_better(pairs: Sequence[Pair]) -> list[str]:
    """Methods that are not shown to be better than the control."""
    names = [
        pair.second if pair.first == CONTROL else pair.first
        for pair in pairs
        if CONTROL in (pair.first, pair.second) and pair.better in (None, CONTROL)
    ]
    if not names:
        return []
    return [f"Not shown to be better than the control, {CONTROL}: {_listed(names)}."]


def _open(pairs: Sequence[Pair]) -> list[str]:
    names = [
        f"{pair.first} or {pair.second}"
        for pair in pairs
        if pair.better is None and CONTROL not in (pair.first, pair.second)
    ]
    if not names:
        return []
    more = f"; and {len(names) - _SHOWN} more pairs" if len(names) > _SHOWN else ""
    return [f"Open, these samples do not tell which is better: {'; '.join(names[:_SHOWN])}{more}."]


def _floor(pairs: Sequence[Pair], count: int, share: float) -> list[str]:
    """Where so few samples cannot reach the limit, whatever they show: p >= 2 / 2^n for each test,
    and Holm multiplies the smallest by the number of tests."""
    least = min(1.0, len(pairs) * 2.0 ** (1 - min(count, _EXACT)))
    if count > _EXACT or least < share:
        return []
    needed = 2 + math.floor(math.log2(len(pairs) / share))
    return [
        f"With {count} samples nothing can be shown: the smallest possible p over {len(pairs)} "
        f"pairs is {least:.2g}. It takes at least {needed}."
    ]


def _listed(names: Sequence[str]) -> str:
    """Names as they are said: a, b and c."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
