"""The target of question answering: where an answer starts and where it ends."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.targets._classes import Position, for_each_sample
from whence.targets._target import Target


@dataclass(frozen=True, eq=False)
class Span(Target):
    """The score of an answer: its first token's start score plus its last token's end score.

        z_start[start] + z_end[end]

    For outputs of shape (batch, 2, tokens), which `explain` makes of a model's `start_logits` and
    `end_logits`. start, end: positions, one for all samples or one for each; without them the span
    with the highest score among those of at most `longest` tokens is taken.
    """

    start: Position = None
    end: Position = None
    longest: int = 30

    def __post_init__(self) -> None:
        if (self.start is None) != (self.end is None):
            raise InvalidInput("Span needs both start and end, or neither for the best span.")

    def coefficients(self, output: Tensor) -> Tensor:
        chosen = self.found(output)
        c = torch.zeros_like(output)
        samples = torch.arange(len(output), device=output.device)
        for row, positions in enumerate((chosen.start, chosen.end)):
            c[samples, row, positions] = 1
        return c

    def found(self, output: Tensor, allowed: Tensor | None = None) -> "Span":
        """The span with its positions as tensors; the best one if none was given.

        allowed: (batch, tokens), which tokens may be part of an answer.
        """
        if output.dim() != 3 or output.shape[1] != 2:
            raise InvalidInput(
                "Span needs start and end scores, shape (batch, 2, tokens), got "
                f"{tuple(output.shape)}. Give output=lambda out: torch.stack([start, end], 1)."
            )
        batch, _, tokens = output.shape
        if self.start is None:
            start, end = _best(output, allowed, self.longest)
            return replace(self, start=start, end=end)
        start, end = (for_each_sample(p, batch, output.device, "position") for p in self.positions)
        if bool(((start < 0) | (end < start) | (end >= tokens)).any()):
            raise InvalidInput(
                f"A span needs 0 <= start <= end < {tokens}, got {start.tolist()} to "
                f"{end.tolist()}."
            )
        return replace(self, start=start, end=end)

    @property
    def positions(self) -> tuple[Position, Position]:
        """start and end, as given."""
        return self.start, self.end


def _best(output: Tensor, allowed: Tensor | None, longest: int) -> tuple[Tensor, Tensor]:
    """The start and end with the highest sum among valid spans."""
    tokens = output.shape[2]
    if allowed is not None:
        output = output.masked_fill(~allowed[:, None, :], float("-inf"))
    pairs = output[:, 0, :, None] + output[:, 1, None, :]  # (batch, start, end)
    valid = torch.ones(tokens, tokens, dtype=torch.bool, device=output.device)
    valid = valid.triu().tril(longest - 1)
    best = pairs.masked_fill(~valid, float("-inf")).flatten(1).argmax(1)
    return best // tokens, best % tokens
