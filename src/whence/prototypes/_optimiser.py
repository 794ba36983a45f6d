"""Optimisers by name, and how their rate falls."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import LBFGS, SGD, Adam, Optimizer

from whence.errors import InvalidInput

MakeOptimiser = Callable[[list[Tensor]], Optimizer]
Schedule = Callable[[float], float]

RATES = {"adam": (0.05, 1), "sgd": (0.1, 2), "lbfgs": (1.0, 0)}
"""The usual rate, and the power of the scale by which it is divided."""

_SCHEDULES: dict[str, Schedule] = {
    "constant": lambda share: 1.0,
    "linear": lambda share: 1.0 - share,
    "cosine": lambda share: 0.5 * (1.0 + math.cos(math.pi * share)),
}


@dataclass(frozen=True, eq=False)
class Stepping:
    """An optimiser and how its rate falls, with the words for them."""

    optimiser: str
    rate: float | None
    make: MakeOptimiser
    schedule: str
    factor: Schedule

    def words(self) -> dict[str, Any]:
        """For the record."""
        return {"optimiser": self.optimiser, "rate": self.rate, "schedule": self.schedule}


def stepping_of(
    optimiser: str | MakeOptimiser,
    rate: float | None,
    schedule: str | Schedule | None,
    *,
    scale: float = 1.0,
) -> Stepping:
    """What a user's arguments mean. `scale`: how much an input changes with its parameters, by
    which the usual rate is divided: once for Adam, whose steps have one size, twice for SGD."""
    name, factor = _schedule_of(schedule)
    if not isinstance(optimiser, str):
        if rate is not None:
            raise InvalidInput(
                "rate= goes with an optimiser given by name; your own function sets its own. "
                "Leave rate= out."
            )
        return Stepping(name_of(optimiser), None, optimiser, name, factor)
    if optimiser not in RATES:
        raise InvalidInput(
            f"optimiser= must be one of {', '.join(RATES)} or a function of the parameters, got "
            f"{optimiser!r}."
        )
    usual, power = RATES[optimiser]
    step = usual / scale**power if rate is None else rate
    if step <= 0:
        raise InvalidInput(f"rate= must be above 0, got {rate}.")
    made: dict[str, MakeOptimiser] = {
        "adam": lambda parameters: Adam(parameters, lr=step),
        "sgd": lambda parameters: SGD(parameters, lr=step),
        "lbfgs": lambda parameters: _lbfgs(parameters, step),
    }
    return Stepping(optimiser, step, made[optimiser], name, factor)


def name_of(function: Any) -> str:
    """A function's name, or that of its class."""
    return getattr(function, "__name__", type(function).__name__)


def _schedule_of(asked: str | Schedule | None) -> tuple[str, Schedule]:
    """Name and factor of the rate, from the share of steps that are done, 0 to 1."""
    if not isinstance(asked, str) and asked is not None:
        return name_of(asked), asked
    name = asked or "constant"
    if name not in _SCHEDULES:
        raise InvalidInput(
            f"schedule= must be one of {', '.join(_SCHEDULES)} or a function of the share of steps "
            f"done, got {asked!r}."
        )
    return name, _SCHEDULES[name]


def set_rates(optimiser: Optimizer, first: list[float], factor: float) -> None:
    """Scale the rates that the optimiser began with."""
    for group, rate in zip(optimiser.param_groups, first, strict=True):
        group["lr"] = rate * factor


def generator_of(number: int) -> torch.Generator:
    """Random numbers from a number of any sign."""
    return torch.Generator().manual_seed(number & (2**63 - 1))


def _lbfgs(parameters: list[Tensor], rate: float) -> Optimizer:
    """torch's own tolerances stop at five digits; these go to the precision of the numbers."""
    return LBFGS(
        parameters,
        lr=rate,
        tolerance_grad=1e-12,
        tolerance_change=1e-14,
        line_search_fn="strong_wolfe",
    )
