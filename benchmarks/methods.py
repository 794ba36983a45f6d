"""What is measured: Whence's methods, and the same rules in every peer that is installed.

Each entry turns (model, input) into a function without arguments that explains class 3 once.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from whence.composites import (
    EpsilonAlpha2Beta1Flat,
    EpsilonEverywhere,
    EpsilonGammaBox,
    EpsilonPlusFlat,
)
from whence.explainers import (
    CPLRP,
    LRP,
    DeepTaylor,
    ExcitationBackprop,
    Explainer,
    GradientTimesInput,
    GuidedBackprop,
    Sensitivity,
)
from whence.targets import Each

Run = Callable[[], object]
Make = Callable[[nn.Module, Tensor], Run]
TARGET = 3
LOW, HIGH = -6.0, 6.0


def gradient(model: nn.Module, x: Tensor) -> Run:
    """The unit: one plain gradient of the class score with respect to the input."""

    def run() -> Tensor:
        leaf = x.clone().requires_grad_()
        return torch.autograd.grad(model(leaf * 1)[:, TARGET].sum(), leaf)[0]

    return run


def ours() -> dict[str, Make]:
    """Whence's methods by name."""
    makers: dict[str, Callable[[nn.Module], Explainer]] = {
        "sensitivity": Sensitivity,
        "gradient times input": GradientTimesInput,
        "guided backprop": GuidedBackprop,
        "epsilon": lambda model: LRP(model, EpsilonEverywhere()),
        "epsilon-plus-flat": lambda model: LRP(model, EpsilonPlusFlat()),
        "deep Taylor (box)": lambda model: DeepTaylor(model, LOW, HIGH),
        "excitation backprop": ExcitationBackprop,
        "epsilon-alpha2-beta1-flat": lambda model: LRP(model, EpsilonAlpha2Beta1Flat()),
        "epsilon-gamma-box": lambda model: LRP(model, EpsilonGammaBox(LOW, HIGH)),
    }
    found = {f"whence: {name}": _explaining(make) for name, make in makers.items()}
    found["whence: epsilon, full ledger"] = _explaining(makers["epsilon"], ledger="full")
    found["whence: epsilon, no ledger"] = _explaining(makers["epsilon"], ledger=None)
    found["whence: z+, 8 targets"] = _eight
    return found


def ours_on_sequences() -> dict[str, Make]:
    """Whence's methods for transformers and recurrent nets, by name."""
    return {
        "whence: gradient times input": _explaining(GradientTimesInput),
        "whence: lrp (default rules)": _explaining(LRP),
        "whence: lrp, full ledger": _explaining(LRP, ledger="full"),
        "whence: lrp, no ledger": _explaining(LRP, ledger=None),
        "whence: cp-lrp": _explaining(CPLRP),
        "whence: lrp, 8 targets": _eight_by_default,
    }


def peers() -> dict[str, Make]:
    """The same in zennit and captum, as far as they are installed."""
    return {**_zennit(), **_captum()}


def _explaining(make: Callable[[nn.Module], Explainer], **options: object) -> Make:
    def prepare(model: nn.Module, x: Tensor) -> Run:
        explainer = make(model)
        return lambda: explainer.attribute(x, TARGET, **options)

    return prepare


def _eight(model: nn.Module, x: Tensor) -> Run:
    explainer = LRP(model, EpsilonPlusFlat())
    return lambda: explainer.explain(x, Each(list(range(8))))


def _eight_by_default(model: nn.Module, x: Tensor) -> Run:
    explainer = LRP(model)
    targets = Each([k % model(x).shape[1] for k in range(8)])
    return lambda: explainer.explain(x, targets)


def _zennit() -> dict[str, Make]:
    try:
        from zennit import attribution, composites
    except Exception:
        return {}
    from zennit.canonizers import SequentialMergeBatchNorm

    def prepare(composite: object) -> Make:
        def make(model: nn.Module, x: Tensor) -> Run:
            goal = torch.eye(model(x).shape[1])[[TARGET] * len(x)]

            def run() -> object:
                with attribution.Gradient(model=model, composite=composite) as attributor:
                    return attributor(x.clone(), goal)[1]

            return run

        return make

    merge = {"canonizers": [SequentialMergeBatchNorm()]}
    box = {"low": torch.tensor(LOW), "high": torch.tensor(HIGH)}
    everywhere = composites.LayerMapComposite(_epsilon_layers(), canonizers=merge["canonizers"])
    return {
        "zennit: guided backprop": prepare(composites.GuidedBackprop()),
        "zennit: epsilon": prepare(everywhere),
        "zennit: epsilon-plus-flat": prepare(composites.EpsilonPlusFlat(**merge)),
        "zennit: excitation backprop": prepare(composites.ExcitationBackprop(**merge)),
        "zennit: epsilon-alpha2-beta1-flat": prepare(composites.EpsilonAlpha2Beta1Flat(**merge)),
        "zennit: epsilon-gamma-box": prepare(composites.EpsilonGammaBox(**box, **merge)),
    }


def _epsilon_layers() -> list[tuple[object, object]]:
    from zennit.rules import Epsilon, Norm, Pass
    from zennit.types import Activation, AvgPool, Convolution, Linear

    return [
        (Activation, Pass()),
        (AvgPool, Norm()),
        (Convolution, Epsilon(1e-6)),
        (Linear, Epsilon(1e-6)),
    ]


def _captum() -> dict[str, Make]:
    try:
        from captum import attr
    except ImportError:
        return {}

    def prepare(kind: type) -> Make:
        def make(model: nn.Module, x: Tensor) -> Run:
            method = kind(model)
            return lambda: method.attribute(x.clone().requires_grad_(), target=TARGET)

        return make

    return {
        "captum: saliency": prepare(attr.Saliency),
        "captum: gradient times input": prepare(attr.InputXGradient),
        "captum: LRP (epsilon)": prepare(attr.LRP),
    }
