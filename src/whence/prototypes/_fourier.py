"""Images by their frequencies, so that an ascent does not end in high-frequency noise."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from whence import _draws
from whence.errors import InvalidInput
from whence.prototypes._parametrisation import Parametrisation
from whence.prototypes._start import Start


@dataclass(frozen=True, eq=False)
class Fourier(Parametrisation):
    """Images as coefficients of a Fourier transform, low frequencies scaled up [olah2017].

        x = M irfft2(c s),   s(f) = 1 / max(|f|, 1 / longest side)^decay

    f in cycles per pixel, transforms orthonormal. A step of equal size in every c moves low
    frequencies most, as natural images have them. The usual rate is divided by the root mean square
    of s (4 to 6 for images), so that a pixel moves as far as in `Pixels`; with much larger rates
    pixels get stuck at the ends of a box. Without a box the inputs are unbounded; with one
    they pass through a sigmoid (`Squashed`).

    - `shape`: (channels, height, width).
    - `decay`: 1 for natural images; 0 leaves all frequencies equal.
    - `decorrelate`: M, (channels, channels), mixes decorrelated colours into those of the data;
      `colour_root(images)` measures it.
    """

    shape: Sequence[int]
    decay: float = 1.0
    decorrelate: Tensor | None = None

    def __post_init__(self) -> None:
        if len(self.shape) != 3:
            raise InvalidInput(
                f"Fourier needs the shape of one image, (channels, height, width), got "
                f"{tuple(self.shape)}."
            )
        matrix = self.decorrelate
        if matrix is not None and matrix.shape != (self.shape[0], self.shape[0]):
            raise InvalidInput(
                f"decorrelate= must be a matrix of ({self.shape[0]}, {self.shape[0]}), one row for "
                f"each channel, got {tuple(matrix.shape)}."
            )

    def start(self, x0: Tensor) -> list[Tensor]:
        if x0.shape[1:] != tuple(self.shape):
            raise InvalidInput(
                f"The start must hold images of shape {tuple(self.shape)}, got "
                f"{tuple(x0.shape[1:])}."
            )
        if self.decorrelate is not None:
            x0 = _mix(torch.linalg.inv(self.decorrelate.double()), x0.double()).to(x0)
        spectrum = torch.fft.rfft2(x0.detach(), norm="ortho") / self.factors(x0)
        return [torch.view_as_real(spectrum).contiguous()]

    def inputs(self, parameters: list[Tensor]) -> Tensor:
        spectrum = torch.view_as_complex(parameters[0]) * self.factors(parameters[0])
        x = torch.fft.irfft2(spectrum, s=tuple(self.shape[1:]), norm="ortho")
        return x if self.decorrelate is None else _mix(self.decorrelate, x)

    def factors(self, like: Tensor) -> Tensor:
        """s of each coefficient: (height, width // 2 + 1)."""
        height, width = self.shape[1:]
        rows = torch.fft.fftfreq(height, dtype=torch.float64)[:, None]
        columns = torch.fft.rfftfreq(width, dtype=torch.float64)[None]
        frequency = (rows.square() + columns.square()).sqrt().clamp_min(1 / max(height, width))
        return frequency.pow(-self.decay).to(like)

    @property
    def scale(self) -> float:
        height, width = self.shape[1:]
        s = self.factors(torch.zeros((), dtype=torch.float64))
        # Columns in between stand for their mirrors as well.
        both = torch.tensor([1.0 if k in (0, width / 2) else 2.0 for k in range(s.shape[1])])
        return float((s.square() * both).sum() / (height * width)) ** 0.5

    @property
    def default_start(self) -> Start | None:
        return SpectralNoise(self)

    def __repr__(self) -> str:
        colours = "" if self.decorrelate is None else ", decorrelated colours"
        return f"Fourier({tuple(self.shape)}, decay={self.decay:g}{colours})"


@dataclass(frozen=True, eq=False)
class SpectralNoise(Start):
    """Images whose coefficients are normal noise: faint clouds, with decay 1."""

    fourier: Fourier
    std: float = 0.01

    def draw(self, keys: Tensor, classes: Sequence[int | None]) -> Tensor:
        channels, height, width = self.fourier.shape
        noise = _draws.normal(keys, (channels, height, width // 2 + 1, 2))
        return self.fourier.inputs([self.std * noise])


def colour_root(images: Tensor) -> Tensor:
    """The symmetric root of the covariance of colours, (channels, channels): M with M M = cov.

    `images`: (batch, channels, height, width), in the values that the model takes. White colours
    times M have the correlations of the data. Scaled so that the largest row has length 1.
    """
    if images.dim() != 4 or images.shape[1] < 2:
        raise InvalidInput(
            "Colours need images of shape (batch, channels, height, width) with several channels, "
            f"got {tuple(images.shape)}."
        )
    colours = images.detach().double().movedim(1, 0).flatten(1)
    values, vectors = torch.linalg.eigh(torch.cov(colours))
    root = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    return root / root.norm(dim=1).max()


def _mix(matrix: Tensor, x: Tensor) -> Tensor:
    """Each pixel's colours times a matrix."""
    return torch.einsum("cd,ndhw->nchw", matrix.to(x), x)
