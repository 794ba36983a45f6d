"""How noisy a map is, whatever its unit: two numbers, fixed before any map was looked at."""

import torch
from torch import Tensor

HALF = 0.25  # cycles a pixel: half of the highest frequency that pixels can hold


def total_variation(maps: Tensor) -> Tensor:
    """Differences of neighbouring pixels, as a share of the absolute relevance, (samples,).

        TV(R) = (sum |R_(i+1)j - R_ij| + sum |R_i(j+1) - R_ij|) / sum |R_ij|

    From 0 (one value everywhere) to 4 (pixels alone, or signs as on a large chessboard). maps:
    (samples, height, width). A map of zeros has NaN.
    """
    down = (maps[:, 1:] - maps[:, :-1]).abs().sum((1, 2))
    right = (maps[:, :, 1:] - maps[:, :, :-1]).abs().sum((1, 2))
    return (down + right) / maps.abs().sum((1, 2))


def high_frequencies(maps: Tensor) -> Tensor:
    """The share of the energy in waves shorter than four pixels, the mean left out, (samples,).

        HF(R) = sum_(|k| > 1/4) |F(R)_k|^2 / sum_(k != 0) |F(R)_k|^2,   k in cycles a pixel

    White noise has 1 - pi / 16 = 80 %.
    """
    power = torch.fft.fft2(maps).abs().square()
    rows, columns = (torch.fft.fftfreq(size, dtype=torch.float64) for size in maps.shape[1:])
    radius = (rows[:, None].square() + columns.square()).sqrt()
    return (power * (radius > HALF)).sum((1, 2)) / (power * (radius > 0)).sum((1, 2))


NOISE = {"total variation": total_variation, "high frequencies": high_frequencies}
