"""Records of results: explanations, evaluations, prototypes."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import singledispatch
from typing import Any, TypeGuard

import numpy as np
from torch import Tensor

from whence._explanation import Explanation, named
from whence._identity import described_inputs, model_identity, versions
from whence._text_explanation import TextExplanation
from whence.errors import InvalidInput
from whence.explainers import Explainer, methods
from whence.explainers._registry import explainer_of
from whence.explainers._tape import TapeExplainer
from whence.prototypes import Prototypes
from whence.reports._arrays import to_array
from whence.reports._methods import about
from whence.reports._record import Record
from whence.reports._spelling import spell
from whence.runs import Evaluation
from whence.runs._explain import _conserves
from whence.runs._identified import flow_record, ledger_sums
from whence.targets import Contrast, Each, Highest, Logit

_TOP = 5


@singledispatch
def record_of(found: Any, model: Any = None, **options: Any) -> Record:
    """The record of a result, for audits: give it the explained model, and save what comes back.

    found: an `Explanation`, an `Evaluation` or `Prototypes`. model: what was explained; its
    weights are hashed as they are now. For explanations also

    - `options`: as `whence.explain` got them, for explanations that a method gave directly;
    - `classes`: names of the scores; `name`: of what was explained; `reproduce`: a command or code.

    ```python
    ex = whence.explain(model, images, 3, composite="epsilon-plus")
    reports.record_of(ex, model).save("three.json")
    ```
    """
    raise InvalidInput(
        f"A record is of an Explanation, an Evaluation or Prototypes, got {type(found).__name__}."
    )


@record_of.register
def _of_explanation(
    found: Explanation,
    model: Any = None,
    *,
    options: Mapping[str, Any] | None = None,
    classes: Sequence[str] = (),
    name: str = "",
    reproduce: str = "",
) -> Record:
    if model is None:
        raise InvalidInput("The record of an explanation needs the model: record_of(ex, model).")
    given = found.options if options is None else dict(options)
    if given is None:
        raise InvalidInput(
            "This explanation does not know its options, since a method was called directly. Give "
            "those that whence.explain would take: record_of(ex, model, options={...})."
        )
    arrays = {f"relevance.{key}": to_array(each) for key, each in named(found.relevance).items()}
    body: dict[str, Any] = {
        **_header(model),
        "name": name,
        "inputs": described_inputs(found.inputs),
        "method": described_method(found.method, given, arrays),
        "rules": rules_of(found, model, given),
        "target": {
            "spelled": spell(found.target, arrays, "target"),
            "words": _target_in_words(found, classes),
        },
        "score": found.score.tolist(),
        "top": [top_scores(row, classes) for row in _rows(found.output)],
        "sum": _sums(found),
        "ledger": [ledger_record(each) for each in _ledgers(found.ledger)],
        "notes": list(found.notes),
        "facts": found.record()["facts"],
        "reproduce": reproduce,
    }
    if isinstance(found, TextExplanation):
        body["rows"] = found.rows()
        body["first_token_share"] = found.first_token_share.tolist()
    return Record("explanation", body, arrays)


@record_of.register
def _of_evaluation(found: Evaluation, model: Any = None, *, reproduce: str = "") -> Record:
    header = _header(model)
    header["model"] = header["model"] or found.protocol.get("model")
    body = {**found.record(), **header, "reproduce": reproduce}
    return Record("evaluation", body)


@record_of.register
def _of_prototypes(found: Prototypes, model: Any = None, *, reproduce: str = "") -> Record:
    body = {**_header(model), **found.record(), "reproduce": reproduce}
    return Record("prototypes", body, {"inputs": to_array(found.inputs)})


def now() -> str:
    """The time, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def described_method(
    name: str, options: Mapping[str, Any], arrays: dict[str, np.ndarray]
) -> dict[str, Any]:
    """The method with its options, and what is known of it; `shown` is the name with what it is
    wrapped around, as in smoothgrad(gradient)."""
    told = about(plain_name(name))
    return {
        "name": told.name,
        "shown": name,
        "options": {key: spell(each, arrays, f"option.{key}") for key, each in options.items()},
        "equation": told.equation,
        "decomposes": told.decomposes,
        "papers": told.papers,
    }


def plain_name(method: str) -> str:
    """The name that `whence.explain` takes.

    >>> plain_name("smoothgrad(gradient)")
    'smoothgrad'
    """
    return method.split("(")[0]


def rules_of(found: Explanation, model: Callable[..., Any], options: Mapping[str, Any]) -> Any:
    """The printed assignment operation -> rule, from the output down; None for methods without."""
    name = plain_name(found.method)
    if name not in methods():
        return None
    explainer: Explainer = explainer_of(model, name, dict(options))[0]
    if not isinstance(explainer, TapeExplainer):
        return None
    # Targets that share a run share its rules.
    target = found.target.targets[0] if isinstance(found.target, Each) else found.target
    return [list(row) for row in explainer.assignment(found.inputs, target)]


def ledger_record(ledger: Any) -> dict[str, Any]:
    """Rows, verdict, and the sums that the verdict in plain words needs."""
    sums = ledger_sums(ledger) or {}
    return {
        "verdict": ledger.verdict,
        "conserves": _conserves(ledger),
        "rows": ledger.to_rows(),
        "flow": flow_record(ledger),
        **sums,
    }


def top_scores(row: Tensor, classes: Sequence[str]) -> list[dict[str, Any]]:
    """The highest scores of one sample, with their names where there are some."""
    scores, numbers = row.detach().topk(min(_TOP, len(row)))
    return [
        {"class": classes[k] if k < len(classes) else str(k), "number": k, "score": score}
        for k, score in zip(numbers.tolist(), scores.tolist(), strict=True)
    ]


def _header(model: Any) -> dict[str, Any]:
    identity = None if model is None else model_identity(getattr(model, "module", model))
    return {"created": now(), "versions": versions(), "model": identity}


def _rows(output: Any) -> list[Tensor]:
    """The scores of each sample, where the output is a table of scores."""
    return list(output) if isinstance(output, Tensor) and output.dim() == 2 else []


def _sums(found: Explanation) -> list[float]:
    return [float(each.double().sum()) for each in named(found.relevance).values()]


def _ledgers(ledger: Any) -> list[Any]:
    return [] if ledger is None else ledger if isinstance(ledger, list) else [ledger]


def _target_in_words(found: Explanation, classes: Sequence[str]) -> str:
    """The target with names of classes where there are some; else as Python prints it."""
    target = found.target
    if isinstance(target, Highest):
        tops = [top_scores(row, classes)[0]["class"] for row in _rows(found.output)]
        named = f" ({', '.join(tops[:_TOP])}{', ...' if len(tops) > _TOP else ''})"
        return "the highest score" + (named if tops else "")
    if (
        isinstance(target, Contrast)
        and _is_class(target.a, classes)
        and _is_class(target.b, classes)
    ):
        return f"{classes[target.a]}, not {classes[target.b]}"
    if isinstance(target, Logit) and _is_class(target.k, classes):
        return classes[target.k]
    return repr(target)


def _is_class(k: Any, classes: Sequence[str]) -> TypeGuard[int]:
    return isinstance(k, int) and 0 <= k < len(classes)
