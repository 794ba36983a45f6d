"""What is known about inputs before any model is asked: a reward that joins the objective.

The tutorial's slides write max p + lambda Omega(x) with a penalty Omega, which would run away; the
papers mean log p - lambda Omega. Here a prior is a log-density (up to a constant): it is **added**
to the objective, so a penalty is a negative number.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from torch import Tensor

from whence.errors import InvalidInput


class Prior(ABC):
    """log p(x) up to a constant, of each sample. Priors add, and take factors."""

    @abstractmethod
    def log_density(self, x: Tensor) -> Tensor:
        """The reward of each sample of x: (batch, ...) -> (batch,), with its gradient."""

    def of_rows(self, rows: Tensor, batch: int) -> "Prior":
        """The prior for some samples of a batch, if it holds something for each; else itself."""
        return self

    def __add__(self, other: "Prior") -> "Prior":
        return Sum(self, other)

    def __mul__(self, factor: float | int) -> "Prior":
        return Scaled(self, float(factor))

    def __rmul__(self, factor: float | int) -> "Prior":
        return self * factor


@dataclass(frozen=True, eq=False)
class Sum(Prior):
    """first + second."""

    first: Prior
    second: Prior

    def log_density(self, x: Tensor) -> Tensor:
        return self.first.log_density(x) + self.second.log_density(x)

    def of_rows(self, rows: Tensor, batch: int) -> Prior:
        return Sum(self.first.of_rows(rows, batch), self.second.of_rows(rows, batch))

    def __repr__(self) -> str:
        return f"{self.first!r} + {self.second!r}"


@dataclass(frozen=True, eq=False)
class Scaled(Prior):
    """factor times a prior."""

    prior: Prior
    factor: float

    def log_density(self, x: Tensor) -> Tensor:
        return self.factor * self.prior.log_density(x)

    def of_rows(self, rows: Tensor, batch: int) -> Prior:
        return Scaled(self.prior.of_rows(rows, batch), self.factor)

    def __repr__(self) -> str:
        return f"{self.factor:g} * ({self.prior!r})"


@dataclass(frozen=True, eq=False)
class Around(Prior):
    """A penalty on the distance from somewhere: a number, one input, or one for each prototype."""

    weight: float
    around: float | Tensor = 0.0

    def __post_init__(self) -> None:
        if self.weight < 0:
            raise InvalidInput(
                f"The weight of a penalty must be at least 0, got {self.weight}. It is subtracted "
                "already: L2(0.1) is the log-density -0.1 ||x||^2."
            )

    def of_rows(self, rows: Tensor, batch: int) -> Prior:
        around = self.around
        if isinstance(around, Tensor) and around.dim() > 1 and len(around) == batch > 1:
            return replace(self, around=around[rows.to(around.device)])
        return self

    def offset(self, x: Tensor) -> Tensor:
        """x - around, as (batch, elements)."""
        around = self.around.detach().to(x) if isinstance(self.around, Tensor) else self.around
        try:
            offset = x - around
        except RuntimeError as error:
            raise InvalidInput(self._wrong(x)) from error
        if offset.shape != x.shape:
            raise InvalidInput(self._wrong(x))
        return offset.flatten(1)

    def _wrong(self, x: Tensor) -> str:
        shape = tuple(self.around.shape) if isinstance(self.around, Tensor) else ()
        return (
            f"around= must be a number or broadcast to the inputs, shape {tuple(x.shape)}; got "
            f"shape {shape}."
        )

    def __repr__(self) -> str:
        around = self.around
        where = f"tensor of {tuple(around.shape)}" if isinstance(around, Tensor) else f"{around:g}"
        return f"{type(self).__name__}({self.weight:g}, around={where})"


@dataclass(frozen=True, eq=False, repr=False)
class L2(Around):
    """Inputs near zero, or near a mean: log p(x) = -weight ||x - around||^2 [simonyan2014].

    With `around`, a tensor, it is a Gaussian at the mean of the data; one row for each class makes
    it a Gaussian at the class means.

    >>> import torch
    >>> L2(0.5, around=1.0).log_density(torch.tensor([[3.0, 1.0], [1.0, 1.0]])).tolist()
    [-2.0, -0.0]
    """

    def log_density(self, x: Tensor) -> Tensor:
        return -self.weight * self.offset(x).square().sum(1)


@dataclass(frozen=True, eq=False, repr=False)
class Norm(Around):
    """-weight sum_i |x_i - around_i|^p, or -weight max_i |x_i - around_i| for p = inf.

    p = 1 makes inputs sparse; large p only forbids extreme values.
    """

    p: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.p < 1:
            raise InvalidInput(f"p must be at least 1, got {self.p}.")

    def log_density(self, x: Tensor) -> Tensor:
        size = self.offset(x).abs()
        if self.p == float("inf"):
            return -self.weight * size.amax(1)
        return -self.weight * size.pow(self.p).sum(1)


@dataclass(frozen=True)
class TotalVariation(Prior):
    """Neighbours alike: -weight sum |x_p - x_q|^power over neighbouring positions p, q.

    Positions are the axes behind batch and channels: time for (batch, channels, time), rows and
    columns for images. power 1 keeps edges, 2 smooths them [mahendran2015].
    """

    weight: float
    power: float = 1.0

    def __post_init__(self) -> None:
        if self.weight < 0 or self.power < 1:
            raise InvalidInput(
                f"TotalVariation needs weight >= 0 and power >= 1, got {self.weight} and "
                f"{self.power}."
            )

    def log_density(self, x: Tensor) -> Tensor:
        if x.dim() < 3:
            raise InvalidInput(
                "Total variation needs positions: inputs of shape (batch, channels, ...), got "
                f"{tuple(x.shape)}."
            )
        steps = [x.diff(dim=axis).abs().pow(self.power) for axis in range(2, x.dim())]
        return -self.weight * sum((step.flatten(1).sum(1) for step in steps), x.new_zeros(len(x)))


@runtime_checkable
class Expert(Protocol):
    """Anything that knows log p(x) of each sample, differentiable in x."""

    def log_prob(self, value: Tensor, /) -> Tensor: ...


@dataclass(frozen=True, eq=False)
class Density(Prior):
    """weight log p(x) by an expert [montavon2018, section 3.2].

    With weight 1 the ascent looks for the most probable input of a class, for by Bayes' rule
    log p(x | class) = log p(class | x) + log p(x) + const.

    - `expert`: has `log_prob(x) -> (batch,)`, such as `torch.distributions.MultivariateNormal`.
    - `weight`: below 1 the expert counts less than the model.
    - `flat`: the expert takes flattened inputs, (batch, elements).
    """

    expert: Expert
    weight: float = 1.0
    flat: bool = False

    def log_density(self, x: Tensor) -> Tensor:
        found = self.expert.log_prob(x.flatten(1) if self.flat else x)
        if not isinstance(found, Tensor) or found.shape != (len(x),):
            shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise InvalidInput(
                f"An expert's log_prob must give one number for each sample, ({len(x)},), got "
                f"{shape}. Distributions over single elements: torch.distributions.Independent; "
                "experts on flat inputs: Density(expert, flat=True)."
            )
        if x.requires_grad and not found.requires_grad:
            raise InvalidInput(
                f"{type(self.expert).__name__}.log_prob must be differentiable, but its result "
                "does not depend on x by torch's operations. Compute it without detach, no_grad "
                "and NumPy."
            )
        return self.weight * found

    def __repr__(self) -> str:
        weight = "" if self.weight == 1 else f", weight={self.weight:g}"
        return f"Density({type(self.expert).__name__}{weight})"
