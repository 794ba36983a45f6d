"""What fails costs itself, what is there stays, and a changed model is noticed."""

import json
import os
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner, Result

from whence import zoo
from whence.cli import app
from whence.explainers import LRP

EXPLAIN = ("explain", "photos", "--model", "digits-cnn", "--out", "maps")
EVALUATE = (
    *("evaluate", "--data", "photos", "--model", "digits-cnn", "--out", "measured"),
    *("--methods", "lrp,random", "--metrics", "gini"),
)
TEXTS = ("explain", "--file", "docs.jsonl", "--model", "sst-lstm", "--out", "maps")


@pytest.fixture(autouse=True)
def photos(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Each test writes to a folder of its own, with three small pictures in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WHENCE_DATA", raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (10, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def spoiled(photos: Path) -> Path:
    """The folder without a whole picture."""
    for path in photos.iterdir():
        path.write_bytes(b"no picture")
    return photos


@pytest.fixture
def retrain(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Gives the models of the zoo other weights under the same names."""
    whole = zoo.model

    def trained(*arguments: Any) -> zoo.Model:
        net = whole(*arguments)
        module = deepcopy(net.module)
        with torch.no_grad():
            next(module.parameters()).mul_(1.5)
        return replace(net, module=module)

    return lambda: monkeypatch.setattr(zoo, "model", trained)


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


def contents(folder: str) -> dict[str, bytes]:
    return {str(each): each.read_bytes() for each in Path(folder).rglob("*.*") if each.is_file()}


# Pictures that cannot be read.


def test_evaluate_goes_on_without_a_broken_picture(photos: Path) -> None:
    (photos / "1.png").write_bytes(b"no picture")
    result = run(*EVALUATE)
    told = json.loads(Path("measured/evaluation.json").read_text())

    assert result.exit_code == 1
    assert "gini: larger is better; 2 samples" in result.output
    assert "lrp and random failed on 1 sample (1.png): " in result.output
    assert "photos/1.png must be a picture that Pillow reads" in result.output
    assert {(each["id"], each["method"]) for each in told["failures"]} == {
        ("1.png", "lrp"),
        ("1.png", "random"),
    }


def test_evaluate_without_a_whole_picture_is_an_error(spoiled: Path) -> None:
    result = run(*EVALUATE)

    assert result.exit_code == 2
    assert "Of 3 samples of photos none could be read. The first, 0.png: " in result.output
    assert "Traceback" not in result.output


def test_evaluate_tries_a_mended_picture_again(photos: Path) -> None:
    kept = (photos / "1.png").read_bytes()
    (photos / "1.png").write_bytes(b"no picture")
    run(*EVALUATE)
    (photos / "1.png").write_bytes(kept)
    result = run(*EVALUATE)

    assert result.exit_code == 0
    assert "1 sample that failed before is tried again." in result.output
    assert "gini: larger is better; 3 samples" in result.output


def test_explain_goes_on_without_a_picture_that_is_gone(photos: Path) -> None:
    (photos / "1.png").unlink()
    (photos / "1.png").symlink_to("nowhere.png")
    result = run(*EXPLAIN)

    assert result.exit_code == 1
    assert "1.png: FAILED: there is no picture" in result.output
    assert "2 of 3 pictures explained." in result.output


def test_explain_without_a_whole_picture_fails(spoiled: Path) -> None:
    result = run(*EXPLAIN)

    assert result.exit_code == 1
    assert result.output.count("FAILED: ") == 3
    assert "0 of 3 pictures explained." in result.output


# What goes wrong with one of several.


@pytest.fixture
def unlucky(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second explanation has no memory; later ones have."""
    whole, calls = LRP.explain, []

    def explain(self: Any, *arguments: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("out of memory")
        return whole(self, *arguments, **options)

    monkeypatch.setattr(LRP, "explain", explain)


@pytest.mark.usefixtures("unlucky")
def test_an_error_that_nobody_expected_costs_one_picture_and_is_tried_again() -> None:
    failed = run(*EXPLAIN)
    again = run(*EXPLAIN)

    assert failed.exit_code == 1
    assert "1.png: FAILED: RuntimeError: out of memory" in failed.output
    assert again.exit_code == 0
    assert again.output.count("(there already)") == 2


@pytest.mark.usefixtures("unlucky")
def test_an_error_that_nobody_expected_keeps_its_traceback_where_one_picture_is_asked() -> None:
    run("explain", "photos/0.png", "--model", "digits-cnn")
    result = run("explain", "photos/1.png", "--model", "digits-cnn")

    assert isinstance(result.exception, RuntimeError)


def test_a_folder_that_cannot_be_written_is_no_error_of_a_picture() -> None:
    Path("maps").write_text("a file")

    assert isinstance(run(*EXPLAIN).exception, OSError)


# A model that was trained on.


def test_explain_does_not_go_on_with_other_weights(retrain: Callable[[], None]) -> None:
    run("explain", "photos/2.png", *EXPLAIN[2:])
    before = contents("maps")
    retrain()
    result = run(*EXPLAIN)

    assert result.exit_code == 2
    assert "maps/2.png/lrp.json is of another digits-cnn, which differs in weights_sha256 (" in (
        result.output.replace(os.sep, "/")
    )
    assert "Give another folder (--out), delete this one, or explain all of it" in result.output
    assert contents("maps") == before


def test_explain_takes_other_weights_on_request_and_in_another_folder(
    retrain: Callable[[], None],
) -> None:
    run(*EXPLAIN)
    retrain()
    again = run(*EXPLAIN, "--again")
    on = run(*EXPLAIN)
    other = run(*EXPLAIN[:-1], "others")

    assert (again.exit_code, on.exit_code, other.exit_code) == (0, 0, 0)
    assert on.output.count("(there already)") == 3


def test_texts_do_not_go_on_with_other_weights(retrain: Callable[[], None]) -> None:
    Path("docs.jsonl").write_text('{"id": "a", "text": "Good."}\n{"id": "b", "text": "Bad."}\n')
    run(*TEXTS)
    retrain()
    result = run(*TEXTS)

    assert result.exit_code == 2
    assert "a/lrp.json is of another sst-lstm" in result.output.replace(os.sep, "/")


def test_records_that_do_not_tell_their_model_are_taken_as_they_are() -> None:
    run(*EXPLAIN)
    path = Path("maps/1.png/lrp.json")
    held = json.loads(path.read_text())
    del held["identity"]
    path.write_text(json.dumps(held))
    Path("maps/0.png/notes.json").write_text("no json")

    assert run(*EXPLAIN).output.count("(there already)") == 3


def test_evaluate_does_not_go_on_with_other_weights(retrain: Callable[[], None]) -> None:
    run(*EVALUATE)
    retrain()
    result = run(*EVALUATE)

    assert result.exit_code == 2
    assert "measured holds another evaluation, which differs in model hash" in result.output
