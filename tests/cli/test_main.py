import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner, Result

from whence import runs
from whence.cli import app
from whence.explainers import explain
from whence.metrics import Scores

DIGIT = ("explain", "digits:100", "--model", "digits-cnn")


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each test writes to a folder of its own, and no data folder is set."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WHENCE_DATA", raising=False)
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with three small pictures."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (10, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


def numbers(path: str) -> dict[str, np.ndarray]:
    with np.load(path) as arrays:
        return dict(arrays)


def times(folder: Path) -> dict[str, int]:
    """When each file below the items' folders was written; the folder's own report always is."""
    return {str(path): path.stat().st_mtime_ns for path in folder.glob("*/*.*") if path.is_file()}


def test_one_picture_prints_scores_sums_and_the_verdict() -> None:
    result = run(*DIGIT, "--method", "lrp,sensitivity", "--target", 3)

    assert result.exit_code == 0
    assert "highest scores: 3 8.214, 9 1.399" in result.output
    assert "score 8.21371, sum of relevance 8.21" in result.output
    assert "every row closes" in result.output
    assert "the squared norm of the gradient, not the score" in result.output


def test_one_picture_leaves_a_map_numbers_and_a_record_for_each_method() -> None:
    run(*DIGIT, "--method", "lrp,sensitivity", "--composite", "epsilon-plus-flat", "--out", "maps")

    assert {path.name for path in Path("maps/digits-529").iterdir()} == {
        "lrp-epsilon-plus-flat.json",
        "lrp-epsilon-plus-flat.npz",
        "lrp-epsilon-plus-flat.png",
        "overview.png",
        "sensitivity.json",
        "sensitivity.npz",
        "sensitivity.png",
    }


def test_the_files_say_the_same_as_each_other() -> None:
    run(*DIGIT, "--out", "maps")
    record = json.loads(Path("maps/digits-529/lrp.json").read_text())
    arrays = numbers("maps/digits-529/lrp.npz")

    assert arrays["relevance"].shape == (1, 32, 32)
    assert arrays["pixels"].shape == (1, 8, 8)
    assert arrays["relevance"].sum() == pytest.approx(record["sum"], rel=1e-5)
    assert arrays["score"] == pytest.approx(record["score"])
    assert record["target"] == "3"
    assert record["conserves"] is True
    assert record["papers"][0].startswith("Bach")


def test_a_map_has_the_pixels_of_its_picture(tmp_path: Path) -> None:
    Image.new("RGB", (320, 240), "grey").save("grey.jpg")
    run("explain", "grey.jpg", "--model", "digits-cnn", "--out", "maps")
    with Image.open("maps/grey.jpg/lrp.png") as picture:
        size = picture.size

    assert size == (320, 240)
    assert numbers("maps/grey.jpg/lrp.npz")["pixels"].shape[1:] == (240, 320)


def test_a_contrast_explains_the_difference_of_two_scores() -> None:
    result = run(*DIGIT, "--contrast", "3,9")

    assert "lrp, for 3, not 9" in result.output
    assert "score 6.8152," in result.output
    assert Path("whence-out/digits-529/lrp-for-3-not-9.json").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("explain", "digits:999", "-m", "digits-cnn"), "has items 0 to 354, got 999"),
        (("explain", "digit:1", "-m", "digits-cnn"), "Did you mean 'digits'?"),
        (("explain", "digits:1", "-m", "digit-cnn"), "Did you mean 'digits-cnn'?"),
        (("explain", "cat.jpg", "-m", "digits-cnn"), "there is no picture cat.jpg"),
        ((*DIGIT, "--method", "lpr"), "Did you mean 'lrp'?"),
        ((*DIGIT, "--method", ","), "Name at least one method"),
        ((*DIGIT, "--composite", "epsilon-pls"), "Did you mean 'epsilon-plus'?"),
        ((*DIGIT, "--method", "sensitivity", "--composite", "epsilon"), "takes a composite"),
        ((*DIGIT, "--target", "12"), "has classes 0 to 9, got 12"),
        ((*DIGIT, "--target", "twelve"), "has no class 'twelve'"),
        ((*DIGIT, "--contrast", "3"), "two classes with a comma"),
        ((*DIGIT, "--contrast", "3,9", "--target", "3"), "not both"),
        ((*DIGIT, "--split", "validation"), 'split must be "train" or "test"'),
        (("explain", "mnist:7", "-m", "digits-cnn"), "WHENCE_DATA"),
        (("explain", "digits:1", "-m", "digits-mlp", "--method", "grad-cam"), "no convolution"),
    ],
)
def test_a_mistake_gives_one_message_and_exit_code_2(
    arguments: tuple[str, ...], message: str
) -> None:
    result = run(*arguments)

    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output


def test_debug_keeps_the_exception() -> None:
    result = run(*DIGIT, "--target", "12", "--debug")

    assert "has classes 0 to 9" in str(result.exception)


def test_a_folder_is_explained_picture_by_picture(photos: Path) -> None:
    result = run("explain", photos, "-m", "digits-cnn", "--out", "maps")

    assert result.exit_code == 0
    assert "3 of 3 pictures explained." in result.output
    assert sorted(os.listdir("maps")) == ["0.png", "1.png", "2.png", "report.html", "report.json"]


def test_what_is_there_already_is_not_done_again(photos: Path) -> None:
    run("explain", photos, "-m", "digits-cnn", "--out", "maps")
    before = times(Path("maps"))
    result = run("explain", photos, "-m", "digits-cnn", "--out", "maps")

    assert result.output.count("(there already)") == 3
    assert times(Path("maps")) == before


@pytest.mark.parametrize(
    "change", [("--again",), ("-m", "digits-mlp")], ids=["on request", "other model"]
)
def test_what_is_there_already_is_done_again(photos: Path, change: tuple[str, ...]) -> None:
    asked = ("explain", photos, "-m", "digits-cnn", "--out", "maps")
    run(*asked)
    before = times(Path("maps"))
    run(*asked, *change)

    assert not set(before.values()) & set(times(Path("maps")).values())


def test_a_changed_picture_is_done_again(photos: Path) -> None:
    run("explain", photos, "-m", "digits-cnn", "--out", "maps")
    Image.new("L", (12, 10), 200).save(photos / "1.png")
    result = run("explain", photos, "-m", "digits-cnn", "--out", "maps")

    assert len(re.findall(r"^1\.png: lrp .*closes$", result.output, re.MULTILINE)) == 1
    assert result.output.count("(there already)") == 2


def test_a_broken_picture_does_not_stop_the_others_but_fails_the_run(photos: Path) -> None:
    (photos / "1.png").write_bytes(b"no picture")
    result = run("explain", photos, "-m", "digits-cnn", "--out", "maps")

    assert result.exit_code == 1
    assert "1.png: FAILED" in result.output
    assert "2 of 3 pictures explained." in result.output


def test_an_interrupted_run_keeps_what_it_wrote_and_goes_on(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = runs.explain_pictures

    def interrupted(*arguments: Any, **options: Any) -> Iterator[runs.Answer]:
        yield next(whole(*arguments, **options))
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "explain_pictures", interrupted)
    stopped = run("explain", photos, "-m", "digits-cnn", "--out", "maps")
    monkeypatch.undo()
    finished = run("explain", photos, "-m", "digits-cnn", "--out", photos.parent / "maps")

    assert stopped.exit_code == 130
    assert "what was written is kept" in stopped.output
    assert finished.output.count("(there already)") == 1


def test_no_half_written_file_stays_under_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*arguments: Any, **options: Any) -> None:
        Path(arguments[0]).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez_compressed", stop)
    result = run(*DIGIT, "--out", "maps")

    assert result.exit_code == 130
    assert not [path for path in Path("maps").rglob("*") if path.is_file()]


def test_methods_lists_methods_composites_and_rules_with_their_papers() -> None:
    result = run("methods")

    assert result.exit_code == 0
    assert "integrated-gradients  Integrated gradients" in result.output
    assert "epsilon-alpha2-beta1-flat" in result.output
    assert "AlphaBeta" in result.output
    assert "Bach et al. 2015" in result.output


def test_models_lists_models_and_data_sets() -> None:
    result = run("models")

    assert result.exit_code == 0
    assert "digits-cnn" in result.output
    assert "fashion-mnist" in result.output


@pytest.mark.parametrize("command", ["explain", "demo"])
def test_help_has_an_example(command: str) -> None:
    result = run(command, "--help")

    assert result.exit_code == 0
    assert f"whence {command} " in result.output


def test_help_says_what_the_exit_codes_mean() -> None:
    assert "130 interrupted" in run("--help").output


def test_an_unknown_command_is_an_error() -> None:
    assert run("explian").exit_code == 2


def test_demo_prints_its_tables_and_where_the_pictures_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ledger = explain(torch.nn.Linear(4, 2), torch.rand(1, 4), ledger="full").ledger
    flipped = {"erased": {"by guess": Scores(torch.tensor([0.25, 0.5]))}}
    asked: list[Any] = []

    def fake(*arguments: Any, **options: Any) -> runs.Demo:
        asked.append((arguments[0], options["digits"]))
        return runs.Demo((Path("here/page.png"),), 0.987, ("digit-7",), ledger, ledger, flipped)

    monkeypatch.setattr(runs, "demo", fake)
    result = run("demo", "--out", "here", "--digits", 20)

    assert asked == [(Path("here"), 20)]
    assert "98.7% of the held-out digits" in result.output
    assert "what speaks for 3 in digit-7" in result.output
    assert re.search(r"by guess\W+0\.375 ± 0\.125", result.output)
    assert "here/page.png" in result.output.replace(os.sep, "/")


def test_demo_needs_a_sensible_number_of_digits() -> None:
    assert run("demo", "--digits", 1).exit_code == 2
