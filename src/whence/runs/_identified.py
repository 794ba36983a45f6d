"""Who answered and to what, kept beside each explanation of a run, so that it can be audited."""

import inspect
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from torch import Tensor

from whence import composites
from whence._explanation import Explanation
from whence._identity import described_inputs, model_identity, versions
from whence.errors import InvalidInput
from whence.explainers import Explainer, describe_preset
from whence.explainers._registry import explainer_of
from whence.explainers._tape import TapeExplainer
from whence.runs._evaluate_store import differences
from whence.runs._question import Asked
from whence.zoo import Model

_PLAIN = (str, int, float, bool, type(None))
_STATIONS = 80  # of a recorded flow: neighbours in one module are one where there are more


def identified(
    net: Model, asked: Asked, composite: str | None, found: Explanation, known: dict[str, Any]
) -> dict[str, Any]:
    """Time, versions, hashes, options and rules of one explanation.

    known: what is the same for all of a run, filled here: the hash of the weights, and for each
    method its rules, which belong to the model's operations.
    """

    def once(key: str, make: Callable[[], Any]) -> Any:
        return _once(known, key, make)

    options = once(f"options {asked.stem}", lambda: _options(net, asked, composite))
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": once("versions", versions),
        "model": _model(net, known),
        "inputs": described_inputs(found.inputs),
        "options": options,
        "target": repr(found.target),
        "rules": once(f"rules {asked.stem}", lambda: _rules(net, asked, found)),
    }


def check_same_model(net: Model, known: dict[str, Any], folders: Iterable[Path]) -> None:
    """Refuse folders with explanations of a model of this name that had other weights then: half of
    a run would be of one model, half of another."""
    for folder in folders:
        for path in sorted(folder.glob("*.json")):
            there = _model_in(path)
            if there is None or there.get("name") != net.name:
                continue
            other = differences(_shortened(there), _shortened(_model(net, known)))
            if other:
                raise InvalidInput(
                    f"{path} is of another {net.name}, which differs in {'; '.join(other)}: the "
                    "model has changed since. Give another folder (--out), delete this one, or "
                    "explain all of it again (--again)."
                )


def ledger_option(kind: type[Explainer]) -> dict[str, str]:
    """The option by which a method that keeps a ledger also tells where relevance went."""
    kept = issubclass(kind, TapeExplainer) and kind.default_ledger is not None
    return {"ledger": "flow"} if kept else {}


def flow_record(ledger: Any) -> dict[str, Any] | None:
    """Where relevance went, as plain values; None where it was not followed."""
    if ledger is None or ledger.streams is None:
        return None
    return ledger.flow().grouped(_STATIONS).record()


def ledger_sums(ledger: Any) -> dict[str, Any] | None:
    """What the verdict in plain words needs: the score, what arrived, and what was lost to what."""
    if ledger is None:
        return None
    lost = {each: ledger.total(each) for each in ("bias", "epsilon", "dropped", "softmax")}
    score, arrived = (float(each.double().sum()) for each in (ledger.score, ledger.explained))
    return {"score": score, "arrived": arrived, "lost": lost}


def _once(known: dict[str, Any], key: str, make: Callable[[], Any]) -> Any:
    if key not in known:
        known[key] = make()
    return known[key]


def _model(net: Model, known: dict[str, Any]) -> dict[str, Any]:
    return {"name": net.name} | _once(known, "model", lambda: model_identity(net.module))


def _model_in(path: Path) -> dict[str, Any] | None:
    """The model that a record of an explanation is of; None in other files, and where it is not
    told."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["identity"]["model"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, dict) else None


def _shortened(identity: dict[str, Any]) -> dict[str, Any]:
    """The same with hashes that can be read in a message."""
    return {key: str(each)[:12] if "sha256" in key else each for key, each in identity.items()}


def _options(net: Model, asked: Asked, composite: str | None) -> dict[str, Any]:
    """The options as `whence.explain` takes them; what has no plain form is told as opaque."""
    given = dict(asked.options)
    if composite is not None and "composite" in given:
        make = getattr(composites, describe_preset(composite)["function"])
        boxed = "low" in inspect.signature(make).parameters
        given |= {"composite": composite} | ({"low": net.low, "high": net.high} if boxed else {})
    return {key: _plain(each) for key, each in given.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.tolist()
    return value if isinstance(value, _PLAIN) else {"opaque": repr(value)[:500]}


def _rules(net: Model, asked: Asked, found: Explanation) -> Any:
    explainer = explainer_of(net.module, asked.kind, dict(asked.options))[0]
    if not isinstance(explainer, TapeExplainer):
        return None
    return [list(row) for row in explainer.assignment(found.inputs, found.target)]
