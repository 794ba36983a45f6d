"""What travels back along the tape: a coefficient c, a relevance R, or both.

A message at a tensor a stands for the relevance R = a c + R'. Linear maps send c on by their plain
transpose, with no division; rules that are not of the form a c send R. Readers of one tensor add.
"""

import torch
from torch import Tensor


class Message:
    """The relevance of one tensor, as coefficient `c` (R = a c), as `R`, or as their sum.

    Below a ReLU with output y the coefficient counts only where y > 0. The mask waits in `gate`:
    rules that multiply by y anyway take `loose` and y as they are, and save a pass. `fresh` says
    that nothing else holds the coefficient's memory, so that sums and masks may be made in it.
    `total` is the sum of R for each sample, once somebody has computed it.
    """

    __slots__ = ("R", "_c", "fresh", "gate", "total")

    def __init__(
        self,
        c: Tensor | None = None,
        R: Tensor | None = None,
        gate: Tensor | None = None,
        *,
        fresh: bool = False,
        total: Tensor | None = None,
    ) -> None:
        self._c, self.R, self.gate, self.fresh, self.total = c, R, gate, fresh, total

    @property
    def c(self) -> Tensor | None:
        """The coefficient, masked."""
        if self.gate is not None and self._c is not None:
            if self.fresh and not torch.is_grad_enabled():
                mask = torch.ops.aten.threshold_backward.grad_input
                self._c = mask(self._c, self.gate, 0, grad_input=self._c)
            else:
                self._c = torch.ops.aten.threshold_backward(self._c, self.gate, 0)
            self.gate = None
        return self._c

    @property
    def loose(self) -> Tensor | None:
        """The coefficient before the mask."""
        return self._c

    def plus(self, other: "Message") -> "Message":
        """The message of two readers of the same tensor."""
        first, second = self.c, other.c
        if first is not None and second is not None and not torch.is_grad_enabled():
            for mine, its, message in ((first, second, self), (second, first, other)):
                if message.fresh and mine.shape == its.shape and mine.dtype == its.dtype:
                    return Message(mine.add_(its), _add(self.R, other.R), fresh=True)
        return Message(_add(first, second), _add(self.R, other.R))

    def times(self, mask: Tensor) -> "Message":
        """The message with each element weighed by a mask."""
        c = None if self.c is None else self.c * mask
        return Message(c, None if self.R is None else self.R * mask)

    @property
    def empty(self) -> bool:
        """Whether there is nothing in it."""
        return self._c is None and self.R is None


def _add(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    if first is None or second is None:
        return second if first is None else first
    return first + second


def working_dtype(dtype: torch.dtype) -> torch.dtype:
    """Messages are float32 at least, also for half-precision models."""
    return torch.float64 if dtype == torch.float64 else torch.float32
