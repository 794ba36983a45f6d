"""One operation as a rule sees it on the way back: its values, its messages, its ledger row."""

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

from whence.engine._adjoints import Grads, known, vjp
from whence.engine._context import Context
from whence.engine._message import Message, working_dtype
from whence.engine._tape import Op

Kept = TypeVar("Kept")


class Node:
    """An operation, the messages at its outputs, and where to book what is lost."""

    def __init__(self, op: Op, messages: list[Message | None], context: Context, row: Any) -> None:
        self.op = op
        self.messages = messages
        self.context = context
        self.row = row

    @property
    def message(self) -> Message:
        """The message at the first output that has one."""
        return next(each for each in self.messages if each is not None)

    @property
    def _message_dtype(self) -> torch.dtype:
        message = self.message
        tensor = message.loose if message.loose is not None else message.R
        return torch.float32 if tensor is None else working_dtype(tensor.dtype)

    def input(self, index: int = 0) -> Tensor:
        """A dependent input, in the dtype of the message."""
        tensor = known(self.op.inputs[index])
        return tensor.to(self._message_dtype)

    def live(self, index: int) -> bool:
        """Whether the i-th dependent input may carry relevance: no rule holds it constant."""
        return id(self.op.inputs[index]) not in self.context.held

    @property
    def output(self) -> Tensor:
        """The first output, in the dtype of the message."""
        return known(self.op.outputs[0]).to(self._message_dtype)

    def relevance(self) -> Tensor:
        """R at the output: a c + R."""
        message = self.message
        if message.c is None:
            assert message.R is not None
            return message.R
        R = self.output * message.c
        return R if message.R is None else R + message.R

    def vjp(self, grads: Grads) -> Grads:
        """The plain vector-Jacobian product, one result for each dependent input."""
        return vjp(self.op, grads, graph=self.context.graph)

    def book(self, **columns: Tensor) -> None:
        """Book what leaked: `bias=`, `epsilon=`, `dropped=`, `softmax=`, as relevance tensors."""
        if self.row is not None:
            self.row.book(**columns)

    def book_as_whole(self) -> None:
        """Book sums over all samples, where the first axis of the operation is not the batch."""
        if self.row is not None:
            self.row.as_whole()

    def arrived(self, total: Tensor) -> None:
        """Book the sum of R at the output, where a rule has it at hand."""
        if self.row is not None:
            self.row.arrive(total)

    @property
    def counting(self) -> bool:
        """Whether the ledger still wants the sum of R at the output."""
        return self.row is not None and not self.row.balanced

    @property
    def booking(self) -> bool:
        """Whether anybody reads the ledger; booking costs a pass over the tensor."""
        return self.row is not None

    def keep(self, name: str, make: Callable[[], Kept]) -> Kept:
        """What several targets over one tape share; otherwise made and forgotten."""
        if name in self.op.cache:
            return self.op.cache[name]
        made = make()
        if self.context.retain:
            self.op.cache[name] = made
        return made
