"""The positive and the negative contributions of a linear map, for any signs of its input.

    z+ = W+ a+ + W- a- (+ b+)  raises the output      z- = W- a+ + W+ a- (+ b-)  lowers it
    back(s+, s-) = c with  c_i = (W+^T s+ + W-^T s-)_i for a_i >= 0, (W-^T s+ + W+^T s-)_i else

Where a >= 0 half of the terms vanish and are not computed.
"""

from functools import cached_property

import torch
from torch import Tensor

from whence._numerics import dot, sign, streamed
from whence.engine import Linear


class Sides:
    """z+ and z- of one linear operation, with the bias on the side of its sign if asked for."""

    def __init__(self, linear: Linear, *, biased: bool) -> None:
        self.linear = linear
        self.biased = biased and linear.bias is not None

    @property
    def exact(self) -> bool:
        """Whether z+ and z- add up to the recorded output."""
        return self.biased or self.linear.bias is None

    @property
    def never_empty(self) -> bool:
        """Whether z+ > 0 wherever relevance arrives: below a ReLU it is at least z."""
        return self.linear.message.gate is not None and self.exact

    @property
    def solid(self) -> bool:
        """Whether both sides are known to be there wherever relevance arrives."""
        return "_both" in self.__dict__ and self._both is not None

    @cached_property
    def high(self) -> Tensor | None:
        """b+, or None without a bias."""
        bias = self.linear.bias
        return bias.clamp(min=0) if self.biased and bias is not None else None

    @cached_property
    def low(self) -> Tensor | None:
        """b-, or None without a bias."""
        bias = self.linear.bias
        return bias.clamp(max=0) if self.biased and bias is not None else None

    @cached_property
    def plus(self) -> Tensor:
        """z+."""
        return self.linear.keep(self.key("plus"), self.make_plus)

    @cached_property
    def minus(self) -> Tensor:
        """z-."""
        return self.linear.keep(self.key("minus"), self._minus)

    def key(self, name: str) -> str:
        """The name to keep something under: below a ReLU it may be made of max(z, 0)."""
        gated = self.linear.message.gate is not None
        return f"{name} {self.biased} {gated} {self.linear.behind_relu}"

    def back(self, s_plus: Tensor | None, s_minus: Tensor | None) -> Tensor:
        """The coefficient that both sides send to the input."""
        linear = self.linear
        if linear.nonnegative:
            return self._transposed(linear.positive, s_plus, linear.negative, s_minus)
        if self._both is not None:
            return self._back_fast(s_plus, s_minus)
        raising = self._transposed(linear.positive, s_plus, linear.negative, s_minus)
        lowering = self._transposed(linear.negative, s_plus, linear.positive, s_minus)
        return torch.where(linear.a >= 0, raising, lowering)

    def make_plus(self) -> Tensor:
        """z+, computed anew."""
        linear = self.linear
        if linear.nonnegative:
            return linear.apply(linear.a, linear.positive, self.high)
        if self._both is not None:
            return self._both[0]
        return self._apply(linear.positive, linear.negative, self.high)

    def _minus(self) -> Tensor:
        linear = self.linear
        if self._both is not None:
            return self._both[1]
        if linear.nonnegative:
            return linear.apply(linear.a, linear.negative, self.low)
        return self._apply(linear.negative, linear.positive, self.low)

    def _apply(self, over_positive: Tensor, over_negative: Tensor, bias: Tensor | None) -> Tensor:
        linear = self.linear
        first = linear.apply(linear.a.clamp(min=0), over_positive, bias)
        return first + linear.apply(linear.a.clamp(max=0), over_negative)

    def _transposed(
        self, first: Tensor, s_first: Tensor | None, second: Tensor, s_second: Tensor | None
    ) -> Tensor:
        parts = [
            self.linear.transpose(s, weight)
            for weight, s in ((first, s_first), (second, s_second))
            if s is not None
        ]
        return parts[0] if len(parts) == 1 else parts[0] + parts[1]

    # -- fast path: replaces the four products above by two, and passes the same tests without ----

    @cached_property
    def _both(self) -> tuple[Tensor, Tensor] | None:
        """Both sides from the recorded output, where enough digits remain, else None.

        With u = |W| |a| + |b|: z+ = (z + u) / 2 and z- = (z - u) / 2. The difference loses digits
        on outputs with nearly one side only, so it must be at least 1 % of u + |b| (a millionth in
        float64) wherever relevance arrives. Never while freezing: it reads a value back.
        """
        linear, op = self.linear, self.linear.op
        if linear.context.frozen or linear.context.graph or not FAST:
            return None
        if op.outputs[0].data is None and not linear.behind_relu:
            return None
        bias = linear.bias
        pair = linear.pair
        if linear.nonnegative and self.exact and pair is not None:
            minus, thin = streamed(_other_side, pair[1], self.plus, write=True)
            return (self.plus, minus) if float(thin.sum()) == 0 else None
        z = linear.z if self.exact or bias is None else linear.z - bias
        if linear.nonnegative:
            plus = self.plus
        else:
            size = None if bias is None or not self.biased else bias.abs()
            u = linear.apply(linear.a.abs(), linear.absolute, size)
            plus = (z + u) / 2
        minus = z - plus
        R = linear.relevance()
        size = plus - minus if self.exact or bias is None else plus - minus + bias.abs()
        least = torch.where(R == 0, 1.0, torch.minimum(plus, -minus) / size)
        return (plus, minus) if float(least.amin()) >= _limit(z) else None

    def _back_fast(self, s_plus: Tensor | None, s_minus: Tensor | None) -> Tensor:
        linear = self.linear
        if s_plus is None or s_minus is None:
            s = s_plus if s_plus is not None else s_minus
            assert s is not None
            difference = linear.transpose(s if s_plus is not None else -s, linear.absolute)
            return (linear.transpose(s) + sign(linear.a) * difference) / 2
        total = linear.transpose(s_plus + s_minus)
        difference = linear.transpose(s_plus - s_minus, linear.absolute)
        return (total + sign(linear.a) * difference) / 2


FAST = True  # tests set it to False to run everything on the plain branches


def _limit(z: Tensor) -> float:
    return 1e-2 if z.dtype == torch.float32 else 1e-6


def _other_side(z: Tensor, plus: Tensor, out: Tensor | None) -> tuple[Tensor, Tensor]:
    """z- = z - z+, and a sum that is zero unless an output with relevance keeps too few digits.

    Digits are kept where -z- >= limit (z+ - z-), which is z - z+ (1 - limit) / (1 - 2 limit) <= 0
    here, where z >= 0 and so z+ >= -z-.
    """
    minus = torch.sub(z, plus, out=out)
    limit = _limit(z)
    thin = torch.sub(z, plus, alpha=(1 - 2 * limit) / (1 - limit)).clamp_(min=0)
    return minus, dot(thin, z)
