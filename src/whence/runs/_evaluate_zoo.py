"""The samples of a data set of the zoo, in batches; one that cannot be read costs no other."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.runs._evaluate_part import Part, Samples, Waiting, fitting
from whence.runs._reason import reason
from whence.zoo import Dataset, ImageInput, Item, Model, Texts


@dataclass(frozen=True, eq=False)
class _Read:
    """One item as the model takes it: a picture with a batch axis, or a text; and its mask."""

    name: str
    label: int | None
    inputs: Any
    mask: Tensor | None = None


def of_zoo(
    data: Dataset | Texts, model: Any, batch_size: int | None, limit: int | None, masks: Any
) -> Samples:
    """The batches of a data set, through the preprocessing of a model of the zoo."""
    total = len(data) if limit is None else min(limit, len(data))
    prepare = model.preprocess if isinstance(model, Model) else None
    if isinstance(data, Texts):
        if prepare is None:
            raise InvalidInput("Texts need a model of whence.zoo, whose preprocessing reads them.")
        read, join = _reader_of_texts(data, prepare), prepare
    else:
        read, join = _reader_of_pictures(data, prepare, masks), _joined
    shape = model.input_shape if isinstance(model, Model) else ()
    size = batch_size or fitting(4 * max(1, torch.Size(shape).numel()) if shape else 0)

    def batches() -> Iterator[Waiting]:
        for start in range(0, total, size):
            rows = range(start, min(start + size, total))
            ids = tuple(data.names[row] for row in rows)
            yield Waiting(ids, lambda rows=rows, ids=ids: _load(rows, ids, read, join))

    return Samples(data.name, total, batches, named=True)


def _load(
    rows: range,
    ids: Sequence[str],
    read: Callable[[int], _Read],
    join: Callable[[list[Any]], Any],
) -> list[Part]:
    """The items that can be read as one part, and those that cannot as another."""
    held: list[_Read] = []
    broken: dict[str, str] = {}
    for row, name in zip(rows, ids, strict=True):
        try:
            held.append(read(row))
        except Exception as error:  # of this item: the others are measured all the same
            broken[name] = reason(error)
    parts = [_part(held, join)] if held else []
    if broken:
        parts.append(Part(None, tuple(broken), errors=tuple(broken.values())))
    return parts


def _part(held: Sequence[_Read], join: Callable[[list[Any]], Any]) -> Part:
    labels = torch.tensor([-1 if each.label is None else each.label for each in held])
    inputs = join([each.inputs for each in held])
    masks = None
    known = next((each.mask for each in held if each.mask is not None), None)
    if known is not None:
        # A picture without boxes has nothing inside; what a metric makes of it is its own.
        nothing = torch.zeros_like(known)
        masks = torch.cat([nothing if each.mask is None else each.mask for each in held])
    return Part(inputs, tuple(each.name for each in held), labels=labels, masks=masks)


def _reader_of_texts(data: Texts, prepare: Any) -> Callable[[int], _Read]:
    def read(row: int) -> _Read:
        item = data[row]
        prepare([item.text])  # alone, so that a text which cannot be read costs no other
        return _Read(item.name, item.label, item.text)

    return read


def _reader_of_pictures(data: Dataset, prepare: Any, masks: Any) -> Callable[[int], _Read]:
    def read(row: int) -> _Read:
        item = data[row]
        picture = item.image[None] if prepare is None else prepare(item.image)
        return _Read(item.name, item.label, picture, _mask(item, row, data, prepare, masks))

    return read


def _joined(pictures: list[Tensor]) -> Tensor:
    shapes = {tuple(each.shape[1:]) for each in pictures}
    if len(shapes) > 1:
        raise InvalidInput(
            f"A batch needs pictures of one shape, got {sorted(shapes)[:5]}. Give a model of "
            "whence.zoo, which brings its preprocessing, or batch_size=1."
        )
    return torch.cat(pictures)


def _mask(item: Item, row: int, data: Dataset, prepare: Any, masks: Any) -> Tensor | None:
    """The object in a picture as the model sees it, (1, height, width): from `masks`, or from the
    boxes of the class that the picture is labelled with."""
    if isinstance(masks, Tensor):
        return masks[row : row + 1].bool()
    if callable(masks):
        found = torch.as_tensor(masks(item)).bool()
    elif item.boxes:
        found = torch.zeros(item.image.shape[1:], dtype=torch.bool)
        name = None if item.label is None else data.classes[item.label]
        for box in item.boxes:
            if name is None or box.name == name:
                found[box.top : box.bottom, box.left : box.right] = True
    else:
        return None
    if not isinstance(prepare, ImageInput) or found.shape != item.image.shape[1:]:
        return found[None]
    frame = replace(prepare, channels=1, mean=(0.0,), std=(1.0,), bgr=False)
    return frame(found[None, None].float())[:, 0] > 0.5
