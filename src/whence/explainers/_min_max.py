"""Deep Taylor decomposition with a learned relevance model from a layer to the input."""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from whence import viz
from whence._explanation import Explanation
from whence.composites import Composite, where
from whence.errors import InvalidInput
from whence.explainers._checks import check_inputs
from whence.explainers._explainer import Explainer
from whence.explainers._inputs import Inputs
from whence.explainers._lrp import LRP, DeepTaylor
from whence.explainers._min_max_model import MinMaxModel, fit_min_max
from whence.explainers._wrapped import average
from whence.rules import WSquare, ZBox
from whence.targets import Each, Given


class MinMaxDeepTaylor(Explainer):
    """Deep Taylor decomposition whose last step down is learned: the min-max relevance model.

        R_k at the module `at`: deep Taylor decomposition with z+, from the target down
        R_k ~ sum_j y_j,   y_j = max(0, sum_i x_i v_ij + min(0, sum_l R_l v_lj + d_j))
        R_i = sum_j q_ij y_j / sum_i' q_i'j,   q by z-box (with low, high) or w-squared

    x are the model's inputs, R_l the relevance at the module `above`, by default at the output. The
    model is fitted by squared error to R_k on data (`fit`). It answers whether relevance
    can be predicted from below at all, which training-free rules take for granted.

    Scores should be positive, as in `DeepTaylor`: no detector predicts negative relevance. What
    comes out is positive and sums to the predicted relevance, not to the score: `facts` hold both
    totals ("predicted", "given") for each sample, and `quality(inputs)` the share of the variance
    of R_k that is explained on data of your choice.

    Unlike the paper, which learns one model for each layer of a detection-pooling net, one model
    leads from the layer `at` to the input whatever lies between; with `at` the first hidden layer
    that is the paper's. Detectors per neuron, initial values, the optimiser and the penalty `decay`
    on ||v||^2 are our choice; without it pixels that are black in all data keep their first
    weights, which the z-box rule then shows.

    ```python
    method = MinMaxDeepTaylor(model, at="layers.2", low=0.0, high=1.0).fit(training)
    method.explain(images, target=3).relevance
    ```

    References: [montavon2017, sec. 5.2].
    """

    name: ClassVar[str] = "min-max-deep-taylor"
    decomposes: ClassVar[str] = "the relevance that its learned model predicts; near the score"
    sources: ClassVar[tuple[str, ...]] = ("montavon2017",)

    def __init__(
        self,
        model: Callable[..., Any],
        at: str,
        low: float | Tensor | None = None,
        high: float | Tensor | None = None,
        *,
        above: str | None = None,
        detectors: int = 4,
        steps: int = 800,
        rate: float = 0.001,
        decay: float = 0.01,
        seed: int = 0,
        output: Any = None,
    ) -> None:
        super().__init__(model)
        if detectors < 1 or steps < 1:
            raise InvalidInput(
                f"MinMaxDeepTaylor needs detectors >= 1 and steps >= 1, got {detectors}, {steps}."
            )
        self.upper = DeepTaylor(model, low, high, output=output)
        self.rule = WSquare() if low is None or high is None else ZBox(low, high)
        self.at, self.above, self.detectors = at, above, detectors
        self.steps, self.rate, self.decay, self.seed = steps, rate, decay, seed
        self.learned: MinMaxModel | None = None
        self._data: tuple[Any, Any] | None = None

    def on(self, model: Callable[..., Any]) -> "MinMaxDeepTaylor":
        """The same method for another model, whose relevance it learns anew from the same data."""
        other = super().on(model)
        assert isinstance(other, MinMaxDeepTaylor)
        other.learned = None
        return other

    def fit(self, inputs: Tensor, target: Any = None) -> "MinMaxDeepTaylor":
        """Learn to predict the relevance of these inputs; returns the method itself."""
        self._data = (inputs, target)
        x, above, R, _ = self._seen(inputs, target)
        if not bool((R > 0).any()):
            raise InvalidInput(
                f"There is no relevance at {self.at!r} to learn from: none of these samples sends "
                "any there that is positive. Fit to the classes that the model gives them."
            )
        generator = torch.Generator().manual_seed(self.seed)
        size = (x.shape[1], R.shape[1], above.shape[1])
        learned = MinMaxModel(*size, self.detectors, generator).to(x.device)
        fit_min_max(
            learned,
            (x, above, R),
            steps=self.steps,
            rate=self.rate,
            decay=self.decay,
            generator=generator,
        )
        self.learned = learned
        return self

    def quality(self, inputs: Tensor, target: Any = None) -> float:
        """R^2: one less the squared error of the predicted relevance over that of each neuron's
        mean on these inputs; 1 is perfect, 0 no better than the mean."""
        x, above, R, _ = self._seen(inputs, target)
        with torch.no_grad():
            error = (self._model()(x.double(), above.double()) - R).square().sum()
        return 1 - float(error / (R - R.mean(0)).square().sum())

    def explain(self, inputs: Any, target: Any = None) -> Explanation:
        """The relevance of each input element under the learned model."""
        if isinstance(target, Each):
            return average.each(self, inputs, target)
        learned = self._model()
        x, above, R, found = self._seen(inputs, target)
        with torch.no_grad():
            y = learned.detections(x.double(), above.double())
            relevance = self._redistribute(inputs.detach(), learned.detect, y)
        found.relevance = relevance.to(found.relevance.dtype)
        found.method, found.ledger, found.taps, found.again = self.name, None, {}, None
        found.facts = {"predicted": y.sum(1).to(R), "given": R.sum(1)}
        gap = (found.facts["predicted"] - found.facts["given"]).abs().sum() / R.abs().sum()
        found.notes = [
            *found.notes,
            f"relevance sums to what the learned model predicts; it misses the relevance at "
            f"{self.at!r} by {float(gap):.1%}",
        ]
        found.draw, found.write = viz.draw, viz.save
        return found

    def _redistribute(self, x: Tensor, weight: Tensor, y: Tensor) -> Tensor:
        """From detections to inputs, by the rule; biases take nothing."""
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False, dtype=torch.float64)
        layer.weight = nn.Parameter(weight, requires_grad=False)
        rules = Composite([(where.nature("linear"), self.rule)])
        if isinstance(self.rule, ZBox):
            low, high = (
                torch.as_tensor(bound, dtype=x.dtype).expand_as(x[:1]).flatten()
                for bound in (self.rule.low, self.rule.high)
            )
            rules = Composite([(where.nature("linear"), ZBox(low.double(), high.double()))])
        below = LRP(layer, rules).explain(x.flatten(1).double(), Given(y), ledger=None)
        return below.relevance.view(x.shape)

    def _model(self) -> MinMaxModel:
        if self.learned is None:
            if self._data is None:
                raise InvalidInput(
                    "MinMaxDeepTaylor learns from data, and was given none. Call "
                    ".fit(training_inputs) before explain()."
                )
            self.fit(*self._data)
        assert self.learned is not None
        return self.learned

    def _seen(self, inputs: Any, target: Any) -> tuple[Tensor, Tensor, Tensor, Explanation]:
        """Inputs, relevance above and at the layer, as rows; and the explanation they are of."""
        if not isinstance(inputs, Tensor) or not inputs.is_floating_point():
            raise InvalidInput("MinMaxDeepTaylor explains models of one tensor of numbers.")
        check_inputs(self.model, Inputs.of(inputs))
        names = [self.at] if self.above is None else [self.at, self.above]
        found = self.upper.explain(inputs, target, taps=names, ledger=None)
        rows = [found.taps[name] for name in names]
        if not all(isinstance(each, Tensor) for each in rows):
            raise InvalidInput(f"{names} must be called once each; one was called several times.")
        if self.above is None:
            output = found.output.detach()
            rows.append(found.target.coefficients(output) * output)
        R, above = (each.detach().flatten(1) for each in rows)
        return inputs.detach().flatten(1), above, R, found
