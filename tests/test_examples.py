"""The examples run from start to end."""

import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from whence.zoo import Words

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(monkeypatch: pytest.MonkeyPatch, name: str, *arguments: str) -> None:
    monkeypatch.delenv("WHENCE_DATA", raising=False)
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")


def test_the_sentiment_example_shows_its_sentences_without_any_data(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "sentiment.py", "--out", str(tmp_path))
    page = (tmp_path / "sentences.html").read_text(encoding="utf-8")
    printed = capsys.readouterr().out

    assert {path.name for path in tmp_path.iterdir()} == {"sentences.html", "sentences.png"}
    assert page.count("<h2>") == 8
    assert "8. True class: very positive" in printed
    assert "Word deleting needs the treebank" in printed


def test_one_long_message_does_not_pad_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["newsgroups.py"])
    example = runpy.run_path(str(EXAMPLES / "newsgroups.py"))
    most, words = example["TOGETHER"]
    lengths = [5] * 200 + [900] * 200 + [2 * words, 1]
    rows = [["good"] * length for length in lengths]
    net = SimpleNamespace(preprocess=Words(("good",)))
    reader = example["Reader"]("a net", net, rows, torch.zeros(len(rows)))
    groups = reader.groups(torch.arange(len(rows)))
    sizes = [reader.inputs(each)["input_ids"].numel() for each in groups]

    assert sorted(number for each in groups for number in each.tolist()) == [*range(len(rows))]
    assert max(map(len, groups)) == most
    assert sorted(sizes)[-2] <= words
    assert groups[-1].tolist() == [400]
    assert reader.inputs(torch.tensor([401, 0]))["attention_mask"].sum(1).tolist() == [1, 5]


@pytest.mark.parametrize("name", ["sentiment.py", "newsgroups.py"])
def test_an_example_says_what_it_takes(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="0"):
        run(monkeypatch, name, "--help")

    assert "--quick" in capsys.readouterr().out
