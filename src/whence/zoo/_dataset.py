"""What a data set is: pictures in 0..1, labels, the names of the classes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.zoo._pictures import read_picture


@runtime_checkable
class Pictures(Protocol):
    """Pictures by number, each of shape (channels, height, width), floats in 0..1."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Tensor: ...


@dataclass(frozen=True)
class Box:
    """Where a thing is: pixels from 0, `right` and `bottom` just outside."""

    name: str
    left: int
    top: int
    right: int
    bottom: int
    difficult: bool = False


@dataclass(frozen=True, eq=False)
class Item:
    """One picture of a data set.

    `image` has shape (channels, height, width), floats in 0..1. `label` is None where unknown.
    `name` is unique within its data set and fit for a file name. `boxes` where they are known.
    """

    image: Tensor
    label: int | None
    name: str
    boxes: tuple[Box, ...] = ()


@dataclass(frozen=True, eq=False)
class Dataset:
    """Pictures with labels and class names, before any preprocessing.

    Pictures are read when asked for, so that a folder of large ones costs nothing until then.
    `labels` are int64 of shape (items,), -1 where unknown; `classes` are their names. `boxes` are
    those of each picture, where the data set has any.

    >>> import whence.zoo
    >>> digits = whence.zoo.dataset("digits")
    >>> digits[0].image.shape, digits.classes[digits[0].label]
    (torch.Size([1, 8, 8]), '5')
    """

    name: str
    pictures: Pictures
    labels: Tensor
    classes: tuple[str, ...]
    names: tuple[str, ...]
    boxes: tuple[tuple[Box, ...], ...] = ()

    @property
    def images(self) -> Tensor:
        """All pictures, float32 of shape (items, channels, height, width) in 0..1.

        Raises `InvalidInput` when they differ in shape; take them one by one then.
        """
        return self.batch(range(len(self)))[0]

    def batch(self, indices: Iterable[int]) -> tuple[Tensor, Tensor]:
        """The pictures and labels with these numbers, stacked along the first axis."""
        items = [self[index] for index in indices]
        shapes = {tuple(item.image.shape) for item in items}
        if len(shapes) != 1:
            raise InvalidInput(
                f"a batch needs pictures of one shape, got {sorted(shapes)[:5]} in {self.name}. "
                "Preprocess the items one by one and concatenate the results."
            )
        labels = [-1 if item.label is None else item.label for item in items]
        return torch.stack([item.image for item in items]), torch.tensor(labels)

    def __len__(self) -> int:
        return len(self.pictures)

    def __iter__(self) -> Iterator[Item]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Item:
        """The item with this number; negative numbers count from the end."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"{self.name} has items 0..{len(self) - 1}, got {index}")
        index %= len(self)
        label = int(self.labels[index])
        boxes = self.boxes[index] if self.boxes else ()
        return Item(self.pictures[index], None if label < 0 else label, self.names[index], boxes)

    def __repr__(self) -> str:
        return f"Dataset({self.name!r}, {len(self)} items, {len(self.classes)} classes)"


@dataclass(frozen=True, eq=False)
class InMemory:
    """Pictures held as one array of shape (items, channels, height, width), white = `white`."""

    array: Tensor
    white: int

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, index: int) -> Tensor:
        return self.array[index].float() / self.white


@dataclass(frozen=True)
class InFiles:
    """Pictures read from their files when asked for."""

    paths: Sequence[Path]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Tensor:
        return read_picture(self.paths[index])


def numbered(prefix: str, count: int) -> tuple[str, ...]:
    """Item names prefix-0, prefix-1, ..."""
    return tuple(f"{prefix}-{index}" for index in range(count))
