"""Explanations measured over a data set: the numbers, and what happens when something fails."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import whence
from whence import zoo
from whence.errors import InvalidInput
from whence.explainers import GradientTimesInput, Random
from whence.metrics import Batch, Case, Cost, Metric, PixelFlipping, Scores
from whence.runs import Evaluation
from whence.runs._evaluate_data import Part

ALL = [GradientTimesInput, Random]


@dataclass(frozen=True)
class Total(Metric):
    """The sum of relevance; fails for samples whose first value is `bad`."""

    bad: float | None = None
    name: ClassVar[str] = "total"
    direction: ClassVar[int] = 1
    range: ClassVar[tuple[float, float]] = (-math.inf, math.inf)

    def measure(self, case: Case) -> Scores:
        if self.bad is not None and bool((case.batch.x[:, 0] == self.bad).any()):
            raise RuntimeError("a bad sample")
        return Scores(case.relevance.flatten(1).sum(1).double())

    def cost(self, batch: Batch) -> Cost:
        return Cost()


class Linear(nn.Module):
    """Three scores of six numbers without biases; counts samples, and may raise or stop."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.linear = nn.Linear(6, 3, bias=False).double()
        self.asked = 0
        self.raises: Callable[[Tensor], BaseException | None] = lambda x: None

    def forward(self, x: Tensor) -> Tensor:
        error = self.raises(x)
        if error is not None:
            raise error
        self.asked += len(x)
        return self.linear(x)


@pytest.fixture
def model() -> Linear:
    return Linear().eval()


X = torch.randn(10, 6, generator=torch.Generator().manual_seed(1)).double()
LABELS = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1, 2, 0])


def run(model: Any, data: Any = (X, LABELS), explainers: Any = ALL, **options: Any) -> Evaluation:
    options.setdefault("metrics", [Total(), PixelFlipping(read="logit")])
    return whence.evaluate(model, data, explainers, **options)


def same(first: Evaluation, second: Evaluation) -> bool:
    pairs = [(method, metric) for method in first.methods for metric in first.metrics]
    return first.ids == second.ids and all(
        torch.equal(first.scores(*pair).nan_to_num(7), second.scores(*pair).nan_to_num(7))
        and torch.equal(first.curves(pair[1])[pair[0]].mean, second.curves(pair[1])[pair[0]].mean)
        for pair in pairs
        if pair[1] != "total"
    )


def test_gradient_times_input_of_a_linear_model_sums_to_the_score(model: Linear) -> None:
    kind = {"exact": GradientTimesInput}
    found = run(model, explainers=kind, metrics=[Total()], target="label")
    expected = model.linear(X).gather(1, LABELS[:, None])[:, 0]

    assert found.scores("exact").tolist() == pytest.approx(expected.tolist(), abs=1e-12)


def test_without_a_target_the_predicted_class_is_explained(model: Linear) -> None:
    found = run(model, X, explainers={"exact": GradientTimesInput}, metrics=[Total()])

    assert found.scores("exact").tolist() == pytest.approx(
        model.linear(X).amax(1).tolist(), abs=1e-12
    )


@pytest.mark.parametrize("target", [2, torch.tensor([2] * 10), whence.targets.Logit(2)])
def test_a_target_may_be_a_class_one_for_each_or_any_other(model: Linear, target: Any) -> None:
    found = run(model, target=target, metrics=[Total()], explainers=["lrp"], batch_size=4)

    assert found.scores("lrp").tolist() == pytest.approx(model.linear(X)[:, 2].tolist(), rel=1e-5)


def test_the_curve_of_a_linear_model_falls_by_its_sorted_contributions(model: Linear) -> None:
    kind = {"exact": GradientTimesInput}
    metric = PixelFlipping(read="logit", replacement=whence.metrics.Constant(0.0))
    found = run(model, explainers=kind, metrics=[metric], target="label")
    parts = (model.linear.weight[LABELS] * X).sort(1, descending=True).values
    score = parts.sum(1, keepdim=True)
    expected = torch.cat([score, score - parts.cumsum(1)], 1).mean(0)

    assert found.curves()["exact"].mean.tolist() == pytest.approx(expected.tolist(), abs=1e-12)


FORMS = {
    "tensors": (X, LABELS),
    "tensor": X,
    "mapping": {"x": X, "labels": LABELS},
    "loader": DataLoader(TensorDataset(X, LABELS), batch_size=4),
    "list of tensors": [X[:7], X[7:]],
    "list of pairs": [(X[:3], LABELS[:3]), (X[3:], LABELS[3:])],
    "generator": None,
    "dictionaries": [
        {"x": X[5:], "ids": range(5, 10), "labels": LABELS[5:]},
        {"x": X[:5], "ids": torch.arange(5), "labels": LABELS[:5]},
    ],
}


@pytest.mark.parametrize("form", list(FORMS))
def test_the_data_may_come_in_any_form(model: Linear, form: str) -> None:
    data = FORMS[form] if form != "generator" else (X[i : i + 3] for i in range(0, 10, 3))

    assert same(run(model, data), run(model))


@pytest.mark.parametrize("batch_size", [1, 3, 10])
def test_results_do_not_depend_on_the_batch_size(model: Linear, batch_size: int) -> None:
    found, whole = run(model, batch_size=batch_size), run(model)

    assert found.scores(found.methods[0], "flipping (logit)").tolist() == pytest.approx(
        whole.scores(whole.methods[0], "flipping (logit)").tolist(), abs=1e-12
    )


def test_shards_merge_to_the_whole_bit_for_bit(model: Linear) -> None:
    parts = [run(model, batch_size=3, shard=(i, 2)) for i in range(2)]
    merged = parts[1].merge(parts[0])

    assert [len(each.ids) for each in parts] == [6, 4]
    assert not parts[0].complete
    assert merged.complete
    assert same(merged, run(model, batch_size=3))


def test_shards_of_different_evaluations_do_not_merge(model: Linear) -> None:
    with pytest.raises(InvalidInput, match="shards of the same evaluation"):
        run(model, shard=(0, 2)).merge(run(model, shard=(1, 2), seed=1))


def test_a_shard_is_one_of_so_many(model: Linear) -> None:
    with pytest.raises(InvalidInput, match=r"i from 0 to n - 1, got \(2, 2\)"):
        run(model, shard=(2, 2))


def test_each_necessary_copy_goes_through_the_model_once(model: Linear) -> None:
    kinds = {"a": lambda m, x, t: x, "b": lambda m, x, t: -x}
    run(model, explainers=kinds, metrics=[PixelFlipping(), PixelFlipping(order="lerf")])

    # Untouched and all gone are shared; a and b have 5 points in between, in both orders.
    assert model.asked == 10 * (2 + 2 * 2 * 5)


def test_a_budget_is_told_before_the_work(model: Linear) -> None:
    lines: list[str] = []
    kinds = {"a": lambda m, x, t: x, "b": lambda m, x, t: -x}
    run(model, explainers=kinds, metrics=[PixelFlipping()], say=lines.append)

    # 10 samples x (2 shared ends + 2 methods x 5 points)
    assert lines == [
        "10 samples x 2 methods x 1 metric: 120 forward passes and 20 explanations, about a second"
    ]


def test_nothing_is_printed_where_there_is_no_terminal(model: Linear, capsys: Any) -> None:
    run(model)

    assert capsys.readouterr() == ("", "")


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


# Data sets and models of the zoo.


def test_a_data_set_of_the_zoo_goes_through_the_preprocessing_of_its_model() -> None:
    net, digits = zoo.model("digits-cnn"), zoo.dataset("digits", split="test")
    found = whence.evaluate(
        net, digits, ["lrp", "random"], [PixelFlipping(step=256)], limit=5, target="label"
    )
    images, labels = digits.batch(range(5))
    by_hand = whence.evaluate(
        net.module, (net.preprocess(images), labels), ["lrp"], [PixelFlipping(step=256)],
        target="label",
    )  # fmt: skip

    assert found.ids == tuple(digits.names[:5])
    assert found.protocol["model"]["name"] == "digits-cnn"
    assert found.protocol["numbers"] == "torch.float32"
    assert found.scores("lrp").tolist() == pytest.approx(by_hand.scores("lrp").tolist(), abs=1e-6)


def test_a_preset_takes_its_box_from_the_model() -> None:
    net, digits = zoo.model("digits-cnn"), zoo.dataset("digits", split="test")
    asked = [("lrp", {"composite": "epsilon-gamma-box"}), "deep-taylor"]
    found = whence.evaluate(net, digits, asked, [Total()], limit=2)

    assert found.failures == ()


def pictures_with_boxes() -> zoo.Dataset:
    """Three pictures of 4 x 6 pixels; the second has two things in it, the third no box."""
    things = (zoo.Box("cat", 1, 0, 3, 2), zoo.Box("dog", 4, 2, 6, 4))
    pictures = torch.rand(3, 1, 4, 6, generator=torch.Generator().manual_seed(2))
    boxes = (things[1:], things, ())
    names = ("one", "two", "three")
    return zoo.Dataset(
        "boxed", list(pictures), torch.tensor([1, 0, 0]), ("cat", "dog"), names, boxes
    )


@dataclass(frozen=True)
class Inside(Total):
    """How many pixels are inside."""

    needs: ClassVar[tuple[str, ...]] = ("masks",)

    def measure(self, case: Case) -> Scores:
        assert case.batch.masks is not None
        return Scores(case.batch.masks.flatten(1).sum(1).double())


def flat_sum(x: Tensor) -> Tensor:
    return torch.stack([x.flatten(1).sum(1), x.flatten(1).mean(1)], 1)


def test_masks_are_the_boxes_of_the_labelled_class() -> None:
    found = whence.evaluate(flat_sum, pictures_with_boxes(), [Random], [Inside()])

    assert dict(zip(found.ids, found.scores("random").tolist(), strict=True)) == {
        "one": 4.0,
        "two": 4.0,
        "three": 0.0,
    }


def test_masks_go_through_the_frame_of_the_preprocessing() -> None:
    frame = zoo.ImageInput(channels=1, resize=(8, 12), mean=(0.5,), std=(0.25,))
    net = zoo.Model("net", torch.nn.Flatten().eval(), frame, ("a", "b"), (1, 8, 12), None, None)
    found = whence.evaluate(net, pictures_with_boxes(), [Random], [Inside()], limit=2)

    assert found.scores("random").tolist() == [16.0, 16.0]  # twice as high and wide


def test_masks_may_come_from_a_function_or_as_tensors(model: Linear) -> None:
    data = pictures_with_boxes()
    top = whence.evaluate(
        flat_sum, data, [Random], [Inside()], masks=lambda item: item.image[0] * 0 + 1
    )
    given = whence.evaluate(
        flat_sum, torch.rand(3, 1, 4, 6), [Random], [Inside()], masks=torch.eye(3)[:, :, None]
    )

    assert top.scores("random").tolist() == [24.0, 24.0, 24.0]
    assert given.scores("random").tolist() == [1.0, 1.0, 1.0]


def test_texts_of_the_zoo_are_read_by_their_model() -> None:
    net = zoo.model("sst-lstm")
    texts = zoo.Texts("two", ("a fine film", "dull"), torch.tensor([4, 0]), net.classes, ("x", "y"))
    found = whence.evaluate(net, texts, ["lrp", "random"], [Total()])

    assert found.failures == ()
    assert found.ids == ("x", "y")


@pytest.mark.parametrize("inputs", [X, {"x": X, "n": 3}, (X, 3)])
def test_samples_go_where_the_weights_are(inputs: Any) -> None:
    part = Part(inputs, tuple(range(10)), LABELS, LABELS, X > 0).to(torch.device("meta"))
    moved = part.inputs["x"] if isinstance(part.inputs, dict) else part.inputs
    moved = moved[0] if isinstance(moved, tuple) else moved

    assert moved.device.type == "meta"
    assert {each.device.type for each in (part.target, part.labels, part.masks)} == {"meta"}
    assert type(part.inputs) is type(inputs)


@pytest.mark.parametrize("target", [LABELS, LABELS.tolist(), whence.targets.Logit(LABELS)])
def test_a_target_for_each_sample_follows_it_into_its_batch(model: Linear, target: Any) -> None:
    kind = {"exact": GradientTimesInput}
    found = run(model, X, explainers=kind, metrics=[Total()], target=target, batch_size=4)
    expected = model.linear(X).gather(1, LABELS[:, None])[:, 0]

    assert found.scores("exact").tolist() == pytest.approx(expected.tolist(), abs=1e-12)
