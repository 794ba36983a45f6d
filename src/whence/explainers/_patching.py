"""Patching scores: what a module's output would change if it came from another input."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from whence.composites import Composite, RelP
from whence.engine import Tapped, paused_collection, record, restore
from whence.errors import InvalidInput
from whence.explainers._checks import check_inputs
from whence.explainers._inputs import Inputs
from whence.explainers._lrp import LRP
from whence.explainers._start import pick_output, values_at
from whence.targets import Each


@dataclass(frozen=True, eq=False)
class PatchingScores(Mapping[str, Any]):
    """Scores by the name of the module, of the shape of its output; a list if it was called often.

    A leading axis K for `targets.Each`. `original` and `patched` are what the model returned.
    """

    scores: dict[str, Any]
    original: Any
    patched: Any
    axes: int = 1  # the target's axis and the batch, before those of one sample

    def __getitem__(self, name: str) -> Any:
        return self.scores[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.scores)

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def sums(self) -> dict[str, Tensor]:
        """The score of each whole module, one for each sample: all of its elements patched."""
        return {name: torch.stack([*map(self._sum, self._calls(name))]).sum(0) for name in self}

    def top(self, n: int = 10) -> list[tuple[str, tuple[int, ...], float]]:
        """The n elements with the largest scores of either sign, averaged over the samples.

        Each is (module, index in one sample's output, score); the index begins with the number of
        the call if the module was called several times. Of `targets.Each` the mean is taken, too.
        """
        found: list[tuple[str, tuple[int, ...], float]] = []
        for name in self:
            calls = self._calls(name)
            for number, scores in enumerate(calls):
                mean = scores.mean(tuple(range(self.axes))).flatten()
                shape = scores.shape[self.axes :]
                for flat in mean.abs().topk(min(n, mean.numel())).indices.tolist():
                    index = tuple(int(i) for i in torch.unravel_index(torch.tensor(flat), shape))
                    where = index if len(calls) == 1 else (number, *index)
                    found.append((name, where, float(mean[flat])))
        return sorted(found, key=lambda each: -abs(each[2]))[:n]

    def _calls(self, name: str) -> list[Tensor]:
        scores = self.scores[name]
        return [scores] if isinstance(scores, Tensor) else scores

    def _sum(self, scores: Tensor) -> Tensor:
        return scores.flatten(self.axes).sum(-1) if scores.dim() > self.axes else scores


class Patching:
    """Relevance patching: the estimated effect of patching any part of a model, in one pass back.

        score = (a_patch - a) c,   c = the coefficient of a under the composite

    a is a module's output on `inputs`, a_patch on `patch`. The score estimates by how much the
    target would change if that one element came from the other input: exact where the net above is
    linear. Two runs forward and one back give it for all elements of all modules, where true
    patching needs a run for each. With `Composite([(where.all, rules.Gradient())])` it is
    attribution patching.

    ```python
    scores = Patching(model).explain(clean, corrupted, Contrast(3, 5), modules=["layer.0.mlp"])
    scores["layer.0.mlp"], scores.sums, scores.top(5)
    ```

    References: [rezaei2025].
    """

    sources: ClassVar[tuple[str, ...]] = ("rezaei2025",)

    def __init__(
        self,
        model: Callable[..., Any],
        composite: Composite | None = None,
        *,
        output: Any = None,
        batch_axis: int = 0,
    ) -> None:
        self.composite = RelP() if composite is None else composite
        self._back = _Coefficients(model, self.composite, output=output, batch_axis=batch_axis)

    def explain(
        self, inputs: Any, patch: Any, target: Any = None, *, modules: Sequence[str]
    ) -> PatchingScores:
        """Scores at the outputs of the named modules, for `inputs` patched by `patch`.

        Both have the same structure and shapes. target: as everywhere, best a `Contrast`.
        """
        names = list(modules)
        if isinstance(modules, str) or not names:
            raise InvalidInput(f"modules= must be a list of module names, got {modules!r}.")
        self._check_alike(inputs, patch)
        ex = self._back.explain(inputs, target, taps=names)
        patched, activations = self._back.activations(patch, names)
        leading = 1 if isinstance(target, Each) else 0
        scores = {name: _scores(name, ex.taps[name], activations[name], leading) for name in names}
        return PatchingScores(scores, ex.output, patched, leading + 1)

    def __repr__(self) -> str:
        return f"Patching({type(self._back.model).__name__}, {self.composite!r})"

    def _check_alike(self, inputs: Any, patch: Any) -> None:
        axis = self._back.batch_axis
        here, there = (Inputs.of(each, axis).leaves for each in (inputs, patch))
        shapes = [[tuple(leaf.shape) for leaf in leaves] for leaves in (here, there)]
        if shapes[0] != shapes[1]:
            raise InvalidInput(
                f"Patching needs inputs and patch of the same shapes, got {shapes[0]} and "
                f"{shapes[1]}. Cut or pad one of them, so that positions correspond."
            )


class _Coefficients(LRP):
    """LRP whose taps give c and a of what passed at a module, stacked."""

    default_ledger = None

    def read_tap(self, tap: Tapped) -> Tensor:
        c = tap.c
        if c is None or not torch.equal(tap.R, tap.data.to(c.dtype) * c):
            raise InvalidInput(
                "Patching needs rules of the form R = a c, but one above a named module sends "
                "relevance of another form (such as z-box, w-squared or flat). Try RelP()."
            )
        return torch.stack([c, tap.data.to(c.dtype)])

    def activations(self, inputs: Any, names: Sequence[str]) -> tuple[Any, dict[str, list[Tensor]]]:
        """What the model and each named module returned, one tensor for each call."""
        given = Inputs.of(inputs, self.batch_axis)
        check_inputs(self.model, given)
        with torch.no_grad(), paused_collection():
            tape = record(
                self.model,
                given.args,
                given.kwargs,
                given.leaves,
                constants=self._constants,
                select=lambda output: pick_output(output, self.output),
            )
            found = {name: [restore(each) for each in values_at(tape, name)] for name in names}
        return tape.output, found


def _scores(name: str, taps: Any, activations: list[Tensor], leading: int) -> Any:
    """(a_patch - a) c at one module, for each of its calls."""
    calls = taps if isinstance(taps, list) else [taps]
    if len(calls) != len(activations):
        raise InvalidInput(
            f"Module {name!r} made {len(calls)} tensors for the inputs and {len(activations)} for "
            "the patch; positions must correspond."
        )
    found = []
    for tap, patched in zip(calls, activations, strict=True):
        c, a = tap.unbind(leading)
        if a.shape[leading:] != patched.shape:
            raise InvalidInput(
                f"Module {name!r} made shape {tuple(a.shape[leading:])} for the inputs and "
                f"{tuple(patched.shape)} for the patch; positions must correspond."
            )
        found.append((patched.to(c.dtype) - a) * c)
    return found[0] if len(found) == 1 else found
