"""Simple Taylor decomposition: the whole model expanded once, at a root."""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor

from whence import viz
from whence._explanation import Explanation
from whence.engine import paused_collection
from whence.errors import InvalidInput
from whence.explainers._checks import check_inputs
from whence.explainers._explainer import Explainer
from whence.explainers._gradient import InputGradient
from whence.explainers._inputs import Inputs
from whence.explainers._nearest import nearest_root
from whence.explainers._roots import along, first_crossing
from whence.explainers._score import answer, fix_target
from whence.explainers._surface import ScoreSurface
from whence.explainers._text import as_text, read_texts
from whence.explainers._wrapped import INSTEAD_OF_IDS, average
from whence.targets import Each

ROOTS = ("limit", "nearest", "segment", "ray")
# Powers of two: a bias-free ReLU net is scaled by them without rounding.
_LIMIT = {torch.float64: 2.0**-20, torch.float32: 2.0**-10}
_ZERO = {torch.float64: 1e-6, torch.float32: 1e-3}  # of |f(x)|: below this, f is zero


class Taylor(Explainer):
    """Simple Taylor decomposition: the score expanded to first order at a root of it.

        f(x) = f(root) + sum_i R_i + residual,   R_i = (x_i - root_i) df/dx_i (root)

    `root` says where. "limit": eps x for eps -> 0, which is a root of every bias-free ReLU net, and
    there sum_i R_i = f(x). A number or tensor (one for each input): a given baseline. "segment":
    where f first changes its sign on the way from x to the point `toward`, "ray": the same up to
    `reach` times as far. "nearest": the root nearest to x that the search finds, in the `box`
    (low, high) of valid inputs if there is one.

    `facts` of the explanation hold, for each sample: "root", "root_score" f(root), "residual",
    "distance" ||x - root|| / ||x||, "negative" (the share of negative relevance), and "found".
    A sample whose score does not change its sign where it was looked for is expanded where |f| is
    smallest on that way, and the notes say so: its sum is f(x) - f(root) less the residual still.

    Use it to see what the tutorial says of it: on deep nets roots are far or on the other side of
    many kinks, and relevance is noisy and partly negative. `DeepTaylor` expands layer by layer.

    toward, reach: for "segment", "ray" and the search for the nearest. points: steps of the scan
    along a line. steps, starts: of the search for the nearest; starts are directions beside slopes.
    chunk: how many points the model sees at a time.

    ```python
    ex = Taylor(model, root="nearest", box=(0.0, 1.0)).explain(images, target=3)
    ex.relevance, ex.facts["distance"], ex.facts["residual"]
    ```

    References: [montavon2018, sec. 4.2], [bach2015].
    """

    name: ClassVar[str] = "taylor"
    decomposes: ClassVar[str] = "f(x) - f(root), up to the residual of the expansion, which is told"
    sources: ClassVar[tuple[str, ...]] = ("montavon2018", "bach2015")

    def __init__(
        self,
        model: Callable[..., Any],
        root: str | float | Tensor | tuple[Any, ...] = "limit",
        *,
        toward: float | Tensor | tuple[Any, ...] = 0.0,
        reach: float = 2.0,
        box: tuple[float | Tensor, float | Tensor] | None = None,
        points: int = 16,
        steps: int = 40,
        starts: int = 8,
        chunk: int = 64,
        output: Any = None,
    ) -> None:
        super().__init__(model)
        if isinstance(root, str) and root not in ROOTS:
            raise InvalidInput(
                f"Taylor needs root= one of {', '.join(ROOTS)}, a number or a tensor, got {root!r}."
            )
        nearest = isinstance(root, str) and root == "nearest"
        if box is not None and not nearest:
            raise InvalidInput('box= belongs to root="nearest"; other roots are where you say.')
        if points < 1 or reach <= 0:
            raise InvalidInput(f"Taylor needs points >= 1 and reach > 0, got {points}, {reach}.")
        self.inner = InputGradient(model, output=output)
        self.root, self.toward, self.reach, self.box = root, toward, reach, box
        self.points, self.steps, self.starts, self.chunk = points, steps, starts, chunk
        self.output = output

    def explain(self, inputs: Any, target: Any = None) -> Explanation:
        """The first-order terms of each input element, and what they leave."""
        given = Inputs.of(inputs)
        if isinstance(target, Each):
            return average.each(self, inputs, target)
        check_inputs(self.model, given)
        if any(not leaf.is_floating_point() for leaf in given.leaves):
            raise InvalidInput(f"There is no root between token ids. {INSTEAD_OF_IDS}")
        clean = answer(self.model, inputs, self.output)
        surface = ScoreSurface(self.inner, given, fix_target(target, clean, given), self.chunk)
        with torch.no_grad(), paused_collection():
            facts, R = self._expand(surface)
            score = surface.value(surface.start)[0]
        notes = [*surface.notes, *self._notes(facts)]
        root = surface.split(facts.pop("root"))
        relevance = surface.split(R)
        found = Explanation(
            relevance=given.rebuild(lambda i: relevance[i]),
            inputs=inputs,
            output=clean,
            target=surface.target,
            score=score,
            method=self.name,
            notes=notes,
            facts={"root": given.rebuild(lambda i: root[i]), **facts},
            draw=viz.draw,
            write=viz.save,
        )
        return as_text(found, read_texts(given))

    def _expand(self, surface: ScoreSurface) -> tuple[dict[str, Tensor], Tensor]:
        """What was measured, and the first-order terms (batch, values)."""
        x = surface.start
        root, seen_at, found = self._root(surface, x)
        at_root, slope = surface.slope(seen_at)
        at_root = surface.value(root) if seen_at is not root else at_root
        score = surface.value(x)[0]
        R = ((x - root) * slope)[0]
        size, away = x[0].norm(dim=1), (x - root)[0].norm(dim=1)
        total = R.abs().sum(1)
        facts = {
            "root": root[0],
            "root_score": at_root[0],
            "residual": score - at_root[0] - R.sum(1),
            "distance": torch.where(away == 0, 0, away / size),
            "negative": torch.where(total == 0, 0, (-R).clamp(min=0).sum(1) / total),
            "found": found & (at_root[0].abs() <= _ZERO[R.dtype] * score.abs()),
        }
        return facts, R

    def _root(self, surface: ScoreSurface, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The root, the point where the slope is taken, and whether f may be zero there."""
        yes = torch.ones(x.shape[1], dtype=torch.bool, device=x.device)
        if not isinstance(self.root, str):
            root = self._point(surface, self.root, "root")
            return root, root, yes
        if self.root == "limit":
            return torch.zeros_like(x), _LIMIT[x.dtype] * x, yes
        base = self._point(surface, self.toward, "toward")
        if self.root == "nearest":
            box = None if self.box is None else self._box(surface, x)
            base = base if box is None else base.clamp(*box)
            root, found = nearest_root(surface, x, base, box, (self.steps, self.starts))
            return root[None], root[None], found
        end = x + self.reach * (base - x) if self.root == "ray" else base
        crossing = first_crossing(surface, x, end, self.points)
        root = along(x, end, crossing.below)
        return root, root, crossing.found[0]

    def _point(self, surface: ScoreSurface, given: Any, name: str) -> Tensor:
        """A number, a tensor or one of these for each input, as a row for each sample."""
        leaves = surface.given.leaves
        each = given if isinstance(given, (tuple, list)) else [given] * len(leaves)
        if len(each) != len(leaves):
            raise InvalidInput(f"{name}= needs one value for each of {len(leaves)} inputs.")
        points = []
        for value, leaf in zip(each, leaves, strict=True):
            try:
                value = torch.as_tensor(value, dtype=leaf.dtype, device=leaf.device)
                points.append(value.detach().expand_as(leaf))
            except RuntimeError as error:
                raise InvalidInput(
                    f"{name}= must broadcast to the input, shape {tuple(leaf.shape)}; got "
                    f"{tuple(torch.as_tensor(value).shape)}."
                ) from error
        return surface.flat(points)[None]

    def _box(self, surface: ScoreSurface, x: Tensor) -> tuple[Tensor, Tensor]:
        assert self.box is not None
        low, high = (self._point(surface, bound, "box") for bound in self.box)
        slack = 1e-5 * (high - low).abs().amax()
        if bool((low > high).any()) or bool((x < low - slack).any() or (x > high + slack).any()):
            raise InvalidInput(
                f"The box must hold the inputs, with low <= high: they run from "
                f"{float(x.min()):.4g} to {float(x.max()):.4g}, the box from "
                f"{float(low.min()):.4g} to {float(high.max()):.4g}."
            )
        return torch.minimum(low, x), torch.maximum(high, x)

    def _notes(self, facts: dict[str, Tensor]) -> list[str]:
        kind = self.root if isinstance(self.root, str) else "given"
        told = [
            f"root: {kind}; ||x - root|| / ||x|| {_span(facts['distance'])}, residual "
            f"{_span(facts['residual'])}, negative share of relevance {_span(facts['negative'])}"
        ]
        lost = (~facts["found"]).nonzero().flatten().tolist()
        for sample in lost:
            value = float(facts["root_score"][sample])
            told.append(f"sample {sample} has no root {self._where()}: f is {value:.4g} there")
        return told

    def _where(self) -> str:
        if not isinstance(self.root, str):
            return "at the given point"
        if self.root == "limit":
            return "at the origin"
        searched = {
            "segment": "on the segment to `toward`",
            "ray": f"on the ray through `toward`, {self.reach:g} times as far",
            "nearest": "where the search looked",
        }
        return f"{searched[self.root]}, and is expanded where |f| was smallest on the way"

    def __repr__(self) -> str:
        kind = self.root if isinstance(self.root, str | float | int) else "given"
        return f"Taylor({type(self.model).__name__}, root={kind!r})"


def _span(values: Tensor) -> str:
    low, high = float(values.min()), float(values.max())
    return f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}"
