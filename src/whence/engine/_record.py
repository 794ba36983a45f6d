"""Recording: run an unmodified model once and write down every operation on the way.

A `TorchFunctionMode` sees each semantic call (`conv2d`, `add`, `view`, ...) once, above autograd
and above the device. Nothing of the model is patched; module paths come from global forward hooks
that live only as long as the recording.
"""

import weakref
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from whence.engine._alias import Aliases, rewrite
from whence.engine._decompose import decomposition
from whence.engine._kinds import Kind, kind_of
from whence.engine._modules import Modules
from whence.engine._refine import refine, run
from whence.engine._sign import sign_of
from whence.engine._source import find_source, in_checkpoint
from whence.engine._tape import Op, Slot, Source, Tape, Value, tensors_in
from whence.errors import UnsupportedModel, UntrackedTensor

REWRITE = Kind("rewrite", "index")


class Recorder(TorchFunctionMode):
    """The mode under which the model runs; fills `self.tape`."""

    def __init__(
        self,
        model: Callable[..., Any],
        constants: Iterable[Tensor],
        *,
        graph: bool = False,
        lean: bool = False,
    ) -> None:
        super().__init__()
        self.tape = Tape()
        self.graph = graph
        self.lean = lean  # only gradients are wanted: terms of a sum may be overwritten
        self.unknown: list[tuple[Tensor, str]] = []
        self.modules = Modules(model, self._value_quietly, self.tape.modules)
        self._constants: dict[int, weakref.ref[Tensor]] = {}
        self._tracked: dict[int, tuple[weakref.ref[Tensor], Value, int]] = {}
        self._aliases = Aliases()
        self._escaped = ""
        self._source: Source | None = None
        for tensor in constants:
            self._constants[id(tensor)] = weakref.ref(tensor)

    # -- what the model's inputs are ---------------------------------------------------------

    def leaf(self, tensor: Tensor) -> Value:
        """Declare a tensor as an input whose relevance is wanted."""
        value = Value(tensor)
        self._track(tensor, value)
        self.tape.leaves.append(value)
        return value

    def constant(self, tensor: Tensor) -> None:
        """Declare a tensor as known and independent of the inputs."""
        self._constants[id(tensor)] = weakref.ref(tensor)

    def value_of(self, tensor: Tensor) -> Value | None:
        """The current value of a tensor, or None if it does not depend on the inputs."""
        entry = self._tracked.get(id(tensor))
        if entry is None or entry[0]() is not tensor:
            return None
        if tensor._version != entry[2]:
            raise UntrackedTensor(
                "A tensor was overwritten by something the recording cannot see "
                f"(shape {tuple(tensor.shape)}, at {self._where()}). Use torch operations for "
                "writes in place, or clone() the tensor before the write."
            )
        return entry[1]

    def knows(self, tensor: Tensor) -> bool:
        """Whether a tensor is a constant whose origin was seen."""
        known = self._constants.get(id(tensor))
        return known is not None and known() is tensor

    # -- the calls ----------------------------------------------------------------------------

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        named = next((name for name in ("input", "tensor") if name in kwargs), None)
        if not args and named is not None:
            args = (kwargs.pop(named),)
        kind = kind_of(func)
        if kind.nature == "geometry":
            return self._read(func, kind, args, kwargs)
        inputs: list[Value] = []
        read = 1 if kind.name in _ONLY_LIKE else len(args)  # the others lend their shape only
        slotted = tuple([self._bind(argument, inputs) for argument in args[:read]]) + args[read:]
        keywords = {key: self._bind(argument, inputs) for key, argument in kwargs.items()}
        writes = kind.writes(args, kwargs)
        if not inputs:
            return self._on_constants(func, kind, args, kwargs, writes)
        if "out" in kwargs and kwargs["out"] is not None:
            raise UnsupportedModel(
                f"`out=` writes past the recording ({kind.name} at {self._where()}). "
                "Assign the result instead: y = torch.op(x)."
            )
        if kind.nature == "constant":
            return self._independent(func, kind, args, kwargs, writes)
        name = _scaled_name(kind.name, kwargs)
        simpler = decomposition(name, args, kwargs)
        if simpler is not None:
            return self._simpler((lambda: args[0].copy_(simpler())) if writes else simpler)
        op = Op(kind, kind.nature, func, slotted, keywords, inputs)
        self._place(op)
        refine(op, self.tape)
        if writes:
            return self._write(op, args, kwargs)
        result = run(op, args, kwargs)
        return self._finish(op, result, args)

    def _read(
        self, func: Callable[..., Any], kind: Kind, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if func is torch.autograd.grad or kind.name == "backward":
            raise UnsupportedModel(
                f"The model calls autograd inside its forward ({self._where()}). Its gradient is "
                "not an operation that relevance can pass; explain the part before it, or give "
                "a target function that needs no gradient."
            )
        if kind.name in ("numpy", "tolist", "__array__") and args:
            if isinstance(args[0], Tensor) and self.value_of(args[0]) is not None:
                self._escaped = f"{kind.name} at {self._where()}"
        if kind.name in ("item", "__float__") and self._value_quietly(args[0]) is not None:
            self.tape.note(
                f"{kind.name} at {self._where()} takes a number out of a tensor: what is made of "
                "it is a constant."
            )
        return func(*args, **kwargs)

    def _bind(self, argument: Any, inputs: list[Value]) -> Any:
        if isinstance(argument, Tensor):
            value = self.value_of(argument)
            if value is None:
                self._check_constant(argument)
                return argument
            inputs.append(value)
            return Slot(len(inputs) - 1)
        if isinstance(argument, (list, tuple)) and not hasattr(argument, "_fields"):
            return type(argument)([self._bind(each, inputs) for each in argument])
        return argument

    def _check_constant(self, tensor: Tensor) -> None:
        if not tensor.is_floating_point():
            return
        if not self.knows(tensor):
            self.unknown.append((tensor, self._where()))
            self.constant(tensor)

    def _remember(self, result: Any, kind: Kind) -> None:
        if isinstance(result, Tensor):
            if self._escaped and kind.name in ("tensor", "as_tensor", "asarray"):
                if result.is_floating_point() and result.dim() > 0:
                    raise UntrackedTensor(
                        f"Values left torch by {self._escaped} and came back by "
                        f"torch.{kind.name} at {self._where()}: what happened in between is "
                        "invisible. Do it with torch operations."
                    )
            self._constants[id(result)] = weakref.ref(result)
        elif isinstance(result, (list, tuple)):
            for each in result:
                self._remember(each, kind)

    def _on_constants(
        self,
        func: Callable[..., Any],
        kind: Kind,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        writes: bool,
    ) -> Any:
        for written in (args[0] if writes else None, kwargs.get("out")):
            self._aliases.protect_constant(written, self.tape.ops)
        result = func(*args, **kwargs)
        self._remember(result, kind)
        if writes:
            self._renew(args[0], None)
        elif kind.aliases and args and isinstance(args[0], Tensor):
            for view in tensors_in(result):
                self._aliases.note(args[0], None, view, None)
        return result

    def _independent(
        self,
        func: Callable[..., Any],
        kind: Kind,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        writes: bool,
    ) -> Any:
        if writes:
            raise UnsupportedModel(
                f"{kind.name}_ overwrites a value that depends on the input with one that has no "
                f"derivative ({self._where()})."
            )
        result = func(*args, **kwargs)
        if kind.name in ("detach", "data"):
            self.tape.note(
                f"{kind.name} at {self._where()} cuts the graph: what passes there is a constant, "
                "its share is booked as bias."
            )
            self._aliases.note(args[0], self.value_of(args[0]), result, None)
        self._remember(result, kind)
        return result

    def _simpler(self, simpler: Callable[[], Any]) -> Any:
        before, self._source = self._source, self._source or find_source(self._note_function)
        try:
            with self:
                return simpler()
        finally:
            self._source = before

    def _place(self, op: Op) -> None:
        op.path, op.module, op.call = self.modules.top()
        op.source = self._source or find_source(self._note_function)
        op.paths = (op.path,)
        if self.graph and in_checkpoint():
            raise UnsupportedModel(
                f"create_graph=True cannot pass gradient checkpointing (at {op.where()}): what "
                "is computed again later is not what was recorded. Switch checkpointing off."
            )

    def _finish(self, op: Op, result: Any, args: tuple[Any, ...]) -> Any:
        tensors = [result] if isinstance(result, Tensor) else list(tensors_in(result))
        if len(tensors) == 1 and args and tensors[0] is args[0]:
            return result
        for tensor in tensors:
            if not _carries(op, tensor):
                self.constant(tensor)
                op.outputs.append(_NOTHING)
                continue
            aliased = op.kind.aliases and self._aliases.shares(op.inputs, tensor)
            data = tensor.detach() if aliased and not self.graph else tensor
            value = Value(data, op, len(op.outputs))
            value.sign = sign_of(op)
            if data is result and self._cheap(op):
                value.loosen()
            op.outputs.append(value)
            self._track(tensor, value)
            if aliased:
                source = next(
                    (each for each in tensors_in(list(args)) if _same(each, tensor)), None
                )
                if source is not None:
                    self._aliases.note(source, self._value_quietly(source), tensor, value)
        if any(value is not _NOTHING for value in op.outputs):
            self._record(op)
        return result

    def _write(self, op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """An operation in place: keep what it overwrites, run it, renew every stale view."""
        target: Tensor = args[0]
        old = self._value_quietly(target)
        made_by = old.op if old is not None and not old.readers else None
        nature = "" if made_by is None else made_by.nature
        behind = op.name == "relu" and nature in ("linear", "affine") and not self.graph
        alone = not self._aliases.has(target)
        if old is None:
            op.args = (target.clone(), *op.args[1:])
            self._aliases.protect_constant(target, self.tape.ops)
        elif alone and self.lean and op.name in _SUMS and nature in _LINEAR:
            old.drop()  # no gradient needs it: neither the sum's nor that of what made it
        elif alone and op.name == "relu" and nature == "sum" and not self.graph:
            old.drop()  # below it only the ReLU's output counts; one addition makes it again
        elif alone and op.name in _SWAPPED and not self.graph:
            return self._swap(op, target, args, kwargs)
        elif not (behind and alone):
            self._aliases.protect(target, old)
        result = op.func(*args, **kwargs)
        data = target if alone or self.graph else target.detach()
        self._overwritten(op, target, data)
        value = op.outputs[0]
        if old is not None and behind and alone:
            old.drop()
            old.stand_in = value
        if not alone:
            self._renew(target, value)
        return target if op.name == "setitem" and result is None else result

    def _swap(self, op: Op, target: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Fast path for `h += x` and the like: the result gets new memory and the user's tensor is
        pointed to it, so the old value keeps its own without a copy."""
        result = getattr(torch, op.name)(*args, **kwargs)
        if result.shape != target.shape or result.dtype != target.dtype:
            raise UnsupportedModel(f"{op.where()} in place changes the shape or the type.")
        old = self._value_quietly(target)
        assert old is not None
        old.keep(target.detach())
        target.set_(result)
        return self._overwritten(op, target, target)

    def _overwritten(self, op: Op, target: Tensor, data: Tensor) -> Tensor:
        value = Value(data, op)
        value.sign = sign_of(op)
        op.outputs.append(value)
        self._track(target, value)
        self._record(op)
        return target

    def _renew(self, target: Tensor, new: Value | None) -> None:
        """Every other view of the written memory is a new value; `new` is None for a constant."""
        for member, old, frozen in self._aliases.overlapping(target, new):
            inputs = [value for value in (old, new) if value is not None]
            if not inputs:
                continue
            first: Any = frozen if old is None else Slot(0)
            second: Any = target.clone() if new is None else Slot(len(inputs) - 1)
            args = (first, second, *self._aliases.geometry(member, target))
            op = Op(REWRITE, "index", rewrite, args, {}, inputs)
            self._place(op)
            value = Value(member if self.graph else member.detach(), op)
            op.outputs.append(value)
            self._aliases.update(member, value)
            self._track(member, value)
            self._record(op)

    # -- bookkeeping --------------------------------------------------------------------------

    def _cheap(self, op: Op) -> bool:
        """Whether what the operation made is computed again more cheaply than it is kept."""
        if self.graph or op.name in _NEVER_CHEAP:
            return False
        return op.nature in _BLIND or _recomputed(op) or (self.lean and op.nature == "linear")

    def _record(self, op: Op) -> None:
        made_by = op.inputs[0].op.nature if op.inputs and op.inputs[0].op is not None else ""
        blind = op.nature in _BLIND or (self.lean and op.nature in _LINEAR)
        blind = blind or (op.name == "relu" and made_by == "sum" and not self.graph)
        for value in op.inputs:
            data = value.data
            again = blind or (value.op is not None and not self.graph and _recomputed(value.op))
            if data is not None and (value.stand_in is not None or not again):
                value.keep(data)  # this reader needs it, besides a ReLU or a cheap operation
            value.readers.append(op)
        if op.name == "relu" and not op.kind.in_place and not self.graph:
            value = op.inputs[0]
            if len(value.readers) == 1 and made_by in ("linear", "affine"):
                value.loosen(op.outputs[0])
        self.tape.ops.append(op)

    def _track(self, tensor: Tensor, value: Value) -> None:
        try:
            version = tensor._version
        except RuntimeError:
            raise UnsupportedModel(
                f"The model makes inference tensors ({self._where()}): torch.inference_mode keeps "
                "no versions, so writes in place cannot be followed. Use torch.no_grad() instead."
            ) from None
        self._tracked[id(tensor)] = (weakref.ref(tensor), value, version)

    def _value_quietly(self, tensor: Tensor) -> Value | None:
        entry = self._tracked.get(id(tensor))
        return entry[1] if entry is not None and entry[0]() is tensor else None

    def _where(self) -> str:
        path, _, _ = self.modules.top()
        place = f"'{path}'" if path else "the model's forward"
        source = self._source or find_source(self._note_function)
        return f"{place}, {source}" if source else place

    def _note_function(self, name: str) -> None:
        self.tape.note(
            f"autograd.Function {name} is explained as the operations of its forward; "
            "its own backward is not used."
        )


_SWAPPED = {"add", "sub", "mul", "div"}
_SUMS = {"add", "sub"}
_BLIND = {"index", "scale", "sum", "average"}  # need no numbers on the way back, only shapes
# one pass over what is kept anyway gives them again
_ONE_PASS = set("mul div silu pow square contiguous clone reshape flatten to float".split())
_NEVER_CHEAP = {"rewrite", "index_add", "scatter_add", "grid_sample", "fold"}
_LINEAR = {"linear", "affine", "sum", "average"}
_NOTHING = Value(torch.empty(0))
_ONLY_LIKE = {"view_as", "reshape_as", "expand_as", "type_as", "sum_to_size"}


def _recomputed(op: Op) -> bool:
    return op.name in _ONE_PASS and not op.kind.in_place


def _carries(op: Op, tensor: Tensor) -> bool:
    """Whether relevance can pass: floats, and token ids that are only moved or counted up."""
    ids = all(not value.dtype.is_floating_point for value in op.inputs)
    if not tensor.is_floating_point():
        counted = len(op.inputs) == 1 and op.nature in ("sum", "scale")
        return ids and (counted or op.nature == "index")
    pixels = ids and op.inputs[0].dtype == torch.uint8
    return not ids or pixels or op.nature == "embedding"


def _scaled_name(name: str, kwargs: dict[str, Any]) -> str:
    if name in ("add", "sub") and kwargs.get("alpha", 1) != 1:
        return f"{name}_scaled"
    return name


def _same(candidate: Any, tensor: Tensor) -> bool:
    if not isinstance(candidate, Tensor):
        return False
    return candidate.untyped_storage()._cdata == tensor.untyped_storage()._cdata
