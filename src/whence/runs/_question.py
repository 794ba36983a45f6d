"""What is asked of every picture of a run: a model, methods, a target; checked before any work."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from whence import zoo
from whence.errors import InvalidInput
from whence.explainers import Explainer, describe, method_class, preset
from whence.runs._calibrate import learned, learns
from whence.targets import Contrast, Highest, Logit, Target
from whence.zoo import ImageInput, Model


@dataclass(frozen=True)
class Asked:
    """One method as it is asked: its class, and the options of its constructor."""

    kind: type[Explainer]
    options: dict[str, Any]
    stem: str  # of the names of its files


@dataclass(frozen=True, eq=False)
class Question:
    """The loaded model, the methods, and the target with its name; made by `ask`."""

    net: Model
    preprocess: ImageInput
    asked: tuple[Asked, ...]
    target: Target
    words: str
    composite: str | None
    known: dict[str, Any] = field(default_factory=dict, repr=False)  # hashes and rules, once made


def ask(
    model: str,
    methods: Sequence[str] = ("lrp",),
    *,
    composite: str | None = None,
    target: str | None = None,
    contrast: str | None = None,
    root: str | Path | None = None,
    item: str | None = None,
) -> Question:
    """Load the model and check everything that is asked of it.

    methods: names from `whence.methods()`. composite: a preset's name, for the methods that take
    one. target: a class by number or name, by default the highest score. contrast: "3,9" asks what
    speaks for 3 rather than 9. item: what will be explained; methods that learn from data before
    they explain, such as pattern-attribution, get the training part of the data set it names.
    """
    if target is not None and contrast is not None:
        raise InvalidInput("Give a target or a contrast, not both.")
    methods_of(methods, composite)
    net = zoo.model(model, root)
    if not isinstance(net.preprocess, ImageInput):
        raise InvalidInput(f"{model} does not take pictures. `whence models` lists others.")
    aim, words = _target(net, target, contrast)
    suffix = "" if words == "the highest score" else "-for-" + words.replace(", not ", "-not-")
    made = asked_methods(net, methods, composite, suffix)
    more = learned([each.kind for each in made], net, item, root)
    made = tuple(
        replace(each, options=each.options | more) if learns(each.kind) else each for each in made
    )
    return Question(net, net.preprocess, made, aim, words, composite)


def methods_of(methods: Sequence[str], composite: str | None) -> list[type[Explainer]]:
    """The classes of named methods, of which one must take the composite."""
    kinds = [method_class(name) for name in dict.fromkeys(methods)]
    if not kinds:
        raise InvalidInput("Name at least one method, such as lrp.")
    if composite is not None and not any("composite" in _parameters(kind) for kind in kinds):
        raise InvalidInput(f"None of {', '.join(methods)} takes a composite. Add lrp.")
    return kinds


def asked_methods(
    net: Model, methods: Sequence[str], composite: str | None, suffix: str
) -> tuple[Asked, ...]:
    """The methods as they are asked of a model; `suffix` ends the names of their files."""
    made = []
    for kind in methods_of(methods, composite):
        options = _options(kind, net, composite)
        stem = kind.name + (f"-{composite}" if composite and "composite" in options else "")
        made.append(Asked(kind, options, _slug(stem + suffix)))
    return tuple(made)


def find_class(net: Model, name: str) -> int:
    """The number of a class given by number or by name; names need their first word only."""
    name = name.strip()
    count = len(net.classes)
    if name.lstrip("+-").isdecimal():
        if not 0 <= int(name) < count:
            raise InvalidInput(f"{net.name} has classes 0 to {count - 1}, got {name}.")
        return int(name)
    wanted = name.casefold()
    known = [each.casefold() for each in net.classes]
    if wanted in known:
        return known.index(wanted)
    firsts = [each.split(",")[0] for each in known]
    if firsts.count(wanted) == 1:
        return firsts.index(wanted)
    close = get_close_matches(wanted, [*known, *firsts], 1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    shown = ", ".join(net.classes[:10]) + (", ..." if count > 10 else "")
    raise InvalidInput(f"{net.name} has no class {name!r}.{hint} Its classes: {shown}.")


def _target(net: Model, target: str | None, contrast: str | None) -> tuple[Target, str]:
    if target is not None:
        k = find_class(net, target)
        return Logit(k), net.classes[k]
    if contrast is None:
        return Highest(), "the highest score"
    parts = contrast.split(",")
    if len(parts) != 2:
        raise InvalidInput(
            f"A contrast is two classes with a comma, such as 3,9; got {contrast!r}."
        )
    a, b = (find_class(net, part) for part in parts)
    return Contrast(a, b), f"{net.classes[a]}, not {net.classes[b]}"


def _options(kind: type[Explainer], net: Model, composite: str | None) -> dict[str, Any]:
    """Constructor options that the model or the question decides: the box, and the composite."""
    parameters = _parameters(kind)
    box = {"low": net.low, "high": net.high}
    options: dict[str, Any] = {key: each for key, each in box.items() if key in parameters}
    if composite is not None and "composite" in parameters:
        options["composite"] = preset(composite, dict(box))
    return options


def _parameters(kind: type[Explainer]) -> set[str]:
    return set(inspect.signature(kind.__init__).parameters)


def _slug(text: str) -> str:
    kept = "".join(each if each.isalnum() or each in "-_." else "-" for each in text)
    return "-".join(filter(None, kept.split("-")))[:100]


def in_words(kind: type[Explainer]) -> dict[str, Any]:
    """What a method decomposes, and its papers."""
    about = describe(kind.name)
    return {"decomposes": about["decomposes"], "papers": about["papers"]}
