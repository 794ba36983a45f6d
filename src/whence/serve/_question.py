"""What a request asks of a model, with every name looked up: method, composite, classes, layer."""

import inspect
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from whence import runs
from whence.errors import InvalidInput
from whence.explainers import Explainer, describe, method_class, preset, presets
from whence.serve._problem import Problem
from whence.serve._schemas import ClassName, ClassScore, Lost
from whence.targets import Contrast, Highest, Logit, Target
from whence.zoo import Model

_ALL, _TOP = 20, 10  # classes: all are listed up to so many, else the highest


@dataclass(frozen=True)
class Asked:
    """A method with its options, and the classes that are asked about."""

    kind: type[Explainer]
    options: dict[str, Any]
    composite: str | None
    target: int | None
    against: int | None

    @property
    def aim(self) -> Target:
        """The target of the explanation."""
        if self.against is not None:
            return Contrast(self.target, self.against)
        return Highest() if self.target is None else Logit(self.target)

    @property
    def facts(self) -> dict[str, Any]:
        """What every answer says about the method."""
        about = describe(self.kind.name)
        return {
            "method": self.kind.name,
            "composite": self.composite,
            "decomposes": about["decomposes"],
            "citation": about["papers"],
        }


def ask(
    net: Model, method: str, composite: str | None, target: int | str | None, against: Any
) -> Asked:
    """The question, or a `Problem` for the first name that there is not."""
    try:
        kind = method_class(method)
    except InvalidInput as error:
        raise Problem("unknown_method", _plain(error)) from error
    first = None if target is None else find_class(net, target)
    second = None if against is None else find_class(net, against)
    if second is not None and first == second:
        raise Problem("same_class", f"Both classes are {net.classes[second]!r}.")
    return Asked(kind, _options(net, kind, composite), composite, first, second)


def find_class(net: Model, given: int | str) -> int:
    """The number of a class given by number or name."""
    try:
        return runs.find_class(net, str(given))
    except (InvalidInput, ValueError) as error:
        raise Problem("unknown_class", _plain(error)) from error


def needs_patterns(kind: type[Explainer]) -> bool:
    """Whether a method learns from data before it explains."""
    return "patterns" in _parameters(kind)


def takes_composite(method: str) -> bool:
    """Whether a composite can be chosen for a method."""
    return "composite" in _parameters(method_class(method))


def target_of(net: Model, scores: Tensor, asked: Asked) -> tuple[ClassName, ClassName | None]:
    """The class explained, and the one against it; for one sample's scores (classes,)."""
    if asked.target is not None or asked.against is None:
        first = int(scores.argmax()) if asked.target is None else asked.target
    else:
        first = int(scores.argmax())
        if first == asked.against:
            raise Problem("same_class", f"{net.classes[first]!r} has the highest score itself.")
    other = None if asked.against is None else name_of(net, asked.against)
    return name_of(net, first), other


def name_of(net: Model, index: int) -> ClassName:
    """A class with its name."""
    return ClassName(index=index, name=net.classes[index])


def scores_of(output: Any) -> Tensor:
    """The scores of the first sample, (classes,), of whatever a model returns."""
    found = getattr(output, "logits", output)
    return found[0].detach().double().flatten()


def class_scores(net: Model, scores: Tensor, asked: Asked) -> list[ClassScore]:
    """The scores with their softmax, in the order of the classes; of many the highest only."""
    if not bool(scores.isfinite().all()):
        raise Problem("not_explained", "The model's scores for this input are not finite.")
    is_probability = bool((scores >= 0).all()) and abs(float(scores.sum()) - 1) < 1e-4
    shares = scores if is_probability else scores.softmax(0)
    chosen = range(len(scores))
    if len(scores) > _ALL:
        asked_for = {each for each in (asked.target, asked.against) if each is not None}
        best = scores.topk(_TOP).indices.tolist()
        chosen = [*best, *sorted(asked_for - set(best))]
    return [
        ClassScore(
            index=k,
            name=net.classes[k],
            score=float(scores[k]),
            probability=float(shares[k]),
        )
        for k in chosen
    ]


def book_of(ledger: Any) -> dict[str, Any]:
    """The ledger's verdict and totals, as answers carry them."""
    if ledger is None:
        return {"verdict": None, "conserves": None, "ledger": None}
    lost = {name: ledger.total(name) for name in ("bias", "epsilon", "dropped", "softmax")}
    verdict = ledger.verdict
    return {
        "verdict": verdict,
        "conserves": "every row closes" in verdict,
        "ledger": Lost(**lost),
    }


def _options(net: Model, kind: type[Explainer], composite: str | None) -> dict[str, Any]:
    """Constructor options that the model or the request decides: the box, and the composite."""
    box: dict[str, Any] = {"low": _edge(net.low), "high": _edge(net.high)}
    known = _parameters(kind)
    options = {key: each for key, each in box.items() if key in known and each is not None}
    if composite is None:
        return options
    if "composite" not in known:
        raise Problem("not_explained", f"{kind.name} takes no composite; lrp does.")
    if composite not in presets():
        raise Problem("unknown_composite", f"There is no composite {composite[:60]!r}.")
    try:
        options["composite"] = preset(composite, box if net.low is not None else {})
    except InvalidInput as error:  # it needs the box of valid inputs, and the model has none
        raise Problem("not_explained", _plain(error)) from error
    return options


def _edge(values: Tensor | None) -> float | Tensor | None:
    """An edge of the box; where it is one number, as that, which fits inputs of any shape."""
    return float(values) if values is not None and values.numel() == 1 else values


def _parameters(kind: type[Explainer]) -> set[str]:
    return set(inspect.signature(kind.__init__).parameters)


def _plain(error: Exception) -> str:
    """An error of the library in one line that is fit for a page."""
    return " ".join(str(error).split())[:500]
