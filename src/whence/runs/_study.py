"""What `whence evaluate` is asked, in the words of the command line; checked before any work.

A method or metric with options is NAME:option=value, and more of them after further colons:
"lrp:composite=epsilon-plus", "integrated-gradients:steps=64:baseline=-1", "region:features=5x5".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from whence import metrics, zoo
from whence.errors import InvalidInput
from whence.explainers import method_class
from whence.metrics import Metric, Replacement
from whence.runs._calibrate import learns, training_patterns
from whence.runs._evaluate_ask import asked_explainers
from whence.runs._question import find_class
from whence.zoo import Dataset, Model, Texts

Spec = tuple[str, dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Study:
    """The loaded model and data, methods and metrics under the names they were asked by.

    target: None for the predicted class, "label" for the true one, or a class.
    """

    model: Model
    data: Dataset | Texts
    methods: Mapping[str, Spec]
    metrics: Mapping[str, Metric]
    target: str | int | None


def ask_study(
    model: str,
    data: str,
    methods: Sequence[str],
    measures: Sequence[str],
    *,
    replacements: Sequence[str] = (),
    draws: int | None = None,
    target: str = "predicted",
    split: str = "test",
    root: str | Path | None = None,
) -> Study:
    """Load model and data and check everything that is asked of them.

    methods, measures: names with options, see above. replacements: names from
    `metrics.REPLACEMENTS`; each metric that removes something is taken with each of them. draws:
    for those replacements that are random. target: "predicted", "label", or a class by number or
    name.
    """
    specs = {_clean(each): read_spec(each, "method") for each in methods if each.strip()}
    for name, _ in specs.values():
        method_class(name)
    measured = {_clean(each): _metric(each) for each in measures if each.strip()}
    if not specs or not measured:
        missing = "metric, such as flipping" if specs else "method, such as lrp"
        raise InvalidInput(f"Name at least one {missing}.")
    for each in replacements:
        metrics.replacement(each)
    net = zoo.model(model, root)
    chosen = _with_replacements(measured, measures, net, replacements, draws)
    _check_options(specs, net)
    aim = _target(net, target)
    held = zoo.dataset(data, root, split)
    return Study(net, held, _learned(specs, net, data, root), chosen, aim)


def read_spec(text: str, kind: str) -> Spec:
    """NAME:option=value:option=value as a name and its options."""
    name, *options = (each.strip() for each in text.split(":"))
    found: dict[str, Any] = {}
    for option in options:
        key, equals, value = option.partition("=")
        if not equals or not key:
            raise InvalidInput(
                f"Options of a {kind} are written {name or 'NAME'}:option=value, with further "
                f"colons between several; got {text.strip()!r}."
            )
        found[key.strip().replace("-", "_")] = _value(value.strip())
    return name, found


def read_shard(text: str) -> tuple[int, int]:
    """I/N, the I-th of N shares counted from 0, as `evaluate` takes it."""
    first, _, count = (each.strip() for each in text.partition("/"))
    if not (first.isdecimal() and count.isdecimal() and int(first) < int(count)):
        raise InvalidInput(
            f"A shard is I/N with I from 0 to N - 1, got {text!r}. The first of two is 0/2, the "
            "second 1/2."
        )
    return int(first), int(count)


def _metric(text: str) -> Metric:
    name, knobs = read_spec(text, "metric")
    try:
        return metrics.metric(name, **knobs)
    except TypeError as error:
        raise InvalidInput(f"The metric {text.strip()!r} cannot be made so: {error}.") from error


def _value(text: str) -> Any:
    """A number, true, false, none, or the word itself."""
    words = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _with_replacements(
    measured: Mapping[str, Metric],
    texts: Sequence[str],
    net: Model,
    names: Sequence[str],
    draws: int | None,
) -> dict[str, Metric]:
    """Each metric that removes something with each replacement, unless it came with its own."""
    fixed = {_clean(each) for each in texts if "replacement" in read_spec(each, "metric")[1]}
    made: dict[str, Metric] = {}
    for label, metric in measured.items():
        free = label not in fixed and isinstance(getattr(metric, "replacement", None), Replacement)
        for name in (names or [None]) if free else [None]:
            shown = f"{label} ({name})" if name is not None and len(names) > 1 else label
            made[shown] = metric if name is None else _replaced(metric, name, net)
    if names and not any("replacement" in _knobs(each) for each in measured.values()):
        raise InvalidInput(
            f"A replacement is for metrics that remove something, such as flipping and region; "
            f"{', '.join(measured)} {'do' if len(measured) > 1 else 'does'} not."
        )
    return made if draws is None else _with_draws(made, draws)


def _replaced(metric: Metric, name: str, net: Model) -> Metric:
    new = metrics.replacement(name, low=net.low, high=net.high)
    return replace(metric, replacement=new)  # type: ignore[type-var]


def _with_draws(made: Mapping[str, Metric], draws: int) -> dict[str, Metric]:
    """The metrics whose replacement is random with so many draws of it."""
    if draws < 1:
        raise InvalidInput(f"draws must be at least 1, got {draws}.")
    found, changed = {}, False
    for label, metric in made.items():
        found[label] = metric
        how = getattr(metric, "replacement", None)
        if isinstance(how, Replacement) and _takes_draws(how):
            drawn = replace(how, draws=draws)  # type: ignore[type-var]
            found[label] = replace(metric, replacement=drawn)  # type: ignore[type-var]
            changed = True
    if not changed:
        raise InvalidInput("draws is for the random replacements uniform and inpaint; none is.")
    return found


def _takes_draws(how: Any) -> bool:
    return any(each.name == "draws" and each.init for each in fields(how))


def _knobs(metric: Any) -> set[str]:
    return {each.name for each in fields(metric)}


def _check_options(specs: Mapping[str, Spec], net: Model) -> None:
    """Make each method once, so that a wrong option is an error before any work."""
    for label, spec in specs.items():
        try:
            asked_explainers({label: spec}, net, None)
        except TypeError as error:
            raise InvalidInput(f"The method {label!r} cannot be made so: {error}.") from error


def _learned(
    specs: Mapping[str, Spec], net: Model, data: str, root: str | Path | None
) -> dict[str, Spec]:
    """Methods that learn patterns get those of the training part of the data."""
    found = {}
    for label, (name, options) in specs.items():
        if learns(method_class(name)):
            estimator = str(options.get("estimator", "two-component"))
            options = options | {"patterns": training_patterns(net, data, root, estimator)}
        found[label] = (name, options)
    return found


def _target(net: Model, target: str) -> str | int | None:
    if target == "predicted":
        return None
    return target if target == "label" else find_class(net, target)


def _clean(text: str) -> str:
    return ":".join(each.strip() for each in text.split(":"))
