"""Records round-trip, and refuse what is not theirs."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import whence
from whence import Explanation, reports
from whence._identity import inputs_sha256, model_identity
from whence.errors import InvalidInput
from whence.prototypes import Logit
from whence.reports import Record


def written(record: Record, path: Path) -> dict[str, Any]:
    return json.loads(record.save(path).read_text(encoding="utf-8"))


def test_a_record_comes_back_equal(found: Explanation, net: nn.Module, tmp_path: Path) -> None:
    record = reports.record_of(found, net, name="Zoë <b>", classes=["a", "b", "c", "d"])
    back = reports.read(record.save(tmp_path / "deep" / "three.json"))

    assert back == record
    assert back.arrays["relevance.0"].dtype == np.float64
    assert torch.equal(torch.from_numpy(back.arrays["relevance.0"]), found.relevance)


def test_a_record_says_who_was_asked_what(
    found: Explanation, net: nn.Module, images: Tensor, tmp_path: Path
) -> None:
    held = written(reports.record_of(found, net, classes=list("abcd")), tmp_path / "r.json")
    body = held["body"]

    assert (held["schema"], held["version"], held["kind"]) == ("whence.record", 1, "explanation")
    assert body["model"] == model_identity(net)
    assert body["inputs"]["sha256"] == inputs_sha256(images)
    assert body["method"]["name"] == "lrp"
    assert body["method"]["options"] == {"composite": "epsilon-plus"}
    assert body["method"]["papers"][0].startswith("Bach")
    assert body["target"] == {"spelled": {"python": "Logit(k=3, position=None)"}, "words": "d"}
    assert body["score"] == pytest.approx(net(images)[:, 3].tolist(), rel=1e-12)
    assert body["top"][0][0]["score"] == pytest.approx(
        float(net(images).detach()[0].max()), rel=1e-12
    )
    assert body["sum"] == [pytest.approx(float(found.relevance.sum()), rel=1e-12)]
    assert [row[0] for row in body["rules"]] == ["linear", "flatten", "relu", "conv2d"]
    assert "ZPlus" in body["rules"][3][2]
    assert body["ledger"][0]["rows"] == found.ledger.to_rows()
    assert body["ledger"][0]["conserves"] is True
    assert body["versions"]["torch"] == torch.__version__


def test_a_record_says_no_number_where_there_is_none(net: nn.Module, images: Tensor) -> None:
    found = whence.explain(net, images, 3)
    found.score[0] = float("nan")

    assert json.loads(reports.record_of(found, net).to_json())["body"]["score"][0] is None


@pytest.mark.parametrize(
    ("change", "equal"),
    [({}, True), ({"name": "other"}, False)],
)
def test_records_differ_where_their_text_does(
    found: Explanation, net: nn.Module, change: dict[str, Any], equal: bool
) -> None:
    record = reports.record_of(found, net)
    other = Record("explanation", {**record.body, **change}, dict(record.arrays))

    assert (record == other) is equal


def test_records_differ_by_a_single_bit(found: Explanation, net: nn.Module) -> None:
    record = reports.record_of(found, net)
    arrays = {name: each.copy() for name, each in record.arrays.items()}
    arrays["relevance.0"].view(np.uint8).reshape(-1)[0] ^= 1

    assert record != Record("explanation", record.body, arrays)
    assert record != "a record"


def test_an_explanation_of_a_method_needs_its_options(net: nn.Module, images: Tensor) -> None:
    found = whence.LRP(net).explain(images, 3)

    with pytest.raises(InvalidInput, match=r"does not know its options.*options="):
        reports.record_of(found, net)
    assert reports.record_of(found, net, options={}).body["method"]["options"] == {}


def test_an_explanation_needs_its_model(found: Explanation) -> None:
    with pytest.raises(InvalidInput, match=r"record_of\(ex, model\)"):
        reports.record_of(found)


def test_only_results_have_records() -> None:
    with pytest.raises(InvalidInput, match="an Evaluation or Prototypes, got int"):
        reports.record_of(3)


def test_prototypes_have_a_record(net: nn.Module, tmp_path: Path) -> None:
    start = torch.zeros(1, 1, 6, 6, dtype=torch.float64)
    found = whence.maximize(net.eval(), Logit([1, 2]), start=start, steps=2)
    record = reports.record_of(found, net)

    assert reports.read(record.save(tmp_path / "p.json")) == record
    assert record.body["steps"] == [2, 2]
    assert record.arrays["inputs"].shape == (2, 1, 6, 6)


def test_an_evaluation_has_a_record(net: nn.Module, images: Tensor, tmp_path: Path) -> None:
    found = whence.evaluate(net.eval(), images, ["lrp", "random"], ["flipping"], progress=False)
    record = reports.record_of(found, net)
    scores = record.body["metrics"]["flipping"]["scores"]["lrp"]

    assert reports.read(record.save(tmp_path / "e.json")) == record
    assert scores == pytest.approx(found.scores("lrp").tolist(), rel=1e-12)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"schema": "other"}, "is no record: it should say schema"),
        ({"version": 2}, "version 2 of the schema"),
        ({"kind": "poem"}, "kind is one of explanation, evaluation, prototypes, run, got 'poem'"),
        ({"body": {}}, "needs created, versions, model"),
        ({"body": []}, "body is not right"),
        ({"parts": {}}, "parts is not right"),
        ({"parts": [1]}, "kind is not right"),
        ({"arrays": {"relevance.0": {}}}, "needs dtype"),
    ],
)
def test_what_is_no_record_is_refused(
    found: Explanation, net: nn.Module, tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    path = tmp_path / "r.json"
    path.write_text(json.dumps(written(reports.record_of(found, net), path) | change))

    with pytest.raises(InvalidInput, match=told):
        reports.read(path)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "[" * 100_000, "\xff"])
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "r.json"
    path.write_text(text, encoding="latin-1")

    with pytest.raises(InvalidInput, match=r"cannot be read as a record|is no record"):
        reports.read(path)


def test_a_relevance_that_was_altered_in_the_file_is_refused(
    found: Explanation, net: nn.Module, tmp_path: Path
) -> None:
    path = tmp_path / "r.json"
    held = written(reports.record_of(found, net), path)
    entry = held["arrays"]["relevance.0"]
    entry["data"] = ("B" if entry["data"][0] == "A" else "A") + entry["data"][1:]
    path.write_text(json.dumps(held))

    with pytest.raises(InvalidInput, match="altered"):
        reports.read(path)
