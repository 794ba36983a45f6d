"""Integrals along a straight path from a baseline, around any explainer of slopes."""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy
import torch
from torch import Tensor

from whence import viz
from whence._explanation import Explanation
from whence.errors import InvalidInput
from whence.explainers._checks import check_inputs
from whence.explainers._explainer import Explainer
from whence.explainers._gradient import InputGradient
from whence.explainers._inputs import Inputs
from whence.explainers._score import answer, fix_target
from whence.explainers._text import as_text, read_texts
from whence.explainers._wrapped import INSTEAD_OF_IDS, average, wrapped
from whence.targets import Each


class IntegratedGradients(Explainer):
    """Integrated gradients: slopes averaged along the segment from a baseline to the input.

        R_i = (x_i - b_i) integral_0^1 df/dx_i (b + t (x - b)) dt,   sum_i R_i = f(x) - f(b)

    The integral is a Gauss-Legendre sum of `steps` points. `baseline` is a number or a tensor that
    broadcasts to the input. The gap between the sum and f(x) - f(b) is in the notes. `chunk`
    bounds how many points are explained at a time.

    References: [sundararajan2017, eq. 1].
    """

    name: ClassVar[str] = "integrated-gradients"
    decomposes: ClassVar[str] = "the difference of the scores at the input and at the baseline"
    sources: ClassVar[tuple[str, ...]] = ("sundararajan2017",)

    def __init__(
        self,
        model: Callable[..., Any] | Explainer,
        *,
        baseline: float | Tensor = 0.0,
        steps: int = 32,
        chunk: int = 64,
        output: Any = None,
    ) -> None:
        self.inner = wrapped(model, lambda m: InputGradient(m, output=output))
        super().__init__(self.inner.model)
        if steps < 1:
            raise InvalidInput(f"IntegratedGradients needs steps >= 1, got {steps}.")
        self.baseline, self.steps, self.chunk, self.output = baseline, steps, chunk, output

    def explain(self, inputs: Any, target: Any = None) -> Explanation:
        """The integral for each input element."""
        given = Inputs.of(inputs)
        if isinstance(target, Each):
            return average.each(self, inputs, target)
        check_inputs(self.model, given)
        clean = answer(self.model, inputs, self.output)
        fixed = fix_target(target, clean, given)
        leaves = [leaf.detach() for leaf in given.leaves]
        bases = [self._base(leaf) for leaf in leaves]
        points, weights = numpy.polynomial.legendre.leggauss(self.steps)
        times = torch.as_tensor((points + 1) / 2)

        def at(leaf: int, k: int) -> Tensor:
            return bases[leaf] + float(times[k]) * (leaves[leaf] - bases[leaf])

        shares = torch.as_tensor(weights / 2)
        slopes = average.over(self.inner, given, fixed, self.steps, self.chunk, at, shares)
        pairs = zip(leaves, bases, slopes, strict=True)
        relevance = [(leaf - base) * slope for leaf, base, slope in pairs]
        score = fixed.score(clean)
        start = fixed.score(answer(self.model, given.replaced(bases), self.output))
        arrived = sum((each.flatten(1).sum(1) for each in relevance), torch.zeros_like(score))
        gap = float((score - start - arrived).abs().max())
        found = Explanation(
            relevance=given.rebuild(lambda i: relevance[i]),
            inputs=inputs,
            output=clean,
            target=fixed,
            score=score,
            method=self.name,
            notes=[f"largest gap to f(x) - f(baseline): {gap:.2e}; more steps make it smaller"],
            draw=viz.draw,
            write=viz.save,
        )
        return as_text(found, read_texts(given))

    def _base(self, leaf: Tensor) -> Tensor:
        if not leaf.is_floating_point():
            raise InvalidInput(f"There is no path between token ids. {INSTEAD_OF_IDS}")
        try:
            base = torch.as_tensor(self.baseline, dtype=leaf.dtype, device=leaf.device)
            return base.expand_as(leaf).contiguous()
        except RuntimeError as error:
            raise InvalidInput(
                f"The baseline must broadcast to the input, shape {tuple(leaf.shape)}."
            ) from error
