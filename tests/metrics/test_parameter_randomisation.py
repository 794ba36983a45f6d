"""Parameter randomisation: which stages count, what is redrawn, and that nothing of ours stays."""

from collections.abc import Callable, Iterator
from math import sqrt
from typing import Any

import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from whence.errors import InvalidInput
from whence.explainers import LRP, GradientTimesInput, InputGradient, Random, SmoothGrad
from whence.metrics import Batch, Case, ParameterRandomisation
from whence.metrics._layers import Redrawn, Stage, stages_of
from whence.testing._untouched import untouched

X = torch.tensor([[1.0, 2.0], [3.0, -1.0]], dtype=torch.float64)


@pytest.fixture
def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2)).double().eval()


def saying(*maps: list[float]) -> Callable[[nn.Module], Callable[[Any, Any], Tensor]]:
    """An explainer that answers with given maps, one for each model it meets."""
    answers: Iterator[list[float]] = iter(maps)

    def make(model: nn.Module) -> Callable[[Any, Any], Tensor]:
        answer = torch.tensor(next(answers), dtype=torch.float64)
        return lambda inputs, target: answer.expand(len(inputs), -1)

    return make


def weights_seen(seen: list[list[Tensor]]) -> Callable[[nn.Module], Callable[[Any, Any], Tensor]]:
    """An explainer that notes the weights of the models it meets."""

    def make(model: nn.Module) -> Callable[[Any, Any], Tensor]:
        seen.append([model.get_submodule(name).weight.detach().clone() for name in ("0", "2")])
        return lambda inputs, target: inputs

    return make


# What is averaged. Another library averages in the untouched model and reports 0.40 here.


def test_the_untouched_model_is_not_in_the_average(net: nn.Module) -> None:
    metric = ParameterRandomisation(similarity="cosine")
    maps = saying([0.2, sqrt(1 - 0.2**2)], [0.0, 1.0])  # cosines with (1, 0): 0.2 and 0.0
    found = metric(net, X[:1], torch.tensor([[1.0, 0.0]]).double(), explainer=maps)

    assert found.values.tolist() == pytest.approx([0.10], abs=1e-15)
    assert found.curves["parameter-randomisation"].y[0].tolist() == pytest.approx([1, 0.2, 0])
    assert found.curves["parameter-randomisation"].x.tolist() == [0, 1, 2]


def test_each_stage_is_told_by_the_name_of_its_layer(net: nn.Module) -> None:
    explainer = InputGradient(net)
    relevance = explainer.explain(X, 0).relevance

    def names(order: str) -> list[str]:
        found = ParameterRandomisation(order)(net, X, relevance, 0, explainer=explainer)
        return list(found.details)

    assert names("top") == ["2", "0"]
    assert names("bottom") == ["0", "2"]
    assert names("independent") == ["0", "2"]


# What is redrawn.


def test_a_cascade_goes_on_and_independent_layers_are_put_back(net: nn.Sequential) -> None:
    before = [net[0].weight.detach().clone(), net[2].weight.detach().clone()]
    cascade: list[list[Tensor]] = []
    alone: list[list[Tensor]] = []
    ParameterRandomisation("top")(net, X, X, explainer=weights_seen(cascade))
    ParameterRandomisation("independent")(net, X, X, explainer=weights_seen(alone))

    assert torch.equal(cascade[0][0], before[0])
    assert not torch.equal(cascade[0][1], before[1])
    assert not torch.equal(cascade[1][0], before[0])
    assert torch.equal(cascade[1][1], cascade[0][1])
    assert torch.equal(alone[0][1], before[1])
    assert torch.equal(alone[1][0], before[0])
    # A layer gets the same numbers whatever else was redrawn.
    assert torch.equal(alone[1][1], cascade[0][1])
    assert torch.equal(alone[0][0], cascade[1][0])


def test_draws_belong_to_the_seed(net: nn.Sequential) -> None:
    seen: list[list[Tensor]] = []
    for seed in (0, 0, 1):
        metric = ParameterRandomisation(layers=("2",), seed=seed)
        torch.rand(seed + 1)  # torch's own generator has no say
        metric(net, X, X, explainer=weights_seen(seen))

    assert torch.equal(seen[0][1], seen[1][1])
    assert not torch.equal(seen[0][1], seen[2][1])


def test_reset_gives_what_a_fresh_layer_has() -> None:
    norm = nn.BatchNorm1d(3).double().eval()
    with torch.no_grad():
        norm.weight.fill_(5)
        norm.running_mean.fill_(7)
    copied = Redrawn(norm, "reset", 0)
    copied.redraw(Stage("norm", ("",)))

    assert copied.model.weight.tolist() == [1, 1, 1]
    assert copied.model.running_mean.tolist() == [0, 0, 0]
    assert norm.running_mean.tolist() == [7, 7, 7]


def test_permuted_keeps_the_entries_and_normal_their_moments() -> None:
    layer = nn.Linear(100, 100).double()
    with torch.no_grad():
        layer.weight.mul_(3).add_(1)
    permuted, normal = Redrawn(layer, "permuted", 0), Redrawn(layer, "normal", 0)
    permuted.redraw(Stage("", ("",)))
    normal.redraw(Stage("", ("",)))
    weight = layer.weight.detach()

    assert not torch.equal(permuted.model.weight, weight)
    assert torch.equal(permuted.model.weight.flatten().sort().values, weight.flatten().sort()[0])
    # The mean of 10,000 draws is right within 4 standard errors, 4 / 100 of the deviation.
    drawn = normal.model.weight.detach()
    assert abs(float(drawn.mean() - weight.mean())) < 0.04 * float(weight.std())
    assert float(drawn.std() / weight.std()) == pytest.approx(1, abs=0.03)


def test_a_layer_without_a_reset_is_drawn_normally() -> None:
    class Scale(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.factor = nn.Parameter(torch.tensor([1.0, 2.0, 5.0]))

        def forward(self, x: Tensor) -> Tensor:
            return x * self.factor

    reset, normal = Redrawn(Scale(), "reset", 0), Redrawn(Scale(), "normal", 0)
    reset.redraw(Stage("", ("",)))
    normal.redraw(Stage("", ("",)))

    assert torch.equal(reset.model.factor, normal.model.factor)
    assert not torch.equal(reset.model.factor, Scale().factor)


def test_normed_weights_are_redrawn_though_reset_cannot_reach_them() -> None:
    layer = nn.utils.parametrizations.weight_norm(nn.Linear(3, 3))
    copied = Redrawn(layer, "reset", 0)
    stage = stages_of(layer, ("",))[0]
    copied.redraw(stage)

    assert stage.layers == ("", "parametrizations.weight")
    assert not torch.equal(copied.model.weight, layer.weight)
    assert not torch.equal(copied.model.bias, layer.bias)


def test_shared_parameters_are_one_layer() -> None:
    first, second = nn.Linear(2, 2), nn.Linear(2, 2, bias=False)
    second.weight = first.weight

    assert [each.name for each in stages_of(nn.Sequential(first, second), None)] == ["0"]


def test_a_module_named_is_a_stage_with_all_layers_inside() -> None:
    net = nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), nn.Linear(2, 2))

    assert stages_of(net, ("0", "1")) == [Stage("0", ("0.0", "0.1")), Stage("1", ("1",))]
    assert stages_of(net, ("",)) == [Stage("", ("0.0", "0.1", "1"))]


# What it finds.


def test_a_linear_model_against_scipy() -> None:
    net = nn.Linear(12, 2, bias=False).double().eval()
    x = torch.randn(3, 12, dtype=torch.float64)
    explainer = GradientTimesInput(net)
    copied = Redrawn(net, "reset", 4)
    copied.redraw(Stage("", ("",)))
    pairs = zip((x * net.weight[1]).detach(), (x * copied.model.weight[1]).detach(), strict=True)
    expected = [float(spearmanr(a, b).statistic) for a, b in pairs]
    metric = ParameterRandomisation(seed=4)
    found = metric(net, x, explainer.explain(x, 1).relevance, 1, explainer=explainer)

    assert found.values.tolist() == pytest.approx(expected, abs=1e-12)


def test_what_ignores_the_model_gets_the_worst_value(net: nn.Module) -> None:
    explainer = Random(net)
    relevance = explainer.explain(X, 0).relevance
    found = ParameterRandomisation()(net, X, relevance, 0, explainer=explainer)

    assert found.values.tolist() == pytest.approx([1, 1], abs=1e-12)


def test_a_constant_map_that_stays_constant_gets_the_worst_value(net: nn.Module) -> None:
    found = ParameterRandomisation()(
        net, X, torch.ones_like(X), explainer=saying([1.0, 1.0], [2.0, 2.0])
    )

    assert found.values.tolist() == [1, 1]


def test_the_target_stays_the_one_of_the_untouched_model(net: nn.Module) -> None:
    asked: list[Any] = []

    def make(model: nn.Module) -> Callable[[Any, Any], Tensor]:
        def explain(inputs: Tensor, target: Any) -> Tensor:
            asked.append(target.coefficients(torch.zeros(2, 2)).argmax(1).tolist())
            return inputs

        return explain

    ParameterRandomisation()(net, X, X, explainer=make)

    assert asked == [net(X).argmax(1).tolist()] * 2


@pytest.mark.parametrize("make", [LRP, InputGradient, lambda m: SmoothGrad(LRP(m), n=2)])
def test_explainers_wrappers_and_factories_give_the_same(net: nn.Module, make: Any) -> None:
    explainer = make(net)
    relevance = explainer.explain(X, 1).relevance
    first = ParameterRandomisation()(net, X, relevance, 1, explainer=explainer)
    second = ParameterRandomisation()(net, X, relevance, 1, explainer=make)

    assert first.values.tolist() == second.values.tolist()
    assert first.values.tolist() != [1.0, 1.0]


@pytest.mark.parametrize("order", ["top", "bottom", "independent"])
def test_the_model_is_as_it_was(net: nn.Module, order: str) -> None:
    explainer = LRP(net)
    relevance = explainer.explain(X, 0).relevance
    state = torch.random.get_rng_state()
    with untouched(net, X):
        ParameterRandomisation(order)(net, X, relevance, 0, explainer=explainer)

    assert torch.equal(torch.random.get_rng_state(), state)
    assert explainer.model is net


def test_as_many_explanations_and_forward_passes_as_foretold(net: nn.Module) -> None:
    seen: list[list[Tensor]] = []
    batch, metric = Batch(net, X), ParameterRandomisation()
    metric.measure(Case(batch, X, weights_seen(seen)))

    assert len(seen) == metric.cost(batch).explanations == 2
    assert batch.forwarded == len(X) * sum(metric.cost(batch).shared.values())


def test_relevance_may_come_pooled_over_channels() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2))
    net, x = net.double().eval(), torch.randn(2, 3, 4, 4, dtype=torch.float64)
    explainer = LRP(net)
    relevance = explainer.explain(x, 0).relevance
    whole = ParameterRandomisation()(net, x, relevance, 0, explainer=explainer)
    pooled = ParameterRandomisation()(net, x, relevance.sum(1), 0, explainer=explainer)

    assert pooled.values.tolist() == whole.values.tolist()


# What it refuses.


def test_without_an_explainer_it_says_what_is_missing(net: nn.Module) -> None:
    with pytest.raises(InvalidInput, match="needs explainer=: an explainer, or a function"):
        ParameterRandomisation()(net, X, X)


def test_a_function_has_no_parameters_to_redraw(net: nn.Module) -> None:
    with pytest.raises(InvalidInput, match=r"an nn\.Module only, got function"):
        ParameterRandomisation()(lambda x: net(x), X, X, explainer=Random)


def test_a_layer_that_is_none_is_named(net: nn.Module) -> None:
    with pytest.raises(InvalidInput, match=r"no parameters to redraw in '1'.*layers are: 0, 2"):
        ParameterRandomisation(layers=("1",))(net, X, X, explainer=Random)


@pytest.mark.parametrize(
    ("knobs", "words"),
    [
        ({"order": "down"}, "order must be one of top, bottom, independent, got 'down'"),
        ({"redraw": "zero"}, "redraw must be one of reset, normal, permuted, got 'zero'"),
        ({"similarity": "ssim"}, "similarity must be one of"),
    ],
)
def test_wrong_knobs_are_refused(knobs: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        ParameterRandomisation(**knobs)


def test_what_it_declares_follows_the_similarity() -> None:
    assert "offset" in ParameterRandomisation().invariances
    assert "sign" not in ParameterRandomisation().invariances
    assert "sign" in ParameterRandomisation(similarity="absolute-rank").invariances
    assert "offset" not in ParameterRandomisation(similarity="cosine").invariances
