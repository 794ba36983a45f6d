"""What a ledger says, in plain words."""

from collections.abc import Mapping
from typing import Any

_TOOK = {
    "bias": "to biases of the model",
    "epsilon": "to the stabiliser epsilon",
    "dropped": "to paths that the rules close",
    "softmax": "to softmax operations",
}
_SMALL = 5e-4  # of the score: not worth a sentence


def ledger_in_words(ledger: Mapping[str, Any]) -> str:
    """How much of the score arrived at the inputs, what took the rest, and whether all is booked.

    >>> ledger_in_words({"score": 2.0, "arrived": 1.5, "lost": {"bias": 0.5}, "conserves": True})[
    ...     :67
    ... ]
    'Of the score 2, 1.5 (75.0%) is in the map, and 0.5 (25.0%) went to '
    """
    score, arrived = ledger["score"], ledger["arrived"]
    lost = {key: each for key, each in ledger["lost"].items() if _counts(each, score)}
    parts = [f"{_amount(each, score)} went {_TOOK[key]}" for key, each in lost.items()]
    rest = ", and ".join(
        [f"{_amount(arrived, score)} is in the map", ", ".join(parts)][: 1 + bool(parts)]
    )
    told = f"Of the score {score:.4g}, {rest}. "
    if ledger["conserves"]:
        return told + "Every operation's book closes: nothing was lost without a reason."
    return told + (
        "The books do NOT close: relevance was lost or made up on the way. Do not rely on the "
        "amounts in this map."
    )


def _counts(value: float, score: float) -> bool:
    return abs(value) > _SMALL * abs(score)


def _amount(value: float, score: float) -> str:
    return f"{value:.4g} ({value / score:.1%})" if score else f"{value:.4g}"
