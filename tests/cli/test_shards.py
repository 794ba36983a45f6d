"""An evaluation in shards, on the digits that ship."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from whence.cli import app

ASKED = (
    *("evaluate", "--model", "digits-cnn", "--data", "digits", "--limit", "10"),
    *("--methods", "lrp,random", "--metrics", "gini"),
)
FILES = ("table.csv", "table.json", "scores.csv", "protocol.json")


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each test writes to a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")


def run(*arguments: Any, out: str = "measured", size: int = 3) -> Result:
    given = [*ASKED, "--batch-size", size, "--out", out, *arguments]
    return CliRunner().invoke(app, [str(each) for each in given])


def held(folder: str) -> list[str]:
    return [Path(folder, name).read_text() for name in FILES]


def test_a_shard_does_its_batches_and_says_that_others_are_missing() -> None:
    result = run("--shard", "1/2")

    assert result.exit_code == 0
    assert "gini: larger is better; 4 samples" in result.output
    assert "Other shards are missing. Without --shard, the same command joins them." in (
        result.output
    )


def test_shards_in_one_folder_make_the_whole() -> None:
    run(out="whole")
    first, second = run("--shard", "0/2"), run("--shard", "1/2")

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert "missing" not in second.output
    assert held("measured") == held("whole")


def test_shards_of_several_folders_are_joined_by_the_command_without_shard() -> None:
    run(out="whole")
    run("--shard", "0/2")
    run("--shard", "1/2", out="elsewhere")
    shutil.copytree("elsewhere/parts", "measured/parts", dirs_exist_ok=True)
    joined = run()

    assert joined.exit_code == 0
    assert "All of it was measured before; the files are written anew." in joined.output
    assert held("measured") == held("whole")


def test_a_sample_that_two_shards_did_counts_once() -> None:
    """As where shards run at the same time by batches of different sizes."""
    run("--shard", "0/2")
    run("--shard", "1/2", out="elsewhere", size=2)
    shutil.copytree("elsewhere/parts", "measured/parts", dirs_exist_ok=True)
    joined = run()

    assert joined.exit_code == 0
    assert "gini: larger is better; 10 samples" in joined.output


def test_a_shard_without_a_batch_writes_nothing() -> None:
    result = run("--shard", "3/4", size=5)

    assert result.exit_code == 0
    assert "There are fewer batches than shards, and none for this one." in result.output
    assert not Path("measured/table.csv").exists()


@pytest.mark.parametrize("shard", ["2/2", "1", "1/", "/2", "-1/2", "a/b", "0/0", "1/2/3"])
def test_a_shard_that_is_none_is_refused(shard: str) -> None:
    result = run(f"--shard={shard}")

    assert result.exit_code == 2
    assert f"A shard is I/N with I from 0 to N - 1, got '{shard}'. The first of two is 0/2" in (
        result.output
    )


def test_help_has_an_example_of_shards() -> None:
    output = CliRunner().invoke(app, ["evaluate", "--help"]).output

    assert "--shard 0/2" in output
    assert "counted from 0" in output
