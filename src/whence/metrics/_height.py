"""The mean height of a curve, in the three ways of the literature; each makes an AOPC, an ABPC."""

import torch
from torch import Tensor

from whence.errors import InvalidInput

CONVENTIONS = {
    "samek2017": "the mean of the points k = 0 .. L, the untouched one among them: 1 / (L + 1)",
    "deyoung2020": "the mean of the points k = 1 .. L, as the published code has it: 1 / L",
    "petsiuk2018": "the area under the curve by trapezoids over the share of replaced features",
}


def mean_height(y: Tensor, share: Tensor, convention: str) -> Tensor:
    """The mean of each curve, (samples,). y: (samples, L + 1) from the untouched point on; share:
    (L + 1,), where it lies along the axis."""
    if convention == "samek2017":
        return y.mean(1)
    if convention == "deyoung2020":
        return y[:, 1:].mean(1)
    return torch.trapezoid(y, share, dim=1) / (share[-1] - share[0])


def check_convention(convention: str) -> None:
    """An error unless there is such a convention."""
    if convention not in CONVENTIONS:
        raise InvalidInput(f"aopc must be one of {', '.join(CONVENTIONS)}, got {convention!r}.")
