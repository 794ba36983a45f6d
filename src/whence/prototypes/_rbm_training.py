"""Persistent contrastive divergence for Gaussian-binary restricted Boltzmann machines."""

import math
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor
from torch.nn.functional import softplus

from whence.errors import InvalidInput

_LEAST = 0.03  # of the inputs' standard deviation: no sigma shrinks below it


@dataclass(frozen=True)
class PersistentDivergence:
    """Trains a `GaussianBinaryRBM`: data pull the log-density up, sampled inputs push it down.

    The gradient of the mean log-likelihood is the difference of two means, over data and over what
    the machine itself would draw:

        grad log L = E_data[grad log p*(x)] - E_machine[grad log p*(x)],   log p* = log p + log Z

    Persistent: the draws are a set of Gibbs chains that go on from update to update and are never
    put back on data. Each chain takes `gibbs` steps for an update.

    The inputs are first shifted by their mean and scaled by one number, their standard deviation,
    hidden bits count from their first mean [montavon2012], and what is learned is sigma^2 weights
    [cho2011]: so the rates below hold for inputs of any range. What comes out is for the inputs as
    they are.

    - `epochs`: passes through the data; `batch`: samples for an update.
    - `chains`: number of Gibbs chains.
    - `rate`: of Adam; it falls linearly to zero.
    - `decay`: weight of the penalty decay/2 |sigma^2 weights|^2, inputs scaled.
    - `hidden_start`: chance of a hidden unit to be on before training.

    References: [tieleman2008], [hinton2002], [montavon2012],
    [cho2011]. Unlike the paper,
    steps are Adam's.
    """

    epochs: int = 30
    batch: int = 64
    chains: int = 64
    gibbs: int = 1
    rate: float = 3e-3
    decay: float = 1e-3
    hidden_start: float = 0.1

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "chains", "gibbs"):
            if getattr(self, name) < 1:
                raise InvalidInput(f"{name} must be 1 or more, got {getattr(self, name)}.")
        if self.rate <= 0 or self.decay < 0 or not 0 < self.hidden_start < 1:
            raise InvalidInput(
                "rate must be above 0, decay 0 or more and hidden_start between 0 and 1, got "
                f"{self.rate}, {self.decay} and {self.hidden_start}."
            )

    def fit(
        self, inputs: Tensor, hidden: int, sigma: float | str, seed: int, progress: bool
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Weights, bias, mean and sigma of a machine for inputs (samples, ...)."""
        rows = _checked(inputs, hidden)
        centre, scale = rows.mean(0), float(rows.std(0, correction=0).square().mean().sqrt())
        if not scale > 0:
            raise InvalidInput("the inputs must differ from each other, got all the same.")
        spread, learned = _spread(sigma, rows, scale)
        generator = torch.Generator(rows.device).manual_seed(seed)
        size = (hidden, rows.shape[1])
        machine = _Machine(size, spread, self.hidden_start, generator)
        with torch.enable_grad():
            self._train(machine, (rows - centre) / scale, learned, generator, progress)
        return machine.plain(centre, scale)

    def _train(
        self,
        machine: "_Machine",
        u: Tensor,
        learned: bool,
        generator: torch.Generator,
        progress: bool,
    ) -> None:
        parameters = [machine.shifts, machine.bias, machine.mean, machine.log_sigma]
        machine.log_sigma.requires_grad_(learned)
        optimiser = torch.optim.Adam([p for p in parameters if p.requires_grad], lr=self.rate)
        steps = self.epochs * math.ceil(len(u) / self.batch)
        schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.01, steps)
        chosen = _drawn(len(u), self.chains, generator)
        chains = u[chosen]
        bar = {"disable": not progress, "console": Console(stderr=True)}
        for _ in track(range(self.epochs), "training the machine", **bar):
            order = torch.randperm(len(u), generator=generator, device=u.device)
            for part in order.split(self.batch):
                for _ in range(self.gibbs):
                    chains = machine.gibbs(chains, generator)
                gain = machine.log_density(u[part]).mean() - machine.log_density(chains).mean()
                loss = self.decay / 2 * machine.shifts.square().sum() - gain
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
                machine.limit()


class _Machine:
    """The machine while it learns, for inputs u = (x - centre) / scale.

    What it learns are shifts U = sigma^2 weights: row j is how far hidden bit j moves the inputs'
    mean. They are of the size of the data whatever sigma is. The bits count from their first mean
    `offset`, so that mean and shifts do not have to follow each other:

        p(u | h) = N(mean + (h - offset)^T U, sigma^2)
        p(h_j = 1 | u) = sigmoid(U_j u / sigma^2 + b_j)
    """

    def __init__(
        self, size: tuple[int, int], sigma: Tensor, start: float, generator: torch.Generator
    ) -> None:
        hidden, features = size
        shifts = sigma.new_empty(size).normal_(generator=generator)
        self.shifts = (shifts * (0.1 / features**0.5)).requires_grad_()
        self.bias = sigma.new_full((hidden,), math.log(start / (1 - start))).requires_grad_()
        self.mean = sigma.new_zeros(features).requires_grad_()
        self.log_sigma = sigma.log()  # (features,), or (1,) where all share it
        self.offset = start

    def log_density(self, u: Tensor) -> Tensor:
        """log p*(u), (batch,)."""
        gaussian = ((u - self._centre()) / self.log_sigma.exp()).square().sum(1) / 2
        return softplus(self._seen(u)).sum(1) - gaussian

    @torch.no_grad()
    def gibbs(self, u: Tensor, generator: torch.Generator) -> Tensor:
        """One step of each chain: hidden bits given inputs, then inputs given hidden bits."""
        h = torch.bernoulli(torch.sigmoid(self._seen(u)), generator=generator)
        noise = torch.empty_like(u).normal_(generator=generator)
        return self._centre() + h @ self.shifts + self.log_sigma.exp() * noise

    @torch.no_grad()
    def limit(self) -> None:
        self.log_sigma.clamp_(min=math.log(_LEAST))

    @torch.no_grad()
    def plain(self, centre: Tensor, scale: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Weights, bias, mean, sigma for x = centre + scale u."""
        sigma = self.log_sigma.exp()
        weights = self.shifts / sigma.square() / scale
        bias = self.bias - weights @ centre
        spread = (scale * sigma).expand(len(centre)).clone()
        return weights, bias, centre + scale * self._centre(), spread

    def _seen(self, u: Tensor) -> Tensor:
        return torch.addmm(self.bias, u / self.log_sigma.exp().square(), self.shifts.T)

    def _centre(self) -> Tensor:
        return self.mean - self.offset * self.shifts.sum(0)


def _checked(inputs: Tensor, hidden: int) -> Tensor:
    """The inputs as rows (samples, features)."""
    if hidden < 0:
        raise InvalidInput(f"hidden must be 0 or more, got {hidden}.")
    if inputs.ndim < 2 or len(inputs) < 2 or not inputs.is_floating_point():
        raise InvalidInput(
            "training needs two inputs or more, floats of shape (samples, ...), got "
            f"{inputs.dtype} of {tuple(inputs.shape)}."
        )
    rows = inputs.detach().reshape(len(inputs), -1)
    if not bool(rows.isfinite().all()):
        raise InvalidInput("the inputs must be finite, got NaN or infinity.")
    return rows.float() if rows.dtype in (torch.float16, torch.bfloat16) else rows


def _spread(sigma: float | str, rows: Tensor, scale: float) -> tuple[Tensor, bool]:
    """The first sigma, (features,) or (1,), in units of `scale`, and whether it is learned."""
    if sigma == "shared":
        return rows.new_ones(1), True
    if sigma == "each":
        return (rows.std(0, correction=0) / scale).clamp(min=_LEAST), True
    if isinstance(sigma, str) or not sigma > 0:
        raise InvalidInput(f'sigma must be "shared", "each" or a number above 0, got {sigma!r}.')
    return rows.new_full((1,), sigma / scale), False


def _drawn(count: int, wanted: int, generator: torch.Generator) -> Tensor:
    """`wanted` numbers below `count`, each as often as the others or once more."""
    rounds = math.ceil(wanted / count)
    device = generator.device
    orders = [torch.randperm(count, generator=generator, device=device) for _ in range(rounds)]
    return torch.cat(orders)[:wanted]
