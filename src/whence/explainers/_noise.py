"""Averages over noisy copies of the input, around any explainer."""

from collections.abc import Callable
from typing import Any, ClassVar

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


class SmoothGrad(Explainer):
    """SmoothGrad: the mean of an explanation over noisy copies of the input.

        R(x) = 1/n sum_k R0(x + noise_k),   noise_k ~ N(0, (level (max x - min x))^2)

    Around the plain gradient by default; any other explainer can be given in place of the model.
    All samples get the same n draws (from `seed`), so a batch equals its items. `chunk` bounds how
    many copies are explained at a time.

    References: [smilkov2017].
    """

    name: ClassVar[str] = "smoothgrad"
    decomposes: ClassVar[str] = "what the wrapped method decomposes, on average over the noise"
    sources: ClassVar[tuple[str, ...]] = ("smilkov2017",)

    def __init__(
        self,
        model: Callable[..., Any] | Explainer,
        *,
        n: int = 20,
        level: float = 0.1,
        seed: int = 0,
        chunk: int = 64,
        output: Any = None,
    ) -> None:
        self.inner = wrapped(model, lambda m: InputGradient(m, output=output))
        super().__init__(self.inner.model)
        if n < 1 or level < 0:
            raise InvalidInput(f"SmoothGrad needs n >= 1 and level >= 0, got {n} and {level}.")
        self.n, self.level, self.seed, self.chunk, self.output = n, level, seed, chunk, output

    def explain(self, inputs: Any, target: Any = None) -> Explanation:
        """The mean relevance over the noisy copies."""
        given = Inputs.of(inputs)
        if isinstance(target, Each):
            return average.each(self, inputs, target)
        check_inputs(self.model, given)
        clean = answer(self.model, inputs, self.output)
        fixed = fix_target(target, clean, given)
        draws = [self._draws(leaf) for leaf in given.leaves]
        relevance = average.over(
            self.inner,
            given,
            fixed,
            self.n,
            self.chunk,
            lambda leaf, k: _noisy(given.leaves[leaf].detach(), draws[leaf](k), self.level),
            torch.full((self.n,), 1 / self.n),
        )
        found = Explanation(
            relevance=given.rebuild(lambda i: relevance[i]),
            inputs=inputs,
            output=clean,
            target=fixed,
            score=fixed.score(clean),
            method=f"{self.name}({self.inner.name})",
            draw=viz.draw,
            write=viz.save,
        )
        return as_text(found, read_texts(given))

    def _draws(self, leaf: Tensor) -> Callable[[int], Tensor]:
        def draw(k: int) -> Tensor:
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + k)
            noise = torch.randn(leaf.shape[1:], generator=generator, dtype=torch.float64)
            return noise.to(leaf)[None]

        return draw


def _noisy(x: Tensor, noise: Tensor, level: float) -> Tensor:
    if not x.is_floating_point():
        raise InvalidInput(f"Noise cannot be added to token ids. {INSTEAD_OF_IDS}")
    rows = x.flatten(1)
    spread = (rows.amax(1) - rows.amin(1)).view(-1, *[1] * (x.dim() - 1))
    return x + level * spread * noise
