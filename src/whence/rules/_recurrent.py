"""The rule for LSTM, GRU and plain recurrent layers."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from whence._numerics import divide, stabiliser
from whence.engine import Message, Node, Opened, Slot, open_layer, value_of
from whence.errors import InvalidInput
from whence.rules._cells import Cell, Share, cell_of, taking_part
from whence.rules._recursion import Recursion, Spread, Walked, walk, walk_handing_out
from whence.rules._rule import Rule, check_bias

_GATES = ("signal", "half")


@dataclass(frozen=True)
class RecurrentCell(Rule):
    """Recurrent layers and cells: the signal takes all, through time; gates take none.

        z = o tanh(c):             R_c(t) += R_h(t),  R_o = 0
        c(t) = f c(t-1) + i g(t):  R in proportion to the two addends,  R_f = R_i = 0
        g = tanh(z_g):             R_x and R_h(t-1) by the epsilon rule through the weights of z_g

    A GRU's h(t) = (1 - z) n + z h(t-1) is such a sum as well, and r only weighs h(t-1) in n.
    What arrives at the initial states is their relevance; constant ones are booked as bias.

    gates: "signal", or "half", by which both factors of each product get half; the gate's half goes
    on through its sigmoid (sigmoid(0) is booked as bias) and its weights. epsilon and scale as in
    `Epsilon`, for z and for the sum; epsilon=0 leaves the plain recursion. bias: "absorb", "zero"
    or "distribute", by which what the bias and the stabiliser would keep goes to the units below
    in equal shares, so that words and initial states sum to the score exactly.

    Unlike the paper, epsilon is relative by default; the paper's is `RecurrentCell(epsilon=0.001,
    scale="absolute")`. The half rule, the GRU's equations and bias="zero" are ours.

    References: [arras2017, sec. 3.2], [arras2019].
    """

    gates: str = "signal"
    epsilon: float = 1e-6
    scale: str = "relative"
    bias: str = "absorb"
    natures: ClassVar[tuple[str, ...]] = ("recurrent",)
    source: ClassVar[str] = "arras2017, sec. 3.2"

    def __post_init__(self) -> None:
        check_bias("RecurrentCell", self.bias)
        if self.gates not in _GATES:
            raise InvalidInput(f"RecurrentCell needs gates= one of {_GATES}, got {self.gates!r}.")
        if self.scale not in ("relative", "absolute"):
            raise InvalidInput(f"scale= must be 'relative' or 'absolute', got {self.scale!r}.")
        if not self.epsilon >= 0:
            raise InvalidInput(f"RecurrentCell needs epsilon >= 0, got {self.epsilon}.")
        if self.gates == "half" and self.bias == "distribute":
            raise InvalidInput(
                "bias='distribute' is defined where gates take nothing, got gates='half'. "
                "Try gates='signal', or bias='absorb'."
            )

    def send(self, node: Node) -> list[Message | None]:
        layer = node.keep("layer", lambda: open_layer(node))
        if not layer.layout.single:
            node.book_as_whole()  # time or directions may come first, not the batch
        cell = cell_of(
            layer,
            half=self.gates == "half",
            over=lambda z, bias, share: self._stabilised(z, bias).under(share),
        )
        below = Below(
            self._stabilised(cell.z, cell.bias),
            None if cell.y is None else self._stabilised(cell.y),
            None if layer.W_out is None else self._stabilised(layer.h),
        )
        factors = _factors(node, layer, cell, below)
        if self.bias != "distribute":
            walked = walk(factors)
        else:
            walked = _handing_out(node, layer, cell, below, factors)
        if node.booking:
            self._book(node, cell, below, walked)
        return _messages(node, layer, cell, walked)

    def _stabilised(self, z: Tensor, bias: Tensor | None = None) -> "Stabilised":
        """z as the rule divides by it: without bias, if biases take part in nothing."""
        bare = z - bias if self.bias == "zero" and bias is not None else z
        if self.epsilon == 0:
            return Stabilised(bare, None, bare, exact=bare is z)
        eps = stabiliser(bare, self.epsilon, self.scale, (z.dim() - 1,))
        eps = torch.copysign(eps, bare)
        return Stabilised(bare, eps, bare + eps, exact=False)

    def _book(self, node: Node, cell: Cell, below: "Below", walked: Walked) -> None:
        """Bias and stabiliser at z and y, and what gates give without any input."""
        if self.bias == "absorb" and cell.bias is not None:
            always = cell.bias.dim() < walked.s.dim()  # the same bias at every step
            node.book(bias=_items(cell.bias * (walked.s.sum(0, True) if always else walked.s)))
        if cell.offset is not None:
            node.book(bias=_items(cell.offset * walked.u))
        if cell.gate_offset is not None and walked.c_h is not None:
            node.book(bias=_items(cell.gate_offset * walked.c_h))
        if self.epsilon == 0:
            if self.bias == "zero" and cell.bias is not None:
                node.book(dropped=_items(_at_z(cell, walked) * (below.z.value == 0)))
        elif self.bias != "distribute":
            for each, s in ((below.z, walked.s), (below.y, walked.u), (below.h, walked.s_out)):
                if each is not None and each.eps is not None and s is not None:
                    node.book(epsilon=_items(each.eps * s))


@dataclass(frozen=True, eq=False)
class Stabilised:
    """A denominator: the value z, the stabiliser with its sign, and their sum.

    `exact`: nothing is added or left out, so that shares have a limit where z = 0.
    """

    value: Tensor
    eps: Tensor | None
    sum: Tensor
    exact: bool

    def under(self, share: Share) -> Tensor:
        """The share over the denominator."""
        if self.exact:
            empty = self.sum == 0
            return torch.where(empty, share.limit, share.part / torch.where(empty, 1, self.sum))
        return divide(share.part, self.sum) if self.eps is None else share.part / self.sum

    def damped(self, c: Tensor) -> Tensor:
        """A coefficient times z over the denominator."""
        return c if self.eps is None else c * (self.value / self.sum)


@dataclass(frozen=True, eq=False)
class Below:
    """The denominators of a layer: of z, of the sum y, and of what a projection makes."""

    z: Stabilised
    y: Stabilised | None
    h: Stabilised | None


def _factors(node: Node, layer: Opened, cell: Cell, below: Below) -> Recursion:
    hidden, state = _arrived(node, layer)
    factors = Recursion(
        torch.zeros_like(layer.h) if hidden.c is None else hidden.c,
        None,
        None,
        below.z.under(cell.to_z),
        None if cell.gate_to_z is None else below.z.under(cell.gate_to_z),
        cell.gain,
        taking_part(layer.W_h, layer.gates, cell.block),
        out=layer.W_out,
        out_damp=None if below.h is None else below.h.damped(torch.ones_like(layer.h)),
    )
    if hidden.R is not None and (cell.gate_to_z is not None or layer.W_out is not None):
        factors.above = factors.above + _per_unit(node, hidden.R, layer.h)
        hidden = Message(hidden.c)
    if below.y is not None:
        _at_sum(node, cell, below.y, hidden.R, state, factors)
    elif hidden.R is not None:
        factors.given_z = _per_unit(node, hidden.R.unsqueeze(-2), below.z.sum)
    return factors


def _at_sum(
    node: Node, cell: Cell, y: Stabilised, R_h: Tensor | None, state: Message, factors: Recursion
) -> None:
    """The factors at the sum y that the cell carries on, and what arrived there from outside."""
    assert cell.kept is not None
    assert cell.to_y is not None
    factors.to_y, factors.kept = y.under(cell.to_y), cell.kept[1:]
    if y.eps is not None:
        factors.kept = factors.kept * (y.value[:-1] / y.sum[:-1])
    given = Message(state.c, state.R).plus(Message(R=R_h))
    if given.R is not None:
        factors.given_y = _per_unit(node, given.R, y.sum)
    if given.c is not None:
        at_end = y.damped(given.c)
        factors.given_y = at_end if factors.given_y is None else factors.given_y + at_end


def _handing_out(node: Node, layer: Opened, cell: Cell, below: Below, factors: Recursion) -> Walked:
    if layer.W_out is not None:
        raise InvalidInput(
            f"bias='distribute' has no form for the projection of {node.op.where()}. "
            "Try bias='absorb'."
        )
    at_z = _spread(below.z, cell.bias)
    at_y = None if below.y is None else _spread(below.y, None)
    units = layer.W_x.shape[-1] + layer.W_h.shape[-1]
    return walk_handing_out(factors, at_y, at_z, units)


def _spread(below: Stabilised, bias: Tensor | None) -> Spread:
    lost = torch.zeros_like(below.sum)
    for each in (below.eps, bias):
        lost = lost if each is None else lost + each
    empty = (below.sum == 0).to(lost.dtype)
    return Spread(divide(torch.ones_like(below.sum), below.sum), lost, empty)


def _at_z(cell: Cell, walked: Walked) -> Tensor:
    """The relevance at z."""
    R = walked.u.unsqueeze(-2) * cell.to_z.part
    if cell.gate_to_z is not None and walked.c_h is not None:
        R = R + walked.c_h.unsqueeze(-2) * cell.gate_to_z.part
    return R


def _arrived(node: Node, layer: Opened) -> tuple[Message, Message]:
    """The messages at the hidden state of every step, and at the sum y (an LSTM's c)."""
    layout, count = layer.layout, len(layer.h)
    hidden, state = Message(), Message()
    for number, message in enumerate(node.messages):
        if message is None:
            continue
        if number == 0:
            hidden = hidden.plus(_moved(message, layout.steps))
            continue
        moved = _moved(message, lambda each: layout.at_end(layout.state(each), count))
        if number == 2 or (layer.kind == "lstm" and layout.single):
            state = state.plus(moved)
        else:
            hidden = hidden.plus(moved)
    return hidden, state


def _moved(message: Message, move: Any) -> Message:
    c, R = message.c, message.R
    return Message(None if c is None else move(c), None if R is None else move(R))


def _per_unit(node: Node, R: Tensor, z: Tensor) -> Tensor:
    """R / z; where z is zero there is nothing to share it by, and it is booked."""
    if node.booking:
        node.book(dropped=_items(R * (z == 0)))
    return divide(R, z)


def _messages(node: Node, layer: Opened, cell: Cell, walked: Walked) -> list[Message | None]:
    """What goes to the sequence and the initial states; constant ones are booked as bias."""
    layout = layer.layout
    W_x, W_h = (taking_part(W, layer.gates, cell.block) for W in (layer.W_x, layer.W_h))
    c_x = layout.sequence(walked.s.flatten(-2)) @ W_x.flatten(0, 1)
    to_x, to_h = Message(c_x), Message(torch.bmm(walked.s_h[0].flatten(-2), W_h))
    to_y = Message() if cell.kept is None else Message(cell.kept[0] * walked.u[0])
    if walked.shares is not None:
        share = layout.sequence(walked.shares).sum(-1, keepdim=True)
        to_x = to_x.plus(Message(R=share.expand_as(c_x)))
        to_h = to_h.plus(Message(R=walked.shares[0].expand_as(layer.h[0])))
    if walked.y_share is not None:
        to_y = to_y.plus(Message(R=walked.y_share.expand_as(layer.h[0])))
    roles = [(layer.x, to_x)]
    if layer.kind == "lstm":
        roles += [(layer.h0, _moved(to_h, layout.state)), (layer.c0, _moved(to_y, layout.state))]
    else:  # what the cell carries on is h itself
        roles.append((layer.h0, _moved(to_h.plus(to_y), layout.state)))
    sent: list[Message | None] = [None] * len(node.op.inputs)
    for argument, message in roles:
        if isinstance(argument, Slot):
            sent[argument] = message
        elif node.booking and message.c is not None:
            node.book(bias=value_of(node, argument) * message.c)
            if message.R is not None:
                node.book(bias=message.R)
    return sent


def _items(tensor: Tensor) -> Tensor:
    """The sum over all axes but the batch."""
    return tensor.sum([axis for axis in range(tensor.dim()) if axis != 2])
