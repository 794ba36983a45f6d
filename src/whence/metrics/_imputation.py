"""Removed pixels filled in from their neighbours, so that no edges tell what was removed."""

from dataclasses import dataclass

import torch
from torch import Tensor

from whence._draws import quick_normal
from whence.errors import InvalidInput
from whence.metrics._batch import Batch
from whence.metrics._multigrid import solved
from whence.metrics._replacements import Fill, Replacement

_STREAM = 1 << 20  # of the noise, apart from those that break ties and fill uniformly
_BYTES = 1 << 21  # of the planes solved together on a processor: what it works on fits its cache


@dataclass(frozen=True)
class Inpaint(Replacement):
    """Noisy linear imputation: each removed pixel is the weighted mean of its eight neighbours.

    Neighbours beside a pixel weigh 1/6, those at its corners 1/12. All removed pixels of a picture
    are solved for together, so that wide gaps are filled too, smoothly from their borders. Then
    Gaussian noise of standard deviation `noise`, in the units of the input, is added to the removed
    pixels. A classifier can then hardly read from the filling which pixels were removed, as it can
    from a constant (no retraining needed to measure), and few artificial edges arise.

        u_i = sum_j w_ij u_j + noise * e_i,   j around i,   e_i ~ N(0, 1) after the solution

    At the border of the picture only the neighbours that exist count, and their weights are scaled
    to sum to 1. Channels are solved for alike; a mask may differ between channels. With everything
    removed there is no solution: the pixels then become the mean of their channel, plus noise.

    `draws`: how many draws of the noise are averaged. The noise belongs to the sample: all copies
    of one sample in one draw have the same noise at a pixel.

    Solved to within 3e-4 of the range of the picture in float32 (1e-8 in float64), for all copies
    at once, on their device.

    Unlike the paper: an iterative solution, not a direct one; noise that depends on the sample's id
    only; a defined result with everything removed.

    References: [rong2022, section 5].
    """

    noise: float = 0.01
    draws: int = 1

    def fill(self, batch: Batch, draw: int) -> Fill:
        x = batch.x
        if x.dim() != 4:
            raise InvalidInput(
                f"Inpaint needs pictures (samples, channels, height, width), got samples of shape "
                f"{tuple(x.shape[1:])}."
            )
        noise = batch.keep(("inpaint noise", draw), lambda: _noise(batch, draw))

        def fill(samples: slice, gone: Tensor) -> Tensor:
            given = x[samples, None]
            pictures = given.expand(-1, gone.shape[1], *given.shape[2:])
            gone = gone.expand(*pictures.shape[:2], -1, *pictures.shape[3:])
            new = _imputed(pictures.flatten(0, 1), gone.flatten(0, 1)).view_as(pictures)
            # A fast path for where(gone, new + noise, pictures): known pixels are the same in both.
            return new.addcmul_(noise[samples, None], gone.to(x.dtype), value=self.noise)

        return fill


def _noise(batch: Batch, draw: int) -> Tensor:
    return quick_normal(batch.keys, batch.x.shape[1:], _STREAM + draw).to(batch.x.dtype)


def _imputed(pictures: Tensor, gone: Tensor) -> Tensor:
    """The solutions for (copies, channels, height, width), a few copies at a time."""
    wide = pictures.to(torch.promote_types(pictures.dtype, torch.float32))
    size = len(wide)
    if wide.device.type == "cpu":
        size = max(1, _BYTES // (wide[0].numel() * wide.element_size()))
    parts = zip(wide.split(size), gone.split(size), strict=True)
    found = torch.cat([solved(*each) for each in parts])
    return found.to(pictures.dtype)
