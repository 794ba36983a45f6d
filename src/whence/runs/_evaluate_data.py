"""The samples that are evaluated, in batches, from whatever holds them."""

from collections.abc import Iterable, Iterator, Mapping, Sized
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.explainers._samples import for_samples
from whence.runs._evaluate_part import Part, Samples, Waiting, fitting, unchecked
from whence.runs._evaluate_zoo import of_zoo
from whence.targets import Each
from whence.zoo import Dataset, Texts

_ABOUT = ("labels", "ids", "masks")


def samples_of(
    data: Any,
    model: Any,
    *,
    target: Any = None,
    batch_size: int | None = None,
    limit: int | None = None,
    masks: Any = None,
) -> Samples:
    """The batches of a data set of the zoo, of tensors, or of anything that gives batches."""
    if batch_size is not None and batch_size < 1:
        raise InvalidInput(f"batch_size must be at least 1, got {batch_size}.")
    if limit is not None and limit < 1:
        raise InvalidInput(f"limit must be at least 1, got {limit}.")
    if isinstance(data, (Dataset, Texts)):
        found = of_zoo(data, model, batch_size, limit, masks)
    elif isinstance(data, (Tensor, Mapping)) or _is_pair(data):
        found = _of_tensors(data, batch_size, limit, masks)
    elif isinstance(data, Iterable) and not isinstance(data, (str, bytes)):
        found = _of_batches(data, limit, masks)
    else:
        raise InvalidInput(
            "data must be a data set of whence.zoo, a tensor, a pair (inputs, labels) or something "
            f"that gives batches, such as a DataLoader; got {type(data).__name__}."
        )
    if found.total == 0:
        raise InvalidInput("The data set is empty: there is nothing to evaluate.")
    return _with_targets(found, target)


def _with_targets(samples: Samples, target: Any) -> Samples:
    """Each batch with its own part of the target."""
    if isinstance(target, Each):
        raise InvalidInput("Explanations are measured for one target at a time, got targets.Each.")
    if isinstance(target, str) and target != "label":
        raise InvalidInput(
            f'target must be None for the predicted class, "label" for the true one, a class or a '
            f"target from whence.targets; got {target!r}."
        )

    def batches() -> Iterator[Waiting]:
        start = 0
        for each in samples.batches():
            rows = dict(zip(each.ids, range(start, start + len(each.ids)), strict=True))
            yield Waiting(
                each.ids,
                lambda each=each, rows=rows: [aimed(part, rows) for part in each.load()],
            )
            start += len(each.ids)

    def aimed(part: Part, rows: Mapping[int | str, int]) -> Part:
        if part.errors:
            return part
        if isinstance(target, str):
            if part.labels is None:
                raise InvalidInput('target="label" needs labels. Give pairs (inputs, labels).')
            return replace(part, target=part.labels)
        if samples.total is None or samples.total == 1:
            return replace(part, target=target)
        return replace(
            part, target=for_samples(target, [rows[each] for each in part.ids], samples.total)
        )

    return replace(samples, batches=batches)


def _of_tensors(data: Any, batch_size: int | None, limit: int | None, masks: Any) -> Samples:
    whole = _read_batch(data, 0, masks)
    total = len(whole) if limit is None else min(limit, len(whole))
    leaves = unchecked(whole.inputs).leaves
    bytes_of_all = sum(each.numel() * each.element_size() for each in leaves)
    size = batch_size or fitting(bytes_of_all // max(1, len(whole)))

    def batches() -> Iterator[Waiting]:
        for start in range(0, total, size):
            stop = min(start + size, total)
            yield Waiting(
                whole.ids[start:stop],
                lambda start=start, stop=stop: [_in_full(whole, start, stop)],
            )

    return Samples("tensors", total, batches)


def _in_full(whole: Part, start: int, stop: int) -> Part:
    return whole if (start, stop) == (0, len(whole)) else whole.take(start, stop)


def _of_batches(data: Iterable[Any], limit: int | None, masks: Any) -> Samples:
    if masks is not None and not callable(masks):
        raise InvalidInput(
            'Where data comes in batches, masks come with them: {"x": ..., "masks": ...}.'
        )

    def batches() -> Iterator[Waiting]:
        start = 0
        for each in data:
            part = _read_batch(each, start, None)
            start += len(part)
            if limit is not None and start > limit:
                part = part.take(0, len(part) - (start - limit))
            yield Waiting(part.ids, lambda part=part: [part])
            if limit is not None and start >= limit:
                return

    return Samples(type(data).__name__, _count(data, limit), batches)


def _count(data: Iterable[Any], limit: int | None) -> int | None:
    """How many samples there are, where a DataLoader or a list tells."""
    inner = getattr(data, "sampler", None)
    if isinstance(data, (list, tuple)):
        count = sum(len(_read_batch(each, 0, None)) for each in data)
    elif isinstance(inner, Sized) and getattr(data, "drop_last", True) is False:
        count = len(inner)
    else:
        return 0 if isinstance(data, Sized) and len(data) == 0 else None
    return count if limit is None else min(count, limit)


def _read_batch(batch: Any, start: int, masks: Any) -> Part:
    """A batch in any of its forms; samples without ids get their number in the data."""
    about: dict[str, Any] = {}
    if isinstance(batch, Mapping) and not set(_ABOUT).isdisjoint(batch):
        about = {key: batch[key] for key in _ABOUT if key in batch}
        batch = {key: each for key, each in batch.items() if key not in _ABOUT}
    elif _is_pair(batch):
        batch, about["labels"] = batch
    elif isinstance(batch, (list, tuple)) and len(batch) == 1:
        (batch,) = batch
    count = _length(batch)
    labels = about.get("labels")
    labels = None if labels is None else torch.as_tensor(labels)
    if labels is not None and (labels.shape != (count,) or labels.is_floating_point()):
        raise InvalidInput(
            f"Labels must be one whole number for each of {count} samples, got {labels.dtype} of "
            f"shape {tuple(labels.shape)}. A model of several inputs takes a dictionary."
        )
    found = about.get("masks", masks)
    if found is not None and len(found) != count:
        raise InvalidInput(f"One mask for each of {count} samples is needed, got {len(found)}.")
    ids = about.get("ids", range(start, start + count))
    ids = tuple(each.item() if hasattr(each, "item") else each for each in ids)
    if len(ids) != count:
        raise InvalidInput(f"One id for each of {count} samples is needed, got {len(ids)}.")
    return Part(batch, ids, None, labels, None if found is None else torch.as_tensor(found).bool())


def _is_pair(batch: Any) -> bool:
    """Whether it is (inputs, labels), which a DataLoader gives as a list."""
    if not isinstance(batch, (list, tuple)) or len(batch) != 2:
        return False
    inputs, labels = batch
    if labels is None:
        return isinstance(inputs, (Tensor, Mapping, tuple))
    whole = isinstance(labels, Tensor) and labels.dim() == 1 and not labels.is_floating_point()
    return whole and isinstance(inputs, (Tensor, Mapping, tuple))


def _length(batch: Any) -> int:
    leaves = unchecked(batch).leaves
    if not leaves or not leaves[0].dim():
        raise InvalidInput("A batch must hold a tensor of numbers whose first axis is the samples.")
    return len(leaves[0])
