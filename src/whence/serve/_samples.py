"""Samples to start from, for each model: a few pictures of the data it was made for, or texts."""

import io
import threading
from collections import OrderedDict
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from whence import zoo
from whence.errors import WhenceError
from whence.serve._problem import Problem
from whence.serve._schemas import ModelEntry
from whence.zoo import Dataset, Item

_IMAGENET = 1000
_EACH, _MOST = 2, 24
TEXTS = {
    "warm": "A warm, clever and quietly funny film that never loses its nerve.",
    "dull": "Two long hours of noise, and not one character worth caring about.",
    "mixed": "The story is thin, but the actors are wonderful and the music is a joy.",
    "negation": "This is not a good film, although it tries very hard to be one.",
}
MESSAGES = {
    "orbit": "The shuttle reached its orbit after the second burn, and the launch crew at NASA "
    "watched the moon rise behind the station.",
    "engine": "My car needs a new clutch, and the dealer says the engine oil was never changed.",
    "doctor": "The doctor found no infection, but the patient still had a fever and took the drug.",
}
BEGINNINGS = {
    "capital": "The capital of France is",
    "counting": "One, two, three, four,",
    "story": "Once upon a time there was a small dog. The dog",
}


def texts_for(entry: ModelEntry) -> dict[str, str]:
    """Texts to start from, by name: for language models beginnings, else what a model may judge."""
    if entry.kind == "language":
        return BEGINNINGS
    return MESSAGES if "sci.space" in entry.classes else TEXTS


class Samples:
    """The samples of each model, found when first asked for; `root` holds the data."""

    def __init__(self, root: Path | None) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._found: OrderedDict[str, dict[str, Item]] = OrderedDict()

    def names(self, entry: ModelEntry) -> dict[str, str | None]:
        """The names of a model's samples, with their true classes where they are known."""
        if entry.kind in ("text", "language"):
            return dict.fromkeys(texts_for(entry))
        pictures = self._pictures(entry)
        return {
            name: None if item.label is None else entry.classes[item.label]
            for name, item in pictures.items()
        }

    def picture(self, entry: ModelEntry, name: str) -> Tensor:
        """A sample's pixels, floats in 0..1 of shape (channels, height, width)."""
        pictures = {} if entry.kind in ("text", "language") else self._pictures(entry)
        if name not in pictures:
            raise Problem("unknown_sample", f"{entry.name} has no sample {name[:60]!r}.")
        return pictures[name].image

    def content(self, entry: ModelEntry, name: str) -> tuple[bytes, str]:
        """A sample as bytes with its media type: a PNG, or text."""
        if entry.kind in ("text", "language") and name in texts_for(entry):
            return texts_for(entry)[name].encode(), "text/plain; charset=utf-8"
        return as_png(self.picture(entry, name)), "image/png"

    def _pictures(self, entry: ModelEntry) -> dict[str, Item]:
        with self._lock:
            if entry.name not in self._found:
                self._found[entry.name] = _few(self._data(entry))
            return self._found[entry.name]

    def _data(self, entry: ModelEntry) -> Dataset | None:
        name = zoo.data_of(entry.name)
        if name is None and len(entry.classes) == _IMAGENET:
            name = "imagenet-samples"
        try:
            return None if name is None else zoo.dataset(name, self._root)
        except WhenceError:
            return None  # the data are not here: the model has no samples


def as_png(image: Tensor) -> bytes:
    """Pixels in 0..1 of shape (1 or 3, height, width) as a PNG."""
    values = (image * 255).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
    file = io.BytesIO()
    Image.fromarray(np.squeeze(values, 2) if values.shape[2] == 1 else values).save(file, "PNG")
    return file.getvalue()


def _few(data: Dataset | None) -> dict[str, Item]:
    """The first two of each class, 24 in all; read into memory."""
    if data is None:
        return {}
    seen: dict[int, int] = {}
    chosen = []
    for number, label in enumerate(data.labels.tolist()):
        if seen.get(label, 0) < _EACH and len(chosen) < _MOST:
            seen[label] = seen.get(label, 0) + 1
            chosen.append(number)
    items = [data[number] for number in chosen]
    items.sort(key=lambda item: -1 if item.label is None else item.label)
    return {item.name: item for item in items}
