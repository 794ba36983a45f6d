"""The gamma rule: favours the contributions that agree with the sign of the output."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from whence._numerics import divide, dot, streamed
from whence.engine import Linear, Message, Node
from whence.errors import InvalidInput
from whence.rules._alpha_beta import shared_out
from whence.rules._rule import Rule, book_bias, check_bias, handed_out, linear_of
from whence.rules._sides import Sides


@dataclass(frozen=True)
class Gamma(Rule):
    """Contributions of the output's own sign count (1 + gamma) times, in the sign-aware form.

        z_j >= 0:  R_i = sum_j (z_ij + gamma z_ij+) / (z_j + gamma z_j+) R_j
        z_j <  0:  R_i = sum_j (z_ij + gamma z_ij-) / (z_j + gamma z_j-) R_j

    gamma = 0 is LRP-0, gamma to infinity is z+ for positive outputs.

    Unlike the paper, which has inputs and outputs >= 0, this holds for all signs.

    References: [montavon2019, eq. 10.4], [andeol2021].
    """

    gamma: float = 0.25
    bias: str = "absorb"
    source: ClassVar[str] = "montavon2019, sec. 10.2.3"

    def __post_init__(self) -> None:
        check_bias("Gamma", self.bias)
        if not self.gamma >= 0:
            raise InvalidInput(f"Gamma needs gamma >= 0, got {self.gamma}.")

    def send(self, node: Node) -> list[Message | None]:
        linear = linear_of(node, self)
        sides = Sides(linear, biased=self.bias != "zero", read="own")
        if linear.nonnegative and linear.behind_relu:
            return self._behind_relu(linear, sides)
        if linear.nonnegative and linear.pair is not None and sides.exact:
            return self._nonnegative(linear, sides)
        z = linear.z
        base = z if sides.biased or linear.bias is None else linear.plain
        # where z < 0 its negative side dominates, so the difference loses no digits there
        minus = base - sides.plus if linear.nonnegative else sides.minus
        up = z >= 0
        total = base + self.gamma * torch.where(up, sides.plus, minus)
        R = linear.relevance()
        s = divide(R, total)
        if linear.booking:
            linear.book(dropped=R * (total == 0))
        s_up, s_down = torch.where(up, s, 0), torch.where(up, 0, s)
        if linear.nonnegative:
            c = linear.transpose(s_up, self._raised(linear))
            c = c + linear.transpose(s_down, self._lowered(linear))
        else:
            c = linear.transpose(s) + self.gamma * sides.back(s_up, s_down)
        if sides.high is None or sides.low is None or linear.bias is None:
            return [Message(c)]
        part = linear.bias + self.gamma * torch.where(up, sides.high, sides.low)
        return self._with_bias(linear, c, part * s)

    def _behind_relu(self, linear: Linear, sides: Sides) -> list[Message | None]:
        """Fast path: outputs <= 0 carry nothing and a >= 0, so one set of weights is enough."""
        weight, part = self._raised(linear), None
        if sides.high is not None and linear.bias is not None:
            part = linear.bias + self.gamma * sides.high
        total = linear.keep(f"{self}", lambda: linear.apply(linear.a, weight, part))
        s = shared_out(linear, total, never_empty=sides.never_empty)
        sent = linear.transpose(s, weight)
        if part is None:
            return [Message(sent)]
        if self.bias == "distribute":
            return self._with_bias(linear, sent, part * s)
        book_bias(linear, part, s)
        return [Message(sent)]

    def _nonnegative(self, linear: Linear, sides: Sides) -> list[Message | None]:
        """Fast path for a >= 0: without a sum that cancels, since z- = z - z+,

        s = c |z| / (|z| + gamma (z+ + max(-z, 0))).
        """
        assert linear.pair is not None
        counting, gamma = linear.counting, self.gamma

        def function(c: Tensor, z: Tensor, plus: Tensor, out: Tensor | None) -> tuple[Tensor, ...]:
            size = z.abs()
            total = torch.add(plus, (-z).clamp_(min=0)).mul_(gamma).add_(size)
            tiny = torch.finfo(z.dtype).tiny
            s = torch.div(c * size, total.clamp_(min=tiny), out=out)
            return (s, dot(c, z)) if counting else (s,)

        c, z = linear.pair
        s, *sums = streamed(function, c, z, sides.plus, write=True)
        if sums:
            linear.arrived(sums[0])
        s_up = torch.ops.aten.threshold_backward(s, z, 0)
        s_down = s - s_up
        sent = linear.transpose(s_up, self._raised(linear))
        sent = sent + linear.transpose(s_down, self._lowered(linear))
        if sides.high is None or sides.low is None or linear.bias is None:
            return [Message(sent)]
        parts = [linear.bias + gamma * side for side in (sides.high, sides.low)]
        if self.bias == "distribute":
            return self._with_bias(linear, sent, parts[0] * s_up + parts[1] * s_down)
        book_bias(linear, parts[0], s_up)
        book_bias(linear, parts[1], s_down)
        return [Message(sent)]

    def _with_bias(self, linear: Linear, c: Tensor, share: Tensor) -> list[Message | None]:
        if self.bias == "distribute":
            return [Message(c).plus(handed_out(linear, share))]
        if linear.booking:
            linear.book(bias=share)
        return [Message(c)]

    def _raised(self, linear: Linear) -> Tensor:
        return linear.modified(f"gamma+{self.gamma}", lambda w: w + self.gamma * w.clamp(min=0))

    def _lowered(self, linear: Linear) -> Tensor:
        return linear.modified(f"gamma-{self.gamma}", lambda w: w + self.gamma * w.clamp(max=0))
