"""The examples run from start to end."""

import importlib
import json
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import whence
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


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("digit_prototypes.py", {"digits.json", "digits.png", "digits-draws.png"}),
        ("two_inputs.py", {"two-inputs.json", "two-inputs.png"}),
        ("shattering.py", {"shattering.json", "shattering.png"}),
        (
            "deep_taylor.py",
            {
                "deep-taylor.json",
                "deep-taylor-min-max.png",
                "deep-taylor-roots.png",
                "deep-taylor-steps.png",
            },
        ),
        ("noisy_digits.py", {"noisy-digits.json", "noisy-digits.png"}),
        ("alpha_beta.py", {"alpha-beta.json", "alpha-beta-digits-cnn.png"}),
        ("moving_digit.py", {"moving-digit.json", "moving-digit.png"}),
        (
            "patterns.py",
            {
                "patterns.json",
                "patterns-digits-mlp-filters.png",
                "patterns-digits-mlp-maps.png",
            },
        ),
    ],
)
def test_an_experiment_of_the_tutorial_runs_without_data(
    name: str, written: set[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run(monkeypatch, name, "--quick", "--out", str(tmp_path))

    assert {path.name for path in tmp_path.iterdir()} == written


@pytest.mark.slow
def test_properties_are_measured_for_every_method(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run(monkeypatch, "properties.py", "--quick", "--out", str(tmp_path))
    page = (tmp_path / "properties.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]

    assert {line.split("`")[1] for line in rows} >= set(whence.methods())
    assert page.count("| `deep-taylor` | AB | AB | AB | f: AB |") == 1


@pytest.mark.slow
def test_roots_of_a_digit_net_are_compared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run(monkeypatch, "roots.py", "--quick", "--out", str(tmp_path))
    found = json.loads((tmp_path / "roots.json").read_text(encoding="utf-8"))

    assert len(found) == 8  # two nets, four roots
    assert found["MLP, 3 layers: nearest"]["distance"] < found["MLP, 3 layers: limit"]["distance"]
    assert (tmp_path / "roots-mlp.png").is_file()
    assert (tmp_path / "roots-cnn.png").is_file()


@pytest.mark.slow
def test_relevance_in_photographs_is_compared(
    data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--data", str(data), "--quick", "--out", str(tmp_path)]
    run(monkeypatch, "natural_comparison.py", *options)

    assert {path.name for path in tmp_path.iterdir()} == {"comparison.json", "comparison.png"}
    assert "deep Taylor less sensitivity" in capsys.readouterr().out


def test_photographs_are_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="pass --data FOLDER"):
        run(monkeypatch, "natural_comparison.py", "--out", str(tmp_path))


def test_real_examples_of_channels_are_shown_without_data(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "real_examples.py", "--quick", "--out", str(tmp_path))
    printed = " ".join(capsys.readouterr().out.split())

    assert {path.name for path in tmp_path.iterdir()} == {
        "digits-filters.png",
        "digits.png",
        "examples.json",
    }
    assert "a channel of features.6 sees 24 x 24 of 32 x 32" in printed
    assert printed.count("of 6 samples are in both lists") == 3
    assert "Photographs need data: pass --data FOLDER" in printed


@pytest.mark.slow
def test_real_examples_of_squeezenet_are_shown(
    data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "real_examples.py", "--data", str(data), "--quick", "--out", str(tmp_path))

    assert {"photographs.png", "squeezenet-filters.png"} <= {p.name for p in tmp_path.iterdir()}
    assert "fire8.expand3x3" in capsys.readouterr().out


@pytest.mark.slow
def test_clusters_cover_a_class_better_than_one_prototype(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run(monkeypatch, "diverse_class.py", "--quick", "--out", str(tmp_path))
    rows = json.loads((tmp_path / "coverage.json").read_text(encoding="utf-8"))
    shares = {
        way: [row["share"] for row in rows if row["way"] == way and row["quantile"] == 0.95]
        for way in ("one", "four by feature clusters")
    }

    assert {path.name for path in tmp_path.iterdir()} == {"coverage.json", "diverse.png"}
    assert all(many > one for one, many in zip(*shares.values(), strict=True))


@pytest.mark.parametrize("name", ["ethanol.py", "extreme_case.py", "natural_prototypes.py"])
def test_a_search_for_extremes_says_what_it_takes(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="0"):
        run(monkeypatch, name, "--help")

    assert "--quick" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["ethanol.py", "natural_prototypes.py"])
def test_weights_are_asked_for(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="pass --data FOLDER"):
        run(monkeypatch, name, "--out", str(tmp_path))


def test_the_extreme_case_is_the_known_one_and_patients_are_kept_likely(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "extreme_case.py", "--quick", "--out", str(tmp_path))
    found = json.loads((tmp_path / "extreme.json").read_text())
    patients = found["patients"]
    hills = [each for hill in found["hill"].values() for each in zip(*hill.values(), strict=True)]

    assert all(x == pytest.approx(known, abs=1e-4) for x, known in hills)
    assert patients["box only, sex 1"]["predicted"] > patients["one Gaussian, sex 1"]["predicted"]
    assert patients["box only, sex 1"]["less likely patients"] == 0
    assert patients["one Gaussian, sex 1"]["less likely patients"] > 0.03
    assert "The worst patient the net can imagine" in capsys.readouterr().out


@pytest.mark.slow
def test_extreme_geometries_of_ethanol_are_found_and_drawn(
    data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run(monkeypatch, "ethanol.py", "--data", str(data), "--quick", "--out", str(tmp_path))
    found = json.loads((tmp_path / "ethanol.json").read_text())
    searches = [found[name] for name in ("sample", "lowest", "highest", "strained", "oxygen")]

    assert {path.name for path in tmp_path.iterdir()} == {"ethanol.png", "ethanol.json"}
    assert all(abs(each["sum by atom minus energy"]) < 1e-8 for each in searches)
    assert all(each["moved"] < 0.2 + 1e-6 for each in searches)
    assert found["highest"]["above the lowest"] > found["strained"]["above the lowest"] > 5
    assert found["strained"]["bonds"]["O-H"] < 1.06 * found["lowest"]["bonds"]["O-H"]
    assert 5 < found["oxygen"]["above the lowest"] < 11


@pytest.mark.slow
def test_prototypes_of_photographs_are_drawn_and_judged(
    data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--data", str(data), "--quick", "--out", str(tmp_path)]
    run(monkeypatch, "natural_prototypes.py", *options)
    found = json.loads((tmp_path / "natural.json").read_text())

    assert {path.name for path in tmp_path.iterdir()} == {
        "natural.json",
        "natural.png",
        "natural-small.png",
    }
    assert found["Fourier"]["fine share"][0] < found["pixels"]["fine share"][0]
    assert "the net that did not take part" in capsys.readouterr().out
