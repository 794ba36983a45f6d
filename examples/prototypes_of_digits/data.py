"""Digits, the net that is asked about them, and what each seed sees of them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from whence import zoo

SHARE = 0.8  # of the training digits that a seed learns from; the rest is for validation
MNIST_TRAIN, MNIST_TEST = 5000, 5000


@dataclass(frozen=True, eq=False)
class Digits:
    """A net and its digits, as the net sees them: (digits, 1, 32, 32)."""

    name: str
    net: zoo.Model
    train: Tensor
    labels: Tensor
    held_out: Tensor
    held_out_labels: Tensor

    @property
    def box(self) -> tuple[float, float]:
        """Black and white."""
        assert self.net.low is not None
        assert self.net.high is not None
        return float(self.net.low), float(self.net.high)

    def unit(self, inputs: Tensor) -> Tensor:
        """Pixels from 0 to 1."""
        low, high = self.box
        return (inputs - low) / (high - low)


@dataclass(frozen=True, eq=False)
class Part:
    """What one seed learns from, and what it is tuned on."""

    seed: int
    inputs: Tensor
    labels: Tensor
    validation: Tensor
    validation_labels: Tensor

    def class_means(self) -> Tensor:
        """(10, 1, 32, 32)."""
        return torch.stack([self.inputs[self.labels == k].mean(0) for k in range(10)])

    def means(self) -> Tensor:
        """The mean of all, ten times."""
        return self.inputs.mean(0, keepdim=True).expand(10, -1, -1, -1)


def shipped() -> Digits:
    """The 8 x 8 digits and the CNN that ship."""
    net = zoo.model("digits-cnn")
    train, test = (zoo.dataset("digits", split=split) for split in ("train", "test"))
    inputs, held_out = net.preprocess(train.images), net.preprocess(test.images)
    return Digits("digits", net, inputs, train.labels, held_out, test.labels)


def mnist(data: str) -> Digits:
    """MNIST and the LeNet-5 of the LRP toolbox."""
    net = zoo.model("lenet5-mnist", data)
    train, labels = zoo.dataset("mnist", data, "train").batch(range(MNIST_TRAIN))
    test, true = zoo.dataset("mnist", data, "test").batch(range(MNIST_TEST))
    return Digits("mnist", net, net.preprocess(train), labels, net.preprocess(test), true)


def part_of(digits: Digits, seed: int) -> Part:
    """A random share of the training digits to learn from, the others for validation."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(digits.train), generator=generator)
    count = round(SHARE * len(order))
    learned, rest = order[:count], order[count:]
    parts = [each[some] for some in (learned, rest) for each in (digits.train, digits.labels)]
    return Part(seed, *parts)
