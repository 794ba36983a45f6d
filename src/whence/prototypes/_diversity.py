"""Several prototypes of one class that differ: a penalty on how alike they are."""

from dataclasses import dataclass

import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.prototypes._objective import Objective
from whence.prototypes._seen import Seen

_ALONE = (
    "Diversity compares prototypes of one entry, and here each is alone: ask for several, by "
    "count=."
)
_FEATURES = ("all", "mean", "gram")
_SIMILARITIES = ("cosine", "gaussian")


@dataclass(frozen=True)
class Diversity(Objective):
    """Minus how alike the prototypes of one class are, to be added to what they maximise.

    One prototype cannot show a class with two faces. With K of them, `count=K`, the ascent makes

        sum_m objective(x_m) - weight sum_{m<n} sim(phi(x_m), phi(x_n))

    as large as it can, the pairs being those of one class. Each sample's own value is half of the
    pairs it is in, so that the values add up to the sum. Start from noise: prototypes that start
    alike have no reason to part. Nothing in the penalty knows the data: a large weight
    drives prototypes to where the class never was, so give a prior, a generator, or a small one.

    - `weight`: how much likeness costs, in units of the objective.
    - `module`: phi is this module's output; None compares the inputs themselves.
    - `similarity`: "cosine", or "gaussian": exp(-||phi - phi'||^2 / (2 width^2)), which stops
      pushing once two are a few widths apart.
    - `features`: "all" compares element by element; "mean" averages positions first, so that a
      shifted copy is no other prototype; "gram" compares which channels go together [olah2017].

    ```python
    whence.maximize(net, LogProbability(3) + Diversity(2.0, "features.6"), count=4, ...)
    ```
    """

    weight: float
    module: str | None = None
    similarity: str = "cosine"
    width: float = 1.0
    features: str = "all"

    def __post_init__(self) -> None:
        if self.weight < 0 or self.width <= 0:
            raise InvalidInput(
                f"Diversity needs weight >= 0 and width > 0, got {self.weight} and {self.width}. "
                "The weight is subtracted already."
            )
        if self.similarity not in _SIMILARITIES or self.features not in _FEATURES:
            raise InvalidInput(
                f"similarity must be one of {', '.join(_SIMILARITIES)} and features one of "
                f"{', '.join(_FEATURES)}, got {self.similarity!r} and {self.features!r}."
            )

    @property
    def joint(self) -> bool:
        return True

    @property
    def modules(self) -> tuple[str, ...]:
        return () if self.module is None else (self.module,)

    def value(self, seen: Seen) -> Tensor:
        phi = self._features(seen.inputs if self.module is None else seen.at(self.module))
        alike = cosines(phi) if self.similarity == "cosine" else gaussians(phi, self.width)
        rows = seen.rows.to(phi.device)
        pairs = (rows[:, None] == rows[None]) & ~torch.eye(
            len(rows), dtype=torch.bool, device=phi.device
        )
        if len(rows) > 1 and not bool(pairs.any()):
            if _ALONE not in seen.notes:
                seen.notes.append(_ALONE)
        # where, not times: what is masked may have no finite gradient
        return -0.5 * self.weight * torch.where(pairs, alike, 0).sum(1)

    def _features(self, phi: Tensor) -> Tensor:
        """phi of each sample as one vector, (batch, features)."""
        if self.features == "all" or phi.dim() < 3:
            return phi.flatten(1)
        if self.features == "mean":
            return phi.flatten(2).mean(2)
        channels = phi.flatten(2)
        return (channels @ channels.transpose(1, 2) / channels.shape[2]).flatten(1)


def cosines(phi: Tensor) -> Tensor:
    """The cosine of each pair, (batch, batch); 0 with a vector that vanishes."""
    square = phi.square().sum(1, keepdim=True)
    unit = phi / torch.where(square > 0, square, 1).sqrt()
    return unit @ unit.T


def gaussians(phi: Tensor, width: float) -> Tensor:
    """exp(-distance^2 / (2 width^2)) of each pair, (batch, batch)."""
    square = (phi[:, None] - phi[None]).square().sum(2)
    return (-square / (2 * width**2)).exp()
