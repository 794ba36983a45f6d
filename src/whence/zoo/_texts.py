"""What a data set of texts is: texts, labels, the names of the classes."""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class TextItem:
    """One text of a data set; `name` is unique within it and fit for a file name."""

    text: str
    label: int
    name: str


@dataclass(frozen=True, eq=False)
class Texts:
    """Texts with labels and class names, before any tokenizer.

    `labels` are int64 of shape (items,), `classes` their names.
    """

    name: str
    texts: tuple[str, ...]
    labels: Tensor
    classes: tuple[str, ...]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.texts)

    def __iter__(self) -> Iterator[TextItem]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> TextItem:
        """The item with this number; negative numbers count from the end."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"{self.name} has items 0..{len(self) - 1}, got {index}")
        index %= len(self)
        return TextItem(self.texts[index], int(self.labels[index]), self.names[index])

    def __repr__(self) -> str:
        return f"Texts({self.name!r}, {len(self)} texts, {len(self.classes)} classes)"
