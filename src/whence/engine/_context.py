"""What one run back along the tape carries with it besides the messages."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from whence.engine._embedding import Embedded
    from whence.engine._weights import WeightCache


@dataclass(slots=True, eq=False)
class Context:
    """Settings of a sweep, the same for every operation on the way."""

    weights: "WeightCache"
    rules: dict[int, Any] = field(default_factory=dict)  # id(op) -> rule
    starts: set[int] = field(default_factory=set)  # id(value) where relevance starts
    held: set[int] = field(default_factory=set)  # id(value) that a rule holds constant
    retain: bool = False  # several targets go back over the same tape
    frozen: bool = False  # being frozen: no value may be read back
    graph: bool = False  # the relevance itself is to be differentiated
    batch: int = 1
    embedded: "list[Embedded] | None" = None  # what arrived at token embeddings, if wanted
