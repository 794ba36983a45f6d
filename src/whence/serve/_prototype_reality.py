"""The real pictures beside which prototypes stand: which is nearest, and how near is usual."""

import base64
import math
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from whence import zoo
from whence.errors import WhenceError
from whence.serve._prototype_schemas import Nearest, Reality
from whence.serve._samples import as_png
from whence.zoo import Dataset, ImageInput, Model

_IMAGENET = 1000  # classes
_NUMBERS = 4_000_000  # that are kept of one model's pictures
_PAIRS = 400_000_000  # differences that may be taken between them: a second of work
_KEPT = 4  # models


@dataclass(frozen=True, eq=False)
class Real:
    """Held-out pictures as a model sees them, from black 0 to white 1."""

    pixels: Tensor  # (pictures, channels, height, width)
    names: list[str]
    labels: list[str | None]
    about: Reality

    def nearest(self, pixels: Tensor) -> Nearest:
        """The real picture nearest to one of (channels, height, width), by Euclidean distance."""
        distances = (self.pixels - pixels).flatten(1).double().norm(dim=1)
        k = int(distances.argmin())
        return Nearest(
            name=self.names[k],
            label=self.labels[k],
            distance=float(distances[k]),
            png=png_of(self.pixels[k]),
        )


class Realities:
    """The real pictures of the models asked about last."""

    def __init__(self, root: Path | None) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._found: OrderedDict[str, Real | None] = OrderedDict()

    def of(self, net: Model) -> Real | None:
        """Those of a model; None where there are none."""
        with self._lock:
            if net.name not in self._found:
                self._found[net.name] = _read(net, data_for(net, self._root))
            self._found.move_to_end(net.name)
            while len(self._found) > _KEPT:
                self._found.popitem(last=False)
            return self._found[net.name]


def data_for(net: Model, root: Path | None) -> Dataset | None:
    """The held-out pictures of the data that a model was trained for, where they are at hand."""
    name = zoo.data_of(net.name)
    if name is None and len(net.classes) == _IMAGENET:
        name = "imagenet-samples"
    try:
        found = None if name is None else zoo.dataset(name, root)
    except WhenceError:
        return None  # the data are not here
    return found if isinstance(found, Dataset) else None


def _read(net: Model, data: Dataset | None) -> Real | None:
    if data is None or not isinstance(net.preprocess, ImageInput):
        return None
    size = math.prod(net.input_shape)
    most = min(_NUMBERS // size, math.isqrt(_PAIRS // size), len(data))
    items = [data[k] for k in range(max(1, most))]
    pixels = torch.cat([net.preprocess.pixels(net.preprocess(item.image)) for item in items])
    about = Reality(data=data.name, pictures=len(items), usual=usual_distance(pixels))
    labels = [None if item.label is None else data.classes[item.label] for item in items]
    return Real(pixels, [item.name for item in items], labels, about)


def png_of(pixels: Tensor) -> str:
    """Pixels in 0..1, (1 or 3, height, width), as base64 of a PNG file."""
    return base64.b64encode(as_png(pixels)).decode()


def usual_distance(pixels: Tensor) -> float:
    """The median over pictures of the distance to the nearest other one; 0 for one alone."""
    flat = pixels.flatten(1)
    if len(flat) < 2:
        return 0.0
    # the fast way, by products, would cancel digits
    apart = torch.cdist(flat, flat, compute_mode="donot_use_mm_for_euclid_dist")
    return float(apart.fill_diagonal_(math.inf).amin(1).quantile(0.5))
