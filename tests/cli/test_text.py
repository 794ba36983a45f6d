"""The command on texts, with the net that ships."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from whence.cli import app

NET = ("--model", "sst-lstm")


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each test writes to a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(app, ["explain", *(str(each) for each in arguments)])


def test_a_text_is_printed_with_all_about_it() -> None:
    result = run("--text", "Not a good film.", *NET)

    assert result.exit_code == 0
    assert "highest scores: " in result.output
    assert "every row closes" in result.output
    assert "of all |relevance|" in result.output
    assert "Pages and numbers written to whence-out/text" in result.output
    assert Path("whence-out/text/lrp.html").exists()


@pytest.mark.parametrize(
    "arguments",
    [("--contrast",), ("--contrast", "--method", "lrp"), ("--contrast", "top")],
    ids=["last", "before an option", "by name"],
)
def test_contrast_may_stand_alone(arguments: tuple[str, ...]) -> None:
    result = run("--text", "Not a good film.", *NET, *arguments)
    told = json.loads(Path("whence-out/text/lrp-for-top.json").read_text())

    assert result.exit_code == 0
    assert told["score"] == pytest.approx(told["top"][0]["score"] - told["top"][1]["score"])


def test_contrast_takes_two_classes() -> None:
    assert run("--text", "Not good.", *NET, "--contrast", "positive,negative").exit_code == 0
    assert (
        "lrp, for positive, not negative"
        in run("--text", "Not good.", *NET, "--contrast", "positive,negative").output
    )


def test_a_file_of_texts_reports_bad_lines_and_goes_on() -> None:
    Path("docs.jsonl").write_text('{"id": "a", "text": "Good."}\nnot json\n{"text": "Bad."}\n')
    result = run("--file", "docs.jsonl", *NET)

    assert result.exit_code == 1
    assert "line-2: FAILED: line 2 is not JSON" in result.output
    assert "2 of 3 texts explained" in result.output
    assert "there already" in run("--file", "docs.jsonl", *NET).output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--text", "a", "pic.png"), "Give a picture (or folder, or data set), --text or --file"),
        ((), "Give a picture (or folder, or data set), --text or --file"),
        (("--text", " "), "at least one word"),
        (("--text", "good", "--target", "blue"), "no class 'blue'"),
        (("--file", "none.jsonl"), "none.jsonl must be a text file"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_in_a_line(arguments: tuple[str, ...], message: str) -> None:
    result = run(*arguments, *NET)

    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output
