"""Reads the text model format of the LRP toolbox (Lapuschkin et al., JMLR 2016)."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from whence.errors import InvalidInput, NotAvailable


class SumPool(nn.Module):
    """The sum over each window divided by the square root of its size, as the toolbox pools."""

    def __init__(self, window: tuple[int, int], stride: tuple[int, int]) -> None:
        super().__init__()
        self.window = window
        self.stride = stride

    def forward(self, images: Tensor) -> Tensor:
        return F.avg_pool2d(images, self.window, self.stride) * math.sqrt(math.prod(self.window))

    def extra_repr(self) -> str:
        return f"window={self.window}, stride={self.stride}"


class FlattenChannelsLast(nn.Module):
    """Flattens in the toolbox's order, height, width, channels; vectors pass as they are."""

    def forward(self, images: Tensor) -> Tensor:
        return images.permute(0, 2, 3, 1).flatten(1) if images.ndim == 4 else images.flatten(1)


def read_toolbox(path: str | Path) -> nn.Sequential:
    """The net in a text file of the LRP toolbox, in eval mode.

    One layer after the other: a line with the layer's name and sizes, and for layers with weights a
    line of weights and a line of biases. Known layers: "Linear in out" (weights in that order),
    "Convolution height width channels filters stride stride" (weights likewise, no padding),
    "SumPool" and "MaxPool height width stride stride", "Rect", "Tanh", "SoftMax", "Flatten".
    Images enter as torch has them, (batch, channels, height, width).

    Raises `NotAvailable` when there is no such file and `InvalidInput` with the line that is wrong.

    >>> import whence.zoo
    >>> whence.zoo.read_toolbox("xor_net_small.txt")  # doctest: +SKIP
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise NotAvailable(f"there is no toolbox model {path}. Check the path.")
    lines = _Lines(path)
    layers = [_LAYERS[header[0]](lines, header[1:]) for header in lines.headers()]
    if not layers:
        raise InvalidInput(f"{path} must hold layers, got an empty file.")
    return nn.Sequential(*layers).eval()


class _Lines:
    """The lines of a file that are not blank, with their numbers for the errors."""

    def __init__(self, path: Path) -> None:
        text = path.read_text(encoding="utf-8", errors="replace")
        self.path = path
        self.number = 0
        self._lines = [(k, line) for k, line in enumerate(text.splitlines(), 1) if line.strip()]

    def headers(self) -> Iterator[list[str]]:
        """The words of each line that starts a layer."""
        while self._lines:
            words = self._next("a layer").split()
            if words[0] not in _LAYERS:
                raise self.error(f"a layer ({', '.join(_LAYERS)})", " ".join(words[:4])[:60])
            yield words

    def sizes(self, words: list[str], names: str) -> list[int]:
        """Positive whole numbers from a header, as many as `names` has words."""
        if len(words) != len(names.split()) or not all(w.isdecimal() and int(w) for w in words):
            raise self.error(f"the whole numbers {names!r} after the layer's name", " ".join(words))
        return [int(word) for word in words]

    def numbers(self, what: str, *shape: int) -> Tensor:
        """The numbers of the next line, in this shape."""
        words = self._next(what).split()
        wanted = f"{math.prod(shape)} {what} {shape}"
        if len(words) != math.prod(shape):
            raise self.error(wanted, f"{len(words)} numbers")
        try:
            values = np.array(words, dtype=np.float64)
        except ValueError as problem:
            raise self.error(wanted, str(problem)) from problem
        return torch.from_numpy(values).to(torch.get_default_dtype()).reshape(shape)

    def error(self, wanted: str, got: str) -> InvalidInput:
        return InvalidInput(f"{self.path}, line {self.number} must hold {wanted}, got {got!r}.")

    def _next(self, what: str) -> str:
        if not self._lines:
            self.number += 1
            raise self.error(what, "the end of the file")
        self.number, line = self._lines.pop(0)
        return line


def _linear(lines: _Lines, words: list[str]) -> nn.Module:
    inputs, outputs = lines.sizes(words, "in out")
    weight = lines.numbers("weights", inputs, outputs)
    layer = nn.utils.skip_init(nn.Linear, inputs, outputs)
    return _filled(layer, weight.T, lines.numbers("biases", outputs))


def _convolution(lines: _Lines, words: list[str]) -> nn.Module:
    names = "height width channels filters stride stride"
    height, width, channels, filters, down, right = lines.sizes(words, names)
    weight = lines.numbers("weights", height, width, channels, filters)
    size, stride = (height, width), (down, right)
    layer = nn.utils.skip_init(nn.Conv2d, channels, filters, size, stride=stride)
    return _filled(layer, weight.permute(3, 2, 0, 1), lines.numbers("biases", filters))


def _filled(layer: nn.Module, weight: Tensor, bias: Tensor) -> nn.Module:
    layer.load_state_dict({"weight": weight.contiguous(), "bias": bias})
    return layer


def _sum_pool(lines: _Lines, words: list[str]) -> nn.Module:
    height, width, down, right = lines.sizes(words, "height width stride stride")
    return SumPool((height, width), (down, right))


def _max_pool(lines: _Lines, words: list[str]) -> nn.Module:
    height, width, down, right = lines.sizes(words, "height width stride stride")
    return nn.MaxPool2d((height, width), (down, right))


def _plain(make: Callable[[], nn.Module]) -> Callable[[_Lines, list[str]], nn.Module]:
    def layer(lines: _Lines, words: list[str]) -> nn.Module:
        lines.sizes(words, "")
        return make()

    return layer


_LAYERS: dict[str, Callable[[_Lines, list[str]], nn.Module]] = {
    "Linear": _linear,
    "Convolution": _convolution,
    "SumPool": _sum_pool,
    "MaxPool": _max_pool,
    "Rect": _plain(nn.ReLU),
    "Tanh": _plain(nn.Tanh),
    "SoftMax": _plain(lambda: nn.Softmax(dim=1)),
    "Flatten": _plain(FlattenChannelsLast),
}
