"""The metrics that pages compare by, with knobs that fit the size of the pictures."""

import math
from collections.abc import Callable

from whence import metrics, runs
from whence.metrics import Features, Metric, Patches, Pixels
from whence.serve._compare_schemas import MetricEntry
from whence.serve._problem import Problem

_FINE = 32 * 32  # pixels: up to so many each is replaced alone, beyond they go in patches
_GRID = 16  # patches along a side
_POINTS, _FEWER = 32, 16  # of a curve, for small pictures and large ones


def _features(shape: tuple[int, ...]) -> Features:
    height, width = shape[-2:]
    is_small = height * width <= _FINE
    return Pixels() if is_small else Patches((-(-height // _GRID), -(-width // _GRID)))


def _steps(shape: tuple[int, ...]) -> int:
    """How many features go at once."""
    height, width = shape[-2:]
    if height * width <= _FINE:
        return math.ceil(height * width / _POINTS)
    tall, wide = -(-height // _GRID), -(-width // _GRID)
    return math.ceil(-(-height // tall) * -(-width // wide) / _FEWER)


def _removing(name: str) -> Callable[[tuple[int, ...]], Metric]:
    return lambda shape: metrics.metric(name, features=_features(shape), step=_steps(shape))


# Which of the library's metrics answer within seconds, for pictures without masks.
_MAKERS: dict[str, Callable[[tuple[int, ...]], Metric]] = {
    "flipping": _removing("flipping"),
    "srg": _removing("srg"),
    "insertion": _removing("insertion"),
    "deletion": _removing("deletion"),
    "completeness": lambda shape: metrics.metric("completeness"),
    "effective-size": lambda shape: metrics.metric("effective-size"),
}


def entries() -> list[MetricEntry]:
    """The metrics that are offered, in words."""
    found = {line.name: line for line in runs.catalogue()["metrics"]}
    return [
        MetricEntry(
            name=name,
            summary=found[name].summary,
            better=found[name].decomposes,
            papers=found[name].papers,
        )
        for name in _MAKERS
    ]


def metric_for(name: str, shape: tuple[int, ...]) -> Metric:
    """An offered metric for pictures of the shape (channels, height, width)."""
    if name not in _MAKERS:
        raise Problem("unknown_metric", f"There is no metric {name[:60]!r} to compare by.")
    return _MAKERS[name](shape)


def protocol_of(metric: Metric) -> str:
    """The knobs of a metric in a line, as they were for every method."""
    knobs = metric.protocol()["knobs"]
    told = (f"{key} {each}" for key, each in knobs.items() if each not in (None, False))
    return f"{metric.name}: " + ", ".join(told)
