"""Explanations measured over data sets and models of the zoo."""

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

import whence
from evaluating import LABELS, Linear, Total, X, run
from whence import zoo
from whence.explainers import GradientTimesInput, Random
from whence.metrics import Case, PixelFlipping, Scores
from whence.runs._evaluate_part import Part


@pytest.fixture
def model() -> Linear:
    return Linear().eval()


# Data sets and models of the zoo.


def test_a_data_set_of_the_zoo_goes_through_the_preprocessing_of_its_model() -> None:
    net, digits = zoo.model("digits-cnn"), zoo.dataset("digits", split="test")
    found = whence.evaluate(
        net, digits, ["lrp", "random"], [PixelFlipping(step=256)], limit=5, target="label"
    )
    images, labels = digits.batch(range(5))
    by_hand = whence.evaluate(
        net.module, (net.preprocess(images), labels), ["lrp"], [PixelFlipping(step=256)],
        target="label",
    )  # fmt: skip

    assert found.ids == tuple(digits.names[:5])
    assert found.protocol["model"]["name"] == "digits-cnn"
    assert found.protocol["numbers"] == "torch.float32"
    assert found.scores("lrp").tolist() == pytest.approx(by_hand.scores("lrp").tolist(), abs=1e-6)


def test_a_preset_takes_its_box_from_the_model() -> None:
    net, digits = zoo.model("digits-cnn"), zoo.dataset("digits", split="test")
    asked = [("lrp", {"composite": "epsilon-gamma-box"}), "deep-taylor"]
    found = whence.evaluate(net, digits, asked, [Total()], limit=2)

    assert found.failures == ()


def pictures_with_boxes() -> zoo.Dataset:
    """Three pictures of 4 x 6 pixels; the second has two things in it, the third no box."""
    things = (zoo.Box("cat", 1, 0, 3, 2), zoo.Box("dog", 4, 2, 6, 4))
    pictures = torch.rand(3, 1, 4, 6, generator=torch.Generator().manual_seed(2))
    boxes = (things[1:], things, ())
    names = ("one", "two", "three")
    return zoo.Dataset(
        "boxed", list(pictures), torch.tensor([1, 0, 0]), ("cat", "dog"), names, boxes
    )


@dataclass(frozen=True)
class Inside(Total):
    """How many pixels are inside."""

    needs: ClassVar[tuple[str, ...]] = ("masks",)

    def measure(self, case: Case) -> Scores:
        assert case.batch.masks is not None
        return Scores(case.batch.masks.flatten(1).sum(1).double())


def flat_sum(x: Tensor) -> Tensor:
    return torch.stack([x.flatten(1).sum(1), x.flatten(1).mean(1)], 1)


def test_masks_are_the_boxes_of_the_labelled_class() -> None:
    found = whence.evaluate(flat_sum, pictures_with_boxes(), [Random], [Inside()])

    assert dict(zip(found.ids, found.scores("random").tolist(), strict=True)) == {
        "one": 4.0,
        "two": 4.0,
        "three": 0.0,
    }


def test_masks_go_through_the_frame_of_the_preprocessing() -> None:
    frame = zoo.ImageInput(channels=1, resize=(8, 12), mean=(0.5,), std=(0.25,))
    net = zoo.Model("net", torch.nn.Flatten().eval(), frame, ("a", "b"), (1, 8, 12), None, None)
    found = whence.evaluate(net, pictures_with_boxes(), [Random], [Inside()], limit=2)

    assert found.scores("random").tolist() == [16.0, 16.0]  # twice as high and wide


def test_masks_may_come_from_a_function_or_as_tensors(model: Linear) -> None:
    data = pictures_with_boxes()
    top = whence.evaluate(
        flat_sum, data, [Random], [Inside()], masks=lambda item: item.image[0] * 0 + 1
    )
    given = whence.evaluate(
        flat_sum, torch.rand(3, 1, 4, 6), [Random], [Inside()], masks=torch.eye(3)[:, :, None]
    )

    assert top.scores("random").tolist() == [24.0, 24.0, 24.0]
    assert given.scores("random").tolist() == [1.0, 1.0, 1.0]


def test_texts_of_the_zoo_are_read_by_their_model() -> None:
    net = zoo.model("sst-lstm")
    texts = zoo.Texts("two", ("a fine film", "dull"), torch.tensor([4, 0]), net.classes, ("x", "y"))
    found = whence.evaluate(net, texts, ["lrp", "random"], [Total()])

    assert found.failures == ()
    assert found.ids == ("x", "y")


@pytest.mark.parametrize("inputs", [X, {"x": X, "n": 3}, (X, 3)])
def test_samples_go_where_the_weights_are(inputs: Any) -> None:
    part = Part(inputs, tuple(range(10)), LABELS, LABELS, X > 0).to(torch.device("meta"))
    moved = part.inputs["x"] if isinstance(part.inputs, dict) else part.inputs
    moved = moved[0] if isinstance(moved, tuple) else moved

    assert moved.device.type == "meta"
    assert {each.device.type for each in (part.target, part.labels, part.masks)} == {"meta"}
    assert type(part.inputs) is type(inputs)


@pytest.mark.parametrize("target", [LABELS, LABELS.tolist(), whence.targets.Logit(LABELS)])
def test_a_target_for_each_sample_follows_it_into_its_batch(model: Linear, target: Any) -> None:
    kind = {"exact": GradientTimesInput}
    found = run(model, X, explainers=kind, metrics=[Total()], target=target, batch_size=4)
    expected = model.linear(X).gather(1, LABELS[:, None])[:, 0]

    assert found.scores("exact").tolist() == pytest.approx(expected.tolist(), abs=1e-12)
