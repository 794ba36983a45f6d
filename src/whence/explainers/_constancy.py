"""Is c = R / a locally constant, as deep Taylor decomposition assumes? It is measured."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from whence.engine import clear, paused_collection, restore
from whence.errors import InvalidInput
from whence.explainers._gradient import GradientTimesInput
from whence.explainers._inputs import Inputs
from whence.explainers._replay import clamped
from whence.explainers._start import values_at
from whence.explainers._tape import TapeExplainer
from whence.targets import Target


@dataclass(frozen=True, eq=False)
class Constancy:
    """Relative changes ||new - old|| / ||old|| of c and of the gradient df/da at one layer, shape
    (draws, batch), over the neurons that are active before and after."""

    c: Tensor
    gradient: Tensor
    size: float

    def __repr__(self) -> str:
        c, gradient = float(self.c.median()), float(self.gradient.median())
        return (
            f"Constancy(the input changes by {self.size:.2%}: c by {c:.2%}, the gradient by "
            f"{gradient:.2%}, medians of {self.c.numel()})"
        )


def effective_c(explainer: TapeExplainer, module: str, inputs: Any, target: Target) -> Tensor:
    """R / a at a module's output, NaN where a is zero."""
    R = explainer.explain(inputs, target, taps=[module], ledger=None).taps[module]
    if not isinstance(R, Tensor):
        raise InvalidInput(f"{module!r} was called {len(R)} times; c is defined for one call.")
    given = Inputs.of(inputs)
    with torch.no_grad(), paused_collection():
        tape = explainer._record(given, False)
        a = restore(values_at(tape, module)[0]).to(R).clone()
        clear(tape)
    return torch.where(a == 0, torch.nan, R / a)


def constancy(
    explainer: TapeExplainer,
    module: str,
    inputs: Any,
    target: Target,
    *,
    noise: tuple[float, int, int],
    box: tuple[Any, Any] | None = None,
) -> Constancy:
    """Changes of c and of the gradient under `noise`, which is (relative size, draws, seed); what
    would leave the box is put on its border."""
    size, draws, seed = noise
    if size <= 0 or draws < 1:
        raise InvalidInput(f"constancy needs size > 0 and draws >= 1, got {size} and {draws}.")
    slopes = GradientTimesInput(explainer.model, output=explainer.output)
    methods: tuple[TapeExplainer, ...] = (explainer, slopes)
    given = Inputs.of(inputs)
    old = [effective_c(method, module, inputs, target) for method in methods]
    changes: list[list[Tensor]] = [[], []]
    generator = torch.Generator().manual_seed(seed)
    for _ in range(draws):
        leaves = [_moved(leaf.detach(), size, generator) for leaf in given.leaves]
        moved = given.replaced([each if box is None else clamped(each, box) for each in leaves])
        new = [effective_c(method, module, moved, target) for method in methods]
        active = new[0].isfinite() & old[0].isfinite()
        for kept, before, after in zip(changes, old, new, strict=True):
            kept.append(_change(before, after, active))
    return Constancy(torch.stack(changes[0]), torch.stack(changes[1]), size)


def _moved(x: Tensor, size: float, generator: torch.Generator) -> Tensor:
    """x with a random change of a given relative length, sample by sample."""
    way = torch.randn(x.shape, generator=generator, dtype=torch.float64).to(x)
    lengths = [each.flatten(1).norm(dim=1).view(-1, *[1] * (x.dim() - 1)) for each in (x, way)]
    return x + size * way * lengths[0] / lengths[1]


def _change(before: Tensor, after: Tensor, active: Tensor) -> Tensor:
    old, new = (torch.where(active, each, 0).flatten(1) for each in (before, after))
    return (new - old).norm(dim=1) / old.norm(dim=1).clamp(min=torch.finfo(old.dtype).tiny)
