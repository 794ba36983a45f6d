"""Top-k intersection: how many of a fixed number of the most relevant pixels lie in the object."""

from dataclasses import dataclass
from typing import ClassVar

from whence.errors import InvalidInput
from whence.metrics._batch import Batch
from whence.metrics._case import Case
from whence.metrics._features import Pixels
from whence.metrics._masks import objects, where_object
from whence.metrics._metric import Cost, Metric, Scores


@dataclass(frozen=True)
class TopKIntersection(Metric):
    """Top-k intersection: the share of the k most relevant pixels that lies in the object.

        |top_k(R) and object| / k

    Use it where objects differ in size and only the strongest relevance counts. `k` is a number of
    pixels, or a share of the picture (0.05, at least one pixel). Where the object is smaller than k
    the best possible value is |object| / k, `details["best"]`. Equal pixels come in random order,
    by the sample. References: [theiner2022].
    """

    k: int | float = 0.05

    name: ClassVar[str] = "top-k-intersection"
    direction: ClassVar[int] = 1
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    needs: ClassVar[tuple[str, ...]] = ("masks",)
    invariances: ClassVar[frozenset[str]] = frozenset(
        {"batch", "order", "scale", "offset", "channels"}
    )
    sources: ClassVar[tuple[str, ...]] = ("theiner2022",)
    equation: ClassVar[str] = "|top_k(R) and object| / k"

    def __post_init__(self) -> None:
        if self.k <= 0 or (isinstance(self.k, float) and self.k > 1):
            raise InvalidInput(
                "k must be a whole number of pixels, or a share of the picture, 0 < k <= 1; got "
                f"{self.k}."
            )

    def measure(self, case: Case) -> Scores:
        masks = objects(case)
        pixels = masks.shape[1]
        k = max(1, round(self.k * pixels)) if isinstance(self.k, float) else self.k
        if k > pixels:
            raise InvalidInput(f"The pictures have {pixels} pixels, fewer than k={k}.")
        found = ((case.rank(Pixels(), "morf") < k) & masks).double().sum(1) / k
        best = (masks.double().sum(1) / k).clamp(max=1)
        return where_object(found, masks, details={"best": best})

    def cost(self, batch: Batch) -> Cost:
        return Cost()
