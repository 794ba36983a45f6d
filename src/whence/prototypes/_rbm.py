"""A density expert: the restricted Boltzmann machine of Gaussian inputs and binary hidden units."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import softplus

from whence.errors import InvalidInput
from whence.prototypes._rbm_training import PersistentDivergence

_MOST_HIDDEN = 20  # 2^20 states: the normaliser by brute force still takes about a second
_KEYS = ("weights", "bias", "mean", "sigma", "shape")


@dataclass(frozen=True, eq=False)
class GaussianBinaryRBM:
    """How likely an input is, as a Gaussian times many soft half-spaces: a product of experts.

    Use it as the prior p(x) of activation maximisation, `Density(rbm)`: prototypes then stay where
    data are. `GaussianBinaryRBM.fit(inputs)` trains one.

    Energy of an input x and hidden bits h, with Sigma = diag(sigma^2):

        E(x, h) = 1/2 (x - mean)^T Sigma^-1 (x - mean) - sum_j h_j (weights_j · x + bias_j)

    Summed over all h, with softplus(t) = log(1 + e^t):

        log p(x) = sum_j softplus(weights_j · x + bias_j) - 1/2 (x - mean)^T Sigma^-1 (x - mean)
                   - log Z

        p(h_j = 1 | x) = sigmoid(weights_j · x + bias_j)
        p(x | h) = N(mean + Sigma weights^T h, Sigma)

    Without hidden units and with Sigma = I / (2 lambda), log p(x) is -lambda |x - mean|^2: the
    plain L2 prior.

    - `weights` (hidden, features), `bias` (hidden,).
    - `mean`, `sigma` (features,): of the Gaussian; `sigma` above zero.
    - `shape`: of one input; its product is the number of features.

    References: [montavon2018, section 3.2], [hinton2006] for the energy, [hinton2002].
    """

    weights: Tensor
    bias: Tensor
    mean: Tensor
    sigma: Tensor
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        features = torch.Size(self.shape).numel()
        wanted = {"bias": (len(self.weights),), "mean": (features,), "sigma": (features,)}
        if self.weights.ndim != 2 or self.weights.shape[1] != features:
            raise InvalidInput(
                f"weights must have shape (hidden, {features}) for inputs of {self.shape}, got "
                f"{tuple(self.weights.shape)}."
            )
        for name, shape in wanted.items():
            if getattr(self, name).shape != shape:
                got = tuple(getattr(self, name).shape)
                raise InvalidInput(f"{name} must have shape {shape}, got {got}.")
        if not bool((self.sigma > 0).all()):
            raise InvalidInput(f"sigma must be above zero, got {float(self.sigma.amin()):g}.")

    @classmethod
    def fit(
        cls,
        inputs: Tensor,
        hidden: int = 64,
        *,
        sigma: float | str = "shared",
        training: PersistentDivergence | None = None,
        seed: int = 0,
        progress: bool = False,
    ) -> "GaussianBinaryRBM":
        """Train one on inputs (samples, ...) by persistent contrastive divergence.

        - `hidden`: number of hidden units.
        - `sigma`: "shared", one for all features, learned; "each", one for each feature, learned;
          or a number, in the units of the inputs, that stays as it is.
        - `training`: the knobs of training, by default `PersistentDivergence()`.
        - `seed`: the same seed gives the same machine.
        - `progress`: show a bar.
        """
        knobs = training or PersistentDivergence()
        weights, bias, mean, spread = knobs.fit(inputs, hidden, sigma, seed, progress)
        return cls(weights, bias, mean, spread, tuple(inputs.shape[1:]))

    @property
    def hidden(self) -> int:
        """How many hidden units there are."""
        return len(self.bias)

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x) + log Z, shape (batch,), for inputs (batch, ...), differentiable.

        **Not normalised**: differences between inputs are exact, the level is arbitrary. Where few
        hidden units make it possible, `log_partition()` is what to subtract.
        """
        rows = self._rows(x)
        weights, bias, mean, sigma = (each.to(rows) for each in self._parameters())
        gaussian = ((rows - mean) / sigma).square().sum(1) / 2
        return softplus(torch.addmm(bias, rows, weights.T)).sum(1) - gaussian

    def activations(self, x: Tensor) -> Tensor:
        """p(h_j = 1 | x), shape (batch, hidden): how much each hidden unit is on."""
        rows = self._rows(x)
        return torch.sigmoid(torch.addmm(self.bias.to(rows), rows, self.weights.to(rows).T))

    def log_partition(self) -> Tensor:
        """log Z, exactly, by summing over all hidden states; a number.

        The Gaussian integral of each state h is done in closed form, with v = weights^T h:

            Z = (2 pi)^(d/2) |Sigma|^(1/2) sum_h exp(bias · h + mean · v + 1/2 v^T Sigma v)

        Raises `InvalidInput` beyond 20 hidden units.
        """
        if self.hidden > _MOST_HIDDEN:
            raise InvalidInput(
                f"log_partition sums over all 2^hidden states, which needs at most {_MOST_HIDDEN} "
                f"hidden units, got {self.hidden}. Compare differences of log_prob instead."
            )
        volume = (self.sigma.log() + np.log(2 * np.pi) / 2).sum()
        bits = torch.arange(2**self.hidden, device=self.bias.device)
        parts = []
        for some in bits.split(1 << 14):
            on = (some[:, None] >> torch.arange(self.hidden, device=some.device)) & 1
            h = on.to(self.bias)
            v = h @ self.weights
            square = (v * self.sigma).square().sum(1) / 2
            parts.append(torch.logsumexp(h @ self.bias + v @ self.mean + square, 0))
        return torch.logsumexp(torch.stack(parts), 0) + volume

    def sample(
        self, count: int, steps: int = 1000, *, start: Tensor | None = None, seed: int = 0
    ) -> Tensor:
        """Draw inputs (count, *shape) by Gibbs sampling: hidden bits and inputs in turn.

        `start` (count, *shape) is where the chains begin, by default draws from the Gaussian
        alone. Chains that begin far from what they should sample need many steps; how many is not
        known.
        """
        generator = torch.Generator().manual_seed(seed)
        draw = torch.randn(count, self.mean.numel(), generator=generator).to(self.mean)
        x = self.mean + self.sigma * draw if start is None else self._rows(start).to(self.mean)
        for _ in range(steps):
            chance = self.activations(x.view(count, *self.shape))
            h = torch.rand(chance.shape, generator=generator).to(chance) < chance
            draw = torch.randn(x.shape, generator=generator).to(x)
            x = self.mean + self.sigma.square() * (h.to(x) @ self.weights) + self.sigma * draw
        return x.view(count, *self.shape)

    def save(self, path: str | Path) -> None:
        """Write it to a .safetensors or .npz file; never pickle."""
        shape = torch.tensor(self.shape, dtype=torch.int64)
        arrays = dict(zip(_KEYS, (*self._parameters(), shape), strict=True))
        plain = {key: value.detach().cpu().contiguous() for key, value in arrays.items()}
        if _suffix(path) == ".npz":
            numbers = {key: value.numpy() for key, value in plain.items()}
            np.savez_compressed(path, **numbers)  # type: ignore[arg-type]  # names, not options
        else:
            save_file(plain, path)

    @classmethod
    def load(cls, path: str | Path) -> "GaussianBinaryRBM":
        """Read what `save` wrote."""
        if _suffix(path) == ".npz":
            with np.load(path, allow_pickle=False) as archive:
                arrays = {key: torch.from_numpy(archive[key]) for key in archive.files}
        else:
            arrays = load_file(path)
        if sorted(arrays) != sorted(_KEYS):
            raise InvalidInput(
                f"{path} must hold {', '.join(_KEYS)}, as save writes them, got "
                f"{', '.join(arrays) or 'nothing'}."
            )
        weights, bias, mean, sigma, shape = (arrays[key] for key in _KEYS)
        return cls(weights, bias, mean, sigma, tuple(shape.tolist()))

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.shape))
        return f"GaussianBinaryRBM({self.hidden} hidden units, inputs of {shape})"

    def _parameters(self) -> Sequence[Tensor]:
        return self.weights, self.bias, self.mean, self.sigma

    def _rows(self, x: Tensor) -> Tensor:
        if x.ndim < 1 or x.shape[1:] != self.shape:
            raise InvalidInput(
                f"this machine judges inputs of shape (batch, {', '.join(map(str, self.shape))}), "
                f"got {tuple(x.shape)}."
            )
        return x.reshape(len(x), -1)


def _suffix(path: str | Path) -> str:
    suffix = Path(path).suffix
    if suffix not in (".npz", ".safetensors"):
        raise InvalidInput(f"the file must end in .safetensors or .npz, got {str(path)!r}.")
    return suffix
