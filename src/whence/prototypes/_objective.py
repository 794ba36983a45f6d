"""What an ascent makes large: one number for each sample of a run; objectives add and multiply."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.prototypes._seen import Seen


class Objective(ABC):
    """A number for each candidate, read off one run of the model.

    Subclasses are frozen values with `value`. They add, subtract, multiply, and take factors:
    `LogProbability(3) + 0.1 * Channel("features.3", 7)`. One of your own:

    ```python
    @dataclass(frozen=True)
    class Balance(Objective):
        "Two classes alike."

        def value(self, seen: Seen) -> Tensor:
            return -(seen.scores[:, 0] - seen.scores[:, 1]).square()
    ```

    - `modules`: names of the modules whose outputs are read with `seen.at`.
    - `classes`: the classes of a batch, one prototype for each; None if there is no such list.
    - `joint`: whether samples of a batch are judged together, as for diversity.
    """

    @property
    def joint(self) -> bool:
        """Whether samples of a batch are judged together, so that they must climb together."""
        return False

    @property
    def modules(self) -> tuple[str, ...]:
        """Names of the modules whose outputs `value` reads."""
        return ()

    @property
    def classes(self) -> tuple[int, ...] | None:
        """One class for each entry of a batch; None: the objective is the same for all."""
        return None

    @abstractmethod
    def value(self, seen: Seen) -> Tensor:
        """The number to make large, of each sample: (batch,), with its gradient."""

    def __add__(self, other: "Objective | float | int") -> "Objective":
        return Sum(self, other if isinstance(other, Objective) else Constant(float(other)))

    def __radd__(self, other: float | int) -> "Objective":
        return self + other

    def __sub__(self, other: "Objective | float | int") -> "Objective":
        return self + (-other)

    def __rsub__(self, other: float | int) -> "Objective":
        return -self + other

    def __neg__(self) -> "Objective":
        return Scaled(self, -1.0)

    def __mul__(self, other: "Objective | float | int") -> "Objective":
        if isinstance(other, Objective):
            return Product(self, other)
        return Scaled(self, float(other))

    def __rmul__(self, other: float | int) -> "Objective":
        return self * other

    def __truediv__(self, other: float | int) -> "Objective":
        return Scaled(self, 1.0 / other)


@dataclass(frozen=True)
class Constant(Objective):
    """The same number for all."""

    number: float

    def value(self, seen: Seen) -> Tensor:
        return torch.full((len(seen),), self.number).to(seen.inputs)


@dataclass(frozen=True, eq=False)
class Scaled(Objective):
    """factor times an objective."""

    objective: Objective
    factor: float

    @property
    def joint(self) -> bool:
        return self.objective.joint

    @property
    def modules(self) -> tuple[str, ...]:
        return self.objective.modules

    @property
    def classes(self) -> tuple[int, ...] | None:
        return self.objective.classes

    def value(self, seen: Seen) -> Tensor:
        return self.factor * self.objective.value(seen)

    def __repr__(self) -> str:
        return f"{self.factor:g} * {self.objective!r}"


@dataclass(frozen=True, eq=False)
class Pair(Objective):
    """Two objectives of the same run."""

    first: Objective
    second: Objective

    def __post_init__(self) -> None:
        classes_of(self.first, self.second)  # refused here, not after an hour of work

    @property
    def joint(self) -> bool:
        return self.first.joint or self.second.joint

    @property
    def modules(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.first.modules, *self.second.modules)))

    @property
    def classes(self) -> tuple[int, ...] | None:
        return classes_of(self.first, self.second)

    @abstractmethod
    def value(self, seen: Seen) -> Tensor: ...


@dataclass(frozen=True, eq=False)
class Sum(Pair):
    """first + second."""

    def value(self, seen: Seen) -> Tensor:
        return self.first.value(seen) + self.second.value(seen)

    def __repr__(self) -> str:
        return f"({self.first!r} + {self.second!r})"


@dataclass(frozen=True, eq=False)
class Product(Pair):
    """first times second."""

    def value(self, seen: Seen) -> Tensor:
        return self.first.value(seen) * self.second.value(seen)

    def __repr__(self) -> str:
        return f"({self.first!r} * {self.second!r})"


def classes_of(first: Objective, second: Objective) -> tuple[int, ...] | None:
    """The batch of classes that two objectives agree on; a single class goes with any batch."""
    one, other = first.classes, second.classes
    if one is None or other is None:
        return one if other is None else other
    if len(one) > 1 and len(other) > 1 and len(one) != len(other):
        raise InvalidInput(
            f"Objectives of one batch need as many classes, or one; got {len(one)} and "
            f"{len(other)}."
        )
    return one if len(one) >= len(other) else other
