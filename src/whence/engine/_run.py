"""From a model and its inputs to a finished tape: record, audit, join."""

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from whence.engine._join import join
from whence.engine._record import Recorder
from whence.engine._tape import Tape, tensors_in
from whence.errors import UntrackedTensor


class Constants:
    """Tensors that existed before the model ran, found once and remembered."""

    def __init__(self) -> None:
        self.known: list[Tensor] = []


def record(
    model: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    leaves: list[Tensor],
    *,
    constants: Constants | None = None,
    graph: bool = False,
    lean: bool = False,
    select: Callable[[Any], Any] | None = None,
) -> Tape:
    """Run `model(*args, **kwargs)` once and return its tape, batch norms joined.

    `leaves` are the tensors among the arguments whose relevance is wanted; `select` picks what is
    explained from the model's output. The model runs under
    `no_grad`; with `graph=True` it runs with gradients, so that relevance can be differentiated.
    With `lean` only what plain gradients need is kept.
    A float tensor of unknown origin is accepted if it is the same object in a second run: then it
    existed before (a constant); else the error names where it entered.
    """
    constants = constants or Constants()
    last: list[tuple[Tensor, str]] = []
    for _ in range(3):
        recorder = _record_once(model, args, kwargs, leaves, constants, graph, lean, select)
        if not recorder.unknown:
            break
        before = {id(tensor) for tensor in constants.known}
        fresh = [(tensor, place) for tensor, place in recorder.unknown if id(tensor) not in before]
        if not fresh:
            break
        constants.known = [*constants.known, *(tensor for tensor, _ in fresh)]
        last = fresh
    else:
        constants.known = []
        raise _untracked(model, last)
    tape = recorder.tape
    tape.values = {}
    for tensor in tensors_in(tape.output):
        value = recorder.value_of(tensor)
        if value is not None:
            tape.values[id(tensor)] = value
        elif tensor.is_floating_point() and not recorder.knows(tensor):
            raise _untracked(model, [(tensor, "the model's output")])
    tape.batch = leaves[0].shape[0] if leaves and leaves[0].dim() else 1
    join(tape)
    return tape


def _record_once(
    model: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    leaves: list[Tensor],
    constants: Constants,
    graph: bool,
    lean: bool,
    select: Callable[[Any], Any] | None,
) -> Recorder:
    known = [*_parameters(model), *constants.known]
    known += [each for each in tensors_in([list(args), kwargs]) if not _among(each, leaves)]
    recorder = Recorder(model, known, graph=graph, lean=lean)
    copies = {id(leaf): _copy(leaf, graph) for leaf in leaves}
    for leaf in leaves:
        recorder.leaf(copies[id(leaf)])
    replaced_args = tuple(_replace(each, copies) for each in args)
    replaced = {key: _replace(each, copies) for key, each in kwargs.items()}
    with recorder.modules, torch.enable_grad() if graph else torch.no_grad(), recorder:
        output = model(*replaced_args, **replaced)
        recorder.tape.output = output if select is None else select(output)
    return recorder


def _copy(leaf: Tensor, graph: bool) -> Tensor:
    """The model gets a copy, so that writes in place never reach the user's tensor."""
    with torch.enable_grad() if graph else nullcontext():
        return leaf.clone() if graph else leaf.detach().clone()


def _among(tensor: Tensor, tensors: list[Tensor]) -> bool:
    return any(tensor is each for each in tensors)


def _replace(argument: Any, copies: dict[int, Tensor]) -> Any:
    if isinstance(argument, Tensor):
        return copies.get(id(argument), argument)
    if isinstance(argument, (list, tuple)) and not hasattr(argument, "_fields"):
        return type(argument)(_replace(each, copies) for each in argument)
    if isinstance(argument, dict):
        return {key: _replace(each, copies) for key, each in argument.items()}
    return argument


def _parameters(model: Callable[..., Any]) -> Iterator[Tensor]:
    for module in _modules_in(model):
        yield from module.parameters()
        yield from module.buffers()


def _modules_in(model: Any) -> Iterable[torch.nn.Module]:
    """The modules a callable is made of: itself, its closure, its bound object."""
    if isinstance(model, torch.nn.Module):
        return [model]
    if isinstance(model, functools.partial):
        return [m for each in (model.func, *model.args) for m in _modules_in(each)]
    if inspect.ismethod(model):
        return _modules_in(model.__self__)
    if inspect.isfunction(model) and model.__closure__:
        cells = [cell.cell_contents for cell in model.__closure__]
        return [each for each in cells if isinstance(each, torch.nn.Module)]
    return []


def _untracked(model: Callable[..., Any], found: list[tuple[Tensor, str]]) -> UntrackedTensor:
    lines = [f"  shape {tuple(tensor.shape)} at {place}" for tensor, place in found[:10]]
    hint = ""
    if isinstance(model, torch.nn.Module):
        scripted = [n for n, m in model.named_modules() if isinstance(m, torch.jit.ScriptModule)]
        if scripted:
            hint = f" These submodules are ScriptModules, which cannot be seen into: {scripted}."
    return UntrackedTensor(
        "Every tensor must come from an input, a parameter, a buffer or a torch operation; "
        "these came from nowhere the recording can see:\n"
        + "\n".join(dict.fromkeys(lines))
        + f"\nScriptModules, extension kernels and NumPy round trips do this.{hint} "
        "Use the eager module, or write the step with torch operations."
    )
