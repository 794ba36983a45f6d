"""The explained score as a function of points in the space of all inputs."""

import torch
from torch import Tensor

from whence._explanation import named
from whence.engine import clear
from whence.errors import InvalidInput
from whence.explainers._gradient import InputGradient
from whence.explainers._inputs import Inputs
from whence.explainers._language import located
from whence.explainers._roots import Surface
from whence.explainers._samples import for_samples
from whence.explainers._start import pick_output, start_at
from whence.explainers._wrapped import repeated
from whence.targets import Target


class ScoreSurface(Surface):
    """f and its slope at points (copies, batch, values); all inputs of a sample in one row.

    The score is the one that explainers explain: a softmax head counts as its scores before it.
    `chunk` bounds how many points the model sees at a time.
    """

    def __init__(self, slopes: InputGradient, given: Inputs, target: Target, chunk: int) -> None:
        self.slopes, self.given, self.target = slopes, given, target
        self.notes: list[str] = []
        self._leaves = [leaf.detach() for leaf in given.leaves]
        if any(len(leaf) != given.batch for leaf in self._leaves):
            raise InvalidInput(
                "Points of the input space need the samples on the first axis of every input; got "
                f"shapes {[tuple(leaf.shape) for leaf in self._leaves]}."
            )
        self._is_plain = False  # whether the model's output itself is explained; not yet known
        self._together = max(1, chunk // max(given.batch, 1))

    @property
    def start(self) -> Tensor:
        """The inputs themselves, shape (1, batch, values)."""
        return self.flat(self._leaves)[None]

    def flat(self, leaves: list[Tensor]) -> Tensor:
        """Tensors of the inputs' shapes in one row for each sample, in float32 at least."""
        rows = [leaf.reshape(self.given.batch, -1) for leaf in leaves]
        wide = torch.float64 if any(row.dtype == torch.float64 for row in rows) else torch.float32
        return torch.cat([row.to(wide) for row in rows], 1)

    def split(self, rows: Tensor) -> list[Tensor]:
        """Rows (..., values) as tensors of the inputs' shapes behind the first axes."""
        sizes = [leaf[0].numel() for leaf in self._leaves]
        parts = rows.split(sizes, -1)
        return [
            part.reshape(*rows.shape[:-1], *leaf.shape[1:]).to(_dtype(part, leaf))
            for part, leaf in zip(parts, self._leaves, strict=True)
        ]

    def value(self, points: Tensor) -> Tensor:
        """f, shape (copies, batch)."""
        return torch.cat([self._value(part) for part in points.split(self._together)])

    def slope(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """f, and its gradient of the points' shape."""
        found = [self._slope(part) for part in points.split(self._together)]
        return torch.cat([value for value, _ in found]), torch.cat([slope for _, slope in found])

    def _asked(self, points: Tensor) -> tuple[Inputs, Target]:
        copies, batch = points.shape[:2]
        # Copies, as the model may write into what it is given.
        leaves = [
            part.flatten(0, 1).to(leaf.dtype).clone(memory_format=torch.contiguous_format)
            for part, leaf in zip(self.split(points), self._leaves, strict=True)
        ]
        target = for_samples(self.target, list(range(batch)) * copies, batch)
        return Inputs.of(repeated(self.given, leaves, copies)), target

    def _value(self, points: Tensor) -> Tensor:
        given, target = self._asked(points)
        with torch.no_grad():
            score = self._plain(given, target) if self._is_plain else self._recorded(given, target)
        return score.view(points.shape[:2])

    def _plain(self, given: Inputs, target: Target) -> Tensor:
        output = self.slopes.model(*given.args, **given.kwargs)
        data = pick_output(output, self.slopes.output)
        wide = data.float() if data.dtype in (torch.float16, torch.bfloat16) else data
        return located(target, given, data).score(wide)

    def _recorded(self, given: Inputs, target: Target) -> Tensor:
        """The score from a tape, which knows softmax heads and the outputs of modules."""
        tape = self.slopes._record(given, False)
        start = start_at(tape, tape.output, located(target, given, tape.output))
        self._is_plain = start.value is tape.values.get(id(tape.output))
        clear(tape)
        return start.score

    def _slope(self, points: Tensor) -> tuple[Tensor, Tensor]:
        given, target = self._asked(points)
        found = self.slopes.explain(given.given, target, ledger=None)
        self.notes = list(dict.fromkeys([*self.notes, *found.notes]))
        leaves = [each.reshape(*points.shape[:2], -1) for each in named(found.relevance).values()]
        return found.score.view(points.shape[:2]), torch.cat(leaves, -1).to(points.dtype)


def _dtype(part: Tensor, leaf: Tensor) -> torch.dtype:
    """Relevance has the precision of its input, but float32 at least."""
    return leaf.dtype if leaf.dtype in (torch.float32, torch.float64) else part.dtype
