"""Slow oracles: each rule once more, from its paper, on the dense matrix of one sample.

Every oracle has the form `oracle(a, W, b, z, R, connected) -> R_in` for one row of a linear map:
a (inputs,), W (outputs, inputs), b, z, R (outputs,); z = W a + b. `connected` (outputs, inputs)
says which inputs an output reads, also where the weight is zero. Nothing here looks at the rules'
code; neurons are taken one after the other. Where only a ReLU reads z, z is what it lets through.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.rules import (
    AlphaBeta,
    Epsilon,
    Flat,
    Gamma,
    Rule,
    TaylorRule,
    WSquare,
    ZBox,
    Zero,
    ZPlus,
)

Oracle = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]
# one neuron's (a, w, b, z) -> the shares of its inputs, and of its bias
Neuron = Callable[[Tensor, Tensor, float, float], tuple[Tensor, float]]


def oracle_of(rule: Rule) -> Oracle:
    """The built-in oracle of one of whence's linear rules."""
    find = _ORACLES.get(type(rule))
    if find is None:
        raise InvalidInput(
            f"There is no built-in oracle for {rule!r}. Give check_rule your own: a function "
            "oracle(a, W, b, z, R, connected) -> R_in for one sample, written from the paper."
        )
    return find(rule)


def _zero(rule: Zero) -> Oracle:
    """[bach2015, eq. 56]: R_i = sum_j z_ij / z_j R_j."""

    def neuron(a: Tensor, w: Tensor, b: float, z: float) -> tuple[Tensor, float]:
        return a * w, b

    return _proportional(neuron, rule.bias)


def _epsilon(rule: Epsilon) -> Oracle:
    """[bach2015, eq. 58]: R_i = sum_j z_ij / (z_j + eps sgn z_j) R_j, sgn 0 = +1."""

    def oracle(a: Tensor, W: Tensor, b: Tensor, z: Tensor, R: Tensor, connected: Tensor) -> Tensor:
        left_out = rule.bias == "zero" and bool(b.any())
        sums = W @ a if left_out else z
        rms = (sum(float(each) ** 2 for each in sums) / len(sums)) ** 0.5
        eps = rule.epsilon if rule.scale == "absolute" else rule.epsilon * rms
        R_in = torch.zeros_like(a)
        for j in range(len(R)):
            noise = eps if sums[j] >= 0 else -eps
            if sums[j] + noise == 0:
                continue
            s = R[j] / (sums[j] + noise)
            R_in += a * W[j] * s
            if rule.bias == "distribute":
                R_in += connected[j] * (b[j] + noise) * s / connected[j].sum().clamp(min=1)
        return R_in

    return oracle


def _gamma(rule: Gamma) -> Oracle:
    """[montavon2019, eq. 10.4], mirrored for outputs below zero: x+ (w + g w-) + x- (w + g w+)."""

    def neuron(a: Tensor, w: Tensor, b: float, z: float) -> tuple[Tensor, float]:
        a_high, a_low, g = a.clamp(min=0), a.clamp(max=0), rule.gamma
        w_high, w_low = w + g * w.clamp(min=0), w + g * w.clamp(max=0)
        if z >= 0:
            return a_high * w_high + a_low * w_low, b + g * max(b, 0.0)
        return a_high * w_low + a_low * w_high, b + g * min(b, 0.0)

    return _proportional(neuron, rule.bias)


def _alpha_beta(alpha: float, beta: float, policy: str) -> Oracle:
    """[bach2015, eq. 60] with alpha - beta = 1: each sign of contributions gets its own share."""

    def positive(a: Tensor, w: Tensor, b: float, z: float) -> tuple[Tensor, float]:
        return (a * w).clamp(min=0), max(b, 0.0)

    def negative(a: Tensor, w: Tensor, b: float, z: float) -> tuple[Tensor, float]:
        return (a * w).clamp(max=0), min(b, 0.0)

    raising, lowering = _proportional(positive, policy), _proportional(negative, policy)

    def oracle(a: Tensor, W: Tensor, b: Tensor, z: Tensor, R: Tensor, connected: Tensor) -> Tensor:
        plus = raising(a, W, b, z, R, connected)
        return alpha * plus - beta * lowering(a, W, b, z, R, connected)

    return oracle


def _z_box(rule: ZBox) -> Oracle:
    """[montavon2017, table 1]: x_i w_ij - l_i w_ij+ - h_i w_ij-, over its sum; no bias."""

    def neuron(a: Tensor, w: Tensor, b: float, z: float) -> tuple[Tensor, float]:
        low, high = torch.as_tensor(rule.low).to(a), torch.as_tensor(rule.high).to(a)
        return a * w - low * w.clamp(min=0) - high * w.clamp(max=0), 0.0

    return _proportional(neuron, "zero")


def _w_square(rule: WSquare) -> Oracle:
    """[montavon2017, table 1]: w_ij^2 / sum_i' w_i'j^2; no bias."""

    def neuron(a: Tensor, w: Tensor, b: float, z: float) -> tuple[Tensor, float]:
        return w * w, 0.0

    return _proportional(neuron, "zero")


def _flat(rule: Flat) -> Oracle:
    """[bach2016, sec. 3]: equal shares for all inputs that a neuron reads."""

    def oracle(a: Tensor, W: Tensor, b: Tensor, z: Tensor, R: Tensor, connected: Tensor) -> Tensor:
        R_in = torch.zeros_like(a)
        for j in range(len(R)):
            read = [i for i in range(len(a)) if connected[j, i]]
            for i in read:
                R_in[i] += R[j] / len(read)
        return R_in

    return oracle


def _taylor(rule: TaylorRule) -> Oracle:
    """[montavon2017, sec. 4]: (a_i - root_i) w_ij R_j / sum, root = a - t d with w . root = 0.

    The share of an input is the same for every t, so it is computed at t = 1.
    """
    if not isinstance(rule.direction, str):
        raise InvalidInput(
            "There is no built-in oracle for a TaylorRule whose direction is a function. Give "
            "check_rule your own."
        )

    def neuron(a: Tensor, w: Tensor, b: float, z: float) -> tuple[Tensor, float]:
        towards = {"weight": w, "activation": a, "positive": torch.where(a * w > 0, a, 0)}
        return towards[str(rule.direction)] * w, 0.0

    return _proportional(neuron, "zero")


def _proportional(neuron: Neuron, policy: str) -> Oracle:
    """R_j in proportion to a neuron's shares; what the bias gets is lost, left out or handed out.

    A neuron without shares sends nothing.
    """

    def oracle(a: Tensor, W: Tensor, b: Tensor, z: Tensor, R: Tensor, connected: Tensor) -> Tensor:
        R_in = torch.zeros_like(a)
        for j in range(len(R)):
            shares, bias = neuron(a, W[j], float(b[j]), float(z[j]))
            bias = 0.0 if policy == "zero" else bias
            total = float(shares.sum()) + bias
            if total == 0:
                continue
            R_in += shares / total * R[j]
            if policy == "distribute":
                R_in += connected[j] * (bias / total * R[j] / connected[j].sum().clamp(min=1))
        return R_in

    return oracle


_ORACLES: dict[type[Rule], Callable[..., Oracle]] = {
    Zero: _zero,
    Epsilon: _epsilon,
    Gamma: _gamma,
    AlphaBeta: lambda rule: _alpha_beta(rule.alpha, rule.beta, rule.bias),
    ZPlus: lambda rule: _alpha_beta(1.0, 0.0, rule.bias),
    ZBox: _z_box,
    WSquare: _w_square,
    Flat: _flat,
    TaylorRule: _taylor,
}
