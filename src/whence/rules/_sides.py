"""The positive and the negative contributions of a linear map, for any signs of its input.

    z+ = W+ a+ + W- a- (+ b+)  raises the output      z- = W- a+ + W+ a- (+ b-)  lowers it
    back(s+, s-) = c with  c_i = (W+^T s+ + W-^T s-)_i for a_i >= 0, (W-^T s+ + W+^T s-)_i else

Where a >= 0 half of the terms vanish and are not computed.
"""

from functools import cached_property, partial

import torch
from torch import Tensor

from whence._numerics import sign, streamed
from whence.engine import Linear


class Sides:
    """z+ and z- of one linear operation, with the bias on the side of its sign if asked for.

    `read` says whose digits count: "both" sides', "plus" for z+ alone, or for each output the side
    of its "own" sign.
    """

    def __init__(self, linear: Linear, *, biased: bool, read: str = "both") -> None:
        self.linear = linear
        self.biased = biased and linear.bias is not None
        self.read = read

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
        return self.read == "both" and "_both" in self.__dict__ and self._both is not None

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
            return self._transposed("positive", s_plus, "negative", s_minus)
        if self._both is not None:
            return self._back_fast(s_plus, s_minus)
        raising = self._transposed("positive", s_plus, "negative", s_minus)
        lowering = self._transposed("negative", s_plus, "positive", s_minus)
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
            plus, minus = self._both
            return self._z - plus if minus is None else minus
        if linear.nonnegative:
            return linear.apply(linear.a, linear.negative, self.low)
        return self._apply(linear.negative, linear.positive, self.low)

    def _apply(self, over_positive: Tensor, over_negative: Tensor, bias: Tensor | None) -> Tensor:
        linear = self.linear
        first = linear.apply(linear.a.clamp(min=0), over_positive, bias)
        return first + linear.apply(linear.a.clamp(max=0), over_negative)

    def _transposed(
        self, first: str, s_first: Tensor | None, second: str, s_second: Tensor | None
    ) -> Tensor:
        parts = [
            self.linear.transpose(s, getattr(self.linear, side))  # weights are made when needed
            for side, s in ((first, s_first), (second, s_second))
            if s is not None
        ]
        return parts[0] if len(parts) == 1 else parts[0] + parts[1]

    # -- fast path: replaces the four products above by two, and passes the same tests without ----

    @cached_property
    def _both(self) -> tuple[Tensor, Tensor | None] | None:
        """z+, and z- if it came with it, from the recorded output where enough digits remain.

        With u = |W| |a| + |b|: z+ = (z + u) / 2 and z- = (z - u) / 2. The difference loses digits
        on outputs with nearly the other side only, so what is read must be at least 1 % of u + |b|
        (a millionth in float64) wherever relevance arrives. Never while freezing: it reads a value
        back.
        """
        linear, op = self.linear, self.linear.op
        if linear.context.frozen or linear.context.graph or not FAST:
            return None
        if op.outputs[0].data is None and not linear.behind_relu:
            return None
        pair = linear.pair
        if linear.nonnegative and self.exact and pair is not None:
            minus, thin = streamed(_other_side, pair[1], self.plus, write=True)
            return (self.plus, minus) if float(thin.sum()) == 0 else None
        bias, z = linear.bias, self._z
        if linear.nonnegative:
            u = 2 * self.plus - z
        else:
            size = None if bias is None or not self.biased else bias.abs()
            u = linear.apply(linear.a.abs(), linear.absolute, size)
        over = z.new_zeros(()) if self.exact or bias is None else 2 * _limit(z) * bias.abs()
        plus, thin = streamed(partial(_half, self.read, over.amax()), z, u, write=True)
        if float(thin.sum()) == 0:
            return plus, None
        few = _thin(self.read, z, u) + over > 0
        return None if bool((few & (linear.relevance() != 0)).any()) else (plus, None)

    @cached_property
    def _z(self) -> Tensor:
        """The recorded output, less a bias that neither side holds."""
        bias = self.linear.bias
        return self.linear.z if self.exact or bias is None else self.linear.z - bias

    def _back_fast(self, s_plus: Tensor | None, s_minus: Tensor | None) -> Tensor:
        linear = self.linear
        if s_plus is not None and s_minus is not None:
            total = linear.transpose(s_plus + s_minus)
            difference = linear.transpose(s_plus - s_minus, linear.absolute)
            return (total + sign(linear.a) * difference) / 2
        s = s_plus if s_plus is not None else s_minus
        assert s is not None
        total, difference = linear.transposes(s, linear.weight, linear.absolute)
        difference = sign(linear.a) * difference
        return (total + difference if s_plus is not None else total - difference) / 2


FAST = True  # tests set it to False to run everything on the plain branches


def _limit(z: Tensor) -> float:
    return 1e-2 if z.dtype == torch.float32 else 1e-6


def _other_side(z: Tensor, plus: Tensor, out: Tensor | None) -> tuple[Tensor, Tensor]:
    """z- = z - z+, and a number that is zero unless an output with relevance keeps too few digits.

    Digits are kept where -z- >= limit (z+ - z-), or z - z+ (1 - 2 limit) / (1 - limit) <= 0.
    It holds where z = 0, without relevance, and where z < 0, whose larger side z- is.
    """
    minus = torch.sub(z, plus, out=out)
    limit = _limit(z)
    thinnest = torch.sub(z, plus, alpha=(1 - 2 * limit) / (1 - limit)).amax(1)
    return minus, thinnest.clamp(min=0)


def _half(
    read: str, over: Tensor, z: Tensor, u: Tensor, out: Tensor | None
) -> tuple[Tensor, Tensor]:
    """z+ = (z + u) / 2, and a number that is zero unless an output may keep too few digits."""
    plus = torch.add(z, u, out=out).mul_(0.5)
    return plus, (_thin(read, z, u).amax(1) + over).clamp(min=0)


def _thin(read: str, z: Tensor, u: Tensor) -> Tensor:
    """Above -2 limit |b| where a side that is read keeps too few digits.

    The smaller side is (u - |z|) / 2, the larger (u + |z|) / 2, z+ is (u + z) / 2; each is compared
    with limit (u + |b|).
    """
    lacking = {"both": z.abs, "plus": z.neg, "own": lambda: z.abs().neg_()}[read]()
    return lacking.sub_(u, alpha=1 - 2 * _limit(z))
