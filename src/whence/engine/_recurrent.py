"""A recurrent layer in the open: what a fused call of torch hides, as tensors of one layout.

Everything here is in steps: (steps, directions, batch, features), each direction in the order in
which it runs, so that one loop serves both directions, packed sequences and single cells.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from whence.engine._node import Node
from whence.engine._tape import Op, Slot
from whence.errors import UnsupportedModel

_CELLS = ("lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell")
_GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}


@dataclass(frozen=True, eq=False)
class Layout:
    """How a call lays out its sequences; `sizes` are the batch sizes of a packed sequence."""

    directions: int
    batch_first: bool = False
    sizes: Tensor | None = None
    single: bool = False  # a cell: one step

    def steps(self, sequence: Tensor, *, shared: bool = False) -> Tensor:
        """As the call has it, the directions side by side or shared -> steps."""
        if self.sizes is not None:
            count, batch = len(self.sizes), int(self.sizes[0])
            padded = sequence.new_zeros(count * batch, sequence.shape[-1])
            padded = padded.index_copy(0, self._rows.to(sequence.device), sequence)
            sequence = padded.view(count, batch, -1)
        elif self.single:
            sequence = sequence.unsqueeze(0)
        elif self.batch_first:
            sequence = sequence.transpose(0, 1)
        if self.directions == 1:
            return sequence.unsqueeze(1)
        forward, backward = (sequence, sequence) if shared else sequence.chunk(2, -1)
        return torch.stack([forward, self._turned(backward)]).transpose(0, 1)

    def sequence(self, steps: Tensor) -> Tensor:
        """Steps -> as the call has it, the directions side by side."""
        if self.directions == 1:
            sequence = steps.squeeze(1)
        else:
            sequence = torch.cat([steps[:, 0], self._turned(steps[:, 1])], -1)
        if self.sizes is not None:
            return sequence.flatten(0, 1).index_select(0, self._rows.to(sequence.device))
        if self.single:
            return sequence.squeeze(0)
        return sequence.transpose(0, 1) if self.batch_first else sequence

    def state(self, tensor: Tensor) -> Tensor:
        """An initial or last state <-> (directions, batch, features)."""
        if self.single:
            return tensor.unsqueeze(0) if tensor.dim() == 2 else tensor.squeeze(0)
        return tensor

    def at_end(self, state: Tensor, count: int) -> Tensor:
        """A last state at its step, zero elsewhere; packed sequences end at different steps."""
        if self.sizes is None:
            return F.pad(state.unsqueeze(0), (0, 0) * state.dim() + (count - 1, 0))
        last = torch.arange(count)[:, None] == self._lengths - 1
        return state * last.to(state.device)[:, None, :, None]

    def _turned(self, sequence: Tensor) -> Tensor:
        """Back to front, (steps, batch, features); each packed sequence up to its own length."""
        if self.sizes is None:
            return sequence.flip(0)
        steps = torch.arange(len(sequence))[:, None]
        turned = torch.where(steps < self._lengths, self._lengths - 1 - steps, steps)
        return sequence.gather(0, turned.to(sequence.device)[:, :, None].expand_as(sequence))

    @cached_property
    def _rows(self) -> Tensor:
        """Where each row of a packed sequence is in (steps * batch)."""
        assert self.sizes is not None
        batch = torch.arange(int(self.sizes[0]))
        return (batch < self.sizes[:, None]).flatten().nonzero().squeeze(1)

    @cached_property
    def _lengths(self) -> Tensor:
        assert self.sizes is not None
        batch = torch.arange(int(self.sizes[0]))
        return (batch < self.sizes[:, None]).sum(0)


@dataclass(eq=False, slots=True)
class Opened:
    """One recurrent layer: weights stacked over directions, and what its gates were before.

    h_before is the hidden state that each step starts from. `x`, `h0` and `c0` are slots where
    they depend on the inputs.
    """

    kind: str
    layout: Layout
    x: Any
    h0: Any
    c0: Any
    W_x: Tensor  # (directions, gates * hidden, features)
    W_h: Tensor  # (directions, gates * hidden, hidden)
    b_x: Tensor | None  # (directions, 1, gates * hidden)
    b_h: Tensor | None
    W_out: Tensor | None  # (directions, projected, hidden)
    x_steps: Tensor
    h_before: Tensor
    h: Tensor
    c_first: Tensor | None

    @property
    def gates(self) -> int:
        """How many blocks of rows the weights have."""
        return _GATES[self.kind]

    def sums(self) -> Tensor:
        """W_x x + W_h h + b for all gates and steps: one product."""
        both = torch.cat([self.x_steps, self.h_before], -1)
        bias = None if self.b_x is None or self.b_h is None else self.b_x + self.b_h
        return _times(both, torch.cat([self.W_x, self.W_h], -1), bias)

    def parts(self) -> tuple[Tensor, Tensor]:
        """W_x x + b_x and W_h h + b_h by themselves."""
        return _times(self.x_steps, self.W_x, self.b_x), _times(self.h_before, self.W_h, self.b_h)


def only_states_depend(op: Op) -> bool:
    """Whether the inputs reach a recurrent call through its sequence and states only."""
    x, states, _, _ = _arguments(op)
    return sum(isinstance(each, Slot) for each in (x, *states)) == len(op.inputs)


def open_layer(node: Node) -> Opened:
    """Compute again, for all steps at once, what the gates of a fused call were before."""
    op, dtype = node.op, node.output.dtype
    x, states, weights, layout = _arguments(op)
    kind = op.name.removesuffix("_cell")
    stacked = [None if each[0] is None else torch.stack(each).to(dtype) for each in weights]
    W_x, W_h, b_x, b_h, W_out = stacked
    assert W_x is not None
    assert W_h is not None
    given = next((b for b in (b_x, b_h) if b is not None), None)
    if given is not None:  # torch takes one without the other
        b_x, b_h = ((torch.zeros_like(given) if b is None else b)[:, None] for b in (b_x, b_h))
    h = layout.steps(node.output)
    first = [layout.state(value_of(node, each)) for each in states]
    h_before = torch.cat([first[0].unsqueeze(0), h[:-1]])
    return Opened(
        kind,
        layout,
        x,
        states[0],
        states[1] if kind == "lstm" else None,
        W_x,
        W_h,
        b_x,
        b_h,
        W_out,
        layout.steps(value_of(node, x), shared=True),
        h_before,
        h,
        first[1] if kind == "lstm" else None,
    )


def value_of(node: Node, argument: Any) -> Tensor:
    """An argument of the call, dependent or constant, in the dtype of the message."""
    return node.input(argument) if isinstance(argument, Slot) else argument.to(node.output.dtype)


def _times(steps: Tensor, weights: Tensor, bias: Tensor | None) -> Tensor:
    """Steps through one linear map for each direction."""
    count, directions, batch, _ = steps.shape
    rows = steps.transpose(0, 1).reshape(directions, count * batch, -1)
    W = weights.transpose(1, 2)
    made = torch.bmm(rows, W) if bias is None else torch.baddbmm(bias, rows, W)
    return made.view(directions, count, batch, -1).transpose(0, 1)


def _arguments(op: Op) -> tuple[Any, tuple[Any, ...], list[tuple[Any, ...]], Layout]:
    """Sequence, states, weights of (W_x, W_h, b_x, b_h, W_out) by direction, and the layout."""
    if op.name in _CELLS:
        x, states = op.argument(0, "input"), op.argument(1, "hx")
        names = ("w_ih", "w_hh", "b_ih", "b_hh")
        weights = [(op.argument(i + 2, name),) for i, name in enumerate(names)]
        return x, _as_tuple(states), [*weights, (None,)], Layout(1, single=True)
    if len(op.args) != 9:
        raise UnsupportedModel(f"{op.where()}: call it with all arguments by position.")
    packed = not isinstance(op.args[3], bool)
    x, states, weights, biased, *_ = op.args[:1] + op.args[2:] if packed else op.args
    bidirectional = op.args[8] if packed else op.args[7]
    directions = 2 if bidirectional else 1
    layout = Layout(
        directions,
        batch_first=not packed and bool(op.args[8]),
        sizes=op.args[1] if packed else None,
    )
    each = len(weights) // directions
    projected = each == (5 if biased else 3)
    parts = []
    for index in range(directions):
        own = list(weights[index * each : (index + 1) * each])
        out = own.pop() if projected else None
        parts.append((*own, *([] if biased else [None, None]), out))
    return x, _as_tuple(states), list(zip(*parts, strict=True)), layout


def _as_tuple(states: Any) -> tuple[Any, ...]:
    return tuple(states) if isinstance(states, (list, tuple)) else (states,)
