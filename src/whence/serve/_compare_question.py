"""What a comparison asks, with every name looked up: a `Comparison` that has measured nothing."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from whence import zoo
from whence.errors import InvalidInput, WhenceError
from whence.metrics import Metric
from whence.runs._evaluate_ask import Asked, asked_explainers
from whence.serve._compare_metrics import metric_for
from whence.serve._compare_schemas import CONTROL, MOST_METHODS, AskCompare
from whence.serve._compare_work import Comparison, subset
from whence.serve._desk import Desk
from whence.serve._problem import Problem
from whence.serve._question import ask, find_class, needs_patterns
from whence.zoo import Dataset, Model

KINDS = ("digits", "image")
_COMPOSITE = ":composite="
_SEED = 0  # of the order in which samples are taken


def begin(desk: Desk, asked: AskCompare) -> Comparison:
    """The comparison that a request asks for, or a `Problem` for the first thing that is wrong."""
    net = desk.shelf.model(asked.model, *KINDS)
    metric = metric_for(asked.metric, net.input_shape)
    names = _methods(asked.methods)
    target = _target(net, asked.target)
    data = _chosen(held_out(desk, net), asked.samples)
    return Comparison(
        net=net,
        data=data,
        explainers=[_explainer(desk, net, name) for name in names],
        metric=_checked(metric),
        target=target,
        budget=float(asked.budget_seconds),
    )


def held_out(desk: Desk, net: Model) -> Dataset:
    """The held-out samples that a model can be measured on."""
    name = zoo.data_of(net.name)
    if name is None and len(net.classes) == 1000:
        name = "imagenet-samples"
    try:
        if name is not None:
            return zoo.dataset(name, desk.settings.root)
    except WhenceError:  # the data are not here
        pass
    raise Problem("not_available", f"There are no held-out samples for {net.name} here.")


def in_order(data: Dataset) -> list[int]:
    """The fixed random order in which samples are taken: whatever a budget reaches is a fair draw.

    Many data sets come class by class.
    """
    return np.random.default_rng(_SEED).permutation(len(data)).tolist()


def _methods(given: Sequence[str]) -> list[str]:
    """The names in their order, each once, with the control at the end if it is missing."""
    names = list(dict.fromkeys(given))
    if len(names) != len(given):
        raise Problem("bad_field", "methods: each may be there once.")
    names += [CONTROL] if CONTROL not in names else []
    if not 2 <= len(names) <= MOST_METHODS:
        raise Problem(
            "bad_field",
            f"methods: 2 to {MOST_METHODS} with the control {CONTROL!r}, got {len(names)}.",
        )
    return names


def _explainer(desk: Desk, net: Model, spelled: str) -> Asked:
    name, _, composite = spelled.partition(_COMPOSITE)
    made = ask(net, name, composite or None, None, None)
    options: dict[str, Any] = dict(made.options)
    if needs_patterns(made.kind):
        options["patterns"] = desk.shelf.patterns(net.name)
    try:
        (found,) = asked_explainers({spelled: (made.kind, options)}, net, None)
    except (WhenceError, TypeError) as error:
        text = " ".join(str(error).split())[:300]
        raise Problem("not_explained", f"{spelled} for {net.name}: {text}") from error
    return found


def _chosen(data: Dataset, samples: int | list[str]) -> Dataset:
    if isinstance(samples, int):
        return subset(data, in_order(data)[:samples])
    places = {name: place for place, name in enumerate(data.names)}
    missing = next((name for name in samples if name not in places), None)
    if missing is not None:
        raise Problem("unknown_sample", f"{data.name} has no sample {missing[:60]!r}.")
    if not samples or len(set(samples)) != len(samples):
        raise Problem("bad_field", "samples: at least one, each once.")
    return subset(data, [places[name] for name in samples])


def _target(net: Model, given: int | str | None) -> int | str | None:
    return given if given in (None, "label") else find_class(net, given)


def _checked(metric: Metric) -> Metric:
    if metric.direction == 0:
        raise InvalidInput(f"{metric.name} ranks nothing; compare by a metric that does.")
    return metric
