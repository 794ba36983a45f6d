"""What is measured, and by what: explainers and metrics in all the forms they are asked for."""

import hashlib
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn

from whence import metrics
from whence._explanation import Explanation
from whence.errors import InvalidInput
from whence.explainers import Explainer, Foreign, method_class, preset
from whence.explainers._suggest import suggestion
from whence.metrics import Metric
from whence.targets import as_target
from whence.zoo import Model


@dataclass(frozen=True, eq=False)
class Asked:
    """One explainer under its label, with options for each call of `explain`."""

    label: str
    explainer: Explainer
    options: Mapping[str, Any] = field(default_factory=dict)

    def explain(self, inputs: Any, target: Any) -> Explanation:
        """The explanation of one batch."""
        run: Callable[..., Explanation] = self.explainer.explain
        return run(inputs, target, **self.options)

    def record(self) -> dict[str, Any]:
        """What it is, in plain words and hashes."""
        return {
            "label": self.label,
            "method": self.explainer.name or type(self.explainer).__name__,
            "knobs": knobs_of(self.explainer) | described(self.options),
            "decomposes": self.explainer.decomposes,
        }


class Called(Explainer):
    """A function (model, inputs, target) -> relevance, or an Explanation, as a method."""

    name = "function"
    decomposes = "unknown: a function gave it"

    def __init__(self, model: Callable[..., Any], function: Callable[..., Any]) -> None:
        super().__init__(model)
        self.function = function

    def explain(self, inputs: Any, target: Any = None) -> Explanation:
        found = self.function(self.model, inputs, target)
        if isinstance(found, Explanation):
            return found
        relevance = found if isinstance(found, (dict, tuple)) else torch.as_tensor(found)
        return Explanation(
            relevance=relevance,
            inputs=inputs,
            output=None,
            target=as_target(target),
            score=torch.zeros(0),
            method=self.name,
        )


def asked_explainers(
    explainers: Sequence[Any] | Mapping[str, Any], model: Any, output: Any, seed: int = 0
) -> tuple[Asked, ...]:
    """The explainers, each bound to the model and with a label of its own."""
    always = {"seed": seed} | ({} if output is None else {"output": output})
    if isinstance(explainers, (str, Explainer)) or callable(explainers):
        explainers = [explainers]
    if isinstance(explainers, Mapping):
        found = [_asked(each, label, model, always) for label, each in explainers.items()]
    else:
        found = [_asked(each, None, model, always) for each in explainers]
    if not found:
        raise InvalidInput("Name at least one explainer, such as lrp.")
    labels = distinct([each.label for each in found])
    return tuple(
        Asked(label, each.explainer, each.options)
        for label, each in zip(labels, found, strict=True)
    )


def asked_metrics(asked: Sequence[Any] | Mapping[str, Any]) -> dict[str, Metric]:
    """The metrics, each under a label of its own."""
    if isinstance(asked, (str, Metric)):
        asked = [asked]
    pairs = list(asked.items()) if isinstance(asked, Mapping) else [(None, each) for each in asked]
    if not pairs:
        raise InvalidInput(f"Name at least one metric: {', '.join(metrics.names())}.")
    made = [metric_of(each) for _, each in pairs]
    names = [label or _metric_label(each) for (label, _), each in zip(pairs, made, strict=True)]
    return dict(zip(distinct(names), made, strict=True))


def metric_of(asked: Any) -> Metric:
    """A metric, or the one of that name, with its default knobs or given ones."""
    if isinstance(asked, Metric):
        return asked
    name, knobs = asked if isinstance(asked, tuple) and len(asked) == 2 else (asked, {})
    if not isinstance(name, str):
        raise InvalidInput(
            "A metric is a name from whence.metrics.names(), a pair (name, knobs) or a Metric; "
            f"got {asked!r}."
        )
    return metrics.metric(name, **knobs)


def distinct(labels: Sequence[str]) -> list[str]:
    """The labels, numbered where they repeat."""
    found: list[str] = []
    for label in labels:
        number, name = 2, label
        while name in found:
            name, number = f"{label} {number}", number + 1
        found.append(name)
    return found


def check_shard(shard: tuple[int, int]) -> None:
    """Refuse a share that is none."""
    if len(shard) != 2 or not 0 <= shard[0] < shard[1]:
        raise InvalidInput(
            f"shard must be (i, n) with i from 0 to n - 1, got {shard}. The first of two is (0, 2)."
        )


def described(value: Any) -> Any:
    """A knob as plain text that is the same in every process, with a hash of tensors in it."""
    if isinstance(value, (str, int, float, bool, type(None))):
        return value
    if isinstance(value, Tensor):
        return f"tensor {tuple(value.shape)} {digest(value)}"
    if isinstance(value, nn.Module):
        return f"{type(value).__name__} {model_hash(value)}"
    if isinstance(value, Mapping):
        return {str(key): described(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [described(each) for each in value]
    if isinstance(value, Explainer):
        return {"method": type(value).__name__} | knobs_of(value)
    name = getattr(value, "__qualname__", None)
    text = f"{getattr(value, '__module__', '')}.{name}" if name else repr(value)
    hashes = "".join(f" #{digest(each)}" for each in _tensors(value))
    return re.sub(r" at 0x[0-9a-f]+", "", text) + hashes


def knobs_of(explainer: Explainer) -> dict[str, Any]:
    """What an explainer was made with, but for its model."""
    held = {key: each for key, each in vars(explainer).items() if not key.startswith("_")}
    return {key: described(each) for key, each in held.items() if key != "model"}


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors in a value made of dataclasses and containers: its text may not show them."""
    if isinstance(value, Tensor):
        yield value
    elif is_dataclass(value) and not isinstance(value, type):
        yield from _tensors([getattr(value, each.name) for each in fields(value)])
    elif isinstance(value, Mapping):
        yield from _tensors(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _tensors(each)


def model_hash(model: Any) -> str:
    """A hash of a module's structure and weights; of a function there is only its name."""
    if not isinstance(model, nn.Module):
        return f"function {described(model)}"
    found = hashlib.blake2b(str(model).encode(), digest_size=16)
    for name, each in model.state_dict().items():
        found.update(name.encode())
        if isinstance(each, Tensor):
            found.update(digest(each).encode())
    return found.hexdigest()


def digest(tensor: Tensor) -> str:
    """A hash of a tensor's type, shape and content."""
    plain = tensor.detach().cpu().contiguous().flatten()
    found = hashlib.blake2b(f"{tensor.dtype}{tuple(tensor.shape)}".encode(), digest_size=16)
    found.update(plain.view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def _asked(given: Any, label: str | None, model: Any, always: Mapping[str, Any]) -> Asked:
    module = model.module if isinstance(model, Model) else model
    if isinstance(given, Explainer):
        return Asked(label or given.name or type(given).__name__, given)
    name, options = given if isinstance(given, tuple) and len(given) == 2 else (given, {})
    if isinstance(name, str) or (isinstance(name, type) and issubclass(name, Explainer)):
        return _by_name(name, dict(options), label, model, always)
    if hasattr(name, "attribute"):  # as captum's objects have it; they know their model
        theirs = Foreign(name, output=always.get("output"), **options)
        return Asked(label or theirs.name, theirs)
    if callable(name):
        words = getattr(name, "__name__", type(name).__name__).replace("<lambda>", "function")
        return Asked(label or words, Called(module, name))
    raise InvalidInput(
        "An explainer is a name from whence.methods(), a pair (name, options), an Explainer, an "
        "attribution object of captum or a function (model, inputs, target) -> relevance; got "
        f"{given!r}."
    )


def _by_name(
    name: str | type[Explainer],
    options: dict[str, Any],
    label: str | None,
    model: Any,
    always: Mapping[str, Any],
) -> Asked:
    """A method with its options shared out between its constructor and `explain`."""
    kind = method_class(name) if isinstance(name, str) else name
    label = label or _label(kind, options)
    known = set(inspect.signature(kind.__init__).parameters) - {"self", "model"}
    allowed = set(inspect.signature(kind.explain).parameters) - {"self", "inputs", "target"}
    if isinstance(model, Model) and model.low is not None:
        box = {"low": model.low, "high": model.high}
        options = {key: each for key, each in box.items() if key in known} | options
        if isinstance(options.get("composite"), str):
            options["composite"] = preset(options["composite"], box)
    elif isinstance(options.get("composite"), str):
        options["composite"] = preset(options["composite"], options)
    wrong = sorted(set(options) - known - allowed)
    if wrong:
        choices = sorted(known | allowed)
        raise InvalidInput(
            f"{kind.name} has no option {wrong[0]!r}.{suggestion(wrong[0], choices)} "
            f"Its options: {', '.join(choices) or 'none'}."
        )
    options = {key: each for key, each in always.items() if key in known} | options
    making = {key: each for key, each in options.items() if key in known}
    asking = {key: each for key, each in options.items() if key not in known}
    module = model.module if isinstance(model, Model) else model
    return Asked(label, kind(module, **making), asking)


def _label(kind: type[Explainer], options: Mapping[str, Any]) -> str:
    shown = ", ".join(
        str(each) if key == "composite" and isinstance(each, str) else f"{key}={each}"
        for key, each in options.items()
        if isinstance(each, (str, int, float, bool))
    )
    return f"{kind.name} ({shown})" if shown else kind.name


def _metric_label(metric: Metric) -> str:
    """The name, with the knobs that are not as by default."""
    default = {each.name: each.default for each in fields(metric)}  # type: ignore[arg-type]
    changed = []
    for name, usual in default.items():
        value = getattr(metric, name)
        if isinstance(value, (str, int, float, bool)) and value != usual:
            changed.append(str(value) if isinstance(value, str) else f"{name}={value}")
        elif is_dataclass(value) and not isinstance(value, type) and value != _usual(metric, name):
            changed.append(type(value).__name__)
    return f"{metric.name} ({', '.join(changed)})" if changed else metric.name


def _usual(metric: Metric, name: str) -> Any:
    (found,) = (each for each in fields(metric) if each.name == name)  # type: ignore[arg-type]
    return found.default_factory() if callable(found.default_factory) else found.default
