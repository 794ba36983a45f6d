"""The contract that every metric keeps."""

import dataclasses
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from whence._references import REFERENCES
from whence.errors import InvalidInput
from whence.explainers import LRP
from whence.explainers._inputs import Inputs
from whence.metrics import INVARIANCES, Curve, Metric, Scores
from whence.metrics._cost import foretold
from whence.testing._check_explainer import small_net
from whence.testing._samples import Samples, maps_of
from whence.testing._untouched import untouched

Make = Callable[[], Metric]
Change = Callable[[Tensor], Tensor]

_NEEDS = {
    "model": "",
    "explainer": "explainer",
    "labels": "label",
    "masks": "mask",
    "ledger": "explanation",
}
_NEAR = 1e-9  # scores that count as the same

# What the relevance becomes, for each invariance of it.
_CHANGES: dict[str, tuple[Change, ...]] = {
    "scale": (lambda R: 4 * R, lambda R: R / 16),
    "sign": (lambda R: -R,),
    "offset": (lambda R: R + 0.375, lambda R: R - 0.75, lambda R: R + 8),
    "channels": (lambda R: R.sum(1, keepdim=True),),
}


def check_metric(
    make: Make,
    *,
    model: nn.Module | None = None,
    inputs: Any = None,
    target: Any = None,
    explainer: Callable[[Any], Any] = LRP,
    masks: Tensor | None = None,
    labels: Tensor | None = None,
    exact: bool = True,
) -> None:
    """Raise AssertionError unless a metric keeps its contract.

    `make()` builds the metric. Checked:

    - what it declares is complete, and its protocol, with every knob, can be written as JSON;
    - it gets what it needs and nothing else, and says in words what is missing;
    - scores are float64, one for each sample, within the range; curves fit them;
    - each invariance of `metrics.INVARIANCES` that it declares holds, and each that it does not
      declare fails for some relevance: what is said is neither too much nor too little;
    - its cost foretells forward passes and further explanations exactly;
    - twice gives the same, whatever torch's generator has drawn, which is left as it was;
    - model, inputs, relevance and masks are as before.

    By default four pictures of 2x8x8 in float64, a small convolutional net of three classes, and a
    target for each sample. model, inputs, target, masks, labels: others, for metrics that need
    them; explainer: model -> explainer. exact=False: the cost is an upper bound.

    ```python
    check_metric(lambda: PixelFlipping(step=4))
    ```
    """
    metric = make()
    _check_declared(metric)
    samples = _samples(model, inputs, target, explainer, masks, labels)
    maps = maps_of(samples)
    _check_untouched(metric, samples)  # the first to measure, so that the first trace is seen
    scores = _check_scores(metric, samples, maps)
    _check_needs(metric, samples)
    _check_cost(metric, samples, exact)
    _check_again(metric, make(), samples)
    _check_company(metric, samples, maps, scores)
    for name in _CHANGES:
        _check_change(metric, samples, maps, scores, name)


def _samples(
    model: nn.Module | None, inputs: Any, target: Any, make: Any, masks: Any, labels: Any
) -> Samples:
    given = model is None and inputs is None
    model = small_net() if model is None else model
    inputs = _pictures() if inputs is None else inputs
    count = Inputs.of(inputs).batch
    if count < 3:
        raise AssertionError(f"check_metric needs at least three samples, got {count}.")
    target = [0, 1, 2, 1] if target is None and given else target
    if masks is None:
        leaf = next(each for each in Inputs.of(inputs).leaves if len(each) == count)
        masks = torch.zeros(count, *(leaf.shape[2:] or leaf.shape[1:]), dtype=torch.bool)
        masks[:, ..., 1:4] = True
    labels = torch.arange(count) % 2 if labels is None else labels
    ids = [f"sample {row}" for row in range(count)]
    samples = Samples(model, inputs, target, make, masks, labels, torch.zeros(0), ids)
    return replace(samples, relevance=maps_of(samples)["an explanation"])


def _pictures() -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(4, 2, 8, 8, generator=generator, dtype=torch.float64)


def _check_declared(metric: Metric) -> None:
    kind = type(metric).__name__
    if not isinstance(getattr(metric, "name", None), str) or not metric.name:
        raise AssertionError(f"{kind} has no name.")
    if getattr(metric, "direction", None) not in (-1, 0, 1):
        raise AssertionError(f"{kind}.direction must be 1 (larger is better), -1 or 0.")
    low, high = getattr(metric, "range", (1.0, 0.0))
    if not low < high:
        raise AssertionError(f"{kind}.range must be two numbers, the lower first.")
    _check_known(kind, "needs", metric.needs, _NEEDS)
    _check_known(kind, "invariances", metric.invariances, INVARIANCES)
    _check_known(kind, "sources", metric.sources, REFERENCES)
    for name in ("sources", "equation"):
        if not getattr(metric, name):
            raise AssertionError(f"{kind} declares no {name}.")
    if not dataclasses.is_dataclass(metric) or not type(metric).__dataclass_params__.frozen:  # type: ignore[attr-defined]
        raise AssertionError(f"{kind} must be a frozen dataclass: its knobs are its protocol.")
    protocol = metric.protocol()
    missing = {each.name for each in dataclasses.fields(metric)} - protocol["knobs"].keys()
    if missing:
        raise AssertionError(f"The protocol of {kind} lacks the knobs {sorted(missing)}.")
    try:
        text = json.dumps(protocol)
    except TypeError as error:
        raise AssertionError(f"The protocol of {kind} cannot be written as JSON: {error}") from None
    if " at 0x" in text:
        raise AssertionError(f"The protocol of {kind} names an object by its address: {text}")


def _check_known(kind: str, name: str, found: Sequence[str] | frozenset[str], known: Any) -> None:
    unknown = sorted(set(found) - set(known))
    if unknown:
        raise AssertionError(f"{kind}.{name}: {unknown} are none of {', '.join(known)}.")


def _check_scores(metric: Metric, samples: Samples, maps: dict[str, Tensor]) -> dict[str, Tensor]:
    """The scores of each map."""
    found = [_measured(metric, samples, R) for R in maps.values()]
    for scores, name in zip(found, maps, strict=True):
        _check_form(scores, len(samples), f"{metric!r} on {name}")
        _check_range(metric, scores.values, f"{metric!r} on {name}")
    if all(bool(scores.values.isnan().all()) for scores in found):
        raise AssertionError(f"{metric!r}: all scores are NaN, so nothing was checked.")
    return {name: scores.values for name, scores in zip(maps, found, strict=True)}


def _check_form(scores: Any, count: int, place: str) -> None:
    if not isinstance(scores, Scores):
        raise AssertionError(f"{place}: measure gave {type(scores).__name__}, not Scores.")
    values = scores.values
    if values.shape != (count,) or values.dtype != torch.float64:
        raise AssertionError(
            f"{place}: scores must be float64 of shape ({count},), got {values.dtype} of shape "
            f"{tuple(values.shape)}."
        )
    if values.requires_grad:
        raise AssertionError(f"{place}: scores require grad, which nobody asked for.")
    for name, each in scores.details.items():
        if len(each) != count:
            raise AssertionError(f"{place}: the detail {name!r} is not one for each sample.")
    for name, curve in scores.curves.items():
        _check_curve(curve, count, f"{place}: the curve {name!r}")


def _check_curve(curve: Curve, count: int, what: str) -> None:
    points = curve.y.shape[1:]
    if len(curve.y) != count or curve.x.shape not in (points, curve.y.shape):
        raise AssertionError(
            f"{what} has y of shape {tuple(curve.y.shape)} and x of shape {tuple(curve.x.shape)}, "
            f"for {count} samples."
        )


def _check_range(metric: Metric, values: Tensor, place: str) -> None:
    low, high = metric.range
    outside = (values < low - _NEAR) | (values > high + _NEAR)
    if bool(outside.any()):
        raise AssertionError(
            f"{place}: the scores {values[outside].tolist()} are not within the range "
            f"[{low}, {high}]."
        )


def _check_needs(metric: Metric, samples: Samples) -> None:
    for need in set(metric.needs) - {"model"}:
        try:
            samples.measure(metric, without=need)
        except InvalidInput as error:
            if _NEEDS[need] in str(error).lower():
                continue
            message = f"an InvalidInput that does not speak of it: {error}"
        except Exception as error:
            message = f"{type(error).__name__}: {error}"
        else:
            message = "nothing"
        raise AssertionError(
            f"{metric!r} needs {need!r}. Without it there must be an InvalidInput that says so; "
            f"there was {message}"
        )


def _check_cost(metric: Metric, samples: Samples, exact: bool) -> None:
    batch = samples.batch(metric.needs)
    cost = metric.cost(batch)
    if batch.forwarded:
        raise AssertionError(f"{metric!r}: cost() asked the model {batch.forwarded} times.")
    samples.explained.clear()
    samples.measure(metric, batch)
    counts = {
        "forward passes": (foretold([cost]), batch.forwarded),
        "explanations": (cost.explanations, sum(samples.explained)),
    }
    for what, (expected, found) in counts.items():
        if found > expected * len(samples) or (exact and found != expected * len(samples)):
            raise AssertionError(
                f"{metric!r}: cost() foretells {expected} {what} for each of {len(samples)} "
                f"samples, and there were {found} in all."
            )
    if batch.forwarded and "model" not in metric.needs:
        raise AssertionError(f"{metric!r} asks the model, and does not declare that it needs it.")


def _check_untouched(metric: Metric, samples: Samples) -> None:
    tensors = [*Inputs.of(samples.inputs).leaves, samples.relevance, samples.masks, samples.labels]
    before = torch.get_rng_state()
    with untouched(samples.model, *tensors, what=repr(metric)):
        samples.measure(metric)
    if not torch.equal(before, torch.get_rng_state()):
        raise AssertionError(
            f"{metric!r} draws from torch's generator, which is the user's. Draws belong to a "
            "sample: metrics._draws gives them from batch.keys."
        )


def _check_again(metric: Metric, other: Metric, samples: Samples) -> None:
    first = samples.measure(metric).values
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1234)
        second = samples.measure(other).values
    if not _same(first, second, 0):
        raise AssertionError(
            f"{metric!r}: twice the same question, two answers: {first.tolist()} and "
            f"{second.tolist()}."
        )


def _check_company(
    metric: Metric, samples: Samples, maps: dict[str, Tensor], scores: dict[str, Tensor]
) -> None:
    """Together, alone, in chunks, in another order."""
    everyone = list(range(len(samples)))
    other = [everyone[-1], *everyone[:-1]]
    differences: dict[str, list[str]] = {"batch": [], "order": []}
    for name, R in maps.items():
        given = replace(samples, relevance=R)
        together = scores[name]
        alone = torch.cat([given.take([row]).measure(metric).values for row in everyone])
        chunks = given.measure(metric, given.batch(metric.needs, chunk=3)).values
        moved = given.take(other).measure(metric).values
        for how, found in (("alone", alone), ("in chunks of 3", chunks)):
            differences["batch"] += _difference(found, together, f"{how}, for {name}")
        differences["order"] += _difference(moved, together[other], f"in another order, for {name}")
    for name, found in differences.items():
        _judge(metric, name, found)


def _check_change(
    metric: Metric,
    samples: Samples,
    maps: dict[str, Tensor],
    scores: dict[str, Tensor],
    name: str,
) -> None:
    found, tried = [], 0
    for place, R in maps.items():
        if name == "channels" and (R.dim() < 3 or R.shape[1] == 1):
            continue
        for change in _CHANGES[name]:
            tried += 1
            try:
                after = _measured(metric, samples, change(R)).values
            except InvalidInput as error:  # such as relevance without channels
                found.append(f"for {place}: {error}")
                continue
            found += _difference(after, scores[place], f"for {place}")
    if tried:
        _judge(metric, name, found)


def _judge(metric: Metric, name: str, differences: list[str]) -> None:
    """A declared invariance holds, an undeclared one does not."""
    if name in metric.invariances and differences:
        raise AssertionError(
            f"{metric!r} declares {name!r} ({INVARIANCES[name]}), but scores differ "
            f"{differences[0]}"
        )
    if name not in metric.invariances and not differences:
        raise AssertionError(
            f"{metric!r} does not declare {name!r} ({INVARIANCES[name]}), but no score differed in "
            "any case. Declare it, or check with inputs that show the difference."
        )


def _measured(metric: Metric, samples: Samples, relevance: Tensor) -> Scores:
    return replace(samples, relevance=relevance).measure(metric)


def _difference(found: Tensor, expected: Tensor, place: str) -> list[str]:
    if _same(found, expected, _NEAR):
        return []
    return [f"{place}: {found.tolist()} where {expected.tolist()} should be."]


def _same(found: Tensor, expected: Tensor, tolerance: float) -> bool:
    return torch.allclose(found, expected, rtol=tolerance, atol=tolerance, equal_nan=True)
