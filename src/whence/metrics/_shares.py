"""A map as shares of its total magnitude."""

from torch import Tensor

from whence.metrics._case import Case
from whence.metrics._features import Features
from whence.metrics._pooled import kept, pooled


def shares(case: Case, features: Features) -> Tensor:
    """|R_i| / sum |R|, float64 of shape (samples, features); NaN for a map of zeros.

    What an attention mask leaves out of a text has no share.
    """
    sizes, own = pooled(case, features).abs(), kept(case.batch)
    sizes = sizes if own is None else sizes.masked_fill(~own, 0)
    largest = sizes.amax(1, keepdim=True)  # tiny or huge relevance must not overflow its sum
    sizes = sizes / largest
    return sizes / sizes.sum(1, keepdim=True)


def reasons(p: Tensor) -> dict[int, str]:
    """Why a sample has no number."""
    silent = p.isnan().any(1).nonzero().flatten().tolist()
    return dict.fromkeys(silent, "its relevance is zero everywhere")
