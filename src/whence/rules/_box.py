"""The z-box rule for inputs in a box, such as pixels."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from whence.engine import Linear, Message, Node
from whence.errors import InvalidInput
from whence.rules._alpha_beta import share
from whence.rules._rule import Rule, linear_of


@dataclass(frozen=True, eq=False)
class ZBox(Rule):
    """Deep Taylor's rule for a first layer whose inputs lie in a box low <= x <= high.

        R_i = sum_j (x_i w_ij - l_i w_ij+ - h_i w_ij-) / sum_i' (...) R_j

    `low` and `high` are numbers, or tensors that broadcast to the input (after normalisation, one
    for each channel: (0 - mean) / std and (1 - mean) / std). An input outside the box raises. The
    bias takes no relevance.

    References: [montavon2017, table 1].
    """

    low: float | Tensor
    high: float | Tensor
    source: ClassVar[str] = "montavon2017, table 1"

    def __post_init__(self) -> None:
        if bool((torch.as_tensor(self.low) > torch.as_tensor(self.high)).any()):
            raise InvalidInput(f"ZBox needs low <= high, got {self.low} and {self.high}.")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ZBox):
            return NotImplemented
        pairs = ((self.low, other.low), (self.high, other.high))
        return all(torch.equal(torch.as_tensor(a), torch.as_tensor(b)) for a, b in pairs)

    def __hash__(self) -> int:
        return hash(
            (float(torch.as_tensor(self.low).sum()), float(torch.as_tensor(self.high).sum()))
        )

    def send(self, node: Node) -> list[Message | None]:
        linear = linear_of(node, self)
        x = linear.a
        low, high = self._bounds(x)
        if not linear.context.frozen:
            _check_inside(linear, x, low, high)
        corner = self._corner(linear)
        if corner is None:
            box = linear.apply(low, linear.positive) + linear.apply(high, linear.negative)
        else:
            box = corner[1]
        s = share(linear, _total(linear, box))
        if corner is not None:
            plain, from_corner = linear.transposes(s, linear.weight, corner[0])
            return [Message(R=x * plain - from_corner)]
        plain, plus, minus = linear.transposes(s, linear.weight, linear.positive, linear.negative)
        return [Message(R=x * plain - low * plus - high * minus)]

    def _corner(self, linear: Linear) -> tuple[Tensor, Tensor] | None:
        """Fast path for one bound for each channel: the weights V = l W+ + h W- and their response
        V 1, which stay the same for all inputs; None for bounds that differ within a channel."""
        a = linear.a  # a Python number must not pass through float32 on its way to float64
        bounds = [_plain(bound, a) for bound in (self.low, self.high)]
        if not all(_for_channels(bound, a) for bound in bounds):
            return None
        first = linear.by_input(linear.positive, bounds[0])
        second = linear.by_input(linear.negative, bounds[1])
        if first is None or second is None:
            return None
        weight = linear.modified(self._key("corner"), lambda _: first + second)
        shape = tuple(linear.a.shape[1:])
        return weight, linear.modified(
            f"{self._key('box')} {shape}", lambda _: linear.respond(weight)
        )

    def _key(self, name: str) -> str:
        bounds = [torch.as_tensor(bound).flatten().tolist() for bound in (self.low, self.high)]
        return f"{name} {bounds}"

    def _bounds(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """One sample's box, so that its products are computed once for the whole batch."""
        try:
            low, high = (_plain(bound, x).expand_as(x[:1]) for bound in (self.low, self.high))
        except RuntimeError as error:
            raise InvalidInput(
                f"ZBox's low and high must broadcast to one input, shape {tuple(x.shape[1:])}; "
                f"got {tuple(torch.as_tensor(self.low).shape)}."
            ) from error
        return low.contiguous(), high.contiguous()


def _plain(bound: float | Tensor, x: Tensor) -> Tensor:
    """A bound as a tensor like x; a single number fits any x, (1, 1, 1) a flat vector too."""
    values = torch.as_tensor(bound, dtype=x.dtype, device=x.device)
    return values.reshape(()) if values.numel() == 1 else values


def _for_channels(bound: Tensor, x: Tensor) -> bool:
    channels = (x.shape[1], *[1] * (x.dim() - 2))
    return bound.numel() == 1 or (x.dim() > 2 and bound.shape[-len(channels) :] == channels)


def _total(linear: Linear, box: Tensor) -> Tensor:
    """W x - box: from the recorded output if that keeps enough digits wherever relevance arrives.

    They are kept where |z| + |b| <= limit |total|, and surely if |b + box| + |b| is at most
    (limit - 1) |total|, which needs the smallest total of the batch only.
    """
    bias = linear.bias
    if bias is None or linear.context.frozen or linear.context.graph:
        return linear.plain - box
    z, shift = linear.z, bias + box
    total = z - shift
    limit = 30 if z.dtype == torch.float32 else 1e4
    least = total.abs().amin(0) if len(total) else total
    if bool((shift.abs() + bias.abs() <= (limit - 1) * least).all()):
        return total
    enough = z.abs() + bias.abs() <= limit * total.abs()
    return total if bool((enough | (linear.relevance() == 0)).all()) else linear.plain - box


def _check_inside(linear: Linear, x: Tensor, low: Tensor, high: Tensor) -> None:
    slack = 1e-5 * (high - low).abs().amax()
    if bool((x < low - slack).any()) or bool((x > high + slack).any()):
        raise InvalidInput(
            f"ZBox needs its input inside the box, at {linear.op.where()}: values run from "
            f"{float(x.min()):.4g} to {float(x.max()):.4g}, the box from {float(low.min()):.4g} to "
            f"{float(high.max()):.4g}. Give the box after normalisation."
        )
