"""A copy of a model whose layers are redrawn one by one, and put back."""

import copy
import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from whence.errors import InvalidInput

REDRAWS = {
    "reset": "as a fresh layer starts (reset_parameters); by 'normal' where a layer has no reset",
    "normal": "normal with the mean and standard deviation of each parameter's own entries",
    "permuted": "the entries of each parameter in another order",
}


@dataclass(frozen=True)
class Stage:
    """Layers that are redrawn together, under one name."""

    name: str
    layers: tuple[str, ...]


def stages_of(model: nn.Module, names: tuple[str, ...] | None) -> list[Stage]:
    """The layers one by one as the model lists its modules, or the modules named, each with all
    layers inside. A layer is a module with parameters of its own."""
    layers = _layers(model)
    if names is None:
        found = [Stage(name or "(model)", (name,)) for name in layers]
    else:
        found = [Stage(name, tuple(n for n in layers if _within(n, name))) for name in names]
    empty = [stage.name for stage in found if not stage.layers]
    if empty or not found:
        raise InvalidInput(
            f"There are no parameters to redraw in {empty[0] if empty else 'the model'!r}. The "
            f"model's layers are: {', '.join(layers) or 'none'}."
        )
    return found


class Redrawn:
    """A deep copy of a model; `model` is the copy. The user's own is never touched.

    Draws belong to the seed and the parameter's name, so a layer gets the same numbers whichever
    layers were redrawn before.
    """

    def __init__(self, original: nn.Module, how: str, seed: int) -> None:
        if how not in REDRAWS:
            raise InvalidInput(f"redraw must be one of {', '.join(REDRAWS)}, got {how!r}.")
        self._original, self._how, self._seed = original, how, seed
        self.model = copy.deepcopy(original)

    def redraw(self, stage: Stage) -> None:
        """Give the stage's layers new parameters."""
        for name in stage.layers:
            module = self.model.get_submodule(name)
            reset = getattr(module, "reset_parameters", None)
            if self._how == "reset" and reset is not None:
                self._reset(name, module)
            else:
                self._draw(name, module)

    def restore(self, stage: Stage) -> None:
        """Give the stage's layers what they had in the original."""
        for name in stage.layers:
            _copy(self._original.get_submodule(name), self.model.get_submodule(name))

    def _reset(self, name: str, module: nn.Module) -> None:
        """Parameters and running statistics as a fresh layer has them, drawn on the processor, so
        that they are the same on every device."""
        fresh = copy.deepcopy(module).cpu()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._number(name))
            fresh.reset_parameters()  # type: ignore[operator]
        _copy(fresh, module)

    def _draw(self, name: str, module: nn.Module) -> None:
        for key, parameter in module.named_parameters(recurse=False):
            if not parameter.is_floating_point():
                continue
            generator = torch.Generator().manual_seed(self._number(f"{name}.{key}"))
            values = parameter.detach().double().cpu()
            if self._how == "permuted":
                order = torch.randperm(values.numel(), generator=generator)
                new = values.flatten()[order].view(values.shape)
            else:
                noise = torch.randn(values.shape, generator=generator, dtype=torch.float64)
                new = values.mean() + values.std(correction=0) * noise
            with torch.no_grad():
                parameter.copy_(new)

    def _number(self, name: str) -> int:
        digest = hashlib.blake2b(f"{self._seed}/{name}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "little") >> 1


def _copy(source: nn.Module, target: nn.Module) -> None:
    """Copy what belongs to the module itself, its parameters and buffers."""
    before = _own(source)
    with torch.no_grad():
        for name, tensor in _own(target).items():
            tensor.copy_(before[name])


def _own(module: nn.Module) -> dict[str, Tensor]:
    return {
        **dict(module.named_parameters(recurse=False)),
        **dict(module.named_buffers(recurse=False)),
    }


def _layers(model: nn.Module) -> list[str]:
    """The modules with parameters of their own that no earlier one has."""
    found, seen = [], set[int]()
    for name, module in model.named_modules():
        own = {id(each) for each in module.parameters(recurse=False) if each.is_floating_point()}
        if own - seen:
            found.append(name)
        seen |= own
    return found


def _within(layer: str, name: str) -> bool:
    return layer == name or layer.startswith(f"{name}.") or name == ""
