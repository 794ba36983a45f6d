"""Occlusion: cover the input tile by tile and watch the score."""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from whence import viz
from whence._explanation import Explanation
from whence.errors import InvalidInput
from whence.explainers._checks import check_inputs
from whence.explainers._explainer import Explainer
from whence.explainers._inputs import Inputs
from whence.explainers._samples import for_samples
from whence.explainers._score import answer, fix_target
from whence.explainers._text import as_text, read_texts
from whence.explainers._wrapped import average, repeated
from whence.targets import Each

Slices = tuple[slice, ...]


class Occlusion(Explainer):
    """Occlusion: the drop of the score when a tile of the input is replaced.

        R_i = mean over the tiles that cover i of  f(x) - f(x with the tile set to `value`)

    Tiles of `window` (a number, or one for each axis after the channels) every `stride` steps,
    all channels at once; the last tile is moved in so that all is covered. Of token ids one is
    replaced at a time, by the padding that the model's embedding names; without one, give the id
    of a mask or unknown token as `value`. Works for any model that answers, at one forward pass
    for each tile; `chunk` bounds the copies at a time. By default the window is 4, the value 0.

    References: [zeiler2014, sec. 4.2].
    """

    name: ClassVar[str] = "occlusion"
    decomposes: ClassVar[str] = "nothing: each value is the effect of one tile"
    sources: ClassVar[tuple[str, ...]] = ("zeiler2014",)

    def __init__(
        self,
        model: Callable[..., Any],
        *,
        window: int | tuple[int, ...] | None = None,
        stride: int | tuple[int, ...] | None = None,
        value: float | Tensor | None = None,
        chunk: int = 64,
        output: Any = None,
    ) -> None:
        super().__init__(model)
        self.window, self.stride, self.value = window, stride, value
        self.chunk, self.output = chunk, output

    def explain(self, inputs: Any, target: Any = None) -> Explanation:
        """The effect of every tile, spread over its elements."""
        given = Inputs.of(inputs)
        if isinstance(target, Each):
            return average.each(self, inputs, target)
        if len(given.leaves) != 1:
            raise InvalidInput(f"Occlusion covers one input, got {len(given.leaves)}.")
        x = given.leaves[0].detach()
        check_inputs(self.model, given)
        clean = answer(self.model, inputs, self.output)
        fixed = fix_target(target, clean, given)
        score = fixed.score(clean)
        value = self._value(x)
        total = torch.zeros_like(x, dtype=score.dtype)
        count = torch.zeros_like(x[:1], dtype=score.dtype)
        tiles = list(self._tiles(x))
        together = max(1, self.chunk // len(x))
        for begin in range(0, len(tiles), together):
            part = tiles[begin : begin + together]
            copies = torch.cat([_covered(x, tile, value) for tile in part])
            answers = answer(self.model, repeated(given, [copies], len(part)), self.output)
            scores = for_samples(fixed, list(range(len(x))) * len(part), len(x)).score(answers)
            for tile, after in zip(part, scores.view(len(part), len(x)), strict=True):
                total[tile] += (score - after).view(-1, *[1] * (x.dim() - 1))
                count[tile] += 1
        found = Explanation(
            relevance=given.rebuild(lambda i: total / count),
            inputs=inputs,
            output=clean,
            target=fixed,
            score=score,
            method=self.name,
            draw=viz.draw,
            write=viz.save,
        )
        return as_text(found, read_texts(given))

    def _value(self, x: Tensor) -> Tensor:
        """What covered elements become."""
        if self.value is not None:
            return torch.as_tensor(self.value).to(x)
        if x.is_floating_point():
            return x.new_zeros(())
        modules = self.model.modules() if isinstance(self.model, nn.Module) else ()
        tables = [each for each in modules if isinstance(each, nn.Embedding)]
        padding = {each.padding_idx for each in tables} - {None}
        if len(padding) != 1:
            raise InvalidInput(
                "Occlusion of token ids needs value=, the id that stands in for a token, such as "
                "tokenizer.mask_token_id: the model's embedding names no padding."
            )
        return torch.as_tensor(padding.pop()).to(x)

    def _tiles(self, x: Tensor) -> Iterator[Slices]:
        first = 1 if x.dim() == 2 else 2  # after the batch and the channels
        sizes = x.shape[first:]
        window = (4 if x.is_floating_point() else 1) if self.window is None else self.window
        windows = _for_axes(window, len(sizes), "window")
        strides = _for_axes(self.stride or window, len(sizes), "stride")
        starts = [
            _starts(size, min(window, size), stride)
            for size, window, stride in zip(sizes, windows, strides, strict=True)
        ]
        for corner in product(*starts):
            spans = [slice(c, c + w) for c, w in zip(corner, windows, strict=True)]
            yield (*[slice(None)] * first, *spans)


def _covered(x: Tensor, tile: Slices, value: Tensor) -> Tensor:
    covered = x.clone()
    covered[tile] = value.expand_as(x)[tile] if value.dim() else value
    return covered


def _for_axes(value: int | tuple[int, ...], axes: int, name: str) -> tuple[int, ...]:
    numbers = (value,) * axes if isinstance(value, int) else tuple(value)
    if len(numbers) != axes or any(number < 1 for number in numbers):
        raise InvalidInput(f"Occlusion needs {name}= a positive number for each of {axes} axes.")
    return numbers


def _starts(size: int, window: int, stride: int) -> list[int]:
    starts = list(range(0, size - window + 1, stride))
    return starts if starts[-1] + window == size else [*starts, size - window]
