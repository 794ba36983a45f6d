"""What the wrappers share: an explainer inside, and weighted sums over copies in bounded memory."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from whence._explanation import Explanation, named
from whence.explainers._explainer import Explainer
from whence.explainers._inputs import Inputs
from whence.explainers._samples import for_samples
from whence.explainers._tape import stack_explanations
from whence.targets import Each, Target

INSTEAD_OF_IDS = (
    'Explain the embeddings: {"inputs_embeds": model.get_input_embeddings()(ids), '
    '"attention_mask": mask} with tokens=; for a model that takes none, give as model a function '
    "of what follows its embedding."
)


def wrapped(model: Any, default: Callable[[Any], Explainer]) -> Explainer:
    """The explainer to wrap: the one given, or the default one around a model."""
    return model if isinstance(model, Explainer) else default(model)


class average:
    """Weighted sums of explanations over many copies of the inputs."""

    @staticmethod
    def over(
        inner: Explainer,
        given: Inputs,
        target: Target,
        count: int,
        chunk: int,
        copy: Callable[[int, int], Tensor],
        weights: Tensor,
    ) -> list[Tensor]:
        """sum_k weights[k] R(copies k), one tensor for each leaf; `chunk` samples at a time."""
        together = max(1, chunk // max(given.batch, 1))
        sums: list[Tensor | None] = [None] * len(given.leaves)
        for begin in range(0, count, together):
            numbers = range(begin, min(begin + together, count))
            leaves = [
                torch.cat([copy(leaf, k) for k in numbers]) for leaf in range(len(given.leaves))
            ]
            asked = for_samples(target, list(range(given.batch)) * len(numbers), given.batch)
            found = inner.explain(repeated(given, leaves, len(numbers)), asked)
            for leaf, part in enumerate(named(found.relevance).values()):
                parts = part.unflatten(0, (len(numbers), given.batch))
                share = weights[list(numbers)].to(parts).view(-1, *[1] * (parts.dim() - 1))
                total = (parts * share).sum(0)
                before = sums[leaf]
                sums[leaf] = total if before is None else before + total
        return [total for total in sums if total is not None]

    @staticmethod
    def each(explainer: Explainer, inputs: Any, target: Each) -> Explanation:
        """One explanation for each target, stacked."""
        found = [explainer.explain(inputs, one) for one in target.targets]
        return stack_explanations(found, target)


def repeated(given: Inputs, leaves: list[Tensor], times: int) -> Any:
    """The user's structure with copies for the leaves and everything else repeated to match."""
    replaced = given.replaced(leaves)
    fresh = {id(leaf) for leaf in leaves}

    def repeat(each: Any) -> Any:
        if not isinstance(each, Tensor) or id(each) in fresh or each.dim() == 0:
            return each
        return each.repeat(times, *[1] * (each.dim() - 1)) if len(each) == given.batch else each

    if isinstance(replaced, Tensor):
        return replaced
    if isinstance(replaced, dict):
        return {key: repeat(each) for key, each in replaced.items()}
    return tuple(repeat(each) for each in replaced)
