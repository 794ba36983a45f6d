"""The generic Taylor rule: any search direction for the root point of each neuron."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from whence._numerics import divide
from whence.engine import Message, Node
from whence.errors import InvalidInput
from whence.rules._rule import Rule, linear_of

Direction = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class BoxDirection:
    """The direction of the z-box rule: towards `low` where w > 0, towards `high` where w < 0.

        d_i = a_i - l_i 1[w_ij > 0] - h_i 1[w_ij < 0]

    `low` and `high` are numbers, or tensors with one value for each input of the neuron. An input
    of weight zero stays where it is.

    References: [montavon2017, sec. 4].
    """

    low: float | Tensor
    high: float | Tensor

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BoxDirection):
            return NotImplemented
        pairs = ((self.low, other.low), (self.high, other.high))
        return all(torch.equal(torch.as_tensor(a), torch.as_tensor(b)) for a, b in pairs)

    def __hash__(self) -> int:
        sums = (float(torch.as_tensor(bound).sum()) for bound in (self.low, self.high))
        return hash(tuple(sums))

    def __call__(self, a: Tensor, W: Tensor) -> Tensor:
        low, high = (
            torch.as_tensor(bound, dtype=a.dtype, device=a.device)
            for bound in (self.low, self.high)
        )
        return torch.where(W > 0, a - low, torch.where(W < 0, a - high, 0))


@dataclass(frozen=True)
class TaylorRule(Rule):
    """First-order Taylor decomposition of each neuron at a root found along `direction`.

        d_i: the direction;  R_{i<-j} = d_i w_ij / sum_i' d_i' w_i'j R_j

    `direction` is "weight" (the nearest root: the w-squared rule), "activation" (towards the
    origin: LRP-0), "positive" (along the excitatory inputs: z+), `BoxDirection(low, high)` (towards
    a corner of the box of inputs: z-box), or a function of the activations (batch, 1, inputs) and
    the matrix (outputs, inputs) that gives directions broadcasting to (batch, outputs, inputs). The
    whole matrix is built: for small layers, to study and to verify.

    References: [montavon2017, sec. 4].
    """

    direction: str | Direction = "weight"
    source: ClassVar[str] = "montavon2017, sec. 4"

    def __post_init__(self) -> None:
        if isinstance(self.direction, str) and self.direction not in _DIRECTIONS:
            raise InvalidInput(
                f"TaylorRule needs direction= one of {sorted(_DIRECTIONS)} or a function, "
                f"got {self.direction!r}."
            )

    def send(self, node: Node) -> list[Message | None]:
        linear = linear_of(node, self)
        W = linear.dense()  # (outputs, inputs)
        a = linear.a.flatten(1)[:, None]  # (batch, 1, inputs)
        contributions = self.directions(a, W) * W
        R = linear.relevance().flatten(1)[:, :, None]
        total = contributions.sum(-1, keepdim=True)
        if linear.booking:
            linear.book(dropped=R * (total == 0))
        R_in = (contributions * divide(R, total)).sum(1)
        return [Message(R=R_in.view(linear.a.shape))]

    def directions(self, a: Tensor, W: Tensor) -> Tensor:
        """d for activations (batch, 1, inputs) and a matrix (outputs, inputs); it broadcasts to
        (batch, outputs, inputs)."""
        find = _DIRECTIONS[self.direction] if isinstance(self.direction, str) else self.direction
        return find(a, W)


def root_point(
    a: Tensor, w: Tensor, direction: str | Direction = "weight", bias: float | Tensor = 0.0
) -> Tensor:
    """The root of one neuron sum_i a_i w_i + b along a direction from a.

    `a` and `w` have shape (inputs,); the result has too, and w . root + b = 0. A direction along
    which the neuron does not change has no root: the result is then `a` itself.
    """
    d = TaylorRule(direction).directions(a[None, None], w[None]).broadcast_to(1, 1, len(a))[0, 0]
    return a - d * divide(torch.dot(a, w) + bias, torch.dot(d, w))


_DIRECTIONS: dict[str, Direction] = {
    "weight": lambda a, W: W.expand(a.shape[0], *W.shape),
    "activation": lambda a, W: a,
    "positive": lambda a, W: a * (a * W > 0),
}
