"""Parameter randomisation: an explanation of the model must change when the model does."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.metrics._again import explained_on, module_of
from whence.metrics._batch import Batch
from whence.metrics._case import Case
from whence.metrics._curve import Curve
from whence.metrics._features import Features, Pixels
from whence.metrics._layers import REDRAWS, Redrawn, Stage, stages_of
from whence.metrics._metric import Cost, Metric, Scores, by_rank, declare
from whence.metrics._pooled import kept, pooled
from whence.metrics._similarity import UNCHANGED_BY, check_similarity, similar

CASCADES = {
    "top": "from the last layer down, each stage on top of those before",
    "bottom": "from the first layer up, each stage on top of those before",
    "independent": "one layer at a time, all others as trained",
}


@dataclass(frozen=True)
class ParameterRandomisation(Metric):
    """Parameter randomisation: how alike the map stays while layer after layer is redrawn.

        1/L sum_l s(R(x; theta), R(x; theta with the layers up to l redrawn)),   l = 1, ..., L

    A map that stays as it is says nothing about what was learned, however good it looks. The value
    is the mean over the L stages with redrawn layers. The untouched model, where similarity is 1 by
    definition, begins the curve and is not in the mean. `details` has each stage by name.

    - `order`: "top", "bottom" or "independent", see `metrics.CASCADES`. The first layer is the one
      that the model lists first; where it runs in another order, give `layers`.
    - `similarity`: see `metrics.SIMILARITIES`; of the relevance pooled to `features`.
    - `redraw`: "reset", "normal" or "permuted", see `metrics.REDRAWS`.
    - `layers`: names of modules, each of which is a stage with all layers inside it; by default
      every module that has parameters of its own.
    - `seed`: of the draws.

    Deep copies are redrawn, never the model itself. A map that only changes its sign, as z+ maps
    may, counts as changed for "rank" and "cosine"; the magnitudes of maps of input times something
    agree where the input is zero, whatever the model. So look at both.

    Unlike the paper, the relevance is pooled over channels before it is compared.

    References: [adebayo2018, sec. 3].
    """

    order: str = "top"
    similarity: str = "rank"
    redraw: str = "reset"
    layers: tuple[str, ...] | None = None
    seed: int = 0
    features: Features = field(default_factory=Pixels)

    name: ClassVar[str] = "parameter-randomisation"
    direction: ClassVar[int] = -1
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    needs: ClassVar[tuple[str, ...]] = ("model", "explainer")
    invariances: ClassVar[frozenset[str]] = frozenset(
        {"batch", "order", "channels", "scale", "offset"}
    )
    sources: ClassVar[tuple[str, ...]] = ("adebayo2018",)
    equation: ClassVar[str] = "mean over redrawn stages l of s(R(x; theta), R(x; theta_l))"

    def __post_init__(self) -> None:
        if self.order not in CASCADES:
            raise InvalidInput(f"order must be one of {', '.join(CASCADES)}, got {self.order!r}.")
        if self.redraw not in REDRAWS:
            raise InvalidInput(f"redraw must be one of {', '.join(REDRAWS)}, got {self.redraw!r}.")
        check_similarity(self.similarity)
        same = frozenset({"batch", "order", "channels"}) | UNCHANGED_BY[self.similarity]
        declare(self, invariances=same & (by_rank(self.features) | {"sign"}))

    def measure(self, case: Case) -> Scores:
        model = module_of(case.batch)
        copied = Redrawn(model, self.redraw, self.seed)
        trained, own = pooled(case, self.features), kept(case.batch)
        found: dict[str, Tensor] = {}
        for stage in self.stages(case.batch):
            copied.redraw(stage)
            other = pooled(explained_on(case, copied.model), self.features)
            found[stage.name] = similar(self.similarity, trained, other, own)
            if self.order == "independent":
                copied.restore(stage)
        values = torch.stack(list(found.values()), 1)
        start = similar(self.similarity, trained, trained, own)[:, None]
        x = torch.arange(values.shape[1] + 1, dtype=values.dtype, device=values.device)
        curve = Curve(x, torch.cat([start, values], 1), self._xlabel, self.similarity)
        return Scores(values.mean(1), {self.name: curve}, found)

    def stages(self, batch: Batch) -> list[Stage]:
        """The stages, in the order in which they are redrawn."""
        stages = stages_of(module_of(batch), self.layers)
        return stages[::-1] if self.order == "top" else stages

    def cost(self, batch: Batch) -> Cost:
        return Cost(shared={"untouched": 1}, explanations=len(self.stages(batch)))

    @property
    def _xlabel(self) -> str:
        if self.order == "independent":
            return "which layer is redrawn, from the first"
        return f"layers redrawn, from the {'last down' if self.order == 'top' else 'first up'}"
