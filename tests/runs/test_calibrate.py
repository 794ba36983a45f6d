"""Methods that learn before they explain find their training data."""

import json

import pytest
import torch
from typer.testing import CliRunner

from whence import zoo
from whence.cli import app
from whence.errors import InvalidInput
from whence.explainers import PatternAttribution, PatternNet, Patterns
from whence.runs import ask, ask_study
from whence.runs._calibrate import training_patterns


@pytest.fixture(scope="module")
def patterns() -> Patterns:
    """Of the MLP that ships, from all training digits."""
    net = zoo.model("digits-mlp")
    x = net.preprocess(zoo.dataset("digits", split="train").images)
    found = PatternNet(net.module).fit(x).patterns
    assert found is not None
    return found


def test_an_item_of_a_data_set_brings_the_training_part(patterns: Patterns) -> None:
    question = ask("digits-mlp", ["lrp", "pattern-attribution"], item="digits:3")
    first, second = question.asked
    found = second.options["patterns"]

    assert "patterns" not in first.options
    assert found.samples == 1442
    assert torch.allclose(found["layers.1"], patterns["layers.1"], atol=1e-4)


@pytest.mark.parametrize("item", [None, "photo.png", "no-such-data:3", "folder:photos"])
def test_without_training_data_the_way_out_is_said(item: str | None) -> None:
    with pytest.raises(InvalidInput, match=r"such as digits:12; .*PatternAttribution\(model\)"):
        ask("digits-mlp", ["patternnet"], item=item)


def test_a_data_set_without_a_training_part_is_not_learned_from(data) -> None:
    with pytest.raises(InvalidInput, match="imagenet-samples has none at hand"):
        training_patterns(zoo.model("squeezenet-imagenet", data), "imagenet-samples", data)


def test_studies_learn_too() -> None:
    names = ["pattern-attribution:estimator=linear", "lrp"]
    study = ask_study("digits-mlp", "digits", names, ["flipping"])
    (_, options), (_, others) = study.methods.values()

    assert options["patterns"].estimator == "linear"
    assert others == {}


def test_the_command_explains_by_patterns(tmp_path, patterns: Patterns) -> None:
    asked = ["explain", "digits:3", "-m", "digits-mlp", "--method", "pattern-attribution"]
    done = CliRunner().invoke(app, [*asked, "--out", str(tmp_path)])
    (record,) = tmp_path.glob("*/pattern-attribution.json")
    held_out = zoo.dataset("digits")
    net = zoo.model("digits-mlp")
    x = net.preprocess(held_out[3].image[None])
    expected = PatternAttribution(net.module, patterns).attribute(x)

    assert done.exit_code == 0, done.output
    assert json.loads(record.read_text())["sum"] == pytest.approx(float(expected.sum()), rel=1e-4)
