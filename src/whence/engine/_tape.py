"""The record of one run of a model: values, the operations between them, and where each came from.

    Value --(read by)--> Op --(makes)--> Value

A `Tape` lists the operations in the order they ran. Only operations that depend on the explained
inputs are on it; everything else is a constant and sits in an operation's arguments as a tensor.
"""

import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from whence.engine._kinds import Kind


class Source(NamedTuple):
    """Where in the user's code an operation was called."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Value:
    """One tensor at one moment of the run (a write in place makes a new `Value`).

    `data` may be gone. A linear output that only a ReLU reads is not kept, since the ReLU's own
    output stands in for it wherever relevance is not zero (`stand_in`). What a cheap operation made
    is not kept either until something reads it that needs its numbers on the way back; whoever
    asks for it all the same computes it again.
    """

    __slots__ = ("_strong", "_weak", "dtype", "op", "readers", "shape", "sign", "slot", "stand_in")

    def __init__(self, data: Tensor, op: "Op | None" = None, slot: int = 0) -> None:
        self._strong: Tensor | None = data
        self._weak: weakref.ref[Tensor] | None = None
        self.op = op
        self.slot = slot
        self.readers: list[Op] = []
        self.sign: bool | None = None  # True: known to be >= 0
        self.stand_in: Value | None = None
        self.shape = data.shape
        self.dtype = data.dtype

    @property
    def data(self) -> Tensor | None:
        """The tensor, or None once it is gone."""
        if self._strong is not None:
            return self._strong
        return self._weak() if self._weak is not None else None

    def keep(self, data: Tensor) -> None:
        """Hold `data` for as long as the tape needs it."""
        self._strong, self._weak = data, None

    def loosen(self, stand_in: "Value | None" = None) -> None:
        """Let the tensor go with its last user; `stand_in` replaces it where it is positive."""
        if self._strong is not None:
            self._weak = weakref.ref(self._strong)
            self._strong = None
        self.stand_in = stand_in

    def drop(self) -> None:
        """Forget the tensor."""
        self._strong = self._weak = None


@dataclass(slots=True, eq=False)
class Op:
    """One call. `args` and `kwargs` hold a `Slot` wherever a dependent tensor stood."""

    kind: Kind
    nature: str
    func: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    inputs: list[Value]
    outputs: list[Value] = field(default_factory=list)
    path: str = ""
    module: torch.nn.Module | None = None
    call: int = 0
    source: Source | None = None
    extra: Any = None  # what the closed forms keep from the forward call, e.g. pooling indices
    joined: "Op | None" = None  # the batch norm joined into this linear operation
    before: bool = False  # the batch norm comes before, not after
    paths: tuple[str, ...] = ()  # all module paths, when several operations were joined
    cache: dict[Any, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The operation's name as the table spells it."""
        return self.kind.name

    def where(self) -> str:
        """`conv2d in 'features.0' (net.py:12)`, for messages."""
        path = f"'{self.path}'" if self.path else "the model's forward"
        source = f" ({self.source})" if self.source else ""
        return f"{self.name} in {path}{source}"

    def call_with(self, tensors: list[Tensor]) -> Any:
        """Run the operation again on other values of its dependent inputs."""
        args = tuple(fill(argument, tensors) for argument in self.args)
        kwargs = {key: fill(argument, tensors) for key, argument in self.kwargs.items()}
        return self.func(*args, **kwargs)

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """One argument, given by position or by name."""
        if position < len(self.args):
            return self.args[position]
        return self.kwargs.get(name, default)


class Slot(int):
    """Stands in an operation's arguments for its i-th dependent input."""


def fill(argument: Any, tensors: list[Tensor]) -> Any:
    """Put tensors back where the slots are."""
    if isinstance(argument, Slot):
        return tensors[argument]
    if isinstance(argument, (list, tuple)) and not hasattr(argument, "_fields"):
        return type(argument)(fill(each, tensors) for each in argument)
    return argument


def tensors_in(structure: Any) -> Iterator[Tensor]:
    """All tensors of a nested output, in order."""
    if isinstance(structure, Tensor):
        yield structure
    elif isinstance(structure, dict):
        for each in structure.values():
            yield from tensors_in(each)
    elif isinstance(structure, (list, tuple)):
        for each in structure:
            yield from tensors_in(each)


@dataclass(slots=True, eq=False)
class Tape:
    """All recorded operations, the inputs they start from, and the model's outputs."""

    ops: list[Op] = field(default_factory=list)
    leaves: list[Value] = field(default_factory=list)
    output: Any = None  # the model's own output structure
    values: dict[int, Value] = field(default_factory=dict)  # id(tensor) -> value, output tensors
    modules: dict[str, list[list[Value]]] = field(default_factory=dict)  # path -> outputs per call
    notes: list[str] = field(default_factory=list)
    batch: int = 1

    def note(self, text: str) -> None:
        """Add a remark for the user, once."""
        if text not in self.notes:
            self.notes.append(text)

    def reaching(self, targets: list[Value]) -> list[Op]:
        """The operations that lie between the inputs and the targets, in the order they ran."""
        wanted = {id(value) for value in targets}
        found = []
        for op in reversed(self.ops):
            if any(id(out) in wanted for out in op.outputs):
                found.append(op)
                wanted.update(id(value) for value in op.inputs)
        return found[::-1]
