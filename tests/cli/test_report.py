"""`whence report`, and the reports that runs leave."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from whence import reports
from whence.cli import app

DIGIT = ("explain", "digits:100", "--model", "digits-cnn", "--out", "run/explained")


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each test writes to a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["whence", *DIGIT, "--a name", "x y"])


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


def text(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")


def test_explaining_leaves_a_report_with_its_command() -> None:
    result = run(*DIGIT)

    assert result.exit_code == 0
    assert "Report: run/explained/report.html" in result.output
    assert "whence explain digits:100 --model digits-cnn" in text("run/explained/report.html")
    assert "&#39;--a name&#39;" in text("run/explained/report.html")


def test_measuring_leaves_a_report_with_intervals() -> None:
    asked = ("--methods", "random", "--metrics", "entropy", "--limit", 3, "--out", "run/measured")
    result = run("evaluate", "-m", "digits-cnn", "--data", "digits", *asked)
    record = reports.read("run/measured/report.json").parts[0]

    assert result.exit_code == 0
    assert "run/measured/report.html" in result.output
    assert "mean [95% interval]" in text("run/measured/report.html")
    assert record.body["model"]["weights_sha256"]
    assert len(record.body["data_sha256"]) == 64


def test_all_results_come_on_one_page() -> None:
    run(*DIGIT)
    run("maximize", "-m", "digits-cnn", "--target", "3", "--steps", 2, "--out", "run/seen")
    result = run("report", "run")

    assert result.exit_code == 0
    assert result.output.split() == ["run/report.html", "run/report.json"]
    assert "1 explanation, 1 search for prototypes" in text("run/report.html")
    assert [each.kind for each in reports.read("run/report.json").parts] == [
        "explanation",
        "prototypes",
    ]


def test_a_folder_without_results_is_a_plain_error(tmp_path: Path) -> None:
    result = run("report", tmp_path)

    assert result.exit_code == 2
    assert "holds no results" in result.output
    assert "Traceback" not in result.output


def test_what_failed_stands_in_the_report(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    Image.new("L", (8, 8), 200).save(tmp_path / "photos" / "a.png")
    (tmp_path / "photos" / "b.png").write_bytes(b"no picture")
    result = run("explain", "photos", "--model", "digits-cnn", "--out", "run")

    assert result.exit_code == 1
    assert "b.png failed: " in text("run/report.html")
    assert list(reports.read("run/report.json").body["failures"]) == ["b.png"]


def test_a_run_that_wrote_nothing_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(b"no picture")
    result = run("explain", "photos", "--model", "digits-cnn", "--out", "run")

    assert result.exit_code == 2
    assert not (tmp_path / "run").exists()
