"""Prototypes climb in groups; what they reached becomes one result."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from whence.errors import Diverged
from whence.prototypes._ascent import Advance, Climb, Hill, Kept, Pace
from whence.prototypes._parametrisation import Box
from whence.prototypes._plan import Plan
from whence.prototypes._prototypes import Prototypes


@dataclass(frozen=True, eq=False)
class Groups:
    """All prototypes of a plan, so many at once."""

    hill: Hill
    pace: Pace
    plan: Plan
    box: Box | None
    made: dict[str, Any]

    def run(self, size: int, advance: Callable[[int], Advance]) -> Prototypes:
        """Climb group by group; `advance(n)` gives what is told of the n-th group's steps."""
        done: list[tuple[Hill, Tensor, Kept]] = []
        for number, first in enumerate(range(0, len(self.plan.x0), size)):
            index = torch.arange(first, min(first + size, len(self.plan.x0)))
            rows = self.plan.rows[index]
            hill = self._hill(rows)
            climb = Climb(hill, self.pace, rows, advance(number))
            kept = climb.run(self.plan.x0[index])
            if kept.parameters:
                done.append((hill, rows, kept))
            if climb.failed is not None:
                raise self._diverged(*climb.failed, first, done)
            if climb.stopped is not None:
                self.hill.lens.notes.append(self._stopped(climb.stopped, int(index[-1]) + 1))
                break
        return self._result(done)

    def _hill(self, rows: Tensor) -> Hill:
        prior, entries = self.hill.prior, self.plan.entries
        return replace(
            self.hill,
            prior=None if prior is None else prior.of_rows(rows, entries),
            parametrisation=self.hill.parametrisation.of_rows(rows, entries),
        )

    def _result(self, done: list[tuple[Hill, Tensor, Kept]]) -> Prototypes:
        found = [_reached(hill, rows, kept) for hill, rows, kept in done]
        kept = [each for _, _, each in done]
        longest = max(len(each.objective) for each in kept)
        inputs = torch.cat([each[0] for each in found])
        return Prototypes(
            inputs=inputs,
            objective=torch.cat([each[1] for each in found]),
            prior=torch.cat([each[2] for each in found]),
            history=torch.cat([_history(each.objective, longest) for each in kept], 1),
            prior_history=torch.cat([_history(each.prior, longest) for each in kept], 1),
            steps=torch.cat([each.steps for each in kept]).long(),
            names=self.plan.names[: len(inputs)],
            parameters=[
                torch.cat(each) for each in zip(*(k.parameters for k in kept), strict=True)
            ],
            box=self.box,
            notes=list(self.hill.lens.notes),
            made=self.made,
        )

    def _stopped(self, step: int, begun: int) -> str:
        note = f"Stopped by hand after step {step} of {self.pace.steps}."
        total = len(self.plan.x0)
        return note if begun == total else f"{note} {begun} of {total} prototypes were begun."

    def _diverged(
        self, step: int, bad: Tensor, first: int, done: list[tuple[Hill, Tensor, Kept]]
    ) -> Diverged:
        index = first + int(bad.nonzero()[0])
        name = self.plan.names[index]
        which = f"prototype {index}" + (f" (class {name})" if name else "")
        error = Diverged(
            f"Objective, prior and gradient must be finite, but at step {step} those of {which} "
            "are not. Lower rate=, keep inputs valid with box=, or add a prior. The best so far "
            "is in the error's `found`."
        )
        error.found = self._result(done) if done else None
        return error


def _reached(hill: Hill, rows: Tensor, kept: Kept) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs, objective and prior of what is kept, measured without transformations."""
    parameters = [each.clone().requires_grad_() for each in kept.parameters]
    objective, prior = hill.measure(parameters, rows, None)
    return hill.parametrisation.inputs(parameters).detach(), objective.detach(), prior.detach()


def _history(rows: list[Tensor], length: int) -> Tensor:
    """(length, batch), with NaN after the end."""
    history = torch.stack(rows)
    rest = history.new_full((length - len(history), history.shape[1]), float("nan"))
    return torch.cat([history, rest])
