"""CIFAR-10: torchvision's files, or archives of pictures in class folders."""

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from whence.errors import InvalidInput
from whence.zoo._dataset import Dataset, InMemory, numbered
from whence.zoo._files import data_folder, find_file

CIFAR_CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
_FOLDERS = ("cifar10", ".")
_BATCHES = {"train": tuple(f"data_batch_{k}" for k in range(1, 6)), "test": ("test_batch",)}


def cifar10(root: str | Path | None, split: str) -> Dataset:
    """CIFAR-10, 32 x 32 colour pictures of ten classes.

    Read from cifar-10-batches-py (torchvision's download; all 60,000) when present, else from
    cifar10_{train,test}_10000_jpg.zip, whose pictures are JPEG: nets trained on the originals lose
    several points there.
    """
    folder = data_folder(root, "cifar10")
    batches = [
        folder / place / "cifar-10-batches-py" / _BATCHES[split][0]
        for place in (*_FOLDERS, "cifar10/CIFAR10", "CIFAR10")
    ]
    present = [path.parent for path in batches if path.is_file()]
    images, labels, names = (
        _from_batches(present[0], split) if present else _from_zip(folder, split)
    )
    return Dataset(f"cifar10/{split}", InMemory(images, white=255), labels, CIFAR_CLASSES, names)


def _from_batches(folder: Path, split: str) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    parts = [
        _unpickle(
            find_file(
                folder,
                [name],
                what=f"cifar10 ({split})",
                family="cifar10",
                source='torchvision.datasets.CIFAR10("FOLDER", download=True)',
            )
        )
        for name in _BATCHES[split]
    ]
    images = np.concatenate([part["data"] for part in parts]).reshape(-1, 3, 32, 32)
    labels = torch.tensor([label for part in parts for label in part["labels"]])
    return torch.from_numpy(images), labels, numbered(f"cifar10-{split}", len(labels))


def _from_zip(folder: Path, split: str) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    name = f"cifar10_{split}_10000_jpg.zip"
    path = find_file(
        folder,
        [f"{place}/{name}" for place in _FOLDERS],
        what=f"cifar10 ({split}: {name} or cifar-10-batches-py)",
        family="cifar10",
        source='torchvision.datasets.CIFAR10("FOLDER", download=True)',
    )
    with zipfile.ZipFile(path) as archive:
        members = sorted(member for member in archive.namelist() if member.endswith(".jpg"))
        pictures = [np.array(Image.open(io.BytesIO(archive.read(member)))) for member in members]
    images = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
    labels = torch.tensor([CIFAR_CLASSES.index(Path(member).parts[-2]) for member in members])
    names = tuple("-".join(Path(member).with_suffix("").parts[-2:]) for member in members)
    return images, labels, names


def _unpickle(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return _ArraysOnly(file, encoding="latin1").load()


class _ArraysOnly(pickle.Unpickler):
    """A pickle may run any code; these files need only what rebuilds an array of bytes."""

    def find_class(self, module: str, name: str) -> Any:
        allowed = {
            "_reconstruct": np.empty(0).__reduce__()[0],
            "ndarray": np.ndarray,
            "dtype": np.dtype,
        }
        if module.split(".")[0] != "numpy" or name not in allowed:
            raise InvalidInput(f"a CIFAR-10 batch must hold arrays only, got {module}.{name}.")
        return allowed[name]
