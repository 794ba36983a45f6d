"""What every target is: coefficients for an output, and the score they make."""

from abc import ABC, abstractmethod

from torch import Tensor


class Target(ABC):
    """A scalar for each sample, computed from one output tensor whose first axis is the batch."""

    at: str | None = None  # the module whose output it looks at; None is the model's output

    @abstractmethod
    def coefficients(self, output: Tensor) -> Tensor:
        """c, with the shape of the output."""

    def score(self, output: Tensor, c: Tensor | None = None) -> Tensor:
        """The explained number of each sample, shape (batch,); `c` saves computing it again."""
        return sum_samples(output * (self.coefficients(output) if c is None else c))


def sum_samples(relevance: Tensor) -> Tensor:
    """One number for each sample; an output of shape (batch,) already is that."""
    return relevance.flatten(1).sum(1) if relevance.dim() > 1 else relevance
