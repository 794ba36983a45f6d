"""The patch of a real sample that a unit sees, with what in it the unit reacts to."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from whence import viz
from whence.errors import InvalidInput
from whence.prototypes._examples import Examples, Explains
from whence.prototypes._receptive import receptive_field
from whence.prototypes._samples import take
from whence.targets import Weights
from whence.viz._arrays import to_rgb
from whence.viz._grid import Cell


@dataclass(frozen=True, eq=False)
class Patch:
    """A unit's receptive field in one of its examples.

    - `unit`, `sample`, `value`, `position`: as in `Examples`.
    - `box`: where the patch lies in the sample, one slice for each followed axis.
    - `picture`: the patch of the model's input, and `relevance`: that of the heatmap.
    - `whole`: the heatmap of the whole sample, for showing where the patch was.
    """

    unit: int
    sample: int
    value: float
    position: tuple[int, ...]
    box: tuple[slice, ...]
    picture: Tensor
    relevance: Tensor
    whole: Tensor


def patches(explainer: Explains, data: Any, examples: Examples, unit: int) -> list[Patch]:
    """The examples of one unit, each cut to the unit's receptive field, with its heatmap.

    The heatmap is conditional on the concept: only relevance that passes through the unit, at the
    position that was ranked highest, is followed down to the input. So all of it lies in the patch.
    For most relevant examples that is what the unit contributes to the explained target. For most
    active ones it explains the unit's own activation, whatever the model makes of it.

    - `explainer`: such as `LRP(model)`; its rules make the heatmap.
    - `data`: the same that the examples were found in.

    References: [achtibat2023, eq. 6].
    """
    found = examples.of(unit)
    if not found:
        raise InvalidInput(f"Unit {unit} has no examples.")
    inputs, labels = take(data, [sample for sample, _, _ in found])
    field = receptive_field(explainer.model, inputs, examples.module)
    indices = [_index(unit, position, examples.axis) for _, _, position in found]
    mask = torch.zeros(len(found), *field.low.shape[1:])
    for number, index in enumerate(indices):
        mask[(number, *index)] = 1
    relevance = _through(explainer, inputs, labels, mask, examples)
    return [
        Patch(
            unit=unit,
            sample=sample,
            value=value,
            position=position,
            box=field.box(index),
            picture=field.crop(inputs[number], index),
            relevance=field.crop(relevance[number], index),
            whole=relevance[number],
        )
        for number, ((sample, value, position), index) in enumerate(
            zip(found, indices, strict=True)
        )
    ]


def draw_patches(
    rows: Mapping[str, Sequence[Patch]],
    *,
    show: Callable[[Tensor], Any] | None = None,
    title: str | None = None,
    cell: int | None = None,
) -> viz.Drawing:
    """Patches of several units as a page: for each name a row of pictures and a row of heatmaps.

    - `show`: turns a patch of the model's input into a picture viz can draw, such as one that
      undoes the normalisation; by default the patch is stretched to black and white.
    """
    cells: list[list[Cell]] = []
    names: list[str] = []
    for name, found in rows.items():
        pictures = [_picture(patch.picture, show) for patch in found]
        cells.append([_image(each) for each in pictures])
        cells.append([_map(p.relevance, each) for p, each in zip(found, pictures, strict=True)])
        names += [name, ""]
    return viz.draw_grid(cells, row_names=names, title=title, cell=cell)


def _index(unit: int, position: tuple[int, ...], axis: int) -> tuple[int, ...]:
    """The unit's place in the module's output, without the batch axis."""
    axes = len(position) + 1
    place = axis - 1 if axis > 0 else axis % axes
    return (*position[:place], unit, *position[place:])


def _through(
    explainer: Explains, inputs: Tensor, labels: Tensor | None, mask: Tensor, examples: Examples
) -> Tensor:
    explain: Callable[..., Any] = explainer.explain
    if examples.how == "most active":
        found = explain(inputs, Weights(mask, at=examples.module))
    else:
        target = labels if isinstance(examples.target, str) else examples.target
        found = explain(inputs, target, conditions={examples.module: mask})
    return found.relevance


def _picture(patch: Tensor, show: Callable[[Tensor], Any] | None) -> Any:
    patch = patch.detach().cpu()
    return patch if show is None else show(patch)


def _image(picture: Any) -> Image.Image:
    return Image.fromarray(to_rgb(picture))


def _map(relevance: Tensor, picture: Any) -> Image.Image:
    """Colours over the grey picture, in its own size; the grid enlarges both alike."""
    return viz.overlay(relevance.detach().cpu(), picture, size=np.shape(relevance)[-2])
