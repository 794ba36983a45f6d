"""Samples that are measured together: their inputs and ids, and what is known about them."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from whence.explainers._inputs import Inputs
from whence.explainers._samples import for_samples

_BYTES, _MOST = 1 << 23, 256  # of one batch's inputs: what is explained at once is kept on a tape


@dataclass(frozen=True, eq=False)
class Part:
    """Samples that are explained together, with what is known about them.

    target: as for `whence.explain`, for these samples. errors: why they could not be read, a line
    for each; then there are no inputs.
    """

    inputs: Any
    ids: tuple[int | str, ...]
    target: Any = None
    labels: Tensor | None = None
    masks: Tensor | None = None
    errors: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, start: int, stop: int) -> "Part":
        """The samples from `start` to `stop`."""
        rows = slice(start, stop)
        if self.errors:
            return Part(None, self.ids[rows], errors=self.errors[rows])
        return Part(
            inputs=unchecked(self.inputs).chunk(start, stop),
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
        """What each sample is: a hash of its inputs and label, empty where it was not read."""
        if self.errors:
            return [""] * len(self)
        tensors = [
            each
            for each in (*_tensors(self.inputs), self.labels)
            if isinstance(each, Tensor) and each.dim() and len(each) == len(self)
        ]
        return [_digest([each[row] for each in tensors]) for row in range(len(self))]


@dataclass(frozen=True)
class Waiting:
    """Samples that are known by their ids, and read when they are needed: those that can be read,
    and then those that cannot."""

    ids: tuple[int | str, ...]
    load: Callable[[], list[Part]]


@dataclass(frozen=True, eq=False)
class Samples:
    """All batches, and how many samples they hold where that is known beforehand. named: whether
    an id says what the sample is, and not only where it stands."""

    name: str
    total: int | None
    batches: Callable[[], Iterator[Waiting]]
    named: bool = False


def unchecked(inputs: Any) -> Inputs:
    """The inputs as they are: what is wrong with one sample must not stop the others."""
    if isinstance(inputs, Tensor):
        return Inputs(inputs, (inputs,), {})
    if isinstance(inputs, Mapping):
        return Inputs(inputs, (), dict(inputs))
    if isinstance(inputs, (tuple, list)):
        return Inputs(inputs, tuple(inputs), {})
    return Inputs.of(inputs)


def fitting(one: int) -> int:
    """How many samples of that many bytes are explained at once."""
    return max(1, min(_MOST, _BYTES // one)) if one else _MOST // 8


def _tensors(inputs: Any) -> list[Any]:
    given = unchecked(inputs)
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
