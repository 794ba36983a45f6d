"""Every method keeps the contract `check_explainer`; and the contract finds who does not."""

import pytest
import torch
from torch import nn

from whence import explainers
from whence._explanation import Explanation
from whence.composites import EpsilonAlpha2Beta1, EpsilonGammaBox
from whence.explainers import (
    CPLRP,
    LRP,
    AttnLRP,
    Deconvnet,
    DeepTaylor,
    ExcitationBackprop,
    Explainer,
    Foreign,
    GradCAM,
    GradientTimesInput,
    GuidedBackprop,
    InputGradient,
    IntegratedGradients,
    MinMaxDeepTaylor,
    Occlusion,
    PatternAttribution,
    PatternNet,
    Random,
    Sensitivity,
    SmoothGrad,
    Taylor,
)
from whence.testing import check_explainer


def _slope(model: nn.Module, x: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The gradient, as another library might take it; the net writes into what it is given."""
    return torch.autograd.grad(model(x.clone()).gather(1, target[:, None]).sum(), x)[0]


def _training(model: nn.Module) -> torch.Tensor:
    """Pictures to fit patterns to, in the model's precision."""
    generator = torch.Generator().manual_seed(2)
    return torch.randn(20, 2, 8, 8, generator=generator).to(next(model.parameters()).dtype)


METHODS = {
    "LRP": LRP,
    "LRP alpha-beta": lambda model: LRP(model, EpsilonAlpha2Beta1()),
    "LRP gamma": lambda model: LRP(model, EpsilonGammaBox(-5.0, 5.0)),
    "DeepTaylor": DeepTaylor,
    "DeepTaylor in a box": lambda model: DeepTaylor(model, -5.0, 5.0),
    "AttnLRP": AttnLRP,
    "CPLRP": CPLRP,
    "Sensitivity": Sensitivity,
    "InputGradient": InputGradient,
    "GradientTimesInput": GradientTimesInput,
    "Deconvnet": Deconvnet,
    "GuidedBackprop": GuidedBackprop,
    "ExcitationBackprop": ExcitationBackprop,
    "ExcitationBackprop contrastive": lambda model: ExcitationBackprop(model, contrastive=True),
    "SmoothGrad": lambda model: SmoothGrad(model, n=3),
    "SmoothGrad of LRP": lambda model: SmoothGrad(LRP(model), n=3, chunk=2),
    "IntegratedGradients": lambda model: IntegratedGradients(model, steps=4),
    "GradCAM": lambda model: GradCAM(model, "conv2"),
    "PatternNet": lambda model: PatternNet(model).fit(_training(model)),
    "PatternAttribution": lambda model: PatternAttribution(model).fit(_training(model)),
    "Occlusion": lambda model: Occlusion(model, window=3),
    "Random": Random,
    "Taylor": Taylor,
    "Taylor at a point": lambda model: Taylor(model, 0.5),
    "Taylor on a segment": lambda model: Taylor(model, "segment", toward=-1.0),
    "MinMaxDeepTaylor": lambda model: MinMaxDeepTaylor(model, "relu2", steps=10).fit(
        _training(model)
    ),
    "Foreign": lambda model: Foreign(_slope, model),
}


@pytest.mark.parametrize("name", METHODS)
def test_every_method_keeps_the_contract(name: str) -> None:
    check_explainer(METHODS[name])


def test_no_method_is_left_out() -> None:
    exported = {each for each in vars(explainers).values() if isinstance(each, type)}
    methods = {each.__name__ for each in exported if issubclass(each, Explainer)} - {"Explainer"}

    assert methods <= {name.split()[0] for name in METHODS}


class _Wrong(Explainer):
    """A method that goes wrong in a way that a test names."""

    def __init__(self, model, flaw, ask=lambda model, x, target: model(x)[:, target or 0]) -> None:
        super().__init__(model)
        self.flaw, self.ask, self.calls = flaw, ask, 0

    def explain(self, inputs, target=None, **options) -> Explanation:
        self.calls += 1
        self.ask(self.model, inputs.detach().clone(), target)
        relevance = self.flaw(self, inputs.detach().clone(), target)
        return Explanation(
            relevance=relevance,
            inputs=inputs,
            output=None,
            target=target,
            score=torch.zeros(len(inputs), dtype=inputs.dtype),
            method="wrong",
        )


def _hook(self, x, target):
    self.model.register_forward_hook(lambda *_: None)
    return x


def _zero_grad(self, x, target):
    self.model.zero_grad()
    return x


def _train(self, x, target):
    self.model.train()
    return x


def _write(self, x, target):
    with torch.no_grad():
        next(self.model.parameters()).mul_(1 + 1e-12)
    return x


def _attribute(self, x, target):
    self.model.seen = x
    return x


FLAWS = {
    "shape": (lambda self, x, target: x[:, :1], "has shape"),
    "dtype": (lambda self, x, target: x.half(), "has dtype"),
    "nan": (lambda self, x, target: x / 0 * 0, "not finite"),
    "nothing": (lambda self, x, target: x * 0, "zero everywhere"),
    "graph": (lambda self, x, target: x.requires_grad_(), "requires grad"),
    "batch": (lambda self, x, target: x - x.mean(0), "of a batch"),
    "random": (lambda self, x, target: x * self.calls, "two answers"),
    "hook": (_hook, "changed what is the user's: _forward_hooks"),
    "grad": (_zero_grad, "changed what is the user's: .*grad of"),
    "training": (_train, "changed what is the user's: training"),
    "parameter": (_write, "changed what is the user's: .*values of"),
    "attribute": (_attribute, "changed what is the user's: attributes"),
}


@pytest.mark.parametrize("name", FLAWS)
def test_the_contract_finds_each_flaw(name: str) -> None:
    flaw, message = FLAWS[name]

    with pytest.raises(AssertionError, match=message):
        check_explainer(lambda model: _Wrong(model, flaw))


def test_the_contract_finds_who_never_asks_the_model() -> None:
    with pytest.raises(AssertionError, match="no _Expected was raised"):
        check_explainer(lambda model: _Wrong(model, lambda self, x, target: x, ask=lambda *_: None))


def test_the_contract_works_on_a_model_and_inputs_of_ones_own() -> None:
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).eval()

    check_explainer(LRP, model, torch.randn(2, 4))


def test_the_contract_needs_two_samples() -> None:
    with pytest.raises(AssertionError, match="at least two samples"):
        check_explainer(LRP, nn.Linear(4, 3), torch.randn(1, 4))
