"""The pointing game: whether the most relevant pixel lies on the object."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.metrics._batch import Batch
from whence.metrics._case import Case
from whence.metrics._features import Pixels
from whence.metrics._masks import objects, where_object
from whence.metrics._metric import Cost, Metric, Scores


@dataclass(frozen=True)
class PointingGame(Metric):
    """The pointing game: 1 if the most relevant pixel is within `tolerance` of the object, else 0.

        hits / (hits + misses):  the mean of   [ min_(p in object) ||p - argmax R||_2 <= tolerance ]

    The tolerance is Euclidean, in pixels of the maps: 15 in the paper, on photographs of about 500
    pixels a side. For small pictures take less; 0 asks for a point on the object itself. Of several
    pixels that share the maximum one is drawn at random, by the sample; the map is summed over
    channels.

    The paper averages the accuracy over classes, not over samples, and asks once for each class in
    a picture with the mask of all its instances: group the scores by class for that. Its
    "difficult" subset (object below a quarter of the picture, and another class present) is a
    choice of samples.

    Unlike the paper a full mask, which cannot be missed, has no number.

    References: [zhang2016, sec. 4.1].
    """

    tolerance: float = 15

    name: ClassVar[str] = "pointing-game"
    direction: ClassVar[int] = 1
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    needs: ClassVar[tuple[str, ...]] = ("masks",)
    invariances: ClassVar[frozenset[str]] = frozenset(
        {"batch", "order", "scale", "offset", "channels"}
    )
    sources: ClassVar[tuple[str, ...]] = ("zhang2016",)
    equation: ClassVar[str] = "[distance of argmax R to the object <= tolerance]"

    def __post_init__(self) -> None:
        if self.tolerance < 0:
            raise InvalidInput(f"tolerance must be at least 0, got {self.tolerance}.")

    def measure(self, case: Case) -> Scores:
        masks = objects(case)
        axes = case.batch.x.shape[2:]
        if self.tolerance**2 >= sum((length - 1) ** 2 for length in axes):
            raise InvalidInput(
                f"A tolerance of {self.tolerance} pixels covers the whole picture of "
                f"{' x '.join(map(str, axes))}: nothing could miss. Try PointingGame(0)."
            )
        point = case.rank(Pixels(), "morf").argmin(1)
        squared = _squared_distances(axes, point)
        hit = (masks & (squared <= self.tolerance**2)).any(1)
        distance = squared.masked_fill(~masks, torch.inf).amin(1).sqrt()
        return where_object(hit, masks, details={"distance": distance})

    def cost(self, batch: Batch) -> Cost:
        return Cost()


def _squared_distances(axes: torch.Size, point: Tensor) -> Tensor:
    """From each sample's point to each pixel, (samples, pixels)."""
    places = torch.stack(
        torch.meshgrid(*(torch.arange(n, device=point.device) for n in axes), indexing="ij")
    ).flatten(1)
    return (places[:, None] - places[:, point, None]).square().sum(0).double()
