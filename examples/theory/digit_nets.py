"""A net of three layers and one of six for digits, trained here; and the digits for them."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad

from whence import zoo

SIDE = 28
TOGETHER, RATE = 64, 3e-3
EPOCHS = {"digits": 30, "mnist": 3}
MOST = 20_000  # training digits of MNIST


@dataclass(frozen=True, eq=False)
class Digits:
    """Pictures of 28 x 28 in 0..1 (black to white) with their classes, training and held out."""

    name: str
    train: Tensor
    train_classes: Tensor
    test: Tensor
    test_classes: Tensor


def digits(name: str, root: str | None = None) -> Digits:
    """ "digits": those of scikit-learn, three times as large inside a black frame; or "mnist"."""
    parts = []
    for split in ("train", "test"):
        found = zoo.dataset(name, root, split)
        images = found.images if split == "test" or name == "digits" else _first(found, MOST)
        parts += [_framed(images), found.labels[: len(images)]]
    return Digits(name, *parts)


def mlp(biases: bool) -> nn.Sequential:
    """Three layers: 784-300-100-10."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(SIDE * SIDE, 300, bias=biases),
        nn.ReLU(),
        nn.Linear(300, 100, bias=biases),
        nn.ReLU(),
        nn.Linear(100, 10, bias=biases),
    )


def cnn(biases: bool) -> nn.Sequential:
    """Six layers: four convolutions of 3 x 3, average pooling after the second and the fourth, two
    dense layers."""
    return nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1, bias=biases),
        nn.ReLU(),
        nn.Conv2d(12, 12, 3, padding=1, bias=biases),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Conv2d(12, 24, 3, padding=1, bias=biases),
        nn.ReLU(),
        nn.Conv2d(24, 24, 3, padding=1, bias=biases),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(24 * 7 * 7, 64, bias=biases),
        nn.ReLU(),
        nn.Linear(64, 10, bias=biases),
    )


NETS = {"MLP, 3 layers": mlp, "CNN, 6 layers": cnn}


@dataclass(frozen=True, eq=False)
class Trained:
    """A net in eval mode, the share of held-out digits that it has right, and seconds it took."""

    net: nn.Sequential
    right: float
    seconds: float


def train(
    name: str, data: Digits, *, biases: bool, seed: int, epochs: int | None = None
) -> Trained:
    """Adam, one-cycle schedule, no augmentation; the held-out digits are counted at the end."""
    torch.manual_seed(seed)
    began = time.perf_counter()
    net = NETS[name](biases)
    optimiser = torch.optim.Adam(net.parameters())
    epochs = EPOCHS[data.name] if epochs is None else epochs
    steps = epochs * -(-len(data.train) // TOGETHER)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    for chosen in _batches(len(data.train), epochs):
        optimiser.zero_grad()
        cross_entropy(net(data.train[chosen]), data.train_classes[chosen]).backward()
        optimiser.step()
        schedule.step()
    net.eval().requires_grad_(False)
    right = torch.cat([net(part).argmax(1) for part in data.test.split(500)]) == data.test_classes
    return Trained(net, float(right.double().mean()), time.perf_counter() - began)


def _batches(count: int, epochs: int) -> Iterator[Tensor]:
    for _ in range(epochs):
        yield from torch.randperm(count).split(TOGETHER)


def _first(found: zoo.Dataset, most: int) -> Tensor:
    return found.batch(range(min(most, len(found))))[0]


def _framed(images: Tensor) -> Tensor:
    if images.shape[-1] == SIDE:
        return images
    larger = nn.functional.interpolate(images, (24, 24), mode="bicubic", align_corners=False)
    return pad(larger.clamp(0, 1), (2, 2, 2, 2))
