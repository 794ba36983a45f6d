"""Priors, transformations and boxes as they are spelled on the command line.

A prior or a transformation with options is NAME:option=value, with further colons between several:
"l2:weight=0.1", "density:hidden=64:weight=0.5", "jitter:pixels=8".
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from whence.errors import InvalidInput
from whence.explainers._suggest import suggestion
from whence.prototypes import Jitter, Rotate, Scale
from whence.prototypes import Transformation as Change
from whence.runs._study import Spec, read_spec
from whence.zoo import Model

# Prior -> its weight where none is given; of l2 and tv per (squared) share of the pixels' range.
PRIOR_WEIGHTS = {"l2": 0.02, "tv": 0.002, "density": 1.0, "generator": 0.05}
_KNOBS = {
    "l2": {"weight", "around"},
    "tv": {"weight", "power"},
    "density": {"weight", "hidden", "epochs"},
    "generator": {"weight", "name"},
}
_WORDS = {"around", "name"}  # options that are words; all others are numbers
_WHOLE = {"hidden", "epochs", "pixels"}
_CHANGES: dict[str, type[Change]] = {"jitter": Jitter, "rotate": Rotate, "scale": Scale}


def read_priors(texts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Each prior's name and options, checked."""
    found: dict[str, dict[str, Any]] = {}
    for text in texts:
        if not text.strip():
            continue
        name, options = _named(text, "prior", list(PRIOR_WEIGHTS))
        wrong = sorted(set(options) - _KNOBS[name])
        if wrong:
            raise InvalidInput(
                f"The prior {name} has no option {wrong[0]!r}."
                f"{suggestion(wrong[0], sorted(_KNOBS[name]))} "
                f"Its options: {', '.join(sorted(_KNOBS[name]))}."
            )
        _check_numbers(name, options)
        if name in found:
            raise InvalidInput(f"The prior {name} is given twice. Give it once, with its weight.")
        found[name] = options
    return found


def read_changes(text: str | None, form: str, net: Model) -> tuple[Change, ...]:
    """The transformations; None: the usual ones of the form."""
    if text is None:
        text = "jitter,rotate,scale" if form == "fourier" else "none"
    made = []
    for each in text.split(","):
        if each.strip() in ("", "none"):
            continue
        name, options = _named(each, "transformation", sorted(_CHANGES))
        if name == "jitter":
            options.setdefault("pixels", max(1, min(net.input_shape[1:]) // 16))
        known = {knob.name for knob in fields(_CHANGES[name])} - {"fill"}  # type: ignore[arg-type]
        wrong = sorted(set(options) - known)
        if wrong:
            raise InvalidInput(
                f"The transformation {name} has no option {wrong[0]!r}. "
                f"Its options: {', '.join(sorted(known))}."
            )
        _check_numbers(name, options)
        made.append(_CHANGES[name](**options))
    return tuple(made)


def read_box(text: str) -> tuple[float, float] | None:
    """Shares of the range from black to white."""
    if text == "valid":
        return 0.0, 1.0
    if text == "none":
        return None
    try:
        low, high = (float(each) for each in text.split(","))
    except ValueError:
        low, high = 1.0, 0.0
    if not low < high:
        raise InvalidInput(
            "A box is valid, none, or two shares of the range from black to white with a comma, "
            f"the lower one first, such as 0,0.8; got {text!r}."
        )
    return low, high


def _named(text: str, kind: str, known: Sequence[str]) -> Spec:
    name, options = read_spec(text, kind)
    if name not in known:
        raise InvalidInput(
            f"There is no {kind} {name!r}.{suggestion(name, list(known))} "
            f"Known: {', '.join(known)}."
        )
    return name, options


def _check_numbers(name: str, options: Mapping[str, Any]) -> None:
    """Raise `InvalidInput` for a word where a number belongs."""
    for key, value in options.items():
        kinds = (int,) if key in _WHOLE else (int, float)
        if key not in _WORDS and (isinstance(value, bool) or not isinstance(value, kinds)):
            kind = "whole number" if key in _WHOLE else "number"
            raise InvalidInput(f"The {key} of {name} must be a {kind}, got {value!r}.")
