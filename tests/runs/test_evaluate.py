"""Explanations measured over a data set: the numbers."""

from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import whence
from evaluating import LABELS, Linear, Total, X, run
from whence.errors import InvalidInput
from whence.explainers import GradientTimesInput
from whence.metrics import PixelFlipping
from whence.runs import Evaluation


@pytest.fixture
def model() -> Linear:
    return Linear().eval()


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
