"""Sampling prototypes: an expert and a model pull, noise keeps them moving."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.prototypes._generator import Generator
from whence.prototypes._maximize import maximize
from whence.prototypes._operations import Operation
from whence.prototypes._parametrisation import Box
from whence.prototypes._prior import Density, Expert, Prior
from whence.prototypes._prototypes import Prototypes
from whence.prototypes._start import Start

Epsilons = tuple[float, float, float]


def plug_and_play(
    model: Callable[..., Any],
    objective: Any,
    expert: Expert | Prior,
    *,
    epsilons: Epsilons,
    generator: Generator | None = None,
    judges: str = "code",
    start: Tensor | Start | None = None,
    steps: int = 200,
    count: int = 1,
    box: Box | None = None,
    seed: int = 0,
    progress: bool | Callable[[int, Tensor, Tensor], None] = False,
) -> Prototypes:
    """Draw inputs that a class may have, rather than the one that the model likes best.

    Use it to see how varied a class is: with noise, copies (`count`) of one start part ways. An
    expert says what is likely, a generator can say it by its codes. With z the code of a
    generator, x = g(z), or the input itself where there is none [nguyen2017, eq. 5]:

        z <- z + epsilon1 grad log p(z) + epsilon2 grad log p(class | g(z)) + N(0, epsilon3^2)

    With epsilon3 = 0 it is an ascent, and the mode is found; with epsilon1 = epsilon2 = epsilon and
    epsilon3 = sqrt(2 epsilon), small, it is Langevin sampling from p(z | class).

    - `objective`: as in `maximize`. `expert`: knows log p, or a `Prior`.
    - `epsilons`: (epsilon1, epsilon2, epsilon3); epsilon2 above zero.
    - `generator`: without it the inputs themselves move. `judges`: what the expert judges where
      there is one, its "code" or the "inputs" that it makes.
    - `start`, `steps`, `count`, `box`, `seed`, `progress`: as in `maximize`. The last step is kept.

    The same seed gives the same draws.
    """
    expertise, likeness, noise = epsilons
    if expertise < 0 or likeness <= 0 or noise < 0:
        raise InvalidInput(
            "epsilons must be at least 0, and the second, of the model, above 0, got "
            f"{epsilons}. Without a model there is nothing to explain."
        )
    if judges not in ("code", "inputs"):
        raise InvalidInput(f'judges must be "code" or "inputs", got {judges!r}.')
    prior = expert if isinstance(expert, Prior) else Density(expert)
    prior = expertise / likeness * prior
    if generator is not None and judges == "code":
        # What the generator holds of its codes already is known counts as well.
        held = generator.prior
        generator = replace(generator, prior=prior if held is None else held + prior)
    return maximize(
        model,
        objective,
        start=start,
        prior=prior if generator is None or judges == "inputs" else None,
        parametrisation=generator,
        operations=[Shake(noise)] if noise else [],
        optimiser="sgd",
        rate=likeness,
        steps=steps,
        keep="last",
        box=box,
        count=count,
        seed=seed,
        progress=progress,
    )


@dataclass(frozen=True)
class Shake(Operation):
    """Add normal noise of standard deviation `std` after a step.

    The noise of a sample depends on the seed, the step and its place in the batch that climbs.
    """

    std: float
    every: int = 1

    def __post_init__(self) -> None:
        if self.std <= 0 or self.every < 1:
            raise InvalidInput(f"Shake needs std > 0 and every >= 1, got {self.std}, {self.every}.")

    def change(self, parameter: Tensor, generator: torch.Generator) -> Tensor:
        noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        return parameter + self.std * noise.to(parameter)


@dataclass(frozen=True, eq=False)
class Denoiser:
    """An expert by a net that removes noise: it knows the slope of log p, not its height.

    A net R that was trained to undo noise of standard deviation sigma gives, for small sigma
    [alain2014],

        grad log p(x) = (R(x) - x) / sigma^2

    - `net`: inputs or codes, noisy, to the same without noise.
    - `sigma`: of the noise that it was trained on.

    `log_prob` is 0 with this gradient, so what an ascent reports as its prior is 0 too.
    """

    net: Callable[[Tensor], Tensor]
    sigma: float

    def __post_init__(self) -> None:
        if self.sigma <= 0:
            raise InvalidInput(f"sigma must be above zero, got {self.sigma}.")

    def log_prob(self, x: Tensor) -> Tensor:
        """Zeros (batch,), whose gradient is the slope of log p."""
        with torch.no_grad():
            slope = (self.net(x) - x) / self.sigma**2
        return (slope * (x - x.detach())).flatten(1).sum(1)
