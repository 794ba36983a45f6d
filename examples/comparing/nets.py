"""A small net of our own for MNIST, trained when first asked for."""

from pathlib import Path

import torch
from rich.console import Console
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn.functional import cross_entropy

from whence import zoo

EPOCHS, TOGETHER, SEED = 3, 128, 0


def small_net() -> nn.Module:
    """Two convolutions, one max-pooling, two dense layers; from (batch, 1, 32, 32) to 10 scores.

    What the toolbox's LeNet-5 does not have: max-pooling, strides, padding, dense layers.
    """
    return nn.Sequential(
        nn.Conv2d(1, 8, 5, stride=2, padding=2),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * 8 * 8, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )


def trained(lenet: zoo.Model, data: str, out: Path, console: Console) -> zoo.Model:
    """The small net with the preprocessing of LeNet-5; its weights are kept in `out`."""
    path = out / "small-net.safetensors"
    torch.manual_seed(SEED)
    module = small_net()
    if path.is_file():
        module.load_state_dict(load_file(path))
    else:
        with console.status("training the small net"):
            train(module, lenet, data)
        save_file(module.state_dict(), path)
    return zoo.Model(
        name="small net",
        module=module.eval(),
        preprocess=lenet.preprocess,
        classes=lenet.classes,
        input_shape=lenet.input_shape,
        low=lenet.low,
        high=lenet.high,
    )


def train(module: nn.Module, lenet: zoo.Model, data: str) -> None:
    """Adam on the 60,000 training digits."""
    digits = zoo.dataset("mnist", data, "train")
    inputs = lenet.preprocess(digits.images)
    optimiser = torch.optim.Adam(module.parameters(), lr=1e-3)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(inputs)).split(TOGETHER):
            optimiser.zero_grad()
            cross_entropy(module(inputs[chosen]), digits.labels[chosen]).backward()
            optimiser.step()
