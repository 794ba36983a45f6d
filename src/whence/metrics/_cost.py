"""What a metric costs, told before any work starts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Cost:
    """What one sample costs, exactly.

    - `forwards`: forward passes for each explanation that no other metric shares;
    - `own`: forward passes for each explanation, by what they are: metrics share them;
    - `shared`: forward passes, by what they are, that all explanations of a sample share too;
    - `explanations`: how often each explanation is made again.
    """

    forwards: int = 0
    shared: Mapping[Any, int] = field(default_factory=dict)
    explanations: int = 0
    own: Mapping[Any, int] = field(default_factory=dict)


def foretold(costs: Iterable[Cost], explanations: int = 1) -> int:
    """How many forward passes one sample takes when all these metrics measure so many explanations
    of it; explanations that are made again are not in it."""
    alone, own, shared = 0, {}, {}
    for cost in costs:
        alone += cost.forwards
        own |= cost.own
        shared |= cost.shared
    return explanations * (alone + sum(own.values())) + sum(shared.values())
