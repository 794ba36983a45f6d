"""The samples that are measured together: what all explainers and metrics share about them."""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from whence._draws import keys_of
from whence.errors import InvalidInput
from whence.explainers._inputs import Inputs
from whence.explainers._samples import for_samples
from whence.explainers._score import fix_target
from whence.explainers._start import pick_output
from whence.explainers._text import text_leaves
from whence.metrics._features import Features, Partition
from whence.metrics._read import Read, read_as, reading
from whence.targets import Each, Logit, Target

T = TypeVar("T")
Copies = Tensor | Mapping[str, Tensor]
Make = Callable[[slice, slice], Copies]

_BYTES = 1 << 22  # of one chunk's inputs: its activations should stay in the processor's cache
_FEWEST, _MOST = 8, 512


class Batch:
    """Samples with their model, and who they are.

    - `inputs`: as for `whence.explain`; the first float tensor among them (`x`), else the first of
      token ids, is perturbed, and what else belongs to samples goes along.
    - `target`: as for `whence.explain`; "the highest" is fixed on the untouched samples.
    - `ids`: one for each sample, unique in the data set; random draws belong to them. By default
      the position in the batch.
    - `labels`: (samples,), `masks`: of the object, boolean (samples, height, width), where metrics
      need them. Boxes are masks, see `boxes_to_masks`.
    - `chunk`: how many perturbed copies go through the model at once; by default as many as fit
      the cache, and fewer when memory is short.
    - `told`: called with the number of copies after each chunk, for a progress bar.

    `forwarded` counts every sample that went through the model.
    """

    def __init__(
        self,
        model: Callable[..., Any],
        inputs: Any,
        target: Any = None,
        *,
        ids: Sequence[Any] | None = None,
        labels: Tensor | None = None,
        masks: Tensor | None = None,
        output: Any = None,
        seed: int = 0,
        chunk: int | None = None,
        told: Callable[[int], None] | None = None,
    ) -> None:
        self.model, self.inputs, self.output = model, inputs, output
        self.given = Inputs.of(inputs)
        leaves = self.given.leaves
        self._size = self.given.batch
        self.leaf = next((each for each in leaves if each.is_floating_point()), leaves[0])
        self.labels, self.masks, self.seed = labels, masks, seed
        self.ids = list(range(len(self))) if ids is None else list(ids)
        self.forwarded = 0
        self._chunk, self._told, self._target = chunk, told, target
        self._kept: dict[Hashable, Any] = {}
        self._check()
        self.keys = keys_of(self.ids, seed).to(self.x.device)

    def __len__(self) -> int:
        return self._size

    @property
    def x(self) -> Tensor:
        """The tensor that perturbations change."""
        return self.leaf.detach()

    @property
    def embedded(self) -> bool:
        """Whether `x` holds vectors of tokens, (samples, tokens, width), by its name."""
        texts = text_leaves(self.given).values()
        return self.x.dim() == 3 and any(each is self.leaf for each in texts)

    @property
    def untouched(self) -> Tensor:
        """The model's output for the samples as they are; asked once."""
        return self.keep("untouched", lambda: self._whole(lambda samples: self.x[samples].clone()))

    @property
    def target(self) -> Target:
        """The target, with "the highest" fixed to what it is on the untouched samples."""
        return self.keep("target", lambda: fix_target(self._target, self.untouched, self.given))

    def read(self, how: str, k: int | None = None) -> Read:
        """A way to read a number from outputs, see `metrics.READINGS`; of class k, if given."""
        return self.keep(
            ("read", how, k), lambda: read_as(how, self.untouched, self._asked_about(k))
        )

    def reading(self, how: str, k: int | None = None) -> str:
        """The reading that "auto" stands for here."""
        return reading(how, self.untouched, self._asked_about(k))

    def partition(self, features: Features) -> Partition:
        """The features of these samples."""
        return self.keep(("partition", features), lambda: Partition.of(features, self.x))

    def keep(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, made once for all explainers and metrics."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def output_for(self, key: Hashable, make: Callable[[slice], Copies]) -> Tensor:
        """The output for one copy of each sample; asked once."""
        return self.keep(key, lambda: self._whole(make))

    def grid(self, make: Make, points: int, read: Read) -> Tensor:
        """A number for each sample and point, float64 of shape (samples, points).

        make: a slice of samples and one of points -> their copies of `x`, flat, with the samples
        outside; or of several keyword arguments, by name.
        """
        found = torch.zeros(len(self), points, dtype=torch.float64, device=self.x.device)
        size, place = self.chunk, (0, 0)
        while place[0] < len(self) and points:
            wide = min(_even(points, size), points - place[1])
            high = 1 if wide < points else min(max(1, size // points), len(self) - place[0])
            samples, part = slice(place[0], place[0] + high), slice(place[1], place[1] + wide)
            try:
                output = self._ask(make(samples, part), samples, wide)
            except (RuntimeError, MemoryError) as error:
                size = smaller(high * wide, error)
                self._chunk = size
                continue
            found[samples, part] = read(output, samples, wide)
            place = (place[0], part.stop) if part.stop < points else (samples.stop, 0)
        return found

    def listed(self, make: Callable[[slice], Copies], samples: Tensor, read: Read) -> Tensor:
        """A number for each of a list of copies, float64 of shape (copies,): for samples that need
        different numbers of copies, or are better asked in another order.

        samples: integers of shape (copies,), whose copy each one is. make: a slice of the list ->
        its copies.
        """
        found = torch.zeros(len(samples), dtype=torch.float64, device=self.x.device)
        begin, size = 0, self.chunk
        while begin < len(samples):
            part = slice(begin, min(begin + size, len(samples)))
            try:
                output = self._ask(make(part), samples[part], 1)
            except (RuntimeError, MemoryError) as error:
                size = self._chunk = smaller(part.stop - begin, error)
                continue
            found[part] = read(output, samples[part], 1)[:, 0]
            begin = part.stop
        return found

    @property
    def chunk(self) -> int:
        """How many copies go through the model at once."""
        if self._chunk is not None:
            return self._chunk
        one = self.x[0].numel() * max(self.x.element_size(), 4)
        return max(_FEWEST, min(_MOST, _BYTES // max(one, 1)))

    def _asked_about(self, k: int | None) -> Target:
        return self.target if k is None else Logit(k)

    def again(self, copies: Tensor, samples: slice, times: int) -> Any:
        """`times` copies of each of the samples, in the structure of the inputs, as explainers take
        them."""
        args, kwargs = self._with(copies, samples, times)
        if isinstance(self.inputs, Tensor):
            return args[0]
        return kwargs or args

    def _whole(self, make: Callable[[slice], Copies]) -> Tensor:
        """The outputs for one copy of each sample."""
        begin, size, parts = 0, self.chunk, []
        while begin < len(self):
            samples = slice(begin, min(begin + size, len(self)))
            try:
                parts.append(self._ask(make(samples), samples, 1))
            except (RuntimeError, MemoryError) as error:
                size = self._chunk = smaller(samples.stop - begin, error)
                continue
            begin = samples.stop
        return torch.cat(parts)

    def _ask(self, copies: Copies, samples: slice | Tensor, times: int) -> Tensor:
        """The model's output for `times` copies of each of the samples."""
        args, kwargs = self._with(copies, samples, times)
        with torch.no_grad():
            output = pick_output(self.model(*args, **kwargs), self.output)
        count = len(self.keys[samples]) * times
        if len(output) != count:
            raise InvalidInput(
                f"The model must answer each sample apart: {count} went in, and an output of shape "
                f"{tuple(output.shape)} came out. Is its first axis the batch? See output=."
            )
        self.forwarded += count
        if self._told is not None:
            self._told(count)
        return output

    def _with(
        self, copies: Copies, samples: slice | Tensor, times: int
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The model's arguments with these copies; what else belongs to samples is repeated."""
        new = copies if isinstance(copies, Tensor) else None

        def chosen(each: Any) -> Any:
            if each is self.leaf and new is not None:
                return new
            follows = isinstance(each, Tensor) and each.dim() and len(each) == len(self)
            return each[samples].repeat_interleave(times, 0) if follows else each

        made = {} if isinstance(copies, Tensor) else copies
        others = {name: each for name, each in self.given.kwargs.items() if name not in made}
        kwargs = {name: chosen(each) for name, each in others.items()}
        return tuple(chosen(each) for each in self.given.args), kwargs | dict(made)

    def _check(self) -> None:
        if isinstance(self._target, Each):
            raise InvalidInput(
                "A metric reads one number from the model's output, which Each is not. Measure one "
                "target of the output at a time."
            )
        if len(self.ids) != len(self):
            raise InvalidInput(f"One id for each of {len(self)} samples, got {len(self.ids)}.")
        if len({str(each) for each in self.ids}) < len(self.ids):
            raise InvalidInput("ids must differ, as text: random draws belong to them.")
        for name, given in (("labels", self.labels), ("masks", self.masks)):
            if given is not None and len(given) != len(self):
                raise InvalidInput(
                    f"{name} must have one entry for each of {len(self)} samples, got {len(given)}."
                )
        if any(
            isinstance(each, (tuple, list))
            for each in (*self.given.args, *self.given.kwargs.values())
        ):
            raise InvalidInput(
                "Inputs in nested tuples cannot be repeated for copies of samples: which of their "
                "axes is the batch is not known. Give a function of tensors: lambda x: model(x, "
                "(h0, c0))."
            )
        if isinstance(self.model, nn.Module) and self.model.training:
            raise InvalidInput(
                "The model is in training mode, where dropout and batch norm answer differently "
                "each time. Call model.eval() first."
            )
        if self._chunk is not None and self._chunk < 1:
            raise InvalidInput(f"chunk must be at least 1, got {self._chunk}.")


def rows(target: Target, samples: slice, times: int, batch: int) -> Target:
    """The target of `times` copies of each of the samples."""
    numbers = [row for row in range(batch)[samples] for _ in range(times)]
    return for_samples(target, numbers, batch)


def _even(points: int, size: int) -> int:
    """How many points at once, at most `size`, so that no small rest remains."""
    return math.ceil(points / math.ceil(points / size))


def smaller(size: int, error: Exception) -> int:
    """Half the size if memory was short; else the error."""
    short = isinstance(error, (MemoryError, torch.OutOfMemoryError)) or any(
        words in str(error) for words in ("out of memory", "can't allocate memory")
    )
    if not short or size == 1:
        raise error
    return size // 2
