"""Estimating patterns: the model runs over data batch by batch, and each layer's moments add up."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from whence.engine import (
    Constants,
    Op,
    Tape,
    clear,
    paused_collection,
    record,
)
from whence.errors import InvalidInput
from whence.explainers._checks import check_inputs
from whence.explainers._inputs import Inputs
from whence.explainers._pattern_layers import check_supported, is_sum, rows_of, shaped, weight_of
from whence.explainers._pattern_moments import Moments
from whence.explainers._patterns import ESTIMATORS, LayerPatterns, Patterns, fingerprint

_WAITS = ("index", "max")  # what stands between a layer and its ReLU without changing signs
RECTIFIERS = ("relu", "relu6", "hardtanh", "clamp", "clamp_min", "threshold")
_PLACE = "place"


@dataclass
class _Sums:
    """What is known of one layer so far; `closed` is of y <= 0 where a ReLU reads the layer."""

    kind: str  # the operation's name, which says how its weights lie
    shape: torch.Size  # of the weights
    W: Tensor
    opened: Moments
    closed: Moments | None


def fit_patterns(
    model: Callable[..., Any],
    batches: Iterable[Any],
    estimator: str = "two-component",
    *,
    batch_axis: int = 0,
    said: Callable[[int], None] = lambda samples: None,
) -> Patterns:
    """Patterns of all linear operations of a model, from batches of its inputs."""
    check_estimator(estimator)
    sums: dict[str, _Sums] = {}
    constants, samples = Constants(), 0
    for batch in batches:
        given = Inputs.of(batch, batch_axis)
        check_inputs(model, given)
        with torch.no_grad(), paused_collection():
            tape = record(model, given.args, given.kwargs, given.leaves, constants=constants)
            _check_natures(tape)
            for name, op in places_of(tape).items():
                _add(sums, name, op)
            clear(tape)
        samples += given.batch
        said(samples)
    if not sums:
        raise InvalidInput(
            "Patterns need data and a model with linear layers, got "
            f"{samples} samples and no such layer. Give fit() the inputs the model was trained on."
        )
    with torch.no_grad():
        layers = {name: _estimated(each, estimator) for name, each in sums.items()}
    return Patterns(estimator, samples, layers, fingerprint(model))


def check_estimator(name: str) -> None:
    """Raise unless there is an estimator of this name."""
    if name not in ESTIMATORS:
        raise InvalidInput(f"estimator= must be one of {', '.join(ESTIMATORS)}, got {name!r}.")


def places_of(tape: Tape) -> dict[str, Op]:
    """The linear operations and sums of a tape under names that are the same in each run.

    The module's path, with a plus for sums; with @1, @2, ... where the module is called again, and
    #1, #2, ... where one call has several.
    """
    found: dict[str, Op] = {}
    seen: Counter[tuple[str, int]] = Counter()
    for op in tape.ops:
        if op.nature != "linear" and not is_sum(op):
            continue
        name = (op.path or "forward") + ("+" if op.nature == "sum" else "")
        number = seen[name, op.call]
        seen[name, op.call] += 1
        name = name + (f"@{op.call}" if op.call else "")
        found[name + (f"#{number}" if number else "")] = op
    return found


def mark_places(tape: Tape) -> None:
    """Write on each operation with a pattern where it is, for `place_of`."""
    for name, op in places_of(tape).items():
        op.cache[_PLACE] = name


def place_of(op: Op) -> str:
    """The name that `mark_places` gave."""
    return op.cache[_PLACE]


def is_rectified(op: Op) -> bool:
    """Whether only ReLUs read the operation's output, directly or moved or pooled."""
    readers = [reader for value in op.outputs for reader in value.readers]
    return bool(readers) and all(
        is_rectifier(reader) or (reader.nature in _WAITS and is_rectified(reader))
        for reader in readers
    )


def is_rectifier(op: Op) -> bool:
    """Whether it is a ReLU, however it is written: what comes out is never below zero."""
    return op.name in RECTIFIERS and bool(op.outputs) and op.outputs[0].sign is True


def batches_of(data: Any, batch_size: int, axis: int = 0) -> Iterator[Any]:
    """Batches from whatever holds the data: a tensor, or an iterable of batches.

    Of a batch (x, y), as data loaders give it, x is the input; a dict is keyword arguments.
    """
    if isinstance(data, Tensor):
        yield from data.split(batch_size, axis)
        return
    if isinstance(data, Mapping) or not isinstance(data, Iterable):
        raise InvalidInput(
            "fit() needs a tensor of inputs or an iterable of batches, such as a data loader; got "
            f"{type(data).__name__}. A single batch of keyword arguments goes into a list."
        )
    for batch in data:
        yield batch[0] if isinstance(batch, (tuple, list)) and len(batch) else batch


def _check_natures(tape: Tape) -> None:
    for op in tape.ops:
        if op.nature == "recurrent":
            raise InvalidInput(
                f"Patterns are those of dense and convolutional layers, but {op.where()} is a "
                "recurrent one, whose weights act on every step. Use LRP instead."
            )
        if op.nature == "linear":
            check_supported(op)


def _add(sums: dict[str, _Sums], name: str, op: Op) -> None:
    rectified = is_rectified(op)
    for rows in rows_of(op):
        fires = rows.output > 0 if rectified else None
        opened = Moments.of(rows, fires)
        closed = None if fires is None else Moments.of(rows, ~fires)
        shape = rows.W.shape if op.nature == "sum" else weight_of(op).shape
        known = sums.setdefault(name, _Sums(op.name, shape, rows.W, opened, closed))
        if known.opened is opened:
            continue
        if (known.closed is None) != (closed is None) or known.W.shape != rows.W.shape:
            raise InvalidInput(
                f"{op.where()} is another layer in this batch than in those before: the model "
                "takes other ways with other data, and patterns belong to one way."
            )
        known.opened = known.opened.plus(opened)
        if known.closed is not None and closed is not None:
            known.closed = known.closed.plus(closed)


def _estimated(sums: _Sums, estimator: str) -> LayerPatterns:
    opened, closed = sums.opened, sums.closed
    whole = opened if closed is None else opened.plus(closed)
    if closed is None or estimator == "linear":
        return _layer(sums, whole.pattern(whole.mean_y, sums.W), None)
    if estimator == "centred":
        means = (opened.mean_y, closed.mean_y)
    else:
        means = (whole.mean_y, whole.mean_y)
    signal, other = opened.pattern(means[0], sums.W), closed.pattern(means[1], sums.W)
    return _layer(sums, signal, other)


def _layer(sums: _Sums, signal: Tensor, other: Tensor | None) -> LayerPatterns:
    dead = int((signal == 0).all(1).sum())
    own = shaped(sums.kind, signal, sums.shape)
    return LayerPatterns(own, None if other is None else shaped(sums.kind, other, sums.shape), dead)
