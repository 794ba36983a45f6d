"""Runs an unmodified model and reads its output and the outputs of named modules, with gradients.

The hooks that read modules are torch's global ones, live during one call only, count in this
thread only, and are removed also after an error: the model's own hooks, parameters, modes and
gradients are never touched.
"""

import difflib
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as global_module

from whence.errors import InvalidInput
from whence.prototypes._head import Scores, are_probabilities, head_of
from whence.prototypes._seen import Seen


class Lens:
    """A model with what is to be read of it.

    - `modules`: names whose outputs are read.
    - `call`: how the model is called, x -> output; by default model(x).
    - `output`: a key, an index or a function that picks from what the model returns.
    """

    def __init__(
        self,
        model: Callable[..., Any],
        modules: Sequence[str] = (),
        *,
        call: Callable[[Tensor], Any] | None = None,
        output: Any = None,
    ) -> None:
        self.notes: list[str] = []
        self._call = model if call is None else call
        self._which = output
        self._names = _named(model, modules)
        self._dtype = _dtype(model)
        self._searches = False  # for the scores before a softmax
        self._probabilities: bool | None = None
        _refuse_training(model)

    def look(self, x: Tensor, rows: Tensor) -> Seen:
        """Run the model on x: (batch, ...). `rows`: the objective's entry of each sample."""
        given = x if self._dtype is None else x.to(self._dtype)
        output, before, made = self._run(given)
        head = head_of(output)
        if head != "scores" and not self._searches:
            self._searches = True
            self._note(head)
            output, before, made = self._run(given)
        if head == "scores" and self._are_probabilities(output):
            head = "probabilities"
        scores = output if before is None else before
        if before is None and head not in ("scores", "probabilities"):
            scores, head = _undone(output, head)
        return Seen(x, output, scores, head, rows, made, self.notes)

    def _run(self, x: Tensor) -> tuple[Any, Tensor | None, Mapping[str, list[Tensor]]]:
        scores = Scores()
        with Watch(self._names) as watch:
            if self._searches:
                with scores:
                    output = pick(self._call(x), self._which)
            else:
                output = pick(self._call(x), self._which)
        before = scores.before(output) if isinstance(output, Tensor) else None
        return output, before, watch.made

    def _are_probabilities(self, output: Any) -> bool:
        """Decided once, on the first answer: an ascent must not change what it climbs."""
        if self._probabilities is None:
            self._probabilities = are_probabilities(output)
            if self._probabilities:
                self._tell("The model returns probabilities: the rows of its output sum to 1.")
        return self._probabilities

    def _note(self, head: str) -> None:
        self._tell(f"The model ends in a {head}; class objectives look at the scores before it.")

    def _tell(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)


class Watch:
    """Keeps what named modules return during one run."""

    def __init__(self, names: Mapping[int, Sequence[str]]) -> None:
        self.made: dict[str, list[Tensor]] = {name: [] for each in names.values() for name in each}
        self._names = names
        self._thread = threading.get_ident()
        self._handle: Any = None

    def __enter__(self) -> "Watch":
        if self._names:
            self._handle = global_module.register_module_forward_hook(self._keep)
        return self

    def __exit__(self, *_: object) -> None:
        if self._handle is not None:
            self._handle.remove()

    def _keep(self, module: nn.Module, _: Any, output: Any) -> None:
        names = self._names.get(id(module), ())
        if not names or threading.get_ident() != self._thread:
            return
        found = _first_float(output)
        if found is not None:
            # A copy: a module that works in place may write over the original next.
            kept = found.clone()
            for name in names:
                self.made[name].append(kept)


def pick(output: Any, which: Any) -> Any:
    """The part of a model's answer that objectives see."""
    if callable(which):
        return which(output)
    if which is not None:
        try:
            return output[which]
        except (KeyError, IndexError, TypeError) as error:
            keys = list(output) if isinstance(output, Mapping) else type(output).__name__
            raise InvalidInput(f"output={which!r} is not in the model's output: {keys}.") from error
    if isinstance(output, Mapping) and isinstance(output.get("logits"), Tensor):
        return output["logits"]
    found = _first_float(output)
    if found is None:
        raise InvalidInput(
            f"The model returned {type(output).__name__}, in which there is no float tensor. Give "
            "output='name', output=index or output=function."
        )
    return found


def _first_float(output: Any) -> Tensor | None:
    if isinstance(output, Tensor):
        return output if output.is_floating_point() else None
    if isinstance(output, Mapping):
        output = tuple(output.values())
    if isinstance(output, (tuple, list)):
        return next((t for each in output if (t := _first_float(each)) is not None), None)
    return None


def _undone(output: Tensor, head: str) -> tuple[Tensor, str]:
    """Scores for a head whose input was not seen, as a sigmoid in place."""
    if head == "sigmoid":
        return output.logit(), head
    if head == "softmax":
        return output, "probabilities"
    return output, "scores"


def _named(model: Any, names: Sequence[str]) -> dict[int, list[str]]:
    """The watched modules by id, with the names they are asked for."""
    if not names:
        return {}
    modules = dict(model.named_modules(remove_duplicate=False)) if _is_module(model) else {}
    found: dict[int, list[str]] = {}
    for name in names:
        if name not in modules:
            close = difflib.get_close_matches(name, modules, 3)
            hint = f" Close names: {', '.join(close)}." if close else ""
            raise InvalidInput(
                f"The model has no module {name!r}; names are those of model.named_modules().{hint}"
            )
        found.setdefault(id(modules[name]), []).append(name)
    return found


def _dtype(model: Any) -> torch.dtype | None:
    if not _is_module(model):
        return None
    return next((each.dtype for each in model.parameters() if each.is_floating_point()), None)


def _refuse_training(model: Any) -> None:
    """Batch norm would change its statistics, and dropout would make the objective random."""
    if not _is_module(model):
        return
    for name, module in model.named_modules():
        norm = isinstance(module, nn.modules.batchnorm._BatchNorm)
        dropout = isinstance(module, nn.modules.dropout._DropoutNd) and module.p > 0
        if module.training and (norm or dropout):
            raise InvalidInput(
                f"The model must be in evaluation mode, but {name or 'it'} "
                f"({type(module).__name__}) is training. Call model.eval() first."
            )


def _is_module(model: Any) -> bool:
    return isinstance(model, nn.Module)
