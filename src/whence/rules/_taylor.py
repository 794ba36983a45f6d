"""The generic Taylor rule: any search direction for the root point of each neuron."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from whence._errors import InvalidInput
from whence._numerics import divide
from whence.engine import Message, Node
from whence.rules._rule import Rule, linear_of

Direction = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class TaylorRule(Rule):
    """First-order Taylor decomposition of each neuron at a root found along `direction`.

        d_i: the direction;  R_{i<-j} = d_i w_ij / sum_i' d_i' w_i'j R_j

    `direction` is "weight" (the nearest root: the w-squared rule), "activation" (towards the
    origin: LRP-0), "positive" (along the excitatory inputs: z+), or a function of the activations
    (batch, 1, inputs) and the matrix (outputs, inputs) that gives directions broadcasting to
    (batch, outputs, inputs). The whole matrix is built: for small layers, to study and to verify.

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
        find = _DIRECTIONS[self.direction] if isinstance(self.direction, str) else self.direction
        contributions = find(a, W) * W
        R = linear.relevance().flatten(1)[:, :, None]
        total = contributions.sum(-1, keepdim=True)
        if linear.booking:
            linear.book(dropped=R * (total == 0))
        R_in = (contributions * divide(R, total)).sum(1)
        return [Message(R=R_in.view(linear.a.shape))]


def root_point(a: Tensor, w: Tensor, direction: str | Direction = "weight") -> Tensor:
    """The root of one bias-free neuron sum_i a_i w_i along a direction from a (SPEC 2a.8).

    `a` and `w` have shape (inputs,); the result has too, and w . root = 0.
    """
    find = _DIRECTIONS[direction] if isinstance(direction, str) else direction
    d = find(a[None, None], w[None])[0, 0].expand_as(a)
    return a - d * divide(torch.dot(a, w), torch.dot(d, w))


_DIRECTIONS: dict[str, Direction] = {
    "weight": lambda a, W: W.expand(a.shape[0], *W.shape),
    "activation": lambda a, W: a,
    "positive": lambda a, W: a * (a * W > 0),
}
