"""What to explain, as it is spelled on the command line: a picture, a folder, a data set's item."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from whence import zoo
from whence.errors import InvalidInput
from whence.zoo import Dataset

_FOLDER = "folder:"


@dataclass(frozen=True, eq=False)
class Subject:
    """One picture to explain.

    name: unique among the subjects, fit for a folder. origin: where it comes from, in words that
    change when the picture does. label: the name of its true class, where known. load: gives the
    picture, floats in 0..1 of shape (channels, height, width).
    """

    name: str
    origin: str
    label: str | None
    load: Callable[[], Tensor]


def find_subjects(
    item: str, *, root: str | Path | None = None, split: str = "test"
) -> list[Subject]:
    """The pictures that `item` spells.

    "cat.jpg" is a picture, "photos" a folder of pictures, "digits:12" one item of a data set and
    "digits" all of it. root and split: see `whence.zoo.dataset`.
    """
    path = Path(item).expanduser()
    if path.is_dir():
        return _all(zoo.dataset(_FOLDER + item))
    if path.is_file() or (_looks_like_file(path) and ":" not in item):
        return [_file(path)]
    name, colon, number = item.rpartition(":")
    if not colon or not number.isdecimal():
        return _all(_pictures(item, root, split))
    dataset = _pictures(name, root, split)
    index = int(number)
    if index >= len(dataset):
        raise InvalidInput(f"{dataset.name} has items 0 to {len(dataset) - 1}, got {index}.")
    return [_item(dataset, index)]


def _pictures(name: str, root: str | Path | None, split: str) -> Dataset:
    found: Dataset | zoo.Texts = zoo.dataset(name, root, split)
    if isinstance(found, zoo.Texts):
        raise InvalidInput(
            f"{name} must be a data set of pictures, got one of texts. Explain a text of it with "
            f'--text "...", or several with --file.'
        )
    return found


def _looks_like_file(path: Path) -> bool:
    return bool(path.suffix) or len(path.parts) > 1


def _file(path: Path) -> Subject:
    image = zoo.load_image(path)  # read now: a wrong path is an error before any work

    def load() -> Tensor:
        values = torch.from_numpy(np.array(image, dtype=np.float32) / 255)
        return values[None] if values.ndim == 2 else values.permute(2, 0, 1)

    return Subject(path.name, _stamp(path), None, load)


def _all(dataset: Dataset) -> list[Subject]:
    return [_item(dataset, index) for index in range(len(dataset))]


def _item(dataset: Dataset, index: int) -> Subject:
    number = int(dataset.labels[index])
    label = dataset.classes[number] if 0 <= number < len(dataset.classes) else None
    paths = getattr(dataset.pictures, "paths", None)
    origin = f"{dataset.name}[{index}]" if paths is None else _stamp(paths[index])
    return Subject(dataset.names[index], origin, label, lambda: dataset[index].image)


def _stamp(path: Path) -> str:
    try:
        facts = path.stat()
    except OSError as error:  # told of where the picture is read, so that it stops no other
        return f"{path.absolute()}, {error.strerror}"
    return f"{path.resolve()}, {facts.st_size} bytes of {facts.st_mtime_ns}"
