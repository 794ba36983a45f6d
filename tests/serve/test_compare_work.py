"""Comparisons under way: budgets, steps, maps; the results are those of whence.evaluate."""

import base64
import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import whence
from whence import zoo
from whence.errors import InvalidInput
from whence.runs._evaluate_ask import Called
from whence.serve import Problem, Settings
from whence.serve import _compare_work as work
from whence.serve._compare_answer import answer_of
from whence.serve._compare_metrics import entries, metric_for
from whence.serve._compare_question import begin, held_out, in_order
from whence.serve._compare_schemas import AskCompare, ComparedSample
from whence.serve._compare_work import Comparison, pooled, subset
from whence.serve._desk import Desk
from whence.serve._schemas import Numbers

DESK = Desk.of(Settings())
DIGITS = zoo.dataset("digits")


def begun(**asked: Any) -> Comparison:
    fields = {"samples": 5, "budget_seconds": 60} | asked
    return begin(DESK, AskCompare.model_validate(fields))


def decoded(numbers: Numbers | None) -> np.ndarray:
    assert numbers is not None
    flat = np.frombuffer(base64.b64decode(numbers.data), "<f4")
    return flat.reshape(numbers.shape).astype(np.float64)


# What is measured


def test_scores_are_those_of_evaluate_however_the_work_is_cut() -> None:
    at_once, in_steps = begun(samples=9), begun(samples=9)
    at_once.step(60)
    steps = [in_steps.step(1e-9) for _ in range(9)]
    names = [each.label for each in at_once.explainers]
    wanted = whence.evaluate(
        at_once.net, at_once.data, names, {"flipping": at_once.metric}, batch_size=9
    )

    assert [len(each) for each in steps] == [1] * 9
    assert at_once.finished
    assert in_steps.finished
    for found in (at_once.evaluation(), in_steps.evaluation()):
        assert found.ids == wanted.ids
        for name in names:
            torch.testing.assert_close(found.scores(name), wanted.scores(name), rtol=0, atol=1e-4)


def test_a_map_is_the_relevance_that_the_library_gives() -> None:
    held = begun(samples=3, methods=["lrp", "lrp:composite=epsilon-plus"], target=4)
    new = held.step(60)
    inputs = held.net.preprocess(held.data.batch(range(3))[0])
    wanted = whence.explain(held.net.module, inputs, 4, "lrp", composite="epsilon-plus")
    found = [decoded(each.relevance["lrp:composite=epsilon-plus"]) for each in new]

    np.testing.assert_allclose(found, wanted.relevance.sum(1).numpy(), rtol=0, atol=1e-5)
    assert [each.target.index for each in new] == [4, 4, 4]
    assert [each.name for each in new] == list(held.data.names)


def test_photographs_give_maps_of_sums_and_a_fair_order(data: Path) -> None:
    desk = Desk.of(Settings(root=data))
    asked = {"model": "squeezenet-imagenet", "samples": 1, "methods": ["lrp"]}
    held = begin(desk, AskCompare.model_validate(asked | {"metric": "effective-size"}))
    (sample,) = held.step(60)
    wanted = whence.explain(held.net.module, held.net.preprocess(held.data[0].image), None, "lrp")
    whole = wanted.relevance[0].sum(0).double()

    assert (sample.pooled, sample.picture.shape) == (2, [114, 114, 3])
    assert decoded(sample.relevance["lrp"])[3, 5] == pytest.approx(
        float(whole[6:8, 10:12].sum()), abs=1e-4
    )
    assert 0 <= decoded(sample.picture).min() <= decoded(sample.picture).max() <= 1


def test_the_predicted_or_the_true_class_is_explained() -> None:
    predicted, true = begun(samples=30), begun(samples=30, target="label")
    with torch.no_grad():
        inputs = predicted.net.preprocess(predicted.data.batch(range(30))[0])
        wanted = predicted.net.module(inputs).argmax(1).tolist()

    shown = min(30, predicted.columns)
    assert [each.target.index for each in predicted.step(60)] == wanted[:shown]
    assert [each.target.index for each in true.step(60)] == true.data.labels[:shown].tolist()


def test_the_control_is_always_there_and_never_twice() -> None:
    assert [each.label for each in begun(methods=["lrp"]).explainers] == ["lrp", "random"]
    assert [each.label for each in begun(methods=["random", "lrp"]).explainers] == ["random", "lrp"]


def test_what_fails_is_told_and_the_others_go_on() -> None:
    held = begun(methods=["occlusion", "lrp"], samples=3)
    broken = Called(held.net.module, refusing)
    held.explainers = [replace(held.explainers[0], explainer=broken), *held.explainers[1:]]
    new = held.step(60)
    answer = answer_of("n", held, new)

    assert [each.relevance["occlusion"] for each in new] == [None] * 3
    assert [(row.method, row.samples, row.missing) for row in answer.rows] == [
        ("occlusion", 0, 3),
        ("lrp", 3, 0),
        ("random", 3, 0),
    ]
    assert answer.notes[0].startswith("occlusion failed on 3 samples")
    assert answer.notes[0].endswith("not this one")
    assert "occlusion has no scores." in answer.says
    assert answer.rows[0].score.mean is None
    assert [pair.p for pair in answer.pairs if "occlusion" in pair.first] == [None, None]


def refusing(model: Any, inputs: Any, target: Any) -> Any:
    raise InvalidInput("not this one")


def test_the_model_is_untouched() -> None:
    held = begun(methods=["lrp", "smoothgrad", "guided-backprop", "occlusion"], samples=2)
    module = held.net.module
    before = copy.deepcopy(module.state_dict())
    flags = [(each.requires_grad, each.grad) for each in module.parameters()]
    held.step(60)

    assert not module.training
    assert [(each.requires_grad, each.grad) for each in module.parameters()] == flags
    assert not any(each._forward_hooks or each._backward_hooks for each in module.modules())
    for name, each in module.state_dict().items():
        torch.testing.assert_close(each, before[name], rtol=0, atol=0)


# The budget


class Clock:
    """Time that passes only when samples are measured: some seconds for each."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, each: float) -> None:
        self.now, self.batches = 0.0, []
        monkeypatch.setattr(work.time, "perf_counter", lambda: self.now)
        clock = self

        def measured(held: Comparison, count: int) -> list[ComparedSample]:
            clock.now += each * count
            clock.batches.append(count)
            return []

        monkeypatch.setattr(Comparison, "_measure", measured)


@pytest.mark.parametrize(
    ("each", "budget", "done"),
    [
        (0.4, 5, 12),  # 12 x 0.4 = 4.8 and a 13th would not fit
        (0.001, 5, 20),
        (1.0, 5, 5),
        (7.0, 5, 1),  # one sample is always measured
        (2.6, 5, 1),
    ],
)
def test_as_many_samples_as_fit_the_budget(
    monkeypatch: pytest.MonkeyPatch, each: float, budget: float, done: int
) -> None:
    clock, held = Clock(monkeypatch, each), begun(samples=20, budget_seconds=budget)
    held.step(60)

    assert held.done == done
    assert held.finished
    assert held.spent == pytest.approx(each * done)
    assert sum(clock.batches) == done
    assert max(clock.batches) <= 16


def test_a_step_takes_about_as_long_as_it_should(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, held = Clock(monkeypatch, 0.05), begun(samples=200, budget_seconds=60)
    held.step(1.0)

    assert clock.now == pytest.approx(1.0, abs=0.051)
    assert not held.finished


def test_a_step_shorter_than_a_sample_measures_one(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, held = Clock(monkeypatch, 3.0), begun(samples=20, budget_seconds=60)
    held.step(1.0)
    held.step(1.0)

    assert clock.batches == [1, 1]


def test_what_is_stopped_measures_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, held = Clock(monkeypatch, 0.1), begun(samples=20)
    held.stopped = True
    held.step(1.0)

    assert clock.batches == []
    assert held.finished


# Samples and their order


def test_a_smaller_number_takes_the_first_of_the_same_random_order() -> None:
    order = in_order(DIGITS)

    assert sorted(order) == list(range(len(DIGITS)))
    assert order != sorted(order)
    assert begun(samples=50).data.names[:7] == begun(samples=7).data.names
    assert begun(samples=7).data.names == tuple(DIGITS.names[row] for row in order[:7])


def test_samples_can_be_named() -> None:
    names = [DIGITS.names[7], DIGITS.names[2]]

    assert begun(samples=names).data.names == tuple(names)


def test_a_part_of_a_data_set_has_the_items_asked_for() -> None:
    found = subset(DIGITS, [5, 0])

    assert [found[k].name for k in range(2)] == [DIGITS[5].name, DIGITS[0].name]
    assert [found[k].label for k in range(2)] == [DIGITS[5].label, DIGITS[0].label]
    assert torch.equal(found[0].image, DIGITS[5].image)
    assert len(found) == 2


def test_few_maps_are_shown_of_many_samples_or_methods() -> None:
    few, many = begun(samples=30), begun(samples=30)
    many.explainers = [replace(few.explainers[0], label=str(k)) for k in range(8)]

    assert len(few.step(60)) == few.columns == 12
    assert many.columns == 8
    assert many.columns * 8 <= work.MOST_CELLS


def test_large_maps_travel_as_sums_over_squares() -> None:
    nine = np.arange(9.0).reshape(3, 3)

    np.testing.assert_array_equal(pooled(nine, 2), [[0 + 1 + 3 + 4, 2 + 5], [6 + 7, 8]])
    np.testing.assert_array_equal(pooled(nine, 1), nine)
    assert pooled(np.ones((227, 227, 3)), 2).shape == (114, 114, 3)


# Questions


@pytest.mark.parametrize("name", [each.name for each in entries()])
def test_every_metric_that_is_offered_measures_digits(name: str) -> None:
    held = begun(metric=name, samples=2, methods=["lrp"])
    held.step(60)
    found = held.evaluation()

    assert found.failures == ()
    assert found.metrics[name]["direction"] in (1, -1)
    assert found.scores("lrp").isfinite().all()


@pytest.mark.parametrize(
    ("shape", "features", "points"),
    [((1, 8, 8), 64, 33), ((1, 28, 28), 784, 33), ((3, 227, 227), 256, 17)],
)
def test_knobs_fit_the_size_of_pictures(shape: tuple[int, ...], features: int, points: int) -> None:
    metric: Any = metric_for("flipping", shape)
    places = metric.features.places(shape)
    count = int(places.max()) + 1

    assert count == features
    assert -(-count // metric.step) + 1 <= points


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"model": "../etc"}, "unknown_model"),
        ({"model": "sst-lstm"}, "wrong_kind"),
        ({"methods": ["magic"]}, "unknown_method"),
        ({"methods": ["lrp", "lrp"]}, "bad_field"),
        ({"methods": ["random"]}, "bad_field"),
        ({"methods": ["lrp:composite=magic"]}, "unknown_composite"),
        ({"methods": ["lrp:epsilon=3"]}, "unknown_method"),
        ({"methods": ["sensitivity:composite=epsilon"]}, "not_explained"),
        ({"metric": "gini"}, "unknown_metric"),
        ({"samples": ["digits-none"]}, "unknown_sample"),
        ({"target": 10}, "unknown_class"),
    ],
)
def test_what_is_wrong_is_named(asked: dict[str, Any], code: str) -> None:
    with pytest.raises(Problem) as wrong:
        begun(**asked)

    assert wrong.value.code == code


def test_a_model_without_data_cannot_be_compared_on(tmp_path: Path) -> None:
    desk = Desk.of(Settings(root=tmp_path))
    net = replace(DESK.shelf.model("digits-cnn"), name="lenet5-mnist")

    with pytest.raises(Problem, match="no held-out samples for lenet5-mnist"):
        held_out(desk, net)
