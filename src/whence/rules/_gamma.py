"""The gamma rule: favours the contributions that agree with the sign of the output."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from whence._errors import InvalidInput
from whence._numerics import divide
from whence.engine import Linear, Message, Node
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
        if linear.nonnegative and linear.behind_relu:
            return self._behind_relu(linear)
        sides, z, gamma = Sides(linear), linear.z, self.gamma
        R, bias = linear.relevance(), linear.bias
        up = z >= 0
        low = high = None
        plain = z
        if bias is not None:
            plain = z - bias
            low, high = bias.clamp(max=0), bias.clamp(min=0)
        plus = sides.plus
        # where z < 0 its negative side dominates, so the difference loses no digits there
        minus = plain - plus if linear.nonnegative else sides.minus
        base = plain if self.bias == "zero" or bias is None else z
        side = torch.where(up, plus, minus)
        if self.bias != "zero" and low is not None and high is not None:
            side = side + torch.where(up, high, low)
        total = base + gamma * side
        s = divide(R, total)
        if linear.booking:
            linear.book(dropped=R * (total == 0))
        s_up, s_down = torch.where(up, s, 0), torch.where(up, 0, s)
        sent = Message(self._back(linear, sides, s, s_up, s_down))
        if self.bias == "zero" or bias is None or low is None or high is None:
            return [sent]
        part = bias + gamma * torch.where(up, high, low)
        if self.bias == "distribute":
            return [sent.plus(handed_out(linear, part * s))]
        if linear.booking:
            linear.book(bias=part * s)
        return [sent]

    def _back(
        self,
        linear: Linear,
        sides: Sides,
        s: torch.Tensor,
        s_up: torch.Tensor,
        s_down: torch.Tensor,
    ) -> torch.Tensor:
        if not linear.nonnegative:
            return linear.transpose(s) + self.gamma * sides.back(s_up, s_down)
        return linear.transpose(s_up, self._raised(linear)) + linear.transpose(
            s_down,
            linear.modified(f"gamma-{self.gamma}", lambda w: w + self.gamma * w.clamp(max=0)),
        )

    def _behind_relu(self, linear: Linear) -> list[Message | None]:
        """Fast path: outputs <= 0 carry nothing and a >= 0, so one set of weights is enough."""
        weight, bias = self._raised(linear), linear.bias
        total = linear.apply(linear.a, weight)
        part = None
        if bias is not None and self.bias != "zero":
            part = bias + self.gamma * bias.clamp(min=0)
            total = total + part
        R = linear.relevance()
        s = divide(R, total)
        if linear.booking:
            linear.book(dropped=R * (total == 0))
        sent = Message(linear.transpose(s, weight))
        if part is not None and self.bias == "distribute":
            return [sent.plus(handed_out(linear, part * s))]
        book_bias(linear, part, s)
        return [sent]

    def _raised(self, linear: Linear) -> torch.Tensor:
        return linear.modified(f"gamma+{self.gamma}", lambda w: w + self.gamma * w.clamp(min=0))
