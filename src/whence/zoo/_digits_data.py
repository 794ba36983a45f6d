"""The handwritten digits that ship with Whence, and the split its nets were trained on."""

from pathlib import Path

import numpy as np
import torch

from whence.errors import InvalidInput
from whence.zoo._dataset import Dataset, InMemory
from whence.zoo._files import read_npz

_FILE = Path(__file__).parent / "data" / "digits.npz"
_WHITE = 16  # the brightest value of these 8 x 8 digits


def digits(split: str) -> Dataset:
    """The 1,797 digits of scikit-learn, 8 x 8, white strokes on black; `split` "train" or "test".

    Within each class, in the original order, images number 4, 9, 14, ... are the test split (355),
    the others the training split (1,442). The same writers appear in both. The nets that ship saw
    the training split only.
    """
    arrays = read_npz(_FILE, "images", "labels")
    labels = arrays["labels"].astype(np.int64)
    held_out = _held_out(labels)
    chosen = np.flatnonzero(held_out if _check_split(split) == "test" else ~held_out)
    return Dataset(
        name=f"digits/{split}",
        pictures=InMemory(torch.from_numpy(arrays["images"][chosen]).unsqueeze(1), _WHITE),
        labels=torch.from_numpy(labels[chosen]),
        classes=tuple("0123456789"),
        names=tuple(f"digits-{index}" for index in chosen),
    )


def _held_out(labels: np.ndarray) -> np.ndarray:
    rank = np.zeros_like(labels)  # how many of its class came before an image
    for digit in range(10):
        members = labels == digit
        rank[members] = np.arange(members.sum())
    return rank % 5 == 4


def _check_split(split: str) -> str:
    if split not in ("train", "test"):
        raise InvalidInput(f'split must be "train" or "test", got {split!r}.')
    return split
