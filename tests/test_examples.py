"""The examples run from start to end."""

import importlib
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from whence import zoo
from whence.zoo import Words

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(monkeypatch: pytest.MonkeyPatch, name: str, *arguments: str) -> None:
    monkeypatch.delenv("WHENCE_DATA", raising=False)
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    monkeypatch.syspath_prepend(str(EXAMPLES))  # as when a script is started by its path
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


@pytest.mark.parametrize("name", ["sentiment.py", "newsgroups.py", "compare_methods.py"])
def test_an_example_says_what_it_takes(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="0"):
        run(monkeypatch, name, "--help")

    assert "--quick" in capsys.readouterr().out


def test_the_comparisons_ask_for_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="pass --data FOLDER"):
        run(monkeypatch, "compare_methods.py", "--out", str(tmp_path))


@pytest.mark.slow
def test_things_in_photographs_are_measured_and_drawn(
    data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--data", str(data), "--parts", "voc", "--quick", "--out", str(tmp_path)]
    run(monkeypatch, "compare_methods.py", *options)
    printed = capsys.readouterr().out

    assert {path.name for path in tmp_path.iterdir()} == {"voc-maps.png", "voc.json"}
    assert "12 photographs; the boxes cover" in printed
    assert "LRP less the others, paired" in printed


def test_a_box_follows_the_preprocessing_of_its_picture(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    pictures = importlib.import_module("comparing.pictures")
    net = zoo.model("squeezenet-imagenet", data)
    image = torch.zeros(3, 512, 1024)
    image[0, 100:300, 400:600] = 1
    box = zoo.Box("horse", 400, 100, 600, 300)
    item = zoo.Item(image, None, "drawn", (box, zoo.Box("dog", 0, 0, 9, 9)))
    mask = pictures.boxes_of(item, "horse", net)
    seen = net.preprocess(image)[0, 2]  # blue, green, red

    assert torch.equal(mask, seen > (seen.amin() + seen.amax()) / 2)
