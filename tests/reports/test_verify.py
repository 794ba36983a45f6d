"""A record holds for the model and inputs it is of, and for no others."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import whence
from whence import Explanation, composites, reports, rules, targets
from whence.composites import Composite, where
from whence.errors import InvalidInput
from whence.reports import Record, Verification

CHECKS = ("weights", "structure of the model", "inputs", "rules", "score", "relevance", "versions")


def differing(found: Verification) -> set[str]:
    return {each.name for each in found.checks if each.agrees is False}


def altered(record: Record, **body: Any) -> Record:
    return Record(record.kind, {**record.body, **body}, record.arrays)


def nudged(record: Record, by: float) -> Record:
    R = record.arrays["relevance.0"].copy()
    R.flat[0] += by * np.abs(R[0]).sum()
    return Record(record.kind, record.body, {**record.arrays, "relevance.0": R})


def test_all_agrees_for_the_same_model_and_inputs(
    found: Explanation, net: nn.Module, images: Tensor, tmp_path: Path
) -> None:
    record = reports.read(reports.record_of(found, net).save(tmp_path / "r.json"))
    seen = reports.verify(record, net, images)

    assert seen.agrees
    assert tuple(each.name for each in seen.checks) == CHECKS
    assert all(each.agrees for each in seen.checks)
    assert str(seen).startswith("The record holds.\n  weights: agrees; SHA-256 ")


def test_another_weight_is_seen(found: Explanation, net: nn.Module, images: Tensor) -> None:
    record = reports.record_of(found, net)
    with torch.no_grad():
        net[3].weight[3] += 0.5
    seen = reports.verify(record, net, images)

    assert differing(seen) == {"weights", "score", "relevance"}
    assert str(seen).startswith("The record does NOT hold.")


def test_another_structure_is_seen(found: Explanation, net: nn.Module, images: Tensor) -> None:
    record = reports.record_of(found, net)
    net[1] = nn.LeakyReLU(0.3)

    assert {"structure of the model", "score"} <= differing(reports.verify(record, net, images))
    assert "weights" not in differing(reports.verify(record, net, images))


def test_other_inputs_are_seen(found: Explanation, net: nn.Module, images: Tensor) -> None:
    record = reports.record_of(found, net)

    assert differing(reports.verify(record, net, images + 0.1)) == {"inputs", "score", "relevance"}


@pytest.mark.parametrize(("by", "holds"), [(1e-12, True), (1e-9, False), (float("nan"), False)])
def test_an_altered_relevance_is_seen_beyond_rounding(
    found: Explanation, net: nn.Module, images: Tensor, by: float, holds: bool
) -> None:
    record = nudged(reports.record_of(found, net), by)

    assert ("relevance" not in differing(reports.verify(record, net, images))) is holds


def test_a_faint_sample_is_not_covered_by_a_strong_one(net: nn.Module) -> None:
    net[0].bias = net[3].bias = None
    images = torch.rand(2, 1, 6, 6, dtype=torch.float64)
    images *= torch.tensor([1e-6, 1e6])[:, None, None, None]
    record = nudged(reports.record_of(whence.explain(net, images, 3), net), 1e-9)

    assert differing(reports.verify(record, net, images)) == {"relevance"}


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (lambda body: {"score": [each + 1 for each in body["score"]]}, {"score"}),
        (lambda body: {"score": []}, {"score"}),
        (lambda body: {"rules": body["rules"][1:]}, {"rules"}),
        (
            lambda body: {"rules": [[*body["rules"][0][:2], "Zero()", ""], *body["rules"][1:]]},
            {"rules"},
        ),
        (lambda body: {"inputs": {"sha256": "0" * 64, "tensors": {}}}, {"inputs"}),
        (lambda body: {"versions": {"torch": "0.1"}}, set()),
    ],
    ids=["score", "no score", "a rule less", "another rule", "hash", "versions"],
)
def test_an_altered_statement_is_seen(
    found: Explanation,
    net: nn.Module,
    images: Tensor,
    change: Callable[[Mapping[str, Any]], dict[str, Any]],
    seen: set[str],
) -> None:
    record = reports.record_of(found, net)

    assert differing(reports.verify(altered(record, **change(record.body)), net, images)) == seen


@pytest.mark.parametrize(
    ("target", "method", "options"),
    [
        (None, "lrp", {}),
        ([1, 2], "lrp", {"composite": composites.EpsilonGammaBox(0.0, 1.0)}),
        (targets.Contrast(1, 2), "lrp", {"composite": Composite([(where.all, rules.Epsilon())])}),
        (targets.Each([1, 2]), "sensitivity", {}),
        (3, "deep-taylor", {"low": 0.0, "high": torch.ones(1, 1, 1)}),
        (3, "integrated-gradients", {"steps": 4, "baseline": 0.5}),
        (3, "smoothgrad", {"n": 3, "seed": 1}),
        (3, "occlusion", {"window": (2, 2)}),
        (3, "lrp", {"conditions": {"0": torch.ones(3, 6, 6, dtype=torch.bool)}}),
    ],
    ids=lambda each: type(each).__name__ if not isinstance(each, str) else each,
)
def test_each_kind_of_question_can_be_asked_again(
    net: nn.Module,
    images: Tensor,
    tmp_path: Path,
    target: Any,
    method: str,
    options: dict[str, Any],
) -> None:
    found = whence.explain(net, images, target, method, **options)
    record = reports.read(reports.record_of(found, net).save(tmp_path / "r.json"))

    assert differing(reports.verify(record, net, images)) == set()


def test_what_only_python_can_build_is_asked_for(net: nn.Module, images: Tensor) -> None:
    composite = Composite([(where.module(nn.Linear), rules.Zero()), (where.first, rules.Flat())])
    record = reports.record_of(whence.explain(net, images, 3, composite=composite), net)

    with pytest.raises(InvalidInput, match="options="):
        reports.verify(record, net, images)
    assert reports.verify(record, net, images, options={"composite": composite}).agrees
    assert not reports.verify(record, net, images, options={}).agrees


def test_only_explanations_are_verified() -> None:
    run = Record("run", {"created": "", "versions": {}})

    with pytest.raises(InvalidInput, match="got one of kind 'run'"):
        reports.verify(run, nn.Identity(), torch.zeros(1))


def test_a_function_has_no_hash_that_decides(images: Tensor) -> None:
    def model(x: Tensor) -> Tensor:
        return x.flatten(1)[:, :3] * 2

    record = reports.record_of(whence.explain(model, images, 1), model)
    seen = reports.verify(record, model, images)

    assert seen.agrees
    assert [each.agrees for each in seen.checks[:2]] == [None, None]


def test_verifying_leaves_the_model_as_it_was(
    found: Explanation, net: nn.Module, images: Tensor
) -> None:
    net.eval()
    record = reports.record_of(found, net)
    before = {name: each.clone() for name, each in net.state_dict().items()}
    reports.verify(record, net, images)

    assert all(torch.equal(before[name], each) for name, each in net.state_dict().items())
    assert not net.training
    assert all(each.grad is None and each.requires_grad for each in net.parameters())
    assert all(not each._forward_hooks for each in net.modules())
