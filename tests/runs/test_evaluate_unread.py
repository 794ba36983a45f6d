"""Pictures and texts that cannot be read cost themselves, and nothing else."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import whence
from evaluating import Total
from whence import zoo
from whence.errors import InvalidInput
from whence.runs import Evaluation

METHODS = ["lrp", "random"]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Five pictures in two classes."""
    for number in range(5):
        folder = tmp_path / "photos" / ("cat", "dog")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (10, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path / "photos"


def run(photos: Path, **options: Any) -> Evaluation:
    net = zoo.model("digits-cnn")
    data = zoo.dataset(f"folder:{photos}")
    return whence.evaluate(net, data, METHODS, [Total()], progress=False, **options)


def scores(found: Evaluation) -> dict[Any, float]:
    return dict(zip(found.ids, found.scores("lrp").tolist(), strict=True))


@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_broken_picture_costs_itself(photos: Path, size: int) -> None:
    whole = scores(run(photos))
    (photos / "cat" / "2.png").write_bytes(b"no picture")
    found = run(photos, batch_size=size)
    held = scores(found)

    assert found.complete
    assert math.isnan(held.pop("cat-2.png"))
    assert held == pytest.approx({name: whole[name] for name in held}, rel=1e-4, abs=1e-5)
    assert {(each.method, each.metric, each.id) for each in found.failures} == {
        (method, "", "cat-2.png") for method in METHODS
    }
    assert f"{photos}/cat/2.png must be a picture that Pillow reads" in found.failures[0].error


def test_a_picture_that_is_gone_costs_itself(photos: Path) -> None:
    (photos / "dog" / "3.png").unlink()
    (photos / "dog" / "3.png").symlink_to(photos / "nowhere.png")
    found = run(photos)

    assert len(found.ids) == 5
    assert {each.id for each in found.failures} == {"dog-3.png"}
    assert "there is no picture" in found.failures[0].error


def test_targets_stay_with_their_samples(photos: Path) -> None:
    targets = [0, 1, 2, 3, 4]
    whole = scores(run(photos, target=targets))
    (photos / "cat" / "0.png").write_bytes(b"")
    held = scores(run(photos, target=targets))
    del whole["cat-0.png"], held["cat-0.png"]

    assert held == pytest.approx(whole, rel=1e-4, abs=1e-5)


def test_a_mask_that_cannot_be_made_costs_its_sample(photos: Path) -> None:
    def mask(item: zoo.Item) -> Any:
        if item.name == "dog-1.png":
            raise KeyError("no outline")
        return item.image[0] * 0 + 1

    found = run(photos, masks=mask)

    assert {(each.id, each.error) for each in found.failures} == {
        ("dog-1.png", "KeyError: 'no outline'")
    }


@pytest.fixture
def spoiled(photos: Path) -> Path:
    """The folder with none of its pictures whole."""
    for path in photos.glob("*/*.png"):
        path.write_bytes(b"no picture")
    return photos


def test_where_nothing_can_be_read_it_is_an_error(spoiled: Path) -> None:
    with pytest.raises(InvalidInput, match=r"Of 5 samples of photos none.*cat-0\.png: .*Pillow"):
        run(spoiled)


def test_a_mended_picture_is_measured_when_it_goes_on(photos: Path, tmp_path: Path) -> None:
    whole = run(photos, batch_size=2)
    path = photos / "cat" / "2.png"
    kept = path.read_bytes()
    path.write_bytes(b"no picture")
    run(photos, batch_size=2, out=tmp_path / "out")
    path.write_bytes(kept)
    found = run(photos, batch_size=2, out=tmp_path / "out")

    assert found.failures == ()
    assert scores(found) == pytest.approx(scores(whole), rel=1e-4, abs=1e-5)


def test_a_picture_that_is_gone_since_keeps_its_numbers(photos: Path, tmp_path: Path) -> None:
    first = run(photos, limit=3, out=tmp_path / "out")
    (photos / "cat" / "2.png").write_bytes(b"no picture")
    found = run(photos, out=tmp_path / "out")

    assert found.failures == ()
    assert scores(found)["cat-2.png"] == scores(first)["cat-2.png"]


def test_a_text_without_words_costs_itself() -> None:
    net = zoo.model("sst-lstm")
    texts = zoo.Texts(
        "three", ("a fine film", " ", "dull"), torch.tensor([4, 2, 0]), net.classes, ("x", "y", "z")
    )
    found = whence.evaluate(net, texts, METHODS, [Total()])

    assert {each.id for each in found.failures} == {"y"}
    assert found.interval("lrp").count == 2
