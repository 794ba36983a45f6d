"""The methods that are compared, and what "LRP" means here."""

from dataclasses import replace
from typing import Any

from whence import Explanation
from whence.composites import EpsilonEverywhere, EpsilonPlus
from whence.explainers import (
    LRP,
    Deconvnet,
    Explainer,
    GradientTimesInput,
    GuidedBackprop,
    IntegratedGradients,
    Random,
    Sensitivity,
)
from whence.zoo import Model

EPSILON = 0.01  # of the root mean square of a layer's output, as the rule Epsilon takes it
STEPS = 16  # of integrated gradients, from a black picture
FEW = ("LRP", "deconvolution", "sensitivity", "random")  # those of the tutorial's curves


def explainers(net: Model, names: tuple[str, ...] = ()) -> dict[str, Explainer]:
    """The methods by name, or those with these names.

    "LRP" is the epsilon rule on every layer. "LRP, epsilon-plus" has z+ on convolutions, and "LRP,
    default" is what `method="lrp"` takes for a net with convolutions: as epsilon-plus, and flat on
    the first layer. Sensitivity is the squared gradient. Deconvolution and guided backprop are
    ranked by their norm over the channels, as they say nothing about for and against.
    """
    module, black = net.module, net.low
    assert black is not None
    found: dict[str, Explainer] = {
        "LRP": LRP(module, EpsilonEverywhere(EPSILON)),
        "LRP, epsilon-plus": LRP(module, EpsilonPlus(EPSILON)),
        "LRP, default": LRP(module),
        "gradient x input": GradientTimesInput(module),
        "integrated gradients": IntegratedGradients(module, baseline=black, steps=STEPS),
        "sensitivity": Sensitivity(module),
        "deconvolution": Norm(Deconvnet(module)),
        "guided backprop": Norm(GuidedBackprop(module)),
        "random": Random(module),
    }
    return {name: found[name] for name in names or found}


class Norm(Explainer):
    """The norm over the channels of another method's map: how much, not for or against."""

    def __init__(self, inner: Explainer) -> None:
        super().__init__(inner.model)
        self.inner = inner

    def explain(self, inputs: Any, target: Any = None) -> Explanation:
        """The other explanation, one positive number for each pixel."""
        found = self.inner.explain(inputs, target)
        return replace(found, relevance=found.relevance.norm(dim=1, keepdim=True))
