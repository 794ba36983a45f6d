"""Samples of any kind, in batches, and some of them again by their numbers."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from whence.errors import InvalidInput


def batches(data: Any, size: int) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Inputs (batch, ...) and labels (batch,), or None, in the order of the data.

    - A tensor, or a pair of tensors (inputs, labels), is cut into batches.
    - What has a length and an index, such as a torch `Dataset` or a list, gives single samples, or
      pairs of sample and label; they are stacked.
    - Any other iterable, such as a torch `DataLoader`, gives batches already.
    """
    if size < 1:
        raise InvalidInput(f"batch_size must be at least 1, got {size}.")
    pair = _pair(data)
    if pair is not None:
        inputs, labels = pair
        for begin in range(0, len(inputs), size):
            part = None if labels is None else labels[begin : begin + size]
            yield inputs[begin : begin + size], part
    elif hasattr(data, "__getitem__") and hasattr(data, "__len__"):
        for begin in range(0, len(data), size):
            yield _stacked([data[i] for i in range(begin, min(begin + size, len(data)))])
    else:
        for batch in data:
            yield _split(batch)


def count_of(data: Any, size: int) -> int | None:
    """How many batches there will be, if that is known."""
    pair = _pair(data)
    if pair is not None:
        return -(-len(pair[0]) // size)
    if hasattr(data, "__getitem__") and hasattr(data, "__len__"):
        return -(-len(data) // size)
    return len(data) if hasattr(data, "__len__") else None


def take(data: Any, numbers: Sequence[int]) -> tuple[Tensor, Tensor | None]:
    """The samples with these numbers, in this order, and their labels.

    An iterable without an index is gone through once more, and must keep its order.
    """
    pair = _pair(data)
    if pair is not None:
        index = torch.as_tensor(list(numbers))
        return pair[0][index], None if pair[1] is None else pair[1][index]
    if hasattr(data, "__getitem__") and hasattr(data, "__len__"):
        return _stacked([data[number] for number in numbers])
    found, begin = {}, 0
    for inputs, labels in batches(data, 1):
        for number in set(numbers):
            if begin <= number < begin + len(inputs):
                row = number - begin
                found[number] = (inputs[row], *(() if labels is None else (labels[row],)))
        begin += len(inputs)
    missing = [number for number in numbers if number not in found]
    if missing:
        raise InvalidInput(
            f"Samples {missing[:3]} are not in the data, which has {begin}. Data that can be gone "
            "through only once cannot give its winners again: pass a tensor, a list or a loader."
        )
    return _stacked([found[number] for number in numbers])


def _pair(data: Any) -> tuple[Tensor, Tensor | None] | None:
    """Inputs and labels, if they are tensors as a whole."""
    if isinstance(data, Tensor):
        return data, None
    two = isinstance(data, (tuple, list)) and len(data) == 2
    if not (two and all(isinstance(each, Tensor) for each in data)):
        return None
    inputs, labels = data
    if labels.dim() != 1 or labels.is_floating_point() or inputs.dim() < 2:
        return None  # two samples
    if len(inputs) != len(labels):
        raise InvalidInput(
            f"Each sample needs a label, got {len(inputs)} samples and {len(labels)} labels."
        )
    return inputs, labels


def _stacked(items: list[Any]) -> tuple[Tensor, Tensor | None]:
    paired = isinstance(items[0], (tuple, list))
    try:
        inputs = torch.stack([each[0] for each in items] if paired else items)
    except (TypeError, RuntimeError) as error:
        raise InvalidInput(
            "Samples must be tensors of one shape, alone or with a label: tensor or (tensor, "
            f"label); got {type(items[0]).__name__} ({error})."
        ) from error
    labelled = paired and len(items[0]) > 1 and items[0][1] is not None
    return inputs, torch.tensor([int(each[1]) for each in items]) if labelled else None


def _split(batch: Any) -> tuple[Tensor, Tensor | None]:
    if isinstance(batch, Tensor):
        return batch, None
    return batch[0], torch.as_tensor(batch[1]) if len(batch) > 1 else None
