"""Methods by name, and the one function that most users call."""

import inspect
from collections.abc import Callable
from typing import Any

from whence import composites
from whence._explanation import Explanation
from whence._references import REFERENCES
from whence.composites import Composite
from whence.errors import InvalidInput
from whence.explainers._excitation import ExcitationBackprop
from whence.explainers._explainer import Explainer
from whence.explainers._grad_cam import GradCAM
from whence.explainers._gradient import (
    Deconvnet,
    GradientTimesInput,
    GuidedBackprop,
    InputGradient,
    Sensitivity,
)
from whence.explainers._inputs import Inputs
from whence.explainers._language import spelled_out
from whence.explainers._lrp import LRP, DeepTaylor
from whence.explainers._noise import SmoothGrad
from whence.explainers._path import IntegratedGradients
from whence.explainers._pattern import PatternAttribution, PatternNet
from whence.explainers._random import Random
from whence.explainers._suggest import suggestion
from whence.explainers._taylor import Taylor
from whence.explainers._text import as_text, read_texts
from whence.explainers._tiles import Occlusion
from whence.explainers._transformers import CPLRP, AttnLRP

_METHODS: tuple[type[Explainer], ...] = (
    LRP,
    DeepTaylor,
    AttnLRP,
    CPLRP,
    Sensitivity,
    InputGradient,
    GradientTimesInput,
    Taylor,
    Deconvnet,
    GuidedBackprop,
    ExcitationBackprop,
    SmoothGrad,
    IntegratedGradients,
    GradCAM,
    PatternNet,
    PatternAttribution,
    Occlusion,
    Random,
)
_PRESETS: dict[str, Callable[..., Composite]] = {
    "epsilon": composites.EpsilonEverywhere,
    "epsilon-plus": composites.EpsilonPlus,
    "epsilon-plus-flat": composites.EpsilonPlusFlat,
    "epsilon-alpha2-beta1": composites.EpsilonAlpha2Beta1,
    "epsilon-alpha2-beta1-flat": composites.EpsilonAlpha2Beta1Flat,
    "epsilon-gamma-box": composites.EpsilonGammaBox,
    "deep-taylor": composites.DeepTaylorRules,
    "mamba-lrp": composites.MambaLRP,
    "relp": composites.RelP,
    "attnlrp": composites.AttnLRP,
    "cp-lrp": composites.CPLRP,
    "recurrent": composites.Recurrent,
}


def explain(
    model: Callable[..., Any],
    inputs: Any,
    target: Any = None,
    method: str | type[Explainer] = "lrp",
    *,
    tokenizer: Any = None,
    tokens: Any = None,
    **options: Any,
) -> Explanation:
    """Explain a model's decision on `inputs`: where does this prediction come from?

    model: any `nn.Module` or callable of torch operations. inputs: a tensor, a tuple, or a dict of
    keyword arguments; the first axis is the batch. target: None for the highest score, a class,
    one for each sample, a target from `whence.targets`, or a function of the output. method: a
    name from `whence.methods()`. options: those of the method (`composite=`, `n=`, ...) and of
    `explain` (`conditions=`, `taps=`, `ledger=`, `batch_size=`, `create_graph=`).

    Text: what a tokenizer returns works as inputs, and gives a `TextExplanation`. Where it does
    not tell its tokens itself, give `tokenizer=`, or `tokens=` as a list for each sample; with a
    tokenizer, targets may name tokens as strings. Class targets on scores of each token mean each
    text's last token unless they have a position.

    ```python
    ex = whence.explain(model, images, target=3)
    ex.relevance, ex.score, ex.ledger.verdict
    ex.save("three.png")
    ```
    """
    given = dict(options)
    explainer, asking = explainer_of(model, method, options)
    if tokenizer is not None:
        target = spelled_out(target, tokenizer)
    elif isinstance(target, str):
        raise InvalidInput(f"A target in words needs tokenizer=, got {target!r} without.")
    run: Callable[..., Explanation] = explainer.explain
    found = run(inputs, target, **asking)
    if tokenizer is not None or tokens is not None:
        texts = read_texts(Inputs.of(inputs, options.get("batch_axis", 0)), tokenizer, tokens)
        found = as_text(found, texts)
    found.options = given
    return found


def explainer_of(
    model: Callable[..., Any], method: str | type[Explainer], options: dict[str, Any]
) -> tuple[Explainer, dict[str, Any]]:
    """The method as `explain` makes it of these options, and those that are for its `explain`."""
    kind = method_class(method) if isinstance(method, str) else method
    options = dict(options)
    known = set(inspect.signature(kind.__init__).parameters) - {"self", "model"}
    if isinstance(options.get("composite"), str):
        options["composite"] = preset(options["composite"], options)
    making = {name: value for name, value in options.items() if name in known}
    asking = {name: value for name, value in options.items() if name not in known}
    allowed = set(inspect.signature(kind.explain).parameters) - {"self", "inputs", "target"}
    wrong = sorted(set(asking) - allowed)
    if wrong:
        choices = sorted(known | allowed)
        raise InvalidInput(
            f"{kind.name} has no option {wrong[0]!r}.{suggestion(wrong[0], choices)} "
            f"Its options: {', '.join(choices) or 'none'}."
        )
    return kind(model, **making), asking


def methods() -> list[str]:
    """The names that `method=` takes."""
    return [kind.name for kind in _METHODS]


def method_class(name: str) -> type[Explainer]:
    """The class of a method by its name."""
    for kind in _METHODS:
        if kind.name == name:
            return kind
    raise InvalidInput(
        f"There is no method {name!r}.{suggestion(name, methods())} "
        f"The methods are: {', '.join(methods())}."
    )


def presets() -> list[str]:
    """The names of composites that `composite=` takes."""
    return list(_PRESETS)


def preset(name: str, options: dict[str, Any] | None = None) -> Composite:
    """A composite by name; `low` and `high` are taken out of the options where it needs a box."""
    if name not in _PRESETS:
        raise InvalidInput(
            f"There is no composite {name!r}.{suggestion(name, presets())} "
            f"The composites are: {', '.join(presets())}."
        )
    make, options = _PRESETS[name], {} if options is None else options
    if "low" not in inspect.signature(make).parameters:
        return make()
    box = {key: options.pop(key) for key in ("low", "high") if key in options}
    needed = inspect.signature(make).parameters["low"].default is inspect.Parameter.empty
    if needed and len(box) < 2:
        raise InvalidInput(
            f"The composite {name!r} needs the box of valid inputs: give low= and high=, after "
            "normalisation, numbers or tensors that broadcast to the input."
        )
    return make(**box)


def describe(name: str) -> dict[str, Any]:
    """One method in words: its first line, what it decomposes, and its papers."""
    kind = method_class(name)
    summary = (inspect.getdoc(kind) or "").split("\n")[0]
    papers = [REFERENCES[key] for key in kind.sources]
    return {"name": name, "summary": summary, "decomposes": kind.decomposes, "papers": papers}


def describe_preset(name: str) -> dict[str, Any]:
    """One named composite in words: the function that makes it, and its docstring."""
    make = _PRESETS[name]
    return {"name": name, "function": make.__name__, "text": inspect.getdoc(make) or ""}
