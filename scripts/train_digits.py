"""Trains the two nets that ship with Whence on the training split of the digits.

    python scripts/train_digits.py           # writes src/whence/zoo/weights/*.safetensors
    python scripts/train_digits.py --data    # rebuilds src/whence/zoo/data/digits.npz before that

About half a minute on one core. Seeded and on one thread; another version of torch or another
processor may round otherwise and give slightly different weights. The test split is counted at the
end and nothing was tuned on it.
"""

import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from whence.zoo import dataset
from whence.zoo._digits import DIGITS_INPUT, WEIGHTS, DigitsCNN, DigitsMLP

BATCH = 64
RATE = 3e-3  # the largest learning rate of the one-cycle schedule
DECAY = 1e-3


def main() -> None:
    parser = argparse.ArgumentParser(description="Trains the nets that ship with Whence.")
    parser.add_argument("--data", action="store_true", help="first rebuild digits.npz")
    if parser.parse_args().data:
        write_digits(WEIGHTS.parent / "data" / "digits.npz")
    torch.set_num_threads(1)
    train("digits-cnn", DigitsCNN, epochs=30)
    train("digits-mlp", DigitsMLP, epochs=60)


def write_digits(path: Path) -> None:
    """Repacks scikit-learn's digits, values 0 to 16, as bytes."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images, labels = digits.images.astype(np.uint8), digits.target.astype(np.uint8)
    np.savez_compressed(path, images=images, labels=labels)


def train(name: str, make: type[nn.Module], epochs: int) -> None:
    """Trains one net, prints its accuracy and writes its weights."""
    torch.manual_seed(0)
    start = time.perf_counter()
    net = make()
    digits = dataset("digits", split="train")
    images, labels = DIGITS_INPUT(digits.images), digits.labels
    optimiser = torch.optim.AdamW(net.parameters(), weight_decay=DECAY)
    steps = epochs * math.ceil(len(labels) / BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    for _ in range(epochs):
        for chosen in torch.randperm(len(labels)).split(BATCH):
            loss = F.cross_entropy(net(distort(images[chosen])), labels[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    save_file(net.state_dict(), WEIGHTS / f"{name}.safetensors")
    print(
        f"{name}: {accuracy(net, 'train'):.2%} of the training split, {accuracy(net, 'test'):.2%} "
        f"of the test split, {time.perf_counter() - start:.0f} s"
    )


def distort(images: Tensor) -> Tensor:
    """Turns, scales, slants and shifts each picture a little, at random."""
    count = len(images)

    def between(limit: float) -> Tensor:
        return (torch.rand(count) * 2 - 1) * limit

    angle, scale, slant = between(0.18), 1 + between(0.1), between(0.15)
    rows = [
        torch.stack([angle.cos() * scale, slant - angle.sin() * scale, between(0.12)], 1),
        torch.stack([angle.sin() * scale, angle.cos() * scale, between(0.12)], 1),
    ]
    grid = F.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


@torch.no_grad()
def accuracy(net: nn.Module, split: str) -> float:
    """The share of a split that the net classifies right."""
    digits = dataset("digits", split=split)
    chosen = net.eval()(DIGITS_INPUT(digits.images)).argmax(1)
    return (chosen == digits.labels).double().mean().item()


if __name__ == "__main__":
    main()
