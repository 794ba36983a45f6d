from pathlib import Path

import pytest
import torch
from PIL import Image

from whence import zoo
from whence.errors import InvalidInput
from whence.runs import ask, find_class, find_subjects
from whence.targets import Contrast, Highest, Logit


@pytest.fixture(scope="module")
def net() -> zoo.Model:
    cnn = zoo.model("digits-cnn")
    names = ("tench, Tinca tinca", "Goldfish", "great white shark", "hen", "cock", *"fghij")
    return zoo.Model("fishes", cnn.module, cnn.preprocess, names, (1, 32, 32), cnn.low, cnn.high)


@pytest.mark.parametrize(
    ("name", "number"),
    [("0", 0), ("goldfish", 1), ("GREAT WHITE SHARK", 2), ("tench", 0), (" hen ", 3)],
)
def test_a_class_is_found_by_number_or_name(net: zoo.Model, name: str, number: int) -> None:
    assert find_class(net, name) == number


@pytest.mark.parametrize(
    ("name", "message"),
    [("10", "0 to 9, got 10"), ("-1", "got -1"), ("goldfsh", "Did you mean 'goldfish'?")],
)
def test_an_unknown_class_is_an_error(net: zoo.Model, name: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        find_class(net, name)


def test_the_target_has_a_name() -> None:
    highest, three = ask("digits-cnn"), ask("digits-cnn", target="3")
    contrast = ask("digits-cnn", contrast="3, 9")

    assert isinstance(highest.target, Highest)
    assert isinstance(three.target, Logit)
    assert isinstance(contrast.target, Contrast)
    assert (three.words, contrast.words) == ("3", "3, not 9")


def test_methods_that_need_the_box_of_valid_inputs_get_it() -> None:
    question = ask("digits-cnn", ["deep-taylor", "lrp"], composite="epsilon-gamma-box")

    assert torch.equal(question.asked[0].options["low"], torch.zeros(1, 1, 1))
    assert "ZBox" in repr(question.asked[1].options["composite"])


def test_a_method_is_asked_once() -> None:
    assert len(ask("digits-cnn", ["lrp", "lrp"]).asked) == 1


def test_an_item_of_a_data_set_is_a_subject() -> None:
    (subject,) = find_subjects("digits:100")

    assert subject.name == "digits-529"
    assert subject.label == "3"
    assert subject.load().shape == (1, 8, 8)


def test_a_data_set_is_many_subjects() -> None:
    assert len(find_subjects("digits")) == 355
    assert len({subject.name for subject in find_subjects("digits", split="train")}) == 1442


@pytest.mark.parametrize(("mode", "channels"), [("RGB", 3), ("L", 1)])
def test_a_picture_is_a_subject(tmp_path: Path, mode: str, channels: int) -> None:
    Image.new(mode, (5, 4), "white").save(tmp_path / "white.png")
    (subject,) = find_subjects(str(tmp_path / "white.png"))

    assert torch.equal(subject.load(), torch.ones(channels, 4, 5))


def test_a_picture_with_a_colon_in_its_name_is_a_picture(tmp_path: Path) -> None:
    Image.new("L", (5, 4)).save(tmp_path / "at 10:30.png")

    assert find_subjects(str(tmp_path / "at 10:30.png"))[0].name == "at 10:30.png"
