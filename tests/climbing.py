"""A hill to climb, for tests of the ascent."""

from collections.abc import Callable

import torch
from torch import Tensor

import whence
from whence.prototypes import (
    Output,
    Prototypes,
)

# On -(x - 1)^2 gradient ascent multiplies the distance to 1 by 1 - 2 rate.
ORIGIN = torch.zeros(1, 1).double()


def hill(x: Tensor) -> Tensor:
    return -(x - 1).square().sum(1)


def climb(model: Callable[[Tensor], Tensor] = hill, **options: object) -> Prototypes:
    options = {"start": ORIGIN, "optimiser": "sgd", "rate": 0.25, **options}
    return whence.maximize(model, Output(), **options)  # type: ignore[arg-type]
