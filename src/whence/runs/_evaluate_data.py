"""The samples that are evaluated, in batches, from whatever holds them."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.explainers._inputs import Inputs
from whence.explainers._samples import for_samples
from whence.targets import Each
from whence.zoo import Dataset, ImageInput, Item, Model, Texts

_ABOUT = ("labels", "ids", "masks")
_BYTES, _MOST = 1 << 23, 256  # of one batch's inputs: what is explained at once is kept on a tape


@dataclass(frozen=True, eq=False)
class Part:
    """Samples that are explained together, with what is known about them.

    target: as for `whence.explain`, for these samples.
    """

    inputs: Any
    ids: tuple[int | str, ...]
    target: Any = None
    labels: Tensor | None = None
    masks: Tensor | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, start: int, stop: int) -> "Part":
        """The samples from `start` to `stop`."""
        rows = slice(start, stop)
        return Part(
            inputs=_unchecked(self.inputs).chunk(start, stop),
            ids=self.ids[rows],
            target=for_samples(self.target, list(range(start, stop)), len(self)),
            labels=None if self.labels is None else self.labels[rows],
            masks=None if self.masks is None else self.masks[rows],
        )

    def to(self, device: torch.device) -> "Part":
        """The same samples on a device."""
        held = [each for each in _tensors(self.inputs) if isinstance(each, Tensor)]
        if all(each.device == device for each in held):
            inputs = self.inputs
        elif hasattr(self.inputs, "to"):  # a tensor, or what a tokenizer returns
            inputs = self.inputs.to(device)
        elif isinstance(self.inputs, Mapping):
            inputs = {key: _moved(each, device) for key, each in self.inputs.items()}
        else:
            inputs = tuple(_moved(each, device) for each in self.inputs)
        about = (_moved(each, device) for each in (self.target, self.labels, self.masks))
        return Part(inputs, self.ids, *about)

    def digests(self) -> list[str]:
        """What each sample is: a hash of its inputs and label."""
        tensors = [
            each
            for each in (*_tensors(self.inputs), self.labels)
            if isinstance(each, Tensor) and each.dim() and len(each) == len(self)
        ]
        return [_digest([each[row] for each in tensors]) for row in range(len(self))]


@dataclass(frozen=True)
class Waiting:
    """Samples that are known by their ids, and read when they are needed."""

    ids: tuple[int | str, ...]
    load: Callable[[], Part]


@dataclass(frozen=True, eq=False)
class Samples:
    """All batches, and how many samples they hold where that is known beforehand. named: whether
    an id says what the sample is, and not only where it stands."""

    name: str
    total: int | None
    batches: Callable[[], Iterator[Waiting]]
    named: bool = False


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
        found = _of_zoo(data, model, batch_size, limit, masks)
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
            rows = range(start, start + len(each.ids))
            yield Waiting(each.ids, lambda each=each, rows=rows: aimed(each.load(), rows))
            start = rows.stop

    def aimed(part: Part, rows: range) -> Part:
        if isinstance(target, str):
            if part.labels is None:
                raise InvalidInput('target="label" needs labels. Give pairs (inputs, labels).')
            return replace(part, target=part.labels)
        if samples.total is None or samples.total == 1:
            return replace(part, target=target)
        return replace(part, target=for_samples(target, list(rows), samples.total))

    return replace(samples, batches=batches)


def _of_zoo(
    data: Dataset | Texts, model: Any, batch_size: int | None, limit: int | None, masks: Any
) -> Samples:
    total = len(data) if limit is None else min(limit, len(data))
    prepare = model.preprocess if isinstance(model, Model) else None
    if isinstance(data, Texts) and prepare is None:
        raise InvalidInput("Texts need a model of whence.zoo, whose preprocessing reads them.")
    shape = model.input_shape if isinstance(model, Model) else ()
    size = batch_size or _size(4 * max(1, torch.Size(shape).numel()) if shape else 0)

    def load(rows: range) -> Part:
        items: list[Any] = [data[row] for row in rows]
        ids = tuple(item.name for item in items)
        labels = torch.tensor([-1 if item.label is None else item.label for item in items])
        if isinstance(data, Texts):
            assert prepare is not None
            return Part(prepare([item.text for item in items]), ids, labels=labels)
        pictures = [item.image[None] if prepare is None else prepare(item.image) for item in items]
        found = [
            _mask(item, row, data, prepare, masks) for item, row in zip(items, rows, strict=True)
        ]
        known = next((each for each in found if each is not None), None)
        if known is None:
            return Part(_joined(pictures), ids, labels=labels)
        # A picture without boxes has nothing inside; what a metric makes of it is its own.
        stacked = torch.cat([torch.zeros_like(known) if m is None else m for m in found])
        return Part(_joined(pictures), ids, labels=labels, masks=stacked)

    def batches() -> Iterator[Waiting]:
        for start in range(0, total, size):
            rows = range(start, min(start + size, total))
            ids = tuple(data.names[row] for row in rows)
            yield Waiting(ids, lambda rows=rows: load(rows))

    return Samples(data.name, total, batches, named=True)


def _joined(pictures: Sequence[Tensor]) -> Tensor:
    shapes = {tuple(each.shape[1:]) for each in pictures}
    if len(shapes) > 1:
        raise InvalidInput(
            f"A batch needs pictures of one shape, got {sorted(shapes)[:5]}. Give a model of "
            "whence.zoo, which brings its preprocessing, or batch_size=1."
        )
    return torch.cat(list(pictures))


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


def _of_tensors(data: Any, batch_size: int | None, limit: int | None, masks: Any) -> Samples:
    whole = _read_batch(data, 0, masks)
    total = len(whole) if limit is None else min(limit, len(whole))
    leaves = _unchecked(whole.inputs).leaves
    bytes_of_all = sum(each.numel() * each.element_size() for each in leaves)
    size = batch_size or _size(bytes_of_all // max(1, len(whole)))

    def batches() -> Iterator[Waiting]:
        for start in range(0, total, size):
            stop = min(start + size, total)
            yield Waiting(
                whole.ids[start:stop],
                lambda start=start, stop=stop: _in_full(whole, start, stop),
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
            yield Waiting(part.ids, lambda part=part: part)
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
    leaves = _unchecked(batch).leaves
    if not leaves or not leaves[0].dim():
        raise InvalidInput("A batch must hold a tensor of numbers whose first axis is the samples.")
    return len(leaves[0])


def _unchecked(inputs: Any) -> Inputs:
    """The inputs as they are: what is wrong with one sample must not stop the others."""
    if isinstance(inputs, Tensor):
        return Inputs(inputs, (inputs,), {})
    if isinstance(inputs, Mapping):
        return Inputs(inputs, (), dict(inputs))
    if isinstance(inputs, (tuple, list)):
        return Inputs(inputs, tuple(inputs), {})
    return Inputs.of(inputs)


def _tensors(inputs: Any) -> list[Any]:
    given = _unchecked(inputs)
    return [*given.args, *(given.kwargs[name] for name in sorted(given.kwargs))]


def _moved(each: Any, device: torch.device) -> Any:
    return each.to(device) if isinstance(each, Tensor) else each


def _digest(tensors: Sequence[Tensor]) -> str:
    found = hashlib.blake2b(digest_size=8)
    for each in tensors:
        found.update(f"{each.dtype}{tuple(each.shape)}".encode())
        plain = each.detach().cpu().contiguous()
        found.update(plain.flatten().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def _size(one: int) -> int:
    """How many samples of that many bytes are explained at once."""
    return max(1, min(_MOST, _BYTES // one)) if one else _MOST // 8
