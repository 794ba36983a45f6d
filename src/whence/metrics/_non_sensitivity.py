"""Non-sensitivity: what the model does not use must get no relevance, and the other way round."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.metrics._batch import Batch
from whence.metrics._case import Case
from whence.metrics._features import Features, Pixels
from whence.metrics._metric import Cost, Metric, Scores
from whence.metrics._replacements import Replacement, Uniform


@dataclass(frozen=True)
class NonSensitivity(Metric):
    """Non-sensitivity: the share of features on which relevance and model disagree whether the
    feature counts at all.

        |{i: R_i = 0} symmetric difference {i: f does not change with x_i}| / features

    A feature counts for the model if replacing it alone changes f in any draw of `replacement`; it
    counts for the map if it has relevance. Both up to `tolerance` times the largest of the sample.
    `details` has "unfounded", the share with relevance that the model does not use, and "missed",
    the share that the model uses and the map leaves out. Features that matter only together with
    others do not count for the model. It is an axiom and no rank order: where the model uses every
    feature, any map without zeros fulfils it, a random one too.

    One forward pass for each feature and draw, shared by all explanations: give `Patches` for large
    pictures.

    Unlike the paper, the difference is divided by the number of features.

    References: [nguyen2020].
    """

    replacement: Replacement = field(default_factory=lambda: Uniform(draws=3))
    features: Features = field(default_factory=Pixels)
    tolerance: float = 1e-5
    read: str = "score"

    name: ClassVar[str] = "non-sensitivity"
    direction: ClassVar[int] = -1
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    invariances: ClassVar[frozenset[str]] = frozenset(
        {"batch", "order", "scale", "sign", "channels"}
    )
    sources: ClassVar[tuple[str, ...]] = ("nguyen2020",)
    equation: ClassVar[str] = "|{R_i = 0} symmetric difference {f ignores x_i}| / features"

    def __post_init__(self) -> None:
        if self.tolerance < 0:
            raise InvalidInput(f"tolerance must not be negative, got {self.tolerance}.")

    def measure(self, case: Case) -> Scores:
        relevant = _counts(case.pool(self.features).double().abs(), self.tolerance)
        used = case.batch.keep(self._key, lambda: self._used(case.batch))
        details = {
            "unfounded": (relevant & ~used).double().mean(1),
            "missed": (used & ~relevant).double().mean(1),
        }
        return Scores((relevant ^ used).double().mean(1), details=details)

    def cost(self, batch: Batch) -> Cost:
        features = batch.partition(self.features).count
        return Cost(shared={"untouched": 1, self._key: features * self.replacement.draws})

    @property
    def _key(self) -> tuple[object, ...]:
        return ("one gone", self)

    def _used(self, batch: Batch) -> Tensor:
        """Whether the model's answer changes with each feature, (samples, features)."""
        partition = batch.partition(self.features)
        read = batch.read(self.read)
        before = read(batch.untouched, slice(0, len(batch)), 1)
        changes = torch.zeros(len(batch), partition.count, dtype=torch.float64).to(before.device)
        features = torch.arange(partition.count, device=batch.x.device)
        places = partition.places
        for draw in range(self.replacement.draws):
            fill = self.replacement.fill(batch, draw)

            def make(samples: slice, points: slice, fill=fill) -> Tensor:
                gone = places[None, None] == features[points].view(1, -1, *[1] * places.dim())
                return fill(samples, gone).flatten(0, 1)

            after = batch.grid(make, partition.count, read)
            changes = torch.maximum(changes, (after - before).abs())
        return _counts(changes, self.tolerance)


def _counts(sizes: Tensor, tolerance: float) -> Tensor:
    return sizes > tolerance * sizes.amax(1, keepdim=True)
