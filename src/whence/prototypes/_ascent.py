"""The one loop: step by step towards a larger objective plus prior, keeping the best."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from whence import _draws
from whence.errors import InvalidInput
from whence.prototypes._lens import Lens
from whence.prototypes._objective import Objective
from whence.prototypes._operations import Operation
from whence.prototypes._optimiser import Stepping, generator_of, set_rates
from whence.prototypes._parametrisation import Parametrisation
from whence.prototypes._prior import Prior
from whence.prototypes._transformations import Transformation
from whence.prototypes._values import checked

Advance = Callable[[int, Tensor, Tensor], None]
"""Told of each evaluation: the step, the objective and the prior of each prototype."""


@dataclass(frozen=True, eq=False)
class Hill:
    """What is climbed: objective plus prior over a parametrisation of a model's inputs."""

    lens: Lens
    objective: Objective
    prior: Prior | None
    parametrisation: Parametrisation
    transformations: Sequence[Transformation] = ()
    copies: int = 1
    seed: int = 0

    def measure(
        self, parameters: list[Tensor], rows: Tensor, step: int | None
    ) -> tuple[Tensor, Tensor]:
        """Objective and prior of each sample, (batch,); step None: without transformations."""
        x = self.parametrisation.inputs(parameters)
        if step is None or not self.transformations:
            objective = self._objective(x, rows)
        else:
            seen = [
                self._objective(self._changed(x, step, copy), rows) for copy in range(self.copies)
            ]
            objective = torch.stack(seen).mean(0)
        prior = objective.new_zeros(len(x))
        if self.prior is not None:
            prior = prior + checked(self.prior.log_density(x), len(x), self.prior)
        own = self.parametrisation.log_density(parameters)
        return objective, prior if own is None else prior + checked(own, len(x), "The code's prior")

    def words(self) -> dict[str, Any]:
        """For the record."""
        return {
            "objective": repr(self.objective),
            "prior": repr(self.prior),
            "parametrisation": repr(self.parametrisation),
            "transformations": [repr(each) for each in self.transformations],
            "copies": self.copies,
            "seed": self.seed,
        }

    def _objective(self, x: Tensor, rows: Tensor) -> Tensor:
        return checked(self.objective.value(self.lens.look(x, rows)), len(x), self.objective)

    def _changed(self, x: Tensor, step: int, copy: int) -> Tensor:
        generator = generator_of(int(_draws.keys_of([f"step {step}, copy {copy}"], self.seed)))
        for transformation in self.transformations:
            x = transformation.apply(x, generator)
        return x


@dataclass(frozen=True, eq=False)
class Pace:
    """How it is climbed."""

    stepping: Stepping
    steps: int
    keep: str
    patience: int | None = None
    tolerance: float = 0.0
    normalise: bool = False
    operations: Sequence[Operation] = ()

    def words(self) -> dict[str, Any]:
        """For the record."""
        return {
            **self.stepping.words(),
            "normalise": self.normalise,
            "operations": [repr(each) for each in self.operations],
            "steps": self.steps,
            "patience": self.patience,
            "tolerance": self.tolerance,
            "keep": self.keep,
        }


@dataclass(eq=False)
class Kept:
    """The parameters to keep of each prototype, and what is known of the way there.

    A prototype that has not improved for `patience` steps is at rest: what happens to its
    parameters from then on does not count.
    """

    pace: Pace
    joint: bool
    parameters: list[Tensor] = field(default_factory=list)
    objective: list[Tensor] = field(default_factory=list)
    prior: list[Tensor] = field(default_factory=list)
    active: Tensor = field(init=False)  # (batch,): not yet at rest
    best: Tensor = field(init=False)  # the total of what is kept
    mark: Tensor = field(init=False)  # the total that counted last as an improvement
    stale: Tensor = field(init=False)  # steps since then
    steps: Tensor = field(init=False)  # how many were taken

    def see(self, parameters: list[Tensor], objective: Tensor, prior: Tensor) -> None:
        """One evaluation; rows of the history of prototypes at rest are NaN."""
        total = (objective + prior).detach()
        judged = total.sum().expand_as(total).clone() if self.joint else total
        if not self.parameters:
            self.active = torch.ones_like(total, dtype=torch.bool)
            self.best, self.mark = judged.clone(), judged.clone()
            self.stale, self.steps = torch.zeros_like(total), torch.zeros_like(total)
            self.parameters = [each.detach().clone() for each in parameters]
        for history, now in ((self.objective, objective), (self.prior, prior)):
            history.append(torch.where(self.active, now.detach(), float("nan")))
        self.steps[self.active] = len(self.objective) - 1
        self._store(parameters, judged)
        self._rest(judged)

    def _store(self, parameters: list[Tensor], judged: Tensor) -> None:
        """Keep what is better, or what is last."""
        stored = self.active & (judged > self.best) if self.pace.keep == "best" else self.active
        self.best = torch.where(stored, judged, self.best)
        for kept, now in zip(self.parameters, parameters, strict=True):
            kept[stored] = now.detach()[stored]

    def _rest(self, judged: Tensor) -> None:
        improved = judged > self.mark + self.pace.tolerance
        self.mark = torch.where(improved, judged, self.mark)
        self.stale = torch.where(improved, 0, self.stale + 1)
        if len(self.objective) == 1:
            self.stale.zero_()  # nothing to compare the start with
        if self.pace.patience is not None:
            self.active = self.active & (self.stale < self.pace.patience)


@dataclass(eq=False)
class Climb:
    """One group of prototypes that climb together."""

    hill: Hill
    pace: Pace
    rows: Tensor
    advance: Advance
    failed: tuple[int, Tensor] | None = None  # the step, and which were not finite
    stopped: int | None = None  # the step at which the user stopped it

    def run(self, x0: Tensor) -> Kept:
        """From the start to the last step, or until no prototype gets better."""
        start = self.hill.parametrisation.start(x0)
        self.parameters = [each.detach().clone().requires_grad_() for each in start]
        self.optimiser = self.pace.stepping.make(self.parameters)
        rates = [float(group["lr"]) for group in self.optimiser.param_groups]
        self.kept = Kept(self.pace, self.hill.objective.joint)
        try:
            for step in range(self.pace.steps + 1):
                if not self._look(step) or step == self.pace.steps:
                    break
                set_rates(self.optimiser, rates, self.pace.stepping.factor(step / self.pace.steps))
                self._move(step)
        except KeyboardInterrupt:
            if not self.kept.parameters:
                raise
            self.stopped = len(self.kept.objective) - 1
        return self.kept

    def _look(self, step: int) -> bool:
        """Evaluate, with the gradient, and book it; whether there is more to climb."""
        objective, prior = self.hill.measure(self.parameters, self.rows, step)
        if not objective.requires_grad:
            raise InvalidInput(
                f"{self.hill.objective} must depend on the input by torch's operations, but has no "
                "gradient. Does the model detach, run under no_grad, or leave torch?"
            )
        self._slope(objective + prior)
        bad = ~(objective + prior).detach().isfinite()
        for parameter in self.parameters:
            assert parameter.grad is not None
            bad = bad | ~parameter.grad.flatten(1).isfinite().all(1)
        if self.kept.parameters:
            bad = bad & self.kept.active
        if bool(bad.any()):
            self.failed = step, bad
            return False
        self.kept.see(self.parameters, objective, prior)
        self.advance(step, objective.detach(), prior.detach())
        return bool(self.kept.active.any())

    def _move(self, step: int) -> None:
        """One step of the optimiser, back to what is valid, and the operations that are due."""
        fresh = True

        def again() -> Tensor:
            nonlocal fresh
            if fresh:
                fresh = False  # the gradient at this place is there already
                return -(self.kept.objective[-1] + self.kept.prior[-1]).nansum()
            with torch.enable_grad():
                objective, prior = self.hill.measure(self.parameters, self.rows, step)
                self._slope(objective + prior)
                return -(objective + prior).detach().sum()

        self.optimiser.step(again)  # type: ignore[arg-type]  # torch wants a float, and takes both
        with torch.no_grad():
            self.hill.parametrisation.project(self.parameters)
            for index, operation in enumerate(self.pace.operations):
                if (step + 1) % operation.every == 0:
                    self._operate(operation, step, index)

    def _operate(self, operation: Operation, step: int, index: int) -> None:
        number = int(_draws.keys_of([f"step {step}, operation {index}"], self.hill.seed))
        generator = generator_of(number)
        for parameter in self.parameters:
            parameter.copy_(operation.change(parameter.detach(), generator))
        self.hill.parametrisation.project(self.parameters)

    def _slope(self, total: Tensor) -> None:
        """Minus the gradient of the sum, where optimisers look for it: they go down."""
        slopes = torch.autograd.grad(
            -total.sum(), self.parameters, allow_unused=True, materialize_grads=True
        )
        for parameter, slope in zip(self.parameters, slopes, strict=True):
            if self.pace.normalise:
                size = slope.flatten(1).abs().mean(1).view(-1, *[1] * (slope.dim() - 1))
                slope = slope / torch.where(size > 0, size, 1)
            parameter.grad = slope
