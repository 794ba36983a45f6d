"""`whence maximize`, as a user types it, on the digits that ship."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner, Result

from whence import zoo
from whence.cli import app
from whence.prototypes import Prior

QUICK = ("maximize", "--model", "digits-cnn", "--steps", "5")
FILES = {f"prototypes.{suffix}" for suffix in ("png", "svg", "npz", "json")}
FILES |= {"report.html", "report.json"}


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each test writes to a folder of its own, and no data folder is set."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WHENCE_DATA", raising=False)
    monkeypatch.setenv("COLUMNS", "120")


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


def record(folder: str) -> dict[str, Any]:
    return json.loads(Path(folder, "prototypes.json").read_text())


def inputs(folder: str) -> torch.Tensor:
    with np.load(Path(folder, "prototypes.npz")) as arrays:
        return torch.from_numpy(arrays["inputs"])


def test_the_generator_gives_a_three_that_the_net_reads_without_any_data() -> None:
    result = run("maximize", "--model", "digits-cnn", "--target", "3", "--prior", "generator")
    row = record("whence-prototypes")["made"]["scores"][0]

    assert result.exit_code == 0
    assert row["read_as"] == "3"
    assert row["probability"] > 0.9
    assert "generator, from class-means, prior generator" in result.output


def test_it_writes_pictures_arrays_and_numbers_and_names_them() -> None:
    result = run(*QUICK, "--target", "3,8", "--out", "here")
    names = {path.name for path in Path("here").iterdir()}

    assert names == {*FILES, "3.png", "8.png"}
    assert all(f"here/{name}" in result.output.replace("\\", "/") for name in names)
    with Image.open("here/3.png") as picture:
        assert picture.size == (32, 32)


def test_the_scores_are_those_of_the_written_inputs() -> None:
    result = run(*QUICK, "--target", "3,8", "--out", "here")
    net = zoo.model("digits-cnn").module
    with torch.no_grad():
        logs = net(inputs("here")).log_softmax(1)
    rows = record("here")["made"]["scores"]

    assert rows[0]["log_probability"] == pytest.approx(logs[0, 3].item(), abs=1e-5)
    assert rows[1]["log_probability"] == pytest.approx(logs[1, 8].item(), abs=1e-5)
    assert f"{rows[1]['log_probability']:.4g}" in result.output


def test_more_steps_get_further() -> None:
    run(*QUICK, "--target", "3", "--out", "few")
    run("maximize", "--model", "digits-cnn", "--target", "3", "--steps", "50", "--out", "many")
    few, many = (record(each)["made"]["scores"][0]["log_probability"] for each in ("few", "many"))

    assert many > few


def test_the_same_seed_gives_the_same_and_another_one_another() -> None:
    noise = (*QUICK, "--target", "3", "--start", "noise")
    run(*noise, "--out", "a")
    run(*noise, "--out", "b")
    run(*noise, "--seed", "1", "--out", "c")

    assert torch.equal(inputs("a"), inputs("b"))
    assert not torch.equal(inputs("a"), inputs("c"))


def test_several_prototypes_of_a_class_differ_when_they_start_from_noise() -> None:
    result = run(*QUICK, "--target", "3", "--start", "noise", "--count", "2", "--out", "here")
    first, second = inputs("here")

    assert result.exit_code == 0
    assert not torch.equal(first, second)
    assert {"3-1.png", "3-2.png"} < {path.name for path in Path("here").iterdir()}


def test_the_box_is_kept_and_may_be_made_smaller() -> None:
    run(*QUICK, "--target", "3", "--box", "0.25,0.5", "--rate", "0.5", "--out", "here")
    found = inputs("here")

    assert found.amin() == 0.25
    assert found.amax() == 0.5


def test_without_a_box_pixels_leave_the_range() -> None:
    run(*QUICK, "--target", "3", "--box", "none", "--rate", "0.5", "--out", "here")

    assert inputs("here").amin() < -0.1


def test_a_weight_counts_by_the_range_of_pixels() -> None:
    l2 = "l2:weight=2:around=zero"
    run(*QUICK, "--target", "3", "--prior", l2, "--out", "here")
    row = record("here")["made"]["scores"][0]

    assert row["prior"] == pytest.approx(-2 * inputs("here").square().sum().item(), rel=1e-5)


def test_priors_add() -> None:
    run(*QUICK, "--target", "3", "--prior", "l2:weight=2:around=zero,tv:weight=3", "--out", "here")
    x = inputs("here")
    steps = x.diff(dim=2).abs().sum() + x.diff(dim=3).abs().sum()

    assert record("here")["made"]["scores"][0]["prior"] == pytest.approx(
        -2 * x.square().sum().item() - 3 * steps.item(), rel=1e-5
    )


def test_the_density_expert_is_trained_once_and_kept() -> None:
    density = (*QUICK, "--target", "3", "--prior", "density:hidden=8:epochs=1", "--out", "here")
    first, second = run(*density), run(*density)

    assert "Training a density expert on 1,442 pictures of digits" in first.output
    assert "The density expert is there already" in second.output
    assert len([*Path("here").glob("density-*.safetensors")]) == 1
    assert "from class-means" in first.output


def test_frequencies_are_turned_and_changed_at_random_when_asked() -> None:
    result = run(*QUICK, "--target", "3", "--form", "fourier", "--start", "noise", "--out", "here")

    assert result.exit_code == 0
    assert record("here")["made"]["form"] == "fourier"
    assert record("here")["made"]["transformations"] == [
        "Jitter(pixels=2)",
        "Rotate(degrees=10.0, fill='border')",
        "Scale(low=0.9, high=1.1, fill='border')",
    ]


def test_a_unit_has_prototypes_like_a_class() -> None:
    result = run(*QUICK, "--unit", "features.6:7", "--out", "here")
    row = record("here")["made"]["scores"][0]
    features: Any = zoo.model("digits-cnn").module.get_submodule("features")
    with torch.no_grad():
        activation = features[:7](inputs("here"))[0, 7].mean().item()

    assert result.exit_code == 0
    assert row["log_probability"] is None
    assert row["name"] == "features.6:7"
    assert row["objective"] == pytest.approx(activation, abs=1e-5)


def test_a_picture_can_be_the_start() -> None:
    result = run(*QUICK, "--target", "3", "--start", "digits:100", "--rate", "1e-9", "--out", "a")
    net, digits = zoo.model("digits-cnn"), zoo.dataset("digits")

    assert result.exit_code == 0
    assert torch.allclose(inputs("a"), net.preprocess(digits[100].image), atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--target", "10"), "digits-cnn has classes 0 to 9, got 10"),
        (("--target", "three"), "digits-cnn has no class 'three'"),
        (("--target", ","), "Name at least one class, such as --target 3, or all"),
        ((), "Say what to look for: either classes (target) or one unit"),
        (("--target", "3", "--unit", "features.0:1"), "either classes (target) or one unit"),
        (("--unit", "features.0"), "A unit is written MODULE:CHANNEL"),
        (("--unit", "feature.0:1"), "feature.0"),
        (("--target", "3", "--prior", "desity"), "no prior 'desity'. Did you mean 'density'?"),
        (("--target", "3", "--prior", "l2:wait=1"), "The prior l2 has no option 'wait'"),
        (("--target", "3", "--prior", "l2:weight=much"), "weight of l2 must be a number"),
        (("--target", "3", "--prior", "l2:weight=-1"), "must be at least 0, got"),
        (("--target", "3", "--prior", "density:hidden=0.5"), "hidden of density must be a whole"),
        (("--target", "3", "--transform", "jitter:pixels=x"), "pixels of jitter must be a whole"),
        (("--target", "3", "--count", "2"), "with count=2 start from noise"),
        (("--target", "3", "--prior", "l2,l2"), "The prior l2 is given twice"),
        (("--target", "3", "--prior", "l2:weight"), "written l2:option=value"),
        (("--target", "3", "--objective", "logits"), "Did you mean 'logit'?"),
        (("--target", "3", "--form", "waves"), "made of pixels or fourier, got 'waves'"),
        (("--target", "3", "--form", "pixels", "--prior", "generator"), "leave --form out"),
        (("--target", "3", "--prior", "generator:name=digit-vae"), "Did you mean 'digits-vae'?"),
        (("--target", "3", "--transform", "shear"), "There is no transformation 'shear'"),
        (("--target", "3", "--transform", "jitter:by=2"), "jitter has no option 'by'"),
        (("--target", "3", "--box", "1,0"), "two shares of the range"),
        (("--target", "3", "--box", "big"), "two shares of the range"),
        (("--target", "3", "--start", "digits"), "A start is one picture"),
        (("--target", "3", "--data", "digit"), "Did you mean 'digits'?"),
        (("--unit", "features.0:1", "--start", "class-means"), "class-means needs classes"),
    ],
)
def test_what_cannot_be_is_said_in_one_message(arguments: tuple[str, ...], message: str) -> None:
    result = run(*QUICK, *arguments)

    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
    assert "Traceback" not in result.output


def test_a_wrong_model_is_met_with_the_nearest_name() -> None:
    result = run("maximize", "--model", "digit-cnn", "--target", "3")

    assert result.exit_code == 2
    assert "Did you mean 'digits-cnn'?" in result.output


def test_a_model_of_texts_is_refused() -> None:
    result = run("maximize", "--model", "sst-lstm", "--target", "0")

    assert result.exit_code == 2
    assert "sst-lstm does not take pictures" in result.output


def test_a_file_in_place_of_the_folder_is_refused() -> None:
    Path("here").write_text("")
    result = run(*QUICK, "--target", "3", "--out", "here")

    assert result.exit_code == 2
    assert "must be a folder, got the file here" in result.output


def test_what_an_interrupted_search_reached_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    class Impatient(Prior):
        def log_density(self, x: torch.Tensor) -> torch.Tensor:
            calls.append(x)
            if len(calls) == 4:
                raise KeyboardInterrupt
            return 0 * x.flatten(1).sum(1)

    monkeypatch.setattr("whence.runs._maximize.prior_of", lambda *_: Impatient())
    result = run(*QUICK, "--target", "3", "--out", "here")
    written = record("here")

    assert result.exit_code == 130
    assert {path.name for path in Path("here").iterdir()} == {*FILES, "3.png"}
    assert len(written["history"]) == 3
    assert "Stopped by hand" in " ".join(written["notes"])


def test_what_a_failed_search_reached_is_written_before_the_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []

    class Broken(Prior):
        def log_density(self, x: torch.Tensor) -> torch.Tensor:
            calls.append(x)
            return x.flatten(1).sum(1) * (float("nan") if len(calls) == 3 else 0)

    monkeypatch.setattr("whence.runs._maximize.prior_of", lambda *_: Broken())
    result = run(*QUICK, "--target", "3", "--out", "here")

    assert result.exit_code == 2
    assert "must be finite" in " ".join(result.output.split())
    assert len(record("here")["history"]) == 2


def test_a_model_without_a_generator_is_told_before_any_data_are_read(data: Path) -> None:
    asked = ("--model", "lenet5-mnist", "--target", "3", "--prior", "generator")
    result = run("maximize", *asked, "--root", data)

    assert result.exit_code == 2
    assert "A generator must make what Model('lenet5-mnist'" in " ".join(result.output.split())
    assert "pictures of mnist" not in result.output


def test_a_unit_of_a_large_net_is_made_of_frequencies_in_the_colours_of_photographs(
    data: Path,
) -> None:
    result = run(
        "maximize", "-m", "squeezenet-imagenet", "--unit", "conv10:340", "--steps", "1",
        "--root", data, "--out", "here",
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    assert "fourier, from noise" in result.output
    assert inputs("here").shape == (1, 3, 227, 227)


def test_its_help_has_examples() -> None:
    result = run("maximize", "--help")

    assert "--prior generator" in result.output
    assert "conv10:340" in result.output
