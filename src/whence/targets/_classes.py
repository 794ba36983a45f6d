"""Targets that name classes, tokens of a vocabulary among them.

All of them work on outputs of shape (batch, classes), and with a `position` on (batch, tokens,
classes): there the scores at one token count.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.targets._target import Target, sum_samples

Class = int | str | Sequence[int] | Sequence[str] | Tensor
Position = int | Sequence[int] | Tensor | None


class ClassTarget(Target):
    """A weighing of the classes' scores; `position` says at which token, where there are several.

    A position is a number for all samples or one for each; -1 is the last one. In `explain`,
    negative positions count from the end of each text without its padding.
    """

    position: Position

    @abstractmethod
    def weigh(self, rows: Tensor) -> Tensor:
        """c for scores of shape (batch, classes)."""

    def value(self, rows: Tensor, c: Tensor) -> Tensor:
        """The score of each sample from scores of shape (batch, classes)."""
        return sum_samples(rows * c)

    def coefficients(self, output: Tensor) -> Tensor:
        rows = self.rows(output)
        c = self.weigh(rows)
        if output.dim() != 3:
            return c.view(output.shape)
        samples, positions = _index(output, self.position)
        return torch.zeros_like(output, dtype=c.dtype).index_put((samples, positions), c)

    def score(self, output: Tensor, c: Tensor | None = None) -> Tensor:
        rows = self.rows(output)
        if c is None or output.dim() == 3:
            return self.value(rows, self.weigh(rows))
        return self.value(rows, c.view(rows.shape))

    def rows(self, output: Tensor) -> Tensor:
        """The scores as (batch, classes)."""
        if output.dim() == 3 and self.position is not None:
            return output[_index(output, self.position)]
        if self.position is not None:
            raise InvalidInput(
                "position= is for scores of each token, shape (batch, tokens, classes), got "
                f"{tuple(output.shape)}. Leave it out."
            )
        if output.dim() == 1:
            return output[:, None]
        if output.dim() != 2:
            raise InvalidInput(
                f"A class target needs an output of shape (batch, classes), got "
                f"{tuple(output.shape)}. For scores of each token give position=. Else use "
                "targets.Neuron(index), targets.Weights(tensor) or a function such as "
                "lambda output: output[:, k].sum((1, 2))."
            )
        return output


@dataclass(frozen=True)
class Highest(ClassTarget):
    """The class with the highest score, of each sample; what `target=None` means."""

    position: Position = field(default=None, kw_only=True)

    def weigh(self, rows: Tensor) -> Tensor:
        return one_hot(rows, rows.argmax(1))

    def classes(self, output: Tensor) -> Tensor:
        """The winning class of each sample."""
        return self.rows(output).argmax(1)


@dataclass(frozen=True, eq=False)
class Logit(ClassTarget):
    """The score of class k; one k for all samples, or one for each."""

    k: Class
    position: Position = None

    def weigh(self, rows: Tensor) -> Tensor:
        return one_hot(rows, self.k)


@dataclass(frozen=True, eq=False)
class Token(ClassTarget):
    """The score of a token of the vocabulary at a position, by default the last of each text.

        z[position, id]

    id: a number, one for each sample, or a string where `explain` knows the tokenizer; the string
    must be one token (" good" and "good" may differ).
    """

    id: Class
    position: Position = -1

    def weigh(self, rows: Tensor) -> Tensor:
        return one_hot(rows, self.id)


@dataclass(frozen=True, eq=False)
class Contrast(ClassTarget):
    """Why class a and not class b: z_a - z_b.

    Without a, the class with the highest score; without b, the best of the others.
    """

    a: Class | None = None
    b: Class | None = None
    position: Position = None

    def weigh(self, rows: Tensor) -> Tensor:
        chosen = one_hot(rows, rows.argmax(1) if self.a is None else self.a)
        others = rows.masked_fill(chosen > 0, float("-inf"))
        return chosen - one_hot(rows, others.argmax(1) if self.b is None else self.b)


@dataclass(frozen=True, eq=False)
class LogOdds(ClassTarget):
    """log p_k / (1 - p_k) = z_k - log sum_{j != k} exp z_j, with the soft maximum's weights.

    The coefficients are its gradient, 1 for k and -softmax over the others; what they do not
    carry (the entropy of the others) is booked as bias.
    """

    k: Class
    position: Position = None

    def weigh(self, rows: Tensor) -> Tensor:
        chosen = one_hot(rows, self.k)
        return chosen - rows.masked_fill(chosen > 0, float("-inf")).softmax(1)

    def value(self, rows: Tensor, c: Tensor) -> Tensor:
        chosen = one_hot(rows, self.k)
        others = rows.masked_fill(chosen > 0, float("-inf"))
        return (rows * chosen).sum(1) - others.logsumexp(1)


@dataclass(frozen=True, eq=False)
class LogProbability(ClassTarget):
    """log p_k = z_k - log sum_j exp z_j, with the gradient as coefficients.

        c_j = 1[j = k] - p_j

    What the coefficients do not carry, log p_k - sum_j c_j z_j = -(entropy of p), is booked as
    bias.
    """

    k: Class
    position: Position = None

    def weigh(self, rows: Tensor) -> Tensor:
        return one_hot(rows, self.k) - rows.softmax(1)

    def value(self, rows: Tensor, c: Tensor) -> Tensor:
        return (rows.log_softmax(1) * one_hot(rows, self.k)).sum(1)


def one_hot(rows: Tensor, k: Class) -> Tensor:
    """Ones at class k of each row of (batch, classes)."""
    batch, classes = rows.shape
    if isinstance(k, str) or (isinstance(k, (list, tuple)) and isinstance(k[0], str)):
        raise InvalidInput(
            f"A class must be a number here, got {k!r}. Strings need the tokenizer: "
            "whence.explain(model, inputs, target, tokenizer=tokenizer)."
        )
    hot = torch.zeros_like(rows)
    if isinstance(k, int):
        if not -classes <= k < classes:
            raise InvalidInput(f"Classes run from 0 to {classes - 1}, got {k}.")
        hot[:, k] = 1
        return hot
    index = for_each_sample(k, batch, rows.device, "class")
    low, high = int(index.min()), int(index.max())
    if low < -classes or high >= classes:
        raise InvalidInput(f"Classes run from 0 to {classes - 1}, got {low if low < 0 else high}.")
    hot[torch.arange(batch, device=rows.device), index] = 1
    return hot


def _index(output: Tensor, position: Position) -> tuple[Tensor, Tensor]:
    """Sample and token of each row that counts."""
    batch, tokens = output.shape[:2]
    index = for_each_sample(position, batch, output.device, "position")
    low, high = int(index.min()), int(index.max())
    if low < -tokens or high >= tokens:
        raise InvalidInput(f"Positions run from 0 to {tokens - 1}, got {low if low < 0 else high}.")
    return torch.arange(batch, device=output.device), index % tokens


def for_each_sample(values: Any, batch: int, device: Any, what: str) -> Tensor:
    """One number for each sample, from one for all or one for each."""
    index = torch.as_tensor(values, device=device)
    if index.dim() == 0:
        index = index.expand(batch)
    if index.shape != (batch,):
        raise InvalidInput(
            f"One {what} for each of the {batch} samples is needed, got shape {tuple(index.shape)}."
        )
    return index.long()
