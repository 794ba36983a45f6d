from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from whence import zoo
from whence.errors import InvalidInput
from whence.runs import Demo, demo
from whence.runs._demo import doubtful
from whence.runs._demo_pages import METHODS


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    torch.manual_seed(0)
    return demo(tmp_path_factory.mktemp("demo"), digits=24)


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


def test_the_pictures_are_written(found: Demo) -> None:
    names = [path.name for path in found.pictures]

    assert names == ["three-or-nine.png", "methods.png", "classes.png", "flipping.png"]
    assert min(min(pixels(path).shape[:2]) for path in found.pictures) > 300


def test_at_least_six_methods_are_shown() -> None:
    assert len({asked.method for asked in METHODS}) >= 6


def test_the_net_reads_the_held_out_digits(found: Demo) -> None:
    assert found.accuracy > 0.98


def test_relevance_is_conserved_in_every_layer(found: Demo) -> None:
    rows = found.ledger.to_rows()

    assert len([row for row in rows if row["op"] == "conv2d"]) == 3
    assert {round(row["r_in"], 3) for row in rows} == {round(rows[0]["r_out"], 3)}


def test_the_net_with_biases_says_what_they_took(found: Demo) -> None:
    assert found.with_biases.total("bias") > 0.1


@pytest.mark.parametrize("method", ["LRP", "LRP, epsilon"])
def test_erasing_pixels_ranks_lrp_above_sensitivity_above_random(found: Demo, method: str) -> None:
    areas = {name: float(each.values.mean()) for name, each in found.flipped["erased"].items()}

    assert areas[method] > areas["sensitivity"] + 0.02
    assert areas["sensitivity"] > areas["random order"] + 0.02


def test_all_orders_share_both_ends_of_the_curve(found: Demo) -> None:
    curves = [each.curves["flipping"].y for each in found.flipped["erased"].values()]

    assert all(torch.equal(curve[:, 0], curves[0][:, 0]) for curve in curves)
    assert all(torch.equal(curve[:, -1], curves[0][:, -1]) for curve in curves)
    # A black picture says nothing to a net without biases.
    assert curves[0][:, -1].tolist() == pytest.approx([0.1] * 24)


def test_the_doubtful_digits_are_threes_and_nines_close_to_the_other() -> None:
    labels = torch.tensor([3, 3, 9, 9, 5])
    scores = torch.zeros(5, 10)
    scores[:, 3] = torch.tensor([5.0, 2.0, 1.0, 4.0, 0.0])
    scores[:, 9] = torch.tensor([1.0, 1.0, 9.0, 4.5, 0.0])

    assert doubtful(scores, labels, each=1) == [1, 3]


def test_one_digit_is_too_few_for_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="at least 2 digits, got 1"):
        demo(tmp_path, digits=1)


def test_the_demo_needs_no_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WHENCE_DATA", raising=False)

    assert len(zoo.dataset("digits")) == 355
