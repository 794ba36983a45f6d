"""Explanations measured over a data set: what fails costs nothing else; what cannot be asked."""

import math
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

import whence
from evaluating import LABELS, Linear, Total, X, run
from whence.errors import InvalidInput
from whence.explainers import Random
from whence.metrics import Case, PixelFlipping, Scores


@pytest.fixture
def model() -> Linear:
    return Linear().eval()


# What fails costs nothing else.


def test_a_failing_metric_costs_nothing_else(model: Linear) -> None:
    """Elsewhere the exception of one metric lost the results of all."""
    bad = float(X[4, 0])
    found = run(model, metrics={"good": Total(), "bad": Total(bad=bad)})
    method = found.methods[0]

    assert not found.scores(method, "good").isnan().any()
    assert found.scores(method, "bad").isnan().nonzero().flatten().tolist() == [4]
    assert torch.equal(found.scores(method, "bad")[[0, 9]], found.scores(method, "good")[[0, 9]])
    assert [(each.method, each.metric, each.id) for each in found.failures] == [
        (method, "bad", 4) for method in found.methods
    ]
    assert found.failures[0].error == "RuntimeError: a bad sample"
    assert "bad failed on 1 sample (4): RuntimeError: a bad sample" in str(found)


def test_a_metric_that_always_fails_is_reported_for_each_sample(model: Linear) -> None:
    @dataclass(frozen=True)
    class Never(Total):
        def measure(self, case: Case) -> Scores:
            raise ValueError("never")

    found = run(model, metrics={"never": Never(), "good": Total()})

    assert len(found.failures) == 2 * 10
    assert math.isnan(found.interval(found.methods[0], "never").mean)
    assert found.interval(found.methods[0], "good").count == 10


def test_a_failing_explainer_costs_nothing_else(model: Linear) -> None:
    def moody(model: Any, inputs: Tensor, target: Any) -> Tensor:
        if len(inputs) > 1 and bool((inputs == X[3]).all(1).any()):
            raise ValueError("not this batch")
        if len(inputs) == 1 and torch.equal(inputs[0], X[3]):
            raise ValueError("not this sample")
        return inputs

    found = run(model, explainers={"moody": moody, "fine": Random}, metrics=[Total()])

    assert found.scores("moody").isnan().nonzero().flatten().tolist() == [3]
    assert found.scores("moody")[0] == pytest.approx(float(X[0].sum()))
    assert found.interval("fine").count == 10
    assert [(each.metric, each.id, each.error) for each in found.failures] == [
        ("", 3, "ValueError: not this sample")
    ]


def test_a_model_that_raises_on_a_sample_costs_that_sample(model: Linear) -> None:
    model.raises = lambda x: RuntimeError("too hot") if bool((x[:, 0] == X[7, 0]).any()) else None
    found = run(model, explainers=[lambda m, x, t: x], metrics=[Total(), PixelFlipping()])

    assert found.interval("function", "flipping").count == 9
    assert {each.id for each in found.failures} == {7}
    assert "RuntimeError: too hot" in found.failures[0].error


def test_maps_that_are_no_numbers_fail_alone(model: Linear) -> None:
    def hole(model: Any, inputs: Tensor, target: Any) -> Tensor:
        return inputs.masked_fill(inputs == X[2, 3], math.nan)

    found = run(model, explainers={"hole": hole}, metrics=[PixelFlipping()])

    assert found.scores("hole").isnan().nonzero().flatten().tolist() == [2]
    assert "NaN or infinity" in found.failures[0].error


def test_constant_maps_are_measured_as_a_random_order(model: Linear) -> None:
    maps = {"constant": lambda m, x, t: torch.ones_like(x)}
    found = run(model, explainers=maps, metrics=[PixelFlipping(), PixelFlipping(order="random")])

    assert found.failures == ()
    assert torch.equal(
        found.scores("constant", "flipping"), found.scores("constant", "flipping (random)")
    )


def test_maps_of_another_shape_fail(model: Linear) -> None:
    found = run(model, explainers={"short": lambda m, x, t: x[:, :5]}, metrics=[Total()])

    assert len(found.failures) == 10
    assert "Relevance must have the shape" in found.failures[0].error


def test_labels_that_are_no_class_fail_alone(model: Linear) -> None:
    labels = LABELS.clone()
    labels[1], labels[6] = 3, -1
    found = run(model, (X, labels), target="label", metrics=[Total()])

    assert {each.id: each.error for each in found.failures} == {
        1: "Classes run from 0 to 2, got 3.",
        6: "Classes run from 0, got -1: the label is unknown.",
    }
    assert found.interval(found.methods[0]).count == 8


def test_inputs_that_are_no_numbers_fail_alone(model: Linear) -> None:
    data = X.clone()
    data[5, 1] = math.nan
    found = run(model, data, metrics=[Total()])

    assert {each.id for each in found.failures} == {5}
    assert found.interval(found.methods[0]).count == 9


def test_options_of_one_explainer_do_not_reach_the_next(model: Linear) -> None:
    """Elsewhere the options of a method leaked into the following ones."""
    given: dict[str, Any] = {"composite": "epsilon"}
    asked = [("lrp", given), "lrp", ("smoothgrad", {"n": 3}), "smoothgrad"]
    found = run(model, explainers=asked, metrics=[Total()], limit=2)
    made = {each["label"]: each["knobs"] for each in found.protocol["explainers"]}

    assert given == {"composite": "epsilon"}
    assert found.methods == ("lrp (epsilon)", "lrp", "smoothgrad (n=3)", "smoothgrad")
    assert made["lrp"]["composite"] is None
    assert made["lrp (epsilon)"]["composite"].startswith("Composite(")
    assert made["smoothgrad (n=3)"]["n"] == 3
    assert made["smoothgrad"]["n"] != 3


def test_the_model_is_left_as_it_was(model: Linear) -> None:
    run(model)

    assert not model.training
    assert all(each.requires_grad and each.grad is None for each in model.parameters())
    assert not model.linear._forward_hooks


# Questions that cannot be asked.


@pytest.mark.parametrize("data", [[], X[:0], iter([]), DataLoader(TensorDataset(X[:0]))])
def test_an_empty_data_set_is_refused(model: Linear, data: Any) -> None:
    with pytest.raises(InvalidInput, match="empty"):
        run(model, data)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"explainers": ["lpr"]}, "no method 'lpr'. Did you mean 'lrp'"),
        ({"explainers": [("lrp", {"compsite": 1})]}, "no option 'compsite'"),
        ({"explainers": []}, "at least one explainer"),
        ({"explainers": [3]}, "name from whence.methods"),
        ({"metrics": ["fliping"]}, "no metric 'fliping'. Did you mean 'flipping'"),
        ({"metrics": [3]}, "name from whence.metrics.names"),
        ({"metrics": []}, "at least one metric"),
        ({"metrics": ["relevance-mass"]}, "needs masks, and the data has none"),
        ({"target": "labels"}, '"label" for the true one'),
        ({"data": X, "target": "label"}, 'target="label" needs labels'),
        ({"target": whence.targets.Each([0, 1])}, "one target at a time"),
        ({"data": 3}, "data must be"),
        ({"data": "mnist"}, "data must be"),
        ({"data": (X, LABELS[:4])}, "one whole number for each of 10 samples"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"limit": 0}, "limit must be at least 1"),
        ({"confidence": 95.0}, "confidence lies between 0 and 1"),
    ],
)
def test_a_wrong_question_is_refused_in_words(
    model: Linear, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidInput, match=words):
        run(model, **options)


def test_a_model_in_training_mode_is_refused(model: Linear) -> None:
    with pytest.raises(InvalidInput, match=r"model\.eval\(\)"):
        run(model.train())


def test_the_same_id_twice_in_a_batch_is_refused(model: Linear) -> None:
    with pytest.raises(InvalidInput, match="the sample 'a' came twice"):
        run(model, {"x": X[:3], "ids": ["a", "b", "a"]})


def test_the_same_id_in_a_later_batch_keeps_what_is_measured(model: Linear) -> None:
    found = run(model, [{"x": X[:2], "ids": ["a", "b"]}, {"x": X[2:4], "ids": ["c", "a"]}])

    assert found.ids == ("a", "b")
    assert not found.complete
    assert "the sample 'a' came twice. Give ids that differ." in str(found)
