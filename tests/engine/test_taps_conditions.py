"""Relevance inside of the model, conditions on it, where it starts, and its own derivative."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from laws import ZERO, rand
from whence import rules
from whence.composites import Composite, EpsilonPlus, where
from whence.errors import UnsupportedModel
from whence.explainers import LRP
from whence.targets import (
    Contrast,
    Each,
    Given,
    Highest,
    Logit,
    LogOdds,
    Neuron,
    Relative,
    Target,
    Weights,
)

X = rand(2, 3, 6, 6)


class _Net(nn.Module):
    """conv, norm, shared activation (called twice), pooling, two dense layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.active, self.again = nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1)
        self.hidden, self.head = nn.Linear(4 * 9, 5), nn.Linear(5, 3)
        self.double().eval()
        for number, each in enumerate(self.parameters()):
            scale = (2 / max(1, each[0].numel())) ** 0.5
            each.data = rand(*each.shape, seed=number) * scale

    def forward(self, x: Tensor) -> Tensor:
        h = self.active(self.norm(self.conv(x)))
        h = self.active(h + self.again(h))
        h = F.avg_pool2d(h, 2).flatten(1)
        return self.head(F.relu(self.hidden(h)))


def _explain(target: Any = 1, composite: Composite = ZERO, **options: Any) -> Any:
    return LRP(_Net(), composite).explain(X, target, ledger="full", **options)


# -- taps ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["conv", "norm", "again", "hidden", "head"])
def test_relevance_at_a_module_has_its_shape_and_sums_to_what_the_book_lets_through(
    name: str,
) -> None:
    ex = _explain(composite=EpsilonPlus())
    shape = {"hidden": (2, 5), "head": (2, 3)}.get(name, (2, 4, 6, 6))

    assert ex.at(name).shape == shape


def test_relevance_at_the_output_is_the_score() -> None:
    ex = _explain()

    assert torch.equal(ex.at("head"), ex.output * torch.tensor([0.0, 1.0, 0.0]))


def test_relevance_at_a_hidden_layer_is_activation_times_gradient() -> None:
    net, ex = _Net(), _explain()
    kept = []
    handle = net.again.register_forward_hook(lambda *args: kept.append(args[2]))
    gradient = torch.autograd.grad(net(X)[:, 1].sum(), kept[0])[0]
    handle.remove()

    torch.testing.assert_close(ex.at("again"), gradient * kept[0].detach())


@pytest.mark.parametrize("composite", [ZERO, EpsilonPlus()], ids=["zero", "epsilon-plus"])
def test_both_parts_of_a_joined_convolution_answer_with_the_joined_output(
    composite: Composite,
) -> None:
    ex = _explain(composite=composite)

    assert torch.equal(ex.at("conv"), ex.at("norm"))


def test_a_module_called_twice_gives_one_tensor_for_each_call() -> None:
    first, second = _explain().at("active")

    assert first.shape == second.shape == (2, 4, 6, 6)
    assert not torch.equal(first, second)


@pytest.mark.parametrize("composite", [ZERO, EpsilonPlus()], ids=["zero", "epsilon-plus"])
def test_taps_equal_what_at_finds_later(composite: Composite) -> None:
    names = ["conv", "again", "hidden"]
    plain, tapped = _explain(composite=composite), _explain(composite=composite, taps=names)

    assert torch.equal(tapped.relevance, plain.relevance)
    assert all(torch.equal(tapped.taps[name], plain.at(name)) for name in names)


LARGE = Composite([(where.nature("linear"), rules.Epsilon(0.3))])
RULES = {
    "epsilon": LARGE,
    "epsilon, handed out": Composite(
        [(where.nature("linear"), rules.Epsilon(0.3, bias="distribute"))]
    ),
    "gamma": Composite([*LARGE, (where.kind("conv2d"), rules.Gamma(0.5))]),
    "alpha-beta": Composite([*LARGE, (where.kind("conv2d"), rules.AlphaBeta(2, 1))]),
}


@pytest.mark.parametrize("name", RULES)
def test_who_else_looks_at_a_layers_output_makes_no_difference(name: str) -> None:
    """Behind a ReLU the output itself is let go, and the ReLU's stands in for it: a tap, the
    ledger, or a hook of the user's that keeps it alive must not change a large epsilon."""
    net = _Net()
    plain = LRP(net, RULES[name]).explain(X, 1, ledger=None)
    tapped = LRP(net, RULES[name]).explain(X, 1, taps=["conv", "hidden"], ledger="full")
    kept: list[Tensor] = []
    for part in (net.conv, net.norm, net.again, net.hidden):
        part.register_forward_hook(lambda *args: kept.append(args[2]))
    held = LRP(net, RULES[name]).explain(X, 1, ledger="summary")

    torch.testing.assert_close(tapped.relevance, plain.relevance, rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(held.relevance, plain.relevance, rtol=1e-12, atol=1e-13)


# -- conditions ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["conv", "again"])
@pytest.mark.parametrize("composite", [ZERO, EpsilonPlus()], ids=["zero", "epsilon-plus"])
def test_single_channels_add_up_to_the_whole(name: str, composite: Composite) -> None:
    parts = [_explain(composite=composite, conditions={name: [k]}) for k in range(4)]
    other = _explain(composite=composite, conditions={name: torch.zeros(4)})
    whole = _explain(composite=composite)

    total = sum(part.relevance - other.relevance for part in parts) + other.relevance
    torch.testing.assert_close(total, whole.relevance)


def test_single_neurons_of_a_dense_layer_add_up_to_the_whole() -> None:
    total = sum(_explain(conditions={"hidden": k}).relevance for k in range(5))

    torch.testing.assert_close(total, _explain().relevance)


def test_a_mask_of_ones_changes_nothing_and_one_of_zeros_stops_everything() -> None:
    ones = _explain(conditions={"hidden": torch.ones(5)})
    zeros = _explain(conditions={"hidden": torch.zeros(2, 5)})

    assert torch.equal(ones.relevance, _explain().relevance)
    assert (zeros.relevance == 0).all()


def test_masks_may_weigh_each_element() -> None:
    mask = rand(4, 6, 6, seed=3)
    ex = _explain(conditions={"again": mask}, taps=["again"])

    torch.testing.assert_close(ex.at("again"), _explain().at("again") * mask.float().double())


def test_what_a_condition_stops_is_booked_as_dropped() -> None:
    ex = _explain(conditions={"hidden": [1, 2]})
    kept = _explain().at("hidden")
    row = next(row for row in ex.ledger if row.op == "condition")

    torch.testing.assert_close(row.dropped, kept[:, [0, 3, 4]].sum(1))
    assert row.path == "hidden"
    ex.ledger.check()


def test_two_conditions_hold_both() -> None:
    ex = _explain(conditions={"hidden": [1], "again": [0]}, taps=["hidden", "again"])

    assert (ex.at("hidden")[:, [0, 2, 3, 4]] == 0).all()
    assert (ex.at("again")[:, 1:] == 0).all()


# -- targets -------------------------------------------------------------------------------------


class _Tilted(Target):
    """A target of a user's own."""

    def coefficients(self, output: Tensor) -> Tensor:
        return torch.arange(3.0, dtype=output.dtype).expand_as(output)


TARGETS: dict[str, tuple[Any, Callable[[Tensor], Tensor]]] = {
    "none": (None, lambda y: y.amax(1)),
    "class": (2, lambda y: y[:, 2]),
    "classes": ([2, 0], lambda y: y[[0, 1], [2, 0]]),
    "tensor of classes": (torch.tensor([1, 1]), lambda y: y[:, 1]),
    "negative class": (-1, lambda y: y[:, -1]),
    "Highest": (Highest(), lambda y: y.amax(1)),
    "Logit": (Logit(0), lambda y: y[:, 0]),
    "Contrast": (Contrast(0, 2), lambda y: y[:, 0] - y[:, 2]),
    "LogOdds": (LogOdds(1), lambda y: y[:, 1] - y[:, [0, 2]].logsumexp(1)),
    "Neuron": (Neuron(2), lambda y: y[:, 2]),
    "Weights": (Weights(torch.tensor([1.0, -2.0, 0.5])), lambda y: y @ y.new_tensor([1, -2, 0.5])),
    "float tensor": (torch.tensor([[0.0, 1, 0], [1, 0, 0]]), lambda y: y[[0, 1], [1, 0]]),
    "Relative": (Relative(0.25, Logit(1)), lambda y: y[:, 1] - 0.25),
    "function": (lambda y: y[:, 0] * y[:, 1], lambda y: y[:, 0] * y[:, 1]),
    "own class": (_Tilted(), lambda y: y @ y.new_tensor([0, 1, 2])),
}


@pytest.mark.parametrize("name", TARGETS)
def test_relevance_is_the_gradient_of_the_targets_score_times_input(name: str) -> None:
    target, function = TARGETS[name]
    x = X.clone().requires_grad_()
    score = function(_Net()(x))
    gradient = torch.autograd.grad(score.sum(), x)[0]
    ex = _explain(target)

    torch.testing.assert_close(ex.score, score.detach())
    torch.testing.assert_close(ex.relevance, gradient * X)
    ex.ledger.check()


def test_a_contrast_is_the_difference_of_its_classes() -> None:
    difference = _explain(0).relevance - _explain(2).relevance

    torch.testing.assert_close(_explain(Contrast(0, 2)).relevance, difference)


def test_a_hidden_neuron_is_explained_from_its_module() -> None:
    net = _Net()
    x = X.clone().requires_grad_()
    hidden: list[Tensor] = []
    net.again.register_forward_hook(lambda *args: hidden.append(args[2]))
    net(x)
    gradient = torch.autograd.grad(hidden[0][:, 2, 3, 3].sum(), x)[0]
    ex = _explain(Neuron((2, 3, 3), at="again"))

    torch.testing.assert_close(ex.relevance, gradient * X)
    torch.testing.assert_close(ex.score, hidden[0][:, 2, 3, 3].detach())


def test_weights_may_start_at_a_module() -> None:
    ex = _explain(Weights(rand(5, seed=1), at="hidden"))
    parts = sum(
        float(w) * _explain(Neuron(k, at="hidden")).relevance for k, w in enumerate(rand(5, seed=1))
    )

    torch.testing.assert_close(ex.relevance, parts)


def test_given_relevance_continues_where_another_explanation_stood() -> None:
    """The relevance that reached `again`, started there anew, joined with the other branch."""
    whole = _explain()
    ex = _explain(Given(whole.at("hidden"), at="hidden"))

    torch.testing.assert_close(ex.relevance, whole.relevance)
    torch.testing.assert_close(ex.score, whole.at("hidden").sum(1))
    ex.ledger.check()


def test_given_relevance_at_the_output_is_the_class_itself() -> None:
    logits = torch.zeros(2, 3, dtype=torch.float64)
    logits[:, 1] = _explain().score

    torch.testing.assert_close(_explain(Given(logits)).relevance, _explain().relevance)


@pytest.mark.parametrize("composite", [ZERO, EpsilonPlus()], ids=["zero", "epsilon-plus"])
def test_each_target_equals_its_own_run(composite: Composite) -> None:
    targets = [0, [2, 1], Contrast(0, 1), LogOdds(2), Neuron(1), lambda y: y[:, 0]]
    together = _explain(Each(targets), composite, taps=["again"])
    apart = [_explain(target, composite) for target in targets]

    assert together.relevance.shape == (6, *X.shape)
    torch.testing.assert_close(
        together.relevance, torch.stack([ex.relevance for ex in apart]), rtol=1e-12, atol=1e-13
    )
    torch.testing.assert_close(together.score, torch.stack([ex.score for ex in apart]))
    torch.testing.assert_close(
        together.taps["again"], torch.stack([ex.at("again") for ex in apart])
    )
    assert [book.check().score.tolist() for book in together.ledger] == [
        ex.score.tolist() for ex in apart
    ]


@pytest.mark.parametrize(
    "target", [None, [1, 0, 2, 1, 1], Each([0, 1]), Contrast(0, [1, 1, 2, 2, 1])], ids=str
)
@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_parts_of_a_batch_equal_the_whole(target: Any, batch_size: int) -> None:
    x = rand(5, 3, 6, 6, seed=4)
    explainer = LRP(_Net(), EpsilonPlus())
    whole = explainer.explain(x, target, taps=["again"])
    parts = explainer.explain(x, target, taps=["again"], batch_size=batch_size)

    torch.testing.assert_close(parts.relevance, whole.relevance)
    torch.testing.assert_close(parts.score, whole.score)
    torch.testing.assert_close(parts.output, whole.output)
    torch.testing.assert_close(parts.taps["again"], whole.taps["again"])


# -- the derivative of relevance -----------------------------------------------------------------

SMOOTH = Composite([(where.nature("linear"), rules.Epsilon(0.1)),
                    (where.nature("product"), rules.HalfEach())])  # fmt: skip


def _smooth_net() -> nn.Sequential:
    net = nn.Sequential(
        nn.Conv2d(2, 3, 2), nn.BatchNorm2d(3), nn.Softplus(), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(3, 4), nn.GELU(), nn.LayerNorm(4), nn.Linear(4, 2), nn.Tanh(),
    ).double().eval()  # fmt: skip
    for number, each in enumerate(net.parameters()):
        each.data = rand(*each.shape, seed=number) * 0.7 + 0.1
    return net


def _relevance(net: Callable[..., Any], x: Tensor, composite: Composite = SMOOTH) -> Tensor:
    weigh = rand(*x.shape, seed=21)
    ex = LRP(net, composite).explain(x, 1, create_graph=True)
    return (ex.relevance * weigh).sum()


def _assert_slope(function: Callable[[], Tensor], at: Tensor) -> None:
    """The analytic gradient along a random direction against central differences."""
    (gradient,) = torch.autograd.grad(function(), at)
    direction, h = rand(*at.shape, seed=31), 1e-5
    with torch.no_grad():
        at.add_(direction, alpha=h)
        above = function().detach()
        at.add_(direction, alpha=-2 * h)
        below = function().detach()
        at.add_(direction, alpha=h)
    slope = (above - below) / (2 * h)
    torch.testing.assert_close((gradient * direction).sum(), slope, rtol=1e-6, atol=1e-8)
    assert gradient.abs().max() > 1e-6


COMPOSITES = {
    "epsilon": SMOOTH,
    "zero": ZERO,
    "z+": Composite([*SMOOTH, (where.kind("conv2d"), rules.ZPlus())]),
    "alpha-beta": Composite([*SMOOTH, (where.nature("linear"), rules.AlphaBeta(2, 1))]),
    "gamma": Composite([*SMOOTH, (where.nature("linear"), rules.Gamma(0.25))]),
    "w2 first": Composite([*SMOOTH, (where.first, rules.WSquare())]),
    "flat first": Composite([*SMOOTH, (where.first, rules.Flat())]),
}


@pytest.mark.parametrize("name", COMPOSITES)
def test_relevance_differentiates_in_the_inputs(name: str) -> None:
    net, x = _smooth_net(), rand(2, 2, 3, 3).requires_grad_()

    _assert_slope(lambda: _relevance(net, x, COMPOSITES[name]), x)


@pytest.mark.parametrize("parameter", ["0.weight", "0.bias", "1.weight", "5.weight", "8.weight"])
@pytest.mark.parametrize("name", COMPOSITES)
def test_relevance_differentiates_in_the_parameters(name: str, parameter: str) -> None:
    net, x = _smooth_net(), rand(2, 2, 3, 3)

    _assert_slope(lambda: _relevance(net, x, COMPOSITES[name]), net.get_parameter(parameter))


def test_relevance_with_a_graph_equals_relevance_without() -> None:
    net, x = _smooth_net(), rand(2, 2, 3, 3)
    plain = LRP(net, SMOOTH).explain(x, 1)
    graph = LRP(net, SMOOTH).explain(x, 1, create_graph=True)

    assert graph.relevance.requires_grad
    assert not plain.relevance.requires_grad
    torch.testing.assert_close(graph.relevance.detach(), plain.relevance)


@pytest.mark.parametrize("step", ["gate", "writes", "softmax", "pool"])
def test_relevance_differentiates_through(step: str) -> None:
    def writes(h: Tensor) -> Tensor:
        h = h * 1
        h[:, 0] = h[:, 1] * 2
        h += h.flip(1)
        return h

    steps: dict[str, Callable[[Tensor], Tensor]] = {
        "gate": lambda h: h * torch.sigmoid(h.flip(1)),
        "writes": writes,
        "softmax": lambda h: torch.softmax(h, 1) * 3,
        "pool": lambda h: F.max_pool1d(h[:, None], 2)[:, 0].repeat(1, 2),
    }
    first, last = rand(4, 4, seed=1), rand(4, 2, seed=2)
    x = rand(2, 4).requires_grad_()

    _assert_slope(lambda: _relevance(lambda x: steps[step](x @ first).tanh() @ last, x), x)


@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
def test_checkpointing_with_a_graph_is_an_error(reentrant: bool) -> None:
    net = _smooth_net()

    def saving(x: Tensor) -> Tensor:
        return net[5:](checkpoint(net[:5], x, use_reentrant=reentrant))

    with pytest.raises(UnsupportedModel, match="create_graph=True cannot pass gradient checkpoin"):
        LRP(saving, SMOOTH).explain(rand(2, 2, 3, 3), 1, create_graph=True)
