"""The faces of a class: clusters of its real samples, and a prototype for each."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.prototypes._objective import Objective
from whence.prototypes._seen import Seen
from whence.zoo._files import optional

_METHODS = ("kmeans", "agglomerative")


@dataclass(frozen=True, eq=False)
class Clusters:
    """Samples in groups, the largest group first, of equal ones that of the earliest sample.

    - `labels`: the group of each sample, int64 (samples,).
    - `centres`: the mean features of each group, (groups, *features).
    """

    labels: Tensor
    centres: Tensor

    def __len__(self) -> int:
        return len(self.centres)

    @property
    def sizes(self) -> Tensor:
        """How many samples each group has, (groups,)."""
        return torch.bincount(self.labels, minlength=len(self))

    def members(self, group: int) -> Tensor:
        """The numbers of the samples of one group."""
        return torch.nonzero(self.labels == group).flatten()

    def means(self, samples: Tensor) -> Tensor:
        """The mean of each group's samples, (groups, ...): where an ascent can start."""
        if len(samples) != len(self.labels):
            raise InvalidInput(
                f"These clusters are of {len(self.labels)} samples, got {len(samples)}."
            )
        found = [samples[self.members(group)].mean(0) for group in range(len(self))]
        return torch.stack(found)

    def __repr__(self) -> str:
        return f"Clusters({len(self)} of {self.sizes.tolist()} samples)"


def clusters(
    features: Tensor, count: int, *, method: str = "kmeans", unit: bool = False, seed: int = 0
) -> Clusters:
    """Groups of samples that are alike, by scikit-learn.

    A class of many faces has many prototypes: one for each group of its samples. What counts as
    alike is up to the features: activations of a late layer group by what the model sees,
    relevance (of inputs or of a layer) by what it decides with, inputs by their looks.

    ```python
    found = clusters(whence.explain(net, x, 3).at("features"), 4)
    whence.maximize(
        net, LogProbability(3) + Towards("features", 0.1, found.centres), start=found.means(x)
    )
    ```

    - `features`: (samples, ...). `count`: of groups.
    - `method`: "kmeans", or "agglomerative" (Ward), which needs no random start.
    - `unit`: scale each sample's features to length 1 first, so that only their pattern counts.
    """
    if method not in _METHODS:
        raise InvalidInput(f"method must be one of {', '.join(_METHODS)}, got {method!r}.")
    if not 1 <= count <= len(features) or not features.isfinite().all():
        raise InvalidInput(
            f"clusters needs finite features and 1 <= count <= samples, got count {count} for "
            f"{len(features)} samples."
        )
    flat = features.detach().flatten(1).double().cpu()
    if unit:
        flat = torch.nn.functional.normalize(flat, dim=1)
    package = optional("sklearn.cluster", "clusters")
    labels = torch.as_tensor(_fit(package, flat, count, method, seed)).long()
    if len(labels.unique()) < count:
        raise InvalidInput(
            f"{count} groups need as many different samples, got {len(labels.unique())} groups."
        )
    labels = _ordered(labels.tolist(), count)
    centres = torch.stack([features[labels.to(features.device) == k].mean(0) for k in range(count)])
    return Clusters(labels, centres.detach())


def _ordered(labels: list[int], count: int) -> Tensor:
    """Groups numbered anew: the largest first; of equal ones, that of the earliest sample."""
    old = sorted(range(count), key=lambda k: (-labels.count(k), labels.index(k)))
    return torch.tensor([old.index(k) for k in labels])


def _fit(package: Any, flat: Tensor, count: int, method: str, seed: int) -> Any:
    if count == 1:
        return [0] * len(flat)
    if method == "kmeans":
        fitted = package.KMeans(count, n_init=10, random_state=seed)
    else:
        fitted = package.AgglomerativeClustering(count)
    return fitted.fit(flat.numpy()).labels_


@dataclass(frozen=True, eq=False)
class Towards(Objective):
    """Near a point in feature space: -weight ||phi(x) - point||^2, to be added to an objective.

    With the centres of clusters it makes one prototype for each, of that group's features.

    - `module`: phi is this module's output. `point`: (*features), the same for all, or
      (prototypes, *features), one for each prototype.
    """

    module: str
    weight: float
    point: Tensor

    def __post_init__(self) -> None:
        if self.weight < 0:
            raise InvalidInput(
                f"The weight of a distance must be at least 0, got {self.weight}. It is "
                "subtracted already."
            )

    @property
    def modules(self) -> tuple[str, ...]:
        return (self.module,)

    def value(self, seen: Seen) -> Tensor:
        phi = seen.at(self.module)
        point = self.point.detach().to(phi)
        if point.shape[1:] == phi.shape[1:] and point.dim() == phi.dim():
            point = self._each(point, seen.rows.to(point.device))
        if point.shape not in (phi.shape, phi.shape[1:]):
            raise InvalidInput(
                f"point= must have the shape of one sample at {self.module!r}, "
                f"{tuple(phi.shape[1:])}, or one such for each prototype; got "
                f"{tuple(self.point.shape)}."
            )
        return -self.weight * (phi - point).flatten(1).square().sum(1)

    def _each(self, points: Tensor, rows: Tensor) -> Tensor:
        """The point of each prototype, which is an entry of its own."""
        if int(rows.max()) >= len(points) or len(rows.unique()) < min(len(rows), len(points)):
            raise InvalidInput(
                f"{len(points)} points need as many entries of the ascent, one prototype each: "
                f"start= with {len(points)} inputs, and count=1. Here prototypes belong to entries "
                f"{rows.tolist()[:10]}."
            )
        return points[rows]

    def __repr__(self) -> str:
        return f"Towards({self.module!r}, {self.weight:g}, point of {tuple(self.point.shape)})"
