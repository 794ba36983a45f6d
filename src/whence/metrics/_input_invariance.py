"""Input invariance: a shift of the inputs that the model takes back must not move relevance."""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from whence._numerics import divide
from whence.errors import InvalidInput
from whence.explainers._inputs import Inputs
from whence.metrics._again import explained_on
from whence.metrics._batch import Batch
from whence.metrics._case import Case
from whence.metrics._features import Features, Pixels
from whence.metrics._metric import Cost, Metric, Scores
from whence.metrics._pooled import pooled


@dataclass(frozen=True, eq=False)
class InputInvariance(Metric):
    """Input invariance: how much relevance moves when the inputs are shifted by a constant that the
    first layer's bias takes back.

        sum_i |R_i(x + s; f') - R_i(x; f)| / sum_i |R_i(x; f)|,   f'(x) = f(x - s)

    Both models answer alike on everything, so 0 is best. Methods that multiply by the input move,
    since they measure from an input of zero; whether that is a fault depends on what zero means.

    `shift` is a number, or a tensor that broadcasts to one sample. Sums are over the relevance
    pooled to `features`.

    Unlike the paper, which compares pictures by eye, the difference is measured; and f' is a
    wrapper that subtracts s from the input, for any model, also in front of padding. For gradients,
    epsilon, w-square and flat that is the same as changing the first layer's bias. Rules that look
    at the signs of the first layer's inputs (z+, alpha-beta, gamma) see them as they were.

    References: [kindermans2019].
    """

    shift: float | Tensor = 1.0
    features: Features = field(default_factory=Pixels)

    name: ClassVar[str] = "input-invariance"
    direction: ClassVar[int] = -1
    range: ClassVar[tuple[float, float]] = (0.0, float("inf"))
    needs: ClassVar[tuple[str, ...]] = ("model", "explainer")
    invariances: ClassVar[frozenset[str]] = frozenset({"batch", "order", "channels"})
    sources: ClassVar[tuple[str, ...]] = ("kindermans2019",)
    equation: ClassVar[str] = "|R(x + s; f(. - s)) - R(x; f)|_1 / |R(x; f)|_1"

    def measure(self, case: Case) -> Scores:
        x = case.batch.x
        if not x.is_floating_point():
            raise InvalidInput("Only numbers can be shifted, and these inputs are token ids.")
        shift = torch.as_tensor(self.shift).to(x)
        given, leaf = case.batch.given, case.batch.leaf
        shifted = given.replaced([x + shift if e is leaf else e for e in given.leaves])
        model = Compensated(case.batch.model, _place(given, leaf), shift)
        other = explained_on(case, model, shifted)
        before = pooled(case, self.features)
        moved = (pooled(other, self.features) - before).abs().sum(1)
        size = before.abs().sum(1)
        nothing = (size == 0) & (moved > 0)
        return Scores(torch.where(nothing, torch.inf, divide(moved, size)))

    def cost(self, batch: Batch) -> Cost:
        return Cost(shared={"untouched": 1}, explanations=1)


class Compensated(nn.Module):
    """f(x - s) around a model. Its modules are the model's own under their own names, so that rules
    and layers chosen by name are found.

    place: where x is among the arguments, a position or a name.
    """

    def __init__(self, model: Callable[..., Any], place: int | str, shift: Tensor) -> None:
        super().__init__()
        self._of = (model, shift)  # in a tuple, so that the model is no part of this module
        self._place = place
        self.training = False

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        (model, shift), place = self._of, self._place
        if isinstance(place, str):
            return model(*args, **kwargs | {place: kwargs[place] - shift})
        return model(*args[:place], args[place] - shift, *args[place + 1 :], **kwargs)

    def named_modules(
        self, *args: Any, **kwargs: Any
    ) -> Generator[tuple[str, nn.Module], None, None]:
        model = self._of[0]
        if isinstance(model, nn.Module):
            yield from model.named_modules(*args, **kwargs)


def _place(given: Inputs, leaf: Tensor) -> int | str:
    """Where the tensor stands among the arguments."""
    arguments = [*enumerate(given.args), *given.kwargs.items()]
    for place, each in arguments:
        if each is leaf:
            return place
    raise InvalidInput("InputInvariance shifts one tensor; here it is in a nested tuple.")
