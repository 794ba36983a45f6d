"""A batch with one explanation of it: what a metric measures."""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import torch
from torch import Tensor

from whence._draws import shuffles
from whence._explanation import Relevance, named
from whence.errors import InvalidInput
from whence.explainers import Explainer
from whence.metrics._batch import Batch
from whence.metrics._features import Features, Partition

T = TypeVar("T")

ORDERS = {
    "morf": "most relevant first: the highest relevance goes first",
    "lerf": "least relevant first: the most negative goes first, the exact reverse of morf",
    "near-zero": "the smallest magnitude first",
    "random": "in random order, the same for all explanations of a sample",
}


class Case:
    """The relevance of each sample of a batch, of the shape of `batch.x` or without its channels.

    explainer, explanation: where they are known, for metrics that explain again or read the ledger.
    In place of an explainer, a function of a model that makes one, or (inputs, target ->
    relevance).
    """

    def __init__(
        self,
        batch: Batch,
        relevance: Relevance,
        explainer: Explainer | Callable[..., Any] | None = None,
        explanation: Any = None,
    ) -> None:
        self.batch, self.explainer, self.explanation = batch, explainer, explanation
        self.relevance = _as_elements(_of_leaf(relevance, batch), batch)
        self._kept: dict[Hashable, Any] = {}

    def partition(self, features: Features) -> Partition:
        """The features of these samples."""
        return self.batch.partition(features)

    def keep(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, made once for all metrics of this explanation."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def pool(self, features: Features) -> Tensor:
        """The relevance of each feature, (samples, features)."""
        pooled = self.partition(features).pool
        return self.keep(("pool", features), lambda: pooled(self.relevance))

    def rank(self, features: Features, order: str) -> Tensor:
        """How many features go before each, (samples, features).

        Equal values go in random order, which belongs to the sample: a constant map is the random
        order, and never the reading order. One sort serves morf and lerf.
        """
        check_order(order)
        count = self.partition(features).count
        if order == "random":
            return self.batch.keep(
                ("random", features), lambda: shuffles(self.batch.keys, count).argsort(1)
            )
        if order == "lerf":
            return count - 1 - self.rank(features, "morf")
        return self.keep(("rank", features, order), lambda: self._sorted(features, order))

    def _sorted(self, features: Features, order: str) -> Tensor:
        values = self.pool(features) if order == "morf" else -self.pool(features).abs()
        count = values.shape[1]
        shuffle = self.batch.keep(("ties", count), lambda: shuffles(self.batch.keys, count))
        falling = values.gather(1, shuffle).argsort(dim=1, descending=True, stable=True)
        sequence = shuffle.gather(1, falling)
        places = torch.arange(count, device=values.device).expand_as(sequence)
        return torch.empty_like(sequence).scatter_(1, sequence, places)


def check_order(order: str) -> None:
    """An error unless there is such an order."""
    if order not in ORDERS:
        raise InvalidInput(f"order must be one of {', '.join(ORDERS)}, got {order!r}.")


def _of_leaf(relevance: Relevance, batch: Batch) -> Tensor | None:
    """What belongs to `batch.x` in relevance of the structure of the inputs."""
    if isinstance(relevance, Tensor):
        return relevance
    place = [each is batch.leaf for each in batch.given.leaves].index(True)
    return dict(enumerate(named(relevance).values())).get(place)


def _as_elements(relevance: Any, batch: Batch) -> Tensor:
    """Relevance as (samples, channels or 1, ...), of embedded tokens (samples, tokens, width or 1),
    checked."""
    if not isinstance(relevance, Tensor):
        raise InvalidInput(
            "Relevance must be a tensor, or hold one as ex.relevance does. For an array: "
            "torch.as_tensor(array)."
        )
    x, relevance = batch.x, relevance.detach()
    if batch.embedded and relevance.shape == x.shape[:2]:
        return _finite(relevance[..., None])
    if relevance.shape == (len(x), *x.shape[2:]) and x.dim() > 2:
        relevance = relevance[:, None]
    pooled = (len(x), 1, *x.shape[2:])
    if relevance.shape != x.shape and tuple(relevance.shape) != pooled:
        raise InvalidInput(
            f"Relevance must have the shape of the samples, {tuple(x.shape)}, or lack only their "
            f"channels; got {tuple(relevance.shape)}."
        )
    return _finite(relevance)


def _finite(relevance: Tensor) -> Tensor:
    """The relevance, all of whose values must be numbers."""
    bad = ~relevance.flatten(1).isfinite().all(1)
    if bool(bad.any()):
        raise InvalidInput(
            f"Relevance contains NaN or infinity in the samples {bad.nonzero().flatten().tolist()}."
        )
    return relevance
