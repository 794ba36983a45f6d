"""A small variational autoencoder: pictures from codes, and codes of pictures."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


class VAE(nn.Module):
    """Dense encoder and decoder; every code near zero gives a likely input.

    Its `decoder` turns codes (batch, code) into inputs (batch, *shape), its `encoder` inputs into
    the means of their codes. The model behind it, with one sigma for all features:

        p(z) = N(0, I),   p(x | z) = N(decoder(z), sigma^2 I),   q(z | x) = N(m(x), diag(v(x)))

    Learned with the nets, sigma is as large as the decoder's error, and nothing but the data weighs
    the two terms of the bound. That holds for features with errors of their own. Where neighbours
    err alike, as in enlarged pictures, the same error is counted many times, codes become too
    certain and leave holes between them; a larger `sigma`, given and fixed, makes up for it.

    - `shape`: of one input. `code`: length of a code.
    - `widths`: hidden layers of the decoder, from code to input; the encoder has them in reverse.
    - `low`, `high`: the range of inputs; the decoder ends in a sigmoid that spans it.
    - `sigma`: fixed, or None to learn it.

    References: [kingma2014].
    """

    def __init__(
        self,
        shape: Sequence[int],
        code: int = 16,
        *,
        widths: Sequence[int] = (64, 128),
        low: float = 0.0,
        high: float = 1.0,
        sigma: float | None = None,
    ) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.code = code
        features = math.prod(self.shape)
        self.decoder = nn.Sequential(
            *_layers([code, *widths, features]),
            nn.Sigmoid(),
            nn.Unflatten(1, self.shape),
            Range(low, high),
        )
        self.body = nn.Sequential(nn.Flatten(), *_layers([features, *reversed(widths)]), nn.SiLU())
        self.means = nn.Linear(widths[0], code)
        self.spreads = nn.Linear(widths[0], code)
        first = (high - low) / 4 if sigma is None else sigma
        self.log_sigma = nn.Parameter(torch.tensor(math.log(first)), requires_grad=sigma is None)

    @property
    def encoder(self) -> nn.Module:
        """Inputs (batch, *shape) to the means of their codes (batch, code)."""
        return nn.Sequential(self.body, self.means)

    def forward(self, inputs: Tensor) -> Tensor:
        """The inputs as their mean codes give them back."""
        return self.decoder(self.encoder(inputs))

    def bound(self, inputs: Tensor, noise: Tensor) -> Tensor:
        """A lower bound of log p(x), (batch,), with standard normal `noise` (batch, code).

            E_q[log p(x | z)] - KL(q(z | x) | p(z)),   z = m + exp(s) noise,   v = exp(2 s)
        """  # fmt: skip
        seen = self.body(inputs)
        mean, log_spread = self.means(seen), self.spreads(seen).clamp(-8, 8)
        decoded = self.decoder(mean + log_spread.exp() * noise)
        square = (inputs - decoded).flatten(1).square().sum(1)
        level = math.prod(self.shape) * (self.log_sigma + math.log(2 * math.pi) / 2)
        likely = -square / (2 * (2 * self.log_sigma).exp()) - level
        apart = (mean.square() + (2 * log_spread).exp() - 1) / 2 - log_spread
        return likely - apart.sum(1)


class Range(nn.Module):
    """From 0..1 to low..high."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        self.low, self.high = low, high

    def forward(self, x: Tensor) -> Tensor:
        return self.low + (self.high - self.low) * x


def _layers(widths: Sequence[int]) -> list[nn.Module]:
    """Linear layers with SiLU between them."""
    found: list[nn.Module] = []
    for index, (before, after) in enumerate(pairwise(widths)):
        found += [nn.SiLU()] * (index > 0) + [nn.Linear(before, after)]
    return found
