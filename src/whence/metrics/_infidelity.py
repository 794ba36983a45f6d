"""Infidelity: how badly an explanation foretells what a perturbation does to the score."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.metrics._batch import Batch
from whence.metrics._case import Case
from whence.metrics._metric import Cost, Metric, Scores, declare
from whence.metrics._perturbations import Noise, Perturbation, Squares

MEANINGS = {
    "contributions": "R_i is what element i adds to the score: R = w x for a linear model",
    "coefficients": "R_i is how the score changes with element i: R = w for a linear model",
}


@dataclass(frozen=True)
class Infidelity(Metric):
    """Infidelity: the mean squared error of the change that an explanation foretells.

        E_I [(beta I^T R - (f(x) - f(x - I)))^2]

    Use it to compare methods on one model; the unit is that of the score, squared. I is a random
    square that gives way to its replacement (`Squares`), or Gaussian noise (`Noise`).

    The trap is in I^T R. It foretells the change if R is a *coefficient*, as the gradient is: for a
    linear model R = w gives exactly 0. Relevance is a *contribution* (R = w x), of which a square
    takes away the whole share of each of its elements: there I^T R reads sum of R over the square,
    and R = w (x - x') gives exactly 0 for replaced values x'. `meaning` says which of the two R is.
    Noise takes no definite share of a contribution, so it needs coefficients.

    `scaled=True` takes the best factor for each sample, beta = E[I^T R (f(x) - f(x - I))] /
    E[(I^T R)^2], as the authors' code does and their equation does not; methods whose unit is not
    that of the score can only be compared so. It may be negative, and is in `details["beta"]`.
    Otherwise beta = 1.

    `read` is the number f, by default the target's own score.

    References: [yeh2019, def. 2.1].
    """

    perturbation: Perturbation = field(default_factory=Squares)
    meaning: str = "contributions"
    scaled: bool = False
    read: str = "score"

    name: ClassVar[str] = "infidelity"
    direction: ClassVar[int] = -1
    range: ClassVar[tuple[float, float]] = (0.0, float("inf"))
    invariances: ClassVar[frozenset[str]] = frozenset({"batch", "order", "channels"})
    sources: ClassVar[tuple[str, ...]] = ("yeh2019",)
    equation: ClassVar[str] = "E_I (I^T R - (f(x) - f(x - I)))^2"

    def __post_init__(self) -> None:
        if self.meaning not in MEANINGS:
            raise InvalidInput(
                f"meaning must be one of {', '.join(MEANINGS)}, got {self.meaning!r}."
            )
        if isinstance(self.perturbation, Noise) and self.meaning == "contributions":
            raise InvalidInput(
                "Noise takes no definite share of a contribution. Use Squares(), or, for methods "
                'that give coefficients as the gradient does, meaning="coefficients".'
            )
        summed = {"channels"} if self.meaning == "contributions" else set()
        unit = {"scale", "sign"} if self.scaled else set()
        declare(self, invariances=frozenset({"batch", "order"} | summed | unit))

    def measure(self, case: Case) -> Scores:
        batch = case.batch
        key = ("perturbed", self.perturbation, self.read)
        change = batch.keep(key, lambda: self._change(batch))
        foretold = self._foretold(case)
        if not self.scaled:
            return Scores((foretold - change).square().mean(1))
        size = foretold.square().mean(1)
        beta = (foretold * change).mean(1) / size.masked_fill(size == 0, 1)
        error = (beta[:, None] * foretold - change).square().mean(1)
        return Scores(error, details={"beta": beta})

    def cost(self, batch: Batch) -> Cost:
        key = ("perturbed", self.perturbation, self.read)
        return Cost(0, {"untouched": 1, key: self.perturbation.count})

    def _change(self, batch: Batch) -> Tensor:
        """f(x) - f(x - I), (samples, draws); the same for all explanations."""
        read, taken = batch.read(self.read), self.perturbation.of(batch)

        def make(samples: slice, draws: slice) -> Tensor:
            return (batch.x[samples, None] - taken(samples, draws)[0]).flatten(0, 1)

        after = batch.grid(make, self.perturbation.count, read)
        return read(batch.untouched, slice(0, len(batch)), 1) - after

    def _foretold(self, case: Case) -> Tensor:
        """I^T R, (samples, draws), in parts as small as those that the model sees."""
        batch, R = case.batch, case.relevance.double()
        if self.meaning == "coefficients" and R.shape != batch.x.shape:
            raise InvalidInput(
                "Coefficients belong to single elements, and the relevance was summed over "
                f"channels to {tuple(R.shape[1:])}. Pass it as it was, {tuple(batch.x.shape[1:])}."
            )
        taken, draws = self.perturbation.of(batch), self.perturbation.count
        found = torch.zeros(len(batch), draws, dtype=torch.float64, device=batch.x.device)
        wide = min(batch.chunk, draws)
        for row in range(len(batch)):
            for begin in range(0, draws, wide):
                part = slice(begin, min(begin + wide, draws))
                samples = slice(row, row + 1)
                found[samples, part] = self._product(R[samples, None], *taken(samples, part))
        return found

    def _product(self, R: Tensor, difference: Tensor, gone: Tensor | None) -> Tensor:
        if self.meaning == "coefficients":
            return (R * difference).flatten(2).sum(2)
        if gone is None:
            raise InvalidInput(
                f"{type(self.perturbation).__name__} does not say which elements it takes away "
                'whole, so it needs meaning="coefficients".'
            )
        whole = R.sum(2, keepdim=True) if gone.dim() > 3 and gone.shape[2] == 1 else R
        return (whole * gone).flatten(2).sum(2)
