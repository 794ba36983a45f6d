"""Division that stays finite, and the sign with sgn(0) = +1."""

import torch
from torch import Tensor


def sign(z: Tensor) -> Tensor:
    """The sign of z, with sgn(0) = +1 as the papers take it."""
    return torch.where(z < 0, -1.0, 1.0).to(z.dtype)


def divide(R: Tensor, z: Tensor) -> Tensor:
    """R / z where z is not zero, and 0 where it is."""
    return torch.where(z == 0, 0, R / torch.where(z == 0, 1, z))


def stabiliser(z: Tensor, epsilon: float, scale: str, axes: tuple[int, ...]) -> Tensor:
    """The positive number added to |z|: `epsilon` itself, or `epsilon` times the RMS of one row.

    A row is one sample's row of the linear map (`axes`), so samples never mix.
    """
    if scale == "absolute":
        return torch.full((), epsilon, dtype=z.dtype, device=z.device)
    size = 1
    for axis in axes:
        size *= z.shape[axis]
    norm = torch.linalg.vector_norm(z, dim=axes, keepdim=True)
    tiny = torch.finfo(z.dtype).tiny
    return (norm * (epsilon / max(size, 1) ** 0.5)).clamp(min=tiny)
