"""The digits and nets that ship: what they are, and how good they are."""

import numpy as np
import pytest
import torch

from whence import zoo
from whence.errors import InvalidInput


def held_out_accuracy(name: str) -> float:
    net, digits = zoo.model(name), zoo.dataset("digits", split="test")
    with torch.no_grad():
        chosen = net.module(net.preprocess(digits.images)).argmax(1)
    return (chosen == digits.labels).double().mean().item()


def test_the_cnn_gets_98_5_percent_of_the_held_out_digits_right() -> None:
    # Measured: 351 of 355. Other processors may round one or two digits to the other side.
    assert held_out_accuracy("digits-cnn") >= 0.985


def test_the_mlp_gets_98_percent_of_the_held_out_digits_right() -> None:
    # Measured: 350 of 355.
    assert held_out_accuracy("digits-mlp") >= 0.98


def test_the_splits_share_no_image_and_are_all_of_the_digits() -> None:
    train, test = zoo.dataset("digits", split="train"), zoo.dataset("digits", split="test")

    assert (len(train), len(test)) == (1442, 355)
    assert len({*train.names, *test.names}) == 1797
    assert len(torch.cat([train.images, test.images]).flatten(1).unique(dim=0)) == 1797


def test_every_class_is_a_fifth_held_out() -> None:
    train, test = zoo.dataset("digits", split="train"), zoo.dataset("digits", split="test")
    held_out, all_of_it = test.labels.bincount(), train.labels.bincount() + test.labels.bincount()

    assert torch.equal(held_out, all_of_it // 5)


def test_the_file_holds_the_digits_of_scikit_learn() -> None:
    datasets = pytest.importorskip("sklearn.datasets", reason="compares with scikit-learn")
    test = zoo.dataset("digits", split="test")
    numbers = [int(name.removeprefix("digits-")) for name in test.names]
    original = datasets.load_digits()

    np.testing.assert_array_equal(test.images[:, 0].numpy() * 16, original.images[numbers])
    np.testing.assert_array_equal(test.labels.numpy(), original.target[numbers])


def test_digits_are_bright_strokes_in_0_to_1() -> None:
    images = zoo.dataset("digits").images

    assert images.dtype == torch.float32
    assert (images.min(), images.max()) == (0, 1)


def test_the_cnn_says_nothing_about_a_black_picture() -> None:
    net = zoo.model("digits-cnn")

    assert torch.equal(net.module(net.preprocess(torch.zeros(1, 1, 8, 8))), torch.zeros(1, 10))


def test_the_frame_around_a_digit_is_black() -> None:
    inputs = zoo.model("digits-cnn").preprocess(torch.ones(1, 1, 8, 8))

    assert inputs.count_nonzero() == 24 * 24
    torch.testing.assert_close(inputs[0, 0, 4:28, 4:28], torch.ones(24, 24))


def test_a_shipped_net_knows_its_valid_box() -> None:
    net = zoo.model("digits-mlp")

    assert (net.low.item(), net.high.item()) == (0, 1)
    assert net.input_shape == (1, 32, 32)
    assert not net.module.training


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(InvalidInput, match='"train" or "test", got \'val\''):
        zoo.dataset("digits", split="val")
