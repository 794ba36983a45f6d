"""MNIST and Fashion-MNIST: the idx files everyone has, or one .npz."""

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from whence.errors import InvalidInput
from whence.zoo._checksum import verify
from whence.zoo._dataset import Dataset, InMemory, numbered
from whence.zoo._files import data_folder, find_file, read_npz


@dataclass(frozen=True)
class _Source:
    """Where a data set of 28 x 28 pictures lies, and what its classes are called."""

    name: str
    folders: tuple[str, ...]
    npz: str
    keys: dict[str, tuple[str, str]]  # split -> (images, labels) in the .npz
    classes: tuple[str, ...]
    origin: str


_MNIST = _Source(
    name="mnist",
    folders=("mnist", "MNIST/raw", "mnist/MNIST/raw", "raw", "."),
    npz="mnist.npz",
    keys={
        "train": ("train_images", "train_labels"),
        "test": ("test_images", "test_labels"),
    },
    classes=tuple("0123456789"),
    origin='torchvision.datasets.MNIST("FOLDER", download=True)',
)

_FASHION = _Source(
    name="fashion-mnist",
    folders=("fashion_mnist", "FashionMNIST/raw", "fashion_mnist/FashionMNIST/raw", "raw", "."),
    npz="fashion_val.npz",
    keys={"test": ("val_set", "targets")},
    classes=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    origin='torchvision.datasets.FashionMNIST("FOLDER", download=True)',
)

FASHION_CLASSES = _FASHION.classes


def mnist(root: str | Path | None, split: str) -> Dataset:
    """MNIST, 28 x 28 handwritten digits; from mnist.npz or the idx files (also gzipped)."""
    return _read(_MNIST, root, split)


def fashion_mnist(root: str | Path | None, split: str) -> Dataset:
    """Fashion-MNIST, 28 x 28 clothes; from fashion_val.npz (5,000 test items) or the idx files."""
    return _read(_FASHION, root, split)


def _read(source: _Source, root: str | Path | None, split: str) -> Dataset:
    images, labels = _from_npz(source, root, split) or _from_idx(source, root, split)
    if images.ndim != 3 or len(images) != len(labels):
        raise InvalidInput(
            f"{source.name} needs images (items, 28, 28) and as many labels, got "
            f"{images.shape} and {labels.shape}."
        )
    return Dataset(
        name=f"{source.name}/{split}",
        pictures=InMemory(torch.from_numpy(images).unsqueeze(1), white=255),
        labels=torch.from_numpy(labels.astype(np.int64)),
        classes=source.classes,
        names=numbered(f"{source.name}-{split}", len(labels)),
    )


def _from_npz(
    source: _Source, root: str | Path | None, split: str
) -> tuple[np.ndarray, np.ndarray] | None:
    if split not in source.keys:
        return None
    folder = data_folder(root, source.name)
    for place in source.folders:
        path = folder / place / source.npz
        if path.is_file():
            images, labels = source.keys[split]
            arrays = read_npz(verify(path, source.name), images, labels)
            return arrays[images], arrays[labels]
    return None


def _from_idx(
    source: _Source, root: str | Path | None, split: str
) -> tuple[np.ndarray, np.ndarray]:
    prefix = {"train": "train", "test": "t10k"}[split]
    images, labels = f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte"
    found = [
        find_file(
            root,
            [f"{place}/{name}{ending}" for place in source.folders for ending in ("", ".gz")],
            what=f"{source.name} ({split}: {source.npz} or {name})",
            family=source.name,
            source=source.origin,
        )
        for name in (images, labels)
    ]
    return read_idx(found[0]), read_idx(found[1])


def read_idx(path: Path) -> np.ndarray:
    """The bytes in an idx file (LeCun's format: magic number, sizes, data), gzipped or not."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    if len(content) < 4 or content[:3] != b"\x00\x00\x08":
        raise InvalidInput(
            f"{path} must be an idx file of bytes, got {content[:4]!r} at its start."
        )
    start = 4 + 4 * content[3]
    shape = tuple(np.frombuffer(content[4:start], dtype=">i4").tolist())
    data = np.frombuffer(content[start:], dtype=np.uint8)
    if data.size != np.prod(shape):
        raise InvalidInput(f"{path} must hold {shape} bytes, got {data.size}. Fetch it again.")
    return data.reshape(shape).copy()
