"""A density expert: a mixture of Gaussians, fitted by scikit-learn or put on samples."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.zoo._files import optional

_KINDS = ("full", "tied", "diag", "spherical")


@dataclass(frozen=True, eq=False)
class Mixture:
    """How likely an input is under a mixture of Gaussians; normalised and differentiable.

    Use it as the prior p(x) of activation maximisation, `Density(mixture)`, for inputs or codes of
    few features. `fit` trains one with scikit-learn, `from_sklearn` takes a fitted one over,
    `kernels` puts a Gaussian on each sample (a kernel density).

        log p(x) = logsumexp_k [ log weights_k + log |P_k| - d/2 log 2 pi
                                 - 1/2 |(x - means_k) P_k|^2 ],    covariance_k = (P_k P_k^T)^-1

    - `weights` (components,): above zero, with sum 1.
    - `means` (components, features).
    - `roots`: P_k. (components or 1, features, features) upper triangular, (components, features)
      their diagonals, or (components,) one number for each; as scikit-learn's
      `precisions_cholesky_`.
    - `shape`: of one input.

    Needs memory for batch x components x features numbers.
    """

    weights: Tensor
    means: Tensor
    roots: Tensor
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        count, features = len(self.weights), torch.Size(self.shape).numel()
        if self.means.shape != (count, features):
            raise InvalidInput(
                f"means must have shape ({count}, {features}) for {count} weights and inputs of "
                f"{self.shape}, got {tuple(self.means.shape)}."
            )
        full = [(count, features, features), (1, features, features)]
        if tuple(self.roots.shape) not in [*full, (count, features), (count,)]:
            raise InvalidInput(
                f"roots must have shape {full[0]}, {full[1]}, ({count}, {features}) or ({count},), "
                f"got {tuple(self.roots.shape)}."
            )
        if not bool((self.weights > 0).all()) or abs(float(self.weights.sum()) - 1) > 1e-4:
            raise InvalidInput(
                "weights must be above zero with sum 1, got a least one of "
                f"{float(self.weights.amin()):g} and a sum of {float(self.weights.sum()):g}."
            )

    @classmethod
    def from_sklearn(cls, fitted: Any, shape: tuple[int, ...] | None = None) -> "Mixture":
        """The mixture that a fitted `sklearn.mixture.GaussianMixture` is, in float64.

        `shape` of one input, by default (features,).
        """
        kind, means = getattr(fitted, "covariance_type", None), getattr(fitted, "means_", None)
        if kind not in _KINDS or means is None:
            raise InvalidInput(
                "from_sklearn needs a fitted sklearn.mixture.GaussianMixture, got "
                f"{type(fitted).__name__}. Call its fit first."
            )
        weights, roots = torch.tensor(fitted.weights_), torch.tensor(fitted.precisions_cholesky_)
        if kind == "tied":
            roots = roots[None]
        return cls(weights, torch.tensor(means), roots, shape or (means.shape[1],))

    @classmethod
    def fit(
        cls,
        inputs: Tensor,
        components: int = 10,
        *,
        covariance: str = "full",
        seed: int = 0,
        **options: Any,
    ) -> "Mixture":
        """Fit one to inputs (samples, ...) with scikit-learn (extra "data").

        `covariance` is "full", "tied", "diag" or "spherical"; `options` go to `GaussianMixture`.
        """
        if covariance not in _KINDS:
            raise InvalidInput(f"covariance must be one of {_KINDS}, got {covariance!r}.")
        package = optional("sklearn.mixture", "fitting a mixture of Gaussians")
        rows = _rows(inputs).detach().cpu().double().numpy()
        estimator = package.GaussianMixture(
            components, covariance_type=covariance, random_state=seed, **options
        )
        return cls.from_sklearn(estimator.fit(rows), tuple(inputs.shape[1:]))

    @classmethod
    def kernels(cls, samples: Tensor, bandwidth: float) -> "Mixture":
        """A kernel density: a round Gaussian of this standard deviation on each sample."""
        if not bandwidth > 0:
            raise InvalidInput(f"bandwidth must be above zero, got {bandwidth}.")
        rows = _rows(samples).detach()
        weights = rows.new_full((len(rows),), 1 / len(rows))
        roots = rows.new_full((len(rows),), 1 / bandwidth)
        return cls(weights, rows, roots, tuple(samples.shape[1:]))

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x), shape (batch,), for inputs (batch, ...)."""
        if x.shape[1:] != self.shape:
            raise InvalidInput(
                f"this mixture judges inputs of shape (batch, {', '.join(map(str, self.shape))}), "
                f"got {tuple(x.shape)}."
            )
        weights, means, roots = (each.to(x) for each in (self.weights, self.means, self.roots))
        away = _rows(x)[:, None] - means  # (batch, components, features)
        square = _whitened(away, roots).square().sum(2)
        level = weights.log() + _log_determinants(roots, means.shape[1])
        return torch.logsumexp(level - square / 2, 1) - means.shape[1] / 2 * math.log(2 * math.pi)

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.shape))
        return f"Mixture({len(self.weights)} Gaussians, inputs of {shape})"


def _whitened(away: Tensor, roots: Tensor) -> Tensor:
    if roots.ndim == 3:
        return torch.einsum("nkd,kde->nke", away, roots.expand(away.shape[1], -1, -1))
    return away * (roots if roots.ndim == 2 else roots[:, None])


def _log_determinants(roots: Tensor, features: int) -> Tensor:
    """log |P_k|, (components,) or (1,)."""
    if roots.ndim == 3:
        return roots.diagonal(dim1=1, dim2=2).log().sum(1)
    return roots.log().sum(1) if roots.ndim == 2 else features * roots.log()


def _rows(x: Tensor) -> Tensor:
    if x.ndim < 2 or not len(x) or not x.is_floating_point():
        raise InvalidInput(
            "inputs must be floats of shape (batch, ...) with one or more in the batch, got "
            f"{x.dtype} of {tuple(x.shape)}."
        )
    return x.reshape(len(x), -1)
