"""What every method is: a model, and `explain(inputs, target) -> Explanation`."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

from whence._explanation import Explanation


class Explainer(ABC):
    """A method of explanation bound to a model.

    `decomposes` says in words what the relevance sums to; `sources` are keys of `whence.citation`.
    """

    name: ClassVar[str] = ""
    decomposes: ClassVar[str] = ""
    sources: ClassVar[tuple[str, ...]] = ()

    def __init__(self, model: Callable[..., Any]) -> None:
        self.model = model

    @abstractmethod
    def explain(self, inputs: Any, target: Any = None) -> Explanation:
        """Explain the target's score for each sample of the batch."""

    def attribute(self, inputs: Any, target: Any = None, **options: Any) -> Any:
        """The relevance alone, in the structure of the inputs; captum's spelling."""
        explain: Callable[..., Explanation] = self.explain  # methods have options of their own
        return explain(inputs, target, **options).relevance

    def on(self, model: Callable[..., Any]) -> "Explainer":
        """The same method, with the same options, for another model; this one stays as it is.

        Explainers inside a wrapper are taken to the other model too.
        """
        other = copy.copy(self)
        other.model = model
        for name, held in vars(self).items():
            if isinstance(held, Explainer):
                setattr(other, name, held.on(model))
        return other
