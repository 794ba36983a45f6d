"""`whence evaluate`, as a user types it, on the digits that ship."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from whence import metrics
from whence.cli import app
from whence.metrics import Gini

DIGITS = ("evaluate", "--model", "digits-cnn", "--data", "digits", "--limit", "4")
CHEAP = (*DIGITS, "--metrics", "gini")
FILES = {
    "evaluation.json",
    "evaluation.png",
    "evaluation.svg",
    "protocol.json",
    "scores.csv",
    "table.csv",
    "table.json",
}


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each test writes to a folder of its own, and no data folder is set."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WHENCE_DATA", raising=False)
    monkeypatch.setenv("COLUMNS", "120")


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


def table(folder: str) -> list[dict[str, str]]:
    with Path(folder, "table.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_it_tells_the_cost_and_then_a_table_with_paired_differences_to_the_first() -> None:
    result = run(*DIGITS, "--metrics", "flipping:step=128", "--methods", "lrp,random")

    assert result.exit_code == 0
    assert "4 samples x 2 methods x 1 metric: 64 forward passes and 8 explanations" in result.output
    assert "flipping:step=128: larger is better; 4 samples" in result.output
    assert re.search(r"lrp\W+0\.\d{3} \[0\.\d{3}, 0\.\d{3}\]", result.output)
    assert re.search(
        r"random\W+0\.\d{3} \[.*\]\W+-0\.\d{3} \[-0\.\d{3}, [-+]0\.\d{3}\]", result.output
    )


def test_it_writes_table_curves_numbers_and_protocol() -> None:
    result = run(*CHEAP, "--methods", "lrp,random", "--out", "here")

    assert {path.name for path in Path("here").iterdir()} > FILES
    assert all(f"here/{name}" in result.output.replace("\\", "/") for name in FILES)


def test_the_files_say_the_same_as_each_other() -> None:
    run(*CHEAP, "--methods", "lrp,random", "--out", "here")
    rows = table("here")
    told = json.loads(Path("here/table.json").read_text())
    with Path("here/scores.csv").open(newline="") as file:
        scores = [float(row["score"]) for row in csv.DictReader(file) if row["method"] == "random"]

    assert [row["method"] for row in rows] == ["lrp", "random"]
    assert float(rows[1]["mean"]) == pytest.approx(sum(scores) / 4)
    assert float(rows[1]["mean"]) - float(rows[0]["mean"]) == pytest.approx(
        float(rows[1]["difference_mean"])
    )
    assert told["rows"][1]["mean"] == pytest.approx(float(rows[1]["mean"]))
    assert told["rows"][0]["difference_mean"] is None
    assert rows[1]["compared_with"] == told["compared with"] == "lrp"


def test_the_protocol_holds_what_was_decided() -> None:
    run(
        *DIGITS,
        "--metrics",
        "flipping:step=256:replacement=blur",
        "--methods",
        "random",
        "--seed",
        7,
        "--out",
        "here",
    )
    protocol = json.loads(Path("here/protocol.json").read_text())

    assert protocol["seed"] == 7
    assert protocol["complete"] is True
    assert protocol["data"].startswith("digits/test")
    assert "replacement=Blur(sigma=5.0" in str(protocol["metrics"])


def test_options_of_methods_and_replacements_make_rows_of_their_own() -> None:
    run(
        *DIGITS, "--out", "here", "--methods", "lrp, lrp:composite=epsilon-plus",
        "--metrics", "flipping:step=256,gini", "--replacement", "mean,uniform", "--draws", 1,
    )  # fmt: skip
    rows = table("here")

    assert list(dict.fromkeys(row["metric"] for row in rows)) == [
        "flipping:step=256 (mean)",
        "flipping:step=256 (uniform)",
        "gini",
    ]
    assert {row["method"] for row in rows} == {"lrp", "lrp:composite=epsilon-plus"}


def test_batches_change_nothing() -> None:
    asked = (*DIGITS, "--metrics", "flipping:step=128:replacement=uniform", "--draws", 1)
    run(*asked, "--batch-size", 1, "--out", "one")
    run(*asked, "--batch-size", 3, "--out", "three")

    assert [row["missing"] for row in table("one")] == ["0"] * 3
    for ones, threes in zip(table("one"), table("three"), strict=True):
        assert float(ones["mean"]) == pytest.approx(float(threes["mean"]), abs=1e-6)


def test_the_same_command_does_nothing_twice() -> None:
    run(*CHEAP, "--out", "here")
    before = {path: path.stat().st_mtime_ns for path in Path("here/parts").iterdir()}
    again = run(*CHEAP, "--out", "here")

    assert "measured before" in again.output
    assert {path: path.stat().st_mtime_ns for path in Path("here/parts").iterdir()} == before


def test_a_question_that_failed_before_any_result_does_not_hold_the_folder() -> None:
    failed = run(*DIGITS, "--metrics", "relevance-mass", "--methods", "lrp", "--out", "here")
    other = run(*CHEAP, "--methods", "lrp", "--out", "here")

    assert failed.exit_code == 2
    assert other.exit_code == 0


def test_another_question_in_the_same_folder_is_refused() -> None:
    run(*CHEAP, "--methods", "lrp", "--out", "here")
    other = run(*CHEAP, "--methods", "random", "--out", "here")

    assert other.exit_code == 2
    assert "holds another evaluation" in other.output


@pytest.fixture
def stopping(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user stops it once, in the third batch."""
    whole, calls = Gini.measure, []

    def measure(self: Any, case: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return whole(self, case)

    monkeypatch.setattr(Gini, "measure", measure)


@pytest.mark.usefixtures("stopping")
def test_an_interrupted_run_keeps_what_is_finished() -> None:
    stopped = run(*CHEAP, "--methods", "lrp", "--batch-size", 1, "--out", "here")

    assert stopped.exit_code == 130
    assert "gini: larger is better; 2 samples" in stopped.output
    assert "what was written is kept" in stopped.output
    assert [row["count"] for row in table("here")] == ["2"]
    assert json.loads(Path("here/table.json").read_text())["complete"] is False


@pytest.mark.usefixtures("stopping")
def test_the_same_command_goes_on_where_it_was_interrupted() -> None:
    asked = (*CHEAP, "--methods", "lrp", "--batch-size", 1, "--out")
    run(*asked, "here")
    on = run(*asked, "here")
    run(*asked, "whole")

    assert on.exit_code == 0
    assert "2 samples x 1 method" in on.output
    assert Path("here/table.csv").read_text() == Path("whole/table.csv").read_text()
    assert Path("here/scores.csv").read_text() == Path("whole/scores.csv").read_text()


def test_a_metric_that_fails_is_told_and_costs_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(self: Any, case: Any) -> Any:
        raise ValueError("out of ideas")

    monkeypatch.setattr(metrics.Entropy, "measure", fail)
    result = run(*DIGITS, "--metrics", "entropy,gini", "--methods", "lrp", "--out", "here")

    assert result.exit_code == 1
    assert "lrp, entropy failed on 4 samples" in result.output
    assert "out of ideas" in result.output
    assert [row["count"] for row in table("here")] == ["0", "4"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--methods", "lpr"), "Did you mean 'lrp'?"),
        (("--methods", ","), "Name at least one method"),
        (("--methods", "lrp:composite"), "lrp:option=value"),
        (("--methods", "lrp:composit=epsilon"), "Did you mean 'composite'?"),
        (("--methods", "lrp:composite=epsilon-pls"), "Did you mean 'epsilon-plus'?"),
        (("--methods", "integrated-gradients:steps=many"), "cannot be made so"),
        (("--metrics", "flippin"), "Did you mean 'flipping'?"),
        (("--metrics", ","), "Name at least one metric"),
        (("--metrics", "flipping:stepp=2"), "Did you mean 'step'?"),
        (("--metrics", "flipping:features=0.5"), "features"),
        (("--metrics", "label-randomisation"), "needs other="),
        (("--metrics", "relevance-mass"), "masks"),
        (("--replacement", "meen"), "Did you mean 'mean'?"),
        (("--metrics", "gini", "--replacement", "mean"), "gini does not"),
        (("--metrics", "gini", "--draws", "2"), "uniform and inpaint; none is"),
        (("--target", "twelve"), "has no class 'twelve'"),
        (("--model", "digit-cnn"), "Did you mean 'digits-cnn'?"),
        (("--data", "digit"), "Did you mean 'digits'?"),
        (("--data", "mnist"), "WHENCE_DATA"),
    ],
)
def test_a_mistake_gives_one_message_and_exit_code_2(
    arguments: tuple[str, ...], message: str
) -> None:
    result = run(*DIGITS, *arguments)

    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("arguments", [("--limit", "0"), ("--draws", "0"), ("--batch-size", "0")])
def test_a_number_out_of_range_is_an_error(arguments: tuple[str, ...]) -> None:
    assert run(*DIGITS, *arguments).exit_code == 2


def test_texts_are_measured_by_deleting_words(data: Path) -> None:
    result = run(
        "evaluate", "--model", "sst-lstm", "--data", "sst", "--root", data,
        "--metrics", "word-deleting", "--methods", "lrp,random", "--limit", 4,
    )  # fmt: skip

    assert result.exit_code == 0
    assert "word-deleting: larger is better; 4 samples" in result.output


def test_objects_are_looked_for_in_the_boxes_of_a_data_set(data: Path) -> None:
    result = run(
        "evaluate", "--model", "squeezenet-imagenet", "--data", "voc2007", "--root", data,
        "--metrics", "relevance-mass", "--methods", "lrp:composite=epsilon-plus", "--limit", 1,
    )  # fmt: skip

    assert result.exit_code == 0
    assert "relevance-mass: larger is better; 1 sample" in result.output


def test_methods_lists_the_metrics_with_direction_and_papers() -> None:
    result = run("methods")

    assert "whence evaluate --metrics NAME" in result.output
    assert re.search(r"flipping +Pixel flipping", result.output)
    assert "smaller is better" in result.output
    assert "Samek et al. 2017" in result.output


def test_help_has_examples_and_the_spelling_of_options() -> None:
    output = run("evaluate", "--help").output

    assert "whence evaluate --model digits-cnn" in output
    assert "NAME:option=value" in output
