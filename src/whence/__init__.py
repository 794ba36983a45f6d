"""Whence answers one question about a trained model: where does this prediction come from?

    import whence

    ex = whence.explain(model, inputs, target=3)
    ex.relevance, ex.score, ex.ledger.verdict

Heavy parts load on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from whence import (
        composites,
        errors,
        explainers,
        metrics,
        prototypes,
        reports,
        rules,
        runs,
        targets,
        testing,
        viz,
        zoo,
    )
    from whence._explanation import Explanation
    from whence._references import citation
    from whence.explainers import LRP, audit, explain, explain_continuation, methods
    from whence.prototypes import maximize
    from whence.runs import evaluate

__version__ = "0.1.0"
_WHERE = {
    "LRP": "whence.explainers",
    "Explanation": "whence._explanation",
    "audit": "whence.explainers",
    "citation": "whence._references",
    "evaluate": "whence.runs",
    "explain": "whence.explainers",
    "explain_continuation": "whence.explainers",
    "maximize": "whence.prototypes",
    "methods": "whence.explainers",
}
_PACKAGES = (
    "composites errors explainers metrics prototypes reports rules runs targets testing viz zoo"
).split()
__all__ = [
    "Explanation",
    "LRP",
    "audit",
    "citation",
    "composites",
    "errors",
    "evaluate",
    "explain",
    "explain_continuation",
    "explainers",
    "maximize",
    "methods",
    "metrics",
    "prototypes",
    "reports",
    "rules",
    "runs",
    "targets",
    "testing",
    "viz",
    "zoo",
]


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return import_module(f"whence.{name}")
    if name in _WHERE:
        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'whence' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
