"""How large a model is: parameters, units, layers, multiply-adds, receptive fields."""

import io
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from whence._reach import Follower, as_in_evaluation, plain_kernels, spatial_axes
from whence.errors import InvalidInput
from whence.zoo._model import Model


@dataclass(frozen=True)
class Row:
    """One module that computes something itself.

    - `path`, `kind`: its name in the model and its class.
    - `parameters`: its own, without those of modules inside, each counted where it is first.
    - `output`: the shape of its output without the batch; None if the model was not run.
    - `units`: values of its output, if it is a layer with weights; 0 for others.
    - `multiply_adds`: of one sample, all calls together.
    - `field`: how much of the input one unit looks at, along each followed axis; None if unknown.
    - `calls`: how many times it ran.
    """

    path: str
    kind: str
    parameters: int
    output: tuple[int, ...] | None = None
    units: int = 0
    multiply_adds: int = 0
    field: tuple[int, ...] | None = None
    calls: int = 0


@dataclass(frozen=True, eq=False)
class Summary:
    """What `summary` found; printing it gives the table.

    `parameters` counts each once, also where layers share it; `trainable` those of them that ask
    for a gradient. `units`, `layers` (modules with weights that multiply) and `multiply_adds` are
    None if the model was not run.
    """

    name: str
    rows: tuple[Row, ...]
    parameters: int
    trainable: int
    input_shape: tuple[int, ...] | None = None

    @property
    def units(self) -> int | None:
        """Neurons: values that layers with weights give for one sample."""
        return self._total(lambda row: row.units)

    @property
    def layers(self) -> int | None:
        """Modules whose weights multiply: convolutions, linear and recurrent layers, attention."""
        return self._total(lambda row: int(row.units > 0))

    @property
    def multiply_adds(self) -> int | None:
        """Multiplications with an addition that one sample costs."""
        return self._total(lambda row: row.multiply_adds)

    def row(self, path: str) -> Row:
        """The row of a module by its name."""
        for row in self.rows:
            if row.path == path:
                return row
        raise InvalidInput(f"No module {path!r} in the summary; it has {self._paths()}.")

    def to_dict(self) -> dict[str, Any]:
        """Totals and rows as plain numbers and lists, for JSON or a frame."""
        totals = {
            key: getattr(self, key)
            for key in ("name", "parameters", "trainable", "units", "layers", "multiply_adds")
        }
        return {**totals, "input_shape": self.input_shape, "rows": [vars(row) for row in self.rows]}

    def __str__(self) -> str:
        table = Table(box=None, pad_edge=False)
        for name in ("module", "kind"):
            table.add_column(name, overflow="fold")
        for name in ("output", "parameters", "units", "multiply-adds", "field"):
            table.add_column(name, justify="right")
        for row in self.rows:
            table.add_row(*_cells(row))
        stream = io.StringIO()
        Console(file=stream, width=110, highlight=False).print(table)
        lines = [line.rstrip() for line in stream.getvalue().splitlines()]
        return "\n".join([self._title(), *lines])

    __repr__ = __str__

    def _title(self) -> str:
        totals = [f"{self.parameters:,} parameters"]
        if self.input_shape is not None:
            totals += [
                f"{self.units:,} units in {self.layers} layers",
                f"{self.multiply_adds:,} multiply-adds for an input of {_by(self.input_shape)}",
            ]
        return f"{self.name}: {', '.join(totals)}"

    def _total(self, number: Callable[[Row], int]) -> int | None:
        return None if self.input_shape is None else sum(map(number, self.rows))

    def _paths(self) -> list[str]:
        return [row.path for row in self.rows][:20]


def summary(model: nn.Module | Model, inputs: Any = None) -> Summary:
    """Parameters, units, layers, multiply-adds and receptive fields of a model.

    Use it to say how large a net is, what it costs, and what a layer can see at most.

    - `model`: any module, or a `Model` of the zoo, which knows the shape of its own inputs.
    - `inputs`: what the model is called with: a tensor, a tuple or a dict of keyword arguments; the
      first sample counts. Without them only parameters are known.

    The model runs once, as in evaluation, and is left as it was. The field is the largest among a
    layer's units within this input, along the axes behind batch and channels: 227 of 227 pixels
    means all of it. It is arithmetic, not a measurement, so a weight of zero counts as any other.

    >>> import torch, whence.zoo
    >>> found = whence.zoo.summary(torch.nn.Conv2d(3, 8, 5), torch.zeros(1, 3, 9, 9))
    >>> found.parameters, found.units, found.multiply_adds, found.rows[0].field
    (608, 200, 15000, (5, 5))
    """
    name = type(model).__name__
    if isinstance(model, Model):
        name = model.name
        if inputs is None and model.input_shape:
            inputs = torch.zeros(1, *model.input_shape)
        model = model.module
    if not isinstance(model, nn.Module):
        raise InvalidInput(f"summary needs an nn.Module, got {type(model).__name__}.")
    notes = _own_parameters(model)
    shape = None
    if inputs is not None:
        shape = _run(model, inputs, notes)
    parameters = {id(each): each for each in model.parameters()}.values()
    return Summary(
        name=name,
        rows=tuple(each.row() for each in notes.values() if each.parameters or each.calls),
        parameters=sum(each.numel() for each in parameters),
        trainable=sum(each.numel() for each in parameters if each.requires_grad),
        input_shape=shape,
    )


@dataclass
class _Note:
    """What is known of one module while the model runs."""

    path: str
    kind: str
    parameters: int
    weighs: bool  # whether it has a matrix of weights
    leaf: bool
    output: tuple[int, ...] | None = None
    values: int = 0
    work: int = 0
    field: tuple[int, ...] | None = None
    runs: int = 0

    @property
    def calls(self) -> int:
        """Runs in which it computed something itself."""
        return self.runs if self.leaf or self.work else 0

    def row(self) -> Row:
        units = self.values if self.weighs and self.work else 0
        return Row(
            self.path, self.kind, self.parameters, self.output, units, self.work, self.field,
            self.runs,
        )  # fmt: skip


def _own_parameters(model: nn.Module) -> dict[int, _Note]:
    """A note for each module, by its id."""
    seen: set[int] = set()
    notes = {}
    for path, module in model.named_modules():
        own = list(module.parameters(recurse=False))
        fresh = [each for each in own if id(each) not in seen]
        seen |= {id(each) for each in own}
        notes[id(module)] = _Note(
            path=path,
            kind=type(module).__name__,
            parameters=sum(each.numel() for each in fresh),
            weighs=any(each.dim() > 1 for each in own),
            leaf=next(module.children(), None) is None,
        )
    return notes


def _run(model: nn.Module, inputs: Any, notes: dict[int, _Note]) -> tuple[int, ...]:
    """Run one sample and write down what each module did; the shape of the sample."""
    one = tree_map(lambda each: each[:1].clone() if isinstance(each, Tensor) else each, inputs)
    leaf = next((each for each in tree_leaves(one) if isinstance(each, Tensor)), None)
    if leaf is None or leaf.dim() < 2 or not len(leaf):
        raise InvalidInput(
            "summary needs inputs with a batch axis, such as torch.zeros(1, 3, 224, 224)."
        )
    following = Follower(leaf, spatial_axes(leaf))
    args, kwargs = _call(one)
    quiet, plain, watched = as_in_evaluation(model), plain_kernels(), _watched(notes, following)
    with quiet, plain, watched, torch.no_grad(), following:
        model(*args, **kwargs)
    return tuple(leaf.shape[1:])


def _call(inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if isinstance(inputs, dict):
        return (), inputs
    return (tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)), {}


@contextmanager
def _watched(notes: dict[int, _Note], following: Follower) -> Iterator[None]:
    """Book the work to the innermost module that runs, by hooks that live for this run only."""
    running: list[tuple[_Note | None, int]] = []

    def enter(module: nn.Module, _: Any) -> None:
        _book(running, following)
        running.append((notes.get(id(module)), following.work))

    def leave(module: nn.Module, _: Any, output: Any) -> None:
        _book(running, following)
        running.pop()
        if running:
            running[-1] = (running[-1][0], following.work)
        note = notes.get(id(module))
        made = next((each for each in tree_leaves(output) if isinstance(each, Tensor)), None)
        if note is not None and made is not None:
            note.runs += 1
            note.output = tuple(made.shape[1:])
            note.values += made.numel()
            note.field = _larger(note.field, following.reach(made).size)

    hooks = nn.modules.module
    handles = [
        hooks.register_module_forward_pre_hook(enter),
        hooks.register_module_forward_hook(leave, always_call=True),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _book(running: list[tuple[_Note | None, int]], following: Follower) -> None:
    """The work since the last look belongs to the module on top."""
    if not running:
        return
    note, before = running[-1]
    if note is not None:
        note.work += following.work - before
    running[-1] = (note, following.work)


def _larger(one: tuple[int, ...] | None, other: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(map(max, itertools.zip_longest(one or (), other, fillvalue=0)))


def _cells(row: Row) -> tuple[str, ...]:
    path = f"{row.path or '(model)'}{f' x{row.calls}' if row.calls > 1 else ''}"
    numbers = [f"{each:,}" if each else "" for each in (row.units, row.multiply_adds)]
    shape = "" if row.output is None else _by(row.output)
    seen = "" if row.field is None else _by(row.field)
    return (path, row.kind, shape, f"{row.parameters:,}", *numbers, seen)


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
