"""A comparison's state as an answer: rows, pairs, curves, charts, sentences."""

import math
import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace

from torch import Tensor

from whence import runs, viz
from whence.metrics import Difference, Interval
from whence.runs import Evaluation, failure_lines
from whence.serve._compare_metrics import entries, protocol_of
from whence.serve._compare_schemas import (
    Charts,
    CompareAnswer,
    ComparedSample,
    Ends,
    MeanCurveAnswer,
    MethodRow,
    PairRow,
)
from whence.serve._compare_words import progress, says
from whence.serve._compare_work import Comparison
from whence.viz._series import LINES

_DRAWING = threading.Lock()  # writing SVG sets options of matplotlib for the whole process


def answer_of(number: str, held: Comparison, new: Sequence[ComparedSample]) -> CompareAnswer:
    """What is known so far, with the samples that are new."""
    found, metric = held.evaluation(), held.metric.name
    return CompareAnswer(
        id=number,
        finished=held.finished,
        model=held.net.name,
        metric=next(each for each in entries() if each.name == metric),
        protocol=protocol_of(held.metric),
        done=held.done,
        asked=len(held.data),
        seconds=held.spent,
        budget=held.budget,
        progress=progress(held.done, len(held.data), held.spent, finished=held.finished),
        says=says(found, metric),
        new=list(new),
        rows=_rows(found, metric),
        pairs=[
            PairRow(
                first=pair.first,
                second=pair.second,
                difference=_ends(pair.difference),
                p=_number(pair.difference.p),
                better=pair.better,
            )
            for pair in found.comparisons(metric)
        ],
        curves={
            method: MeanCurveAnswer(
                x=each.x.tolist(),
                mean=_numbers(each.mean),
                low=_numbers(each.low),
                high=_numbers(each.high),
            )
            for method, each in found.curves(metric).items()
        },
        charts=_charts(found, held.metric.name),
        notes=failure_lines(found.failures) + failure_lines(found.left_out, "has no number for"),
    )


def _rows(found: Evaluation, metric: str) -> list[MethodRow]:
    """The methods in the order they were asked for."""
    ranks = {rank.method: rank for rank in found.ranking(metric)}
    summaries = {line.name: line.summary for line in runs.catalogue()["methods"]}
    rules = {line.name: line.summary for line in runs.catalogue()["composites"]}
    rows = []
    for place, method in enumerate(found.methods):
        name, _, composite = method.partition(":composite=")
        rank = ranks[method]
        rows.append(
            MethodRow(
                method=method,
                summary=rules[composite] if composite else summaries[name],
                score=_ends(rank.interval),
                samples=rank.interval.count,
                missing=rank.interval.missing,
                place=rank.place,
                beats=list(rank.beats),
                colour=LINES[place % len(LINES)],
            )
        )
    return rows


def _charts(found: Evaluation, metric: str) -> Charts:
    row = replace(found.measured(metric), title="mean score")
    # A curve of which no sample is whole has nothing to show.
    held = {name: band for name, band in row.bands.items() if math.isfinite(band[1].sum())}
    bands = replace(row, bands=held, title="mean curve")
    with _DRAWING:
        return Charts(
            intervals=viz.to_svg(viz.draw_intervals(row)),
            curves=viz.to_svg(viz.draw_bands(bands)) if held else None,
        )


def _ends(found: Interval | Difference) -> Ends:
    return Ends(mean=_number(found.mean), low=_number(found.low), high=_number(found.high))


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _numbers(values: Tensor | Iterable[float]) -> list[float | None]:
    return [_number(float(each)) for each in values]
