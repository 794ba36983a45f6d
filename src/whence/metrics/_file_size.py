"""File size: how many bytes it takes to store a heatmap."""

import io
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from whence.errors import InvalidInput
from whence.metrics._batch import Batch
from whence.metrics._case import Case
from whence.metrics._features import Pixels
from whence.metrics._metric import Cost, Metric, Scores
from whence.metrics._pooled import kept, pooled

Grey = NDArray[numpy.uint8]
FORMATS = {
    "png": "lossless, best compression; neighbours that are alike cost little",
    "jpeg": "lossy, quality 75; smooth maps cost little",
    "zlib": "the bytes of the map in reading order, for maps of any shape",
}


@dataclass(frozen=True)
class FileSize(Metric):
    """File size: bytes of the compressed heatmap for each pixel, a measure of its complexity.

        bytes(picture of R) / pixels,   grey = round(128 + 127 R / max |R|)

    R is summed over channels. A smooth map with few structures compresses well; noise does not. A
    map of zeros, or of any constant, is the smallest there is. Small pictures pay for the header of
    the file: compare maps of one size only.

    `format`: "png", "jpeg" or "zlib", see `metrics.FORMATS`.

    Unlike the paper, the picture is grey, so that no colour map has a say.

    References: [samek2017].
    """

    format: str = "png"

    name: ClassVar[str] = "file-size"
    direction: ClassVar[int] = -1
    range: ClassVar[tuple[float, float]] = (0.0, float("inf"))
    needs: ClassVar[tuple[str, ...]] = ()
    invariances: ClassVar[frozenset[str]] = frozenset({"batch", "order", "scale", "channels"})
    sources: ClassVar[tuple[str, ...]] = ("samek2017",)
    equation: ClassVar[str] = "bytes(compressed R) / pixels"

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise InvalidInput(f"format must be one of {', '.join(FORMATS)}, got {self.format!r}.")

    def measure(self, case: Case) -> Scores:
        maps = _maps(case)
        if maps[0].dim() != 2 and self.format != "zlib":
            raise InvalidInput(
                f"{self.format} needs maps of two axes, got {tuple(maps[0].shape)} for each "
                "sample. Try FileSize('zlib')."
            )
        size = _SIZES[self.format]
        found = [size(_grey(each)) / each.numel() for each in maps]
        return Scores(torch.tensor(found, dtype=torch.float64, device=case.relevance.device))

    def cost(self, batch: Batch) -> Cost:
        return Cost()


def _maps(case: Case) -> list[Tensor]:
    """One map for each sample, without channels; of texts, the tokens that they have."""
    own = kept(case.batch)
    if own is not None:
        return [row[mine] for row, mine in zip(pooled(case, Pixels()), own, strict=True)]
    relevance = case.relevance.double()
    return list(relevance.sum(1) if relevance.dim() > 2 else relevance)


def _grey(relevance: Tensor) -> Grey:
    """One map as numbers from 1 to 255; zero is 128."""
    largest = relevance.abs().amax().clamp(min=torch.finfo(torch.float64).tiny)
    return (128 + 127 * relevance / largest).round().to(torch.uint8).cpu().numpy()


def _png(grey: Grey) -> int:
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, "PNG", compress_level=9)
    return buffer.tell()


def _jpeg(grey: Grey) -> int:
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, "JPEG", quality=75)
    return buffer.tell()


def _zlib(grey: Grey) -> int:
    return len(zlib.compress(grey.tobytes(), 9))


_SIZES: dict[str, Callable[[Grey], int]] = {"png": _png, "jpeg": _jpeg, "zlib": _zlib}
