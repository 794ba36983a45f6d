"""check_metric: every metric of ours keeps the contract, and metrics that break it are caught."""

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from whence import metrics
from whence.errors import InvalidInput
from whence.metrics import Batch, Case, Cost, Metric, Patches, Pixels, Scores
from whence.testing import check_metric
from whence.testing._check_explainer import small_net

# Of 8x8 pictures, these cut some short at the edge, as the default of 9 cuts larger pictures.
PATCHES = Patches(3)


def _other_net() -> nn.Module:
    net = small_net()
    for parameter in net.parameters():
        parameter.data = parameter.data.flip(0)
    return net


# One line for each metric, with the knobs that make sense for 8x8 pictures.
METRICS: dict[type[Metric], dict[str, Any]] = {
    metrics.ABPC: {"features": PATCHES, "replacement": metrics.Uniform(draws=2)},
    metrics.Completeness: {},
    metrics.Comprehensiveness: {"shares": (0.1, 0.5)},
    metrics.Continuity: {},
    metrics.Deletion: {"step": 8},
    metrics.EffectiveSize: {},
    metrics.Entropy: {},
    metrics.FileSize: {},
    metrics.Gini: {},
    metrics.Infidelity: {},
    metrics.InputInvariance: {},
    metrics.Insertion: {"step": 8},
    metrics.InsideOutside: {},
    metrics.LabelRandomisation: {"other": _other_net()},
    metrics.MaskAUC: {},
    metrics.NonSensitivity: {},
    metrics.ParameterRandomisation: {},
    metrics.PixelFlipping: {"step": 8},
    metrics.PointingGame: {"tolerance": 1},
    metrics.RegionPerturbation: {"features": PATCHES, "replacement": metrics.Uniform(draws=2)},
    metrics.RelevanceMass: {},
    metrics.RelevanceRank: {},
    metrics.SRG: {"features": PATCHES},
    metrics.Selectivity: {"features": PATCHES},
    metrics.SensitivityMax: {},
    metrics.Sufficiency: {"shares": (0.1, 0.5)},
    metrics.TopKIntersection: {},
}
ELSEWHERE = {metrics.WordDeleting}  # needs texts: in its own tests


def test_every_public_metric_is_checked() -> None:
    public = [getattr(metrics, name) for name in metrics.__all__]
    found = {each for each in public if isinstance(each, type) and issubclass(each, Metric)}

    assert found - {Metric} == set(METRICS) | ELSEWHERE


@pytest.mark.parametrize("kind", METRICS, ids=lambda kind: kind.__name__)
def test_the_metrics_keep_the_contract(kind: type[Metric]) -> None:
    check_metric(lambda: kind(**METRICS[kind]))


@pytest.mark.parametrize("order", ["morf", "lerf", "near-zero", "random"])
@pytest.mark.parametrize("features", [Pixels(), PATCHES, metrics.Elements()], ids=repr)
def test_every_order_and_partition_declares_what_leaves_it_as_it_is(
    order: str, features: metrics.Features
) -> None:
    check_metric(lambda: metrics.PixelFlipping(order=order, features=features, step=4))


@pytest.mark.parametrize("features", [metrics.Patches(3), metrics.Elements()], ids=repr)
@pytest.mark.parametrize("kind", [metrics.ParameterRandomisation, metrics.LabelRandomisation])
def test_randomisation_declares_what_leaves_it_as_it_is(
    kind: type[Metric], features: metrics.Features
) -> None:
    check_metric(lambda: kind(**METRICS[kind], features=features))


@pytest.mark.parametrize(
    "replacement",
    [metrics.Uniform(draws=2), metrics.Blur(1.0), metrics.SignFlip(), metrics.Inpaint(draws=2)],
    ids=repr,
)
def test_every_replacement_keeps_the_contract(replacement: metrics.Replacement) -> None:
    check_metric(lambda: metrics.PixelFlipping(step=16, replacement=replacement))


@dataclass(frozen=True)
class Sound(Metric):
    """The share of positive relevance: the metric that the broken ones below are made of."""

    name: ClassVar[str] = "sound"
    direction: ClassVar[int] = 1
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    needs: ClassVar[tuple[str, ...]] = ()
    invariances: ClassVar[frozenset[str]] = frozenset({"batch", "order", "scale"})
    sources: ClassVar[tuple[str, ...]] = ("bach2015",)
    equation: ClassVar[str] = "sum R+ / sum |R|"

    def measure(self, case: Case) -> Scores:
        R = case.relevance.double().flatten(1)
        return Scores(self.change(case, R.clamp(min=0).sum(1) / R.abs().sum(1)))

    def change(self, case: Case, values: Tensor) -> Tensor:
        return values

    def cost(self, batch: Batch) -> Cost:
        return Cost()


def test_a_sound_metric_passes() -> None:
    check_metric(Sound)


class Nameless(Sound):
    name = ""


class WithoutDirection(Sound):
    direction = 2


class WithEmptyRange(Sound):
    range = (1.0, 0.0)


class NeedingTheUnknown(Sound):
    needs = ("luck",)


class InvariantToTheUnknown(Sound):
    invariances = frozenset({"batch", "order", "scale", "time"})


class WithUnknownSource(Sound):
    sources = ("nobody1900",)


class Sourceless(Sound):
    sources = ()


class WithoutEquation(Sound):
    equation = ""


@dataclass
class Changeable(Sound.__bases__[0]):  # type: ignore[misc]
    """A metric whose knobs can change."""

    name = "changeable"
    direction, range, needs = 1, (0.0, 1.0), ()
    sources, equation = ("bach2015",), "0"
    measure, cost = Sound.measure, Sound.cost


@dataclass(frozen=True)
class WithAddress(Sound):
    """A knob that prints its address."""

    knob: Any = check_metric


@dataclass(frozen=True)
class Unwritable(Sound):
    """A protocol that JSON cannot hold."""

    def protocol(self) -> dict[str, Any]:
        return {**super().protocol(), "more": torch.zeros(1)}


@dataclass(frozen=True)
class Forgetful(Sound):
    """A protocol that lacks a knob."""

    knob: int = 1

    def protocol(self) -> dict[str, Any]:
        return {**super().protocol(), "knobs": {}}


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Nameless, "has no name"),
        (WithoutDirection, "direction must be"),
        (WithEmptyRange, "range must be"),
        (NeedingTheUnknown, "luck"),
        (InvariantToTheUnknown, "time"),
        (WithUnknownSource, "nobody1900"),
        (Sourceless, "declares no sources"),
        (WithoutEquation, "declares no equation"),
        (Changeable, "frozen dataclass"),
        (WithAddress, "by its address"),
        (Unwritable, "cannot be written as JSON"),
        (Forgetful, "lacks the knobs"),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_a_wrong_declaration_is_caught(kind: type[Metric], words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        check_metric(kind)


class Single(Sound):
    def change(self, case: Case, values: Tensor) -> Tensor:
        return values.float()


class Scalar(Sound):
    def change(self, case: Case, values: Tensor) -> Tensor:
        return values.mean()


class OutOfRange(Sound):
    def change(self, case: Case, values: Tensor) -> Tensor:
        return values * 2


class Nothing(Sound):
    def change(self, case: Case, values: Tensor) -> Tensor:
        return values * torch.nan


class OfTheFirst(Sound):
    """Depends on the samples beside: the defect of ROAD in Quantus is of this kind."""

    def change(self, case: Case, values: Tensor) -> Tensor:
        return values * values[0]


class OfThePlace(Sound):
    def change(self, case: Case, values: Tensor) -> Tensor:
        rank = torch.tensor([int(str(each)[-1]) for each in case.batch.ids], dtype=values.dtype)
        first = rank[0] if len(rank) > 1 else torch.zeros(())
        return values if len(rank) == 1 else values / (1 + first)


class OfLuck(Sound):
    def change(self, case: Case, values: Tensor) -> Tensor:
        return values * torch.rand(())


class OfLuckInSecret(Sound):
    def change(self, case: Case, values: Tensor) -> Tensor:
        return values * torch.rand((), generator=GENERATOR)


GENERATOR = torch.Generator().manual_seed(0)


class Writing(Sound):
    def change(self, case: Case, values: Tensor) -> Tensor:
        case.relevance[0] = 0
        return values


class WritingOnTheModel(Sound):
    def change(self, case: Case, values: Tensor) -> Tensor:
        case.batch.model.seen = True
        return values


class Asking(Sound):
    """Asks the model without saying so."""

    def change(self, case: Case, values: Tensor) -> Tensor:
        return values + 0 * case.batch.untouched[:, 0]


class AskingUndeclared(Asking):
    def cost(self, batch: Batch) -> Cost:
        return Cost(1)


class AskingInCost(Sound):
    def cost(self, batch: Batch) -> Cost:
        return Cost(0 * len(batch.untouched))


class Dear(Sound):
    def cost(self, batch: Batch) -> Cost:
        return Cost(1)


class Explaining(Sound):
    needs = ("explainer",)

    def change(self, case: Case, values: Tensor) -> Tensor:
        if case.explainer is None:
            raise InvalidInput("There is no explainer.")
        explain: Any = case.explainer(case.batch.model)  # type: ignore[operator]
        explain(case.batch.inputs, 1)
        return values


class Silent(Sound):
    """Needs masks and does without them."""

    needs = ("masks",)


class Curt(Sound):
    needs = ("masks",)

    def change(self, case: Case, values: Tensor) -> Tensor:
        if case.batch.masks is None:
            raise InvalidInput("Something is missing.")
        return values


class Crashing(Sound):
    needs = ("masks",)

    def change(self, case: Case, values: Tensor) -> Tensor:
        return values + 0 * case.batch.masks.sum()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Single, "must be float64"),
        (Scalar, "must be float64 of shape"),
        (OutOfRange, "not within the range"),
        (Nothing, "all scores are NaN"),
        (OfTheFirst, "declares 'batch'"),
        (OfLuck, "draws from torch's generator"),
        (OfLuckInSecret, "twice the same question"),
        (Writing, "changed what is the user's"),
        (WritingOnTheModel, "changed what is the user's"),
        (Asking, "foretells 0 forward passes"),
        (AskingUndeclared, "does not declare that it needs it"),
        (AskingInCost, r"cost\(\) asked the model"),
        (Dear, "foretells 1 forward passes"),
        (Explaining, "foretells 0 explanations"),
        (Silent, "there was nothing"),
        (Curt, "does not speak of it"),
        (Crashing, "AttributeError"),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_a_broken_metric_is_caught(kind: type[Metric], words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        check_metric(kind)


def _declaring(*names: str) -> type[Metric]:
    return type("Declaring", (Sound,), {"invariances": frozenset(names), "__doc__": Sound.__doc__})


@pytest.mark.parametrize("name", ["sign", "offset", "channels"])
def test_a_declaration_that_is_too_strong_is_caught(name: str) -> None:
    with pytest.raises(AssertionError, match=f"declares '{name}'"):
        check_metric(_declaring("batch", "order", "scale", name))


@pytest.mark.parametrize("name", ["batch", "order", "scale"])
def test_a_declaration_that_is_too_weak_is_caught(name: str) -> None:
    with pytest.raises(AssertionError, match=f"does not declare '{name}'"):
        check_metric(_declaring(*{"batch", "order", "scale"} - {name}))


def test_a_metric_that_knows_its_place_is_caught() -> None:
    with pytest.raises(AssertionError, match=r"declares '(batch|order)'"):
        check_metric(OfThePlace)


def test_the_scale_must_not_matter_where_it_is_declared() -> None:
    class Sum(Sound):
        range = (-1e9, 1e9)

        def change(self, case: Case, values: Tensor) -> Tensor:
            return case.relevance.double().flatten(1).sum(1)

    with pytest.raises(AssertionError, match="declares 'scale'"):
        check_metric(Sum)


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(AssertionError, match="at least three samples"):
        check_metric(Sound, inputs=torch.randn(2, 2, 8, 8, dtype=torch.float64))
