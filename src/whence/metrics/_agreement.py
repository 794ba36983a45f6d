"""How far methods agree on the same samples, two by two."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from whence._draws import keys_of, shuffles
from whence._explanation import Explanation, first
from whence.errors import InvalidInput
from whence.explainers._inputs import Inputs
from whence.explainers._text import attention_mask, text_leaves
from whence.metrics._features import Features, Partition, Pixels
from whence.metrics._similarity import similar

MEASURES = {
    "rank": "rank correlation of the relevance",
    "top": "share of the top features in common, by magnitude",
    "sign": "share of the top features in common and of the same sign",
}


@dataclass(frozen=True, eq=False)
class Agreement:
    """Three numbers for each pair of maps and each sample, see `metrics.agreement`.

    `rank`, `top`, `sign`: float64 of shape (methods, methods, samples). `count`: how many features
    the top has. Printed, it is one table of means for each number.
    """

    names: tuple[str, ...]
    rank: Tensor
    top: Tensor
    sign: Tensor
    count: int

    def mean(self, measure: str = "rank") -> Tensor:
        """Means over the samples, (methods, methods)."""
        if measure not in MEASURES:
            raise InvalidInput(f"measure must be one of {', '.join(MEASURES)}, got {measure!r}.")
        return {"rank": self.rank, "top": self.top, "sign": self.sign}[measure].mean(2)

    def __str__(self) -> str:
        parts = [f"{self.rank.shape[2]} samples, top {self.count} features"]
        width = max(8, *(len(name) for name in self.names))
        for measure, words in MEASURES.items():
            head = " " * width + "".join(f"  {name:>{width}}" for name in self.names)
            lines = [
                f"{name:<{width}}" + "".join(f"  {value:>{width}.3f}" for value in row)
                for name, row in zip(self.names, self.mean(measure).tolist(), strict=True)
            ]
            parts.append("\n".join([words, head, *lines]))
        return "\n\n".join(parts)


def agreement(
    explanations: Mapping[str, Explanation | Tensor] | Sequence[Any],
    *,
    top: int | float = 0.1,
    features: Features | None = None,
) -> Agreement:
    """How far explanations of the same samples agree, two by two.

    Methods that agree may all be wrong; where they disagree, at most one of them is an account of
    the decision, and a conclusion that hangs on the choice of the method should not be drawn.

        rank: Spearman's correlation of R and R'
        top:  |T n T'| / k,   T the k features of the largest |R|
        sign: |{i in T n T': sign R_i = sign R'_i}| / k

    - `explanations`: by name, or a sequence that is named after its methods.
    - `top`: how many features count as top: their number, or their share (0.1, at least one).
    - `features`: relevance is pooled to them first; pixels by default.

    Equal magnitudes get an order at random, the same for all maps.

    ```python
    print(agreement([LRP(model).explain(x, 3), GradientTimesInput(model).explain(x, 3)]))
    ```

    References: [krishna2022].
    """
    maps = {name: _relevance(each) for name, each in _by_name(explanations).items()}
    _check(maps)
    widest = max(maps.values(), key=Tensor.numel)
    partition = Partition.of(Pixels() if features is None else features, widest)
    pooled = [partition.pool(each).double() for each in maps.values()]
    count = _top_count(top, partition.count)
    members = [_top(each, count) for each in pooled]
    pairs = [(a, b) for a in range(len(pooled)) for b in range(len(pooled))]
    rank = [similar("rank", pooled[a], pooled[b]) for a, b in pairs]
    both = [members[a] & members[b] for a, b in pairs]
    same = [
        common & (pooled[a].sign() == pooled[b].sign())
        for common, (a, b) in zip(both, pairs, strict=True)
    ]
    square = (len(pooled), len(pooled), len(widest))
    return Agreement(
        tuple(maps),
        torch.stack(rank).view(square),
        torch.stack([each.sum(1) / count for each in both]).double().view(square),
        torch.stack([each.sum(1) / count for each in same]).double().view(square),
        count,
    )


def _by_name(
    explanations: Mapping[str, Explanation | Tensor] | Sequence[Any],
) -> dict[str, Explanation | Tensor]:
    if isinstance(explanations, Mapping):
        return dict(explanations)
    found: dict[str, Explanation | Tensor] = {}
    for each in explanations:
        if not isinstance(each, Explanation):
            raise InvalidInput(
                f"Give tensors by name, {{'mine': relevance, ...}}; got {type(each).__name__} in a "
                "sequence."
            )
        earlier = sum(name.split(" #")[0] == each.method for name in found)
        found[f"{each.method} #{earlier + 1}" if earlier else each.method] = each
    return found


def _relevance(of: Explanation | Tensor) -> Tensor:
    if isinstance(of, Tensor):
        return of.detach()
    found = first(of.relevance)
    if not isinstance(found, Tensor):
        raise InvalidInput("There is no relevance to compare: no input carries any.")
    given = Inputs.of(of.inputs)
    for name, leaf in text_leaves(given).items():
        mask = attention_mask(given, name)
        if mask is not None and not bool(mask.all()):
            raise InvalidInput(
                "Padding has no relevance by any method, and would count as agreement. Compare "
                "texts of one length, or one by one."
            )
        if leaf.dim() == 3 and found.shape == leaf.shape:
            found = found.sum(2)  # of a token's vector
    return found.detach()


def _check(maps: dict[str, Tensor]) -> None:
    if len(maps) < 2:
        raise InvalidInput(f"Agreement takes two explanations at least, got {len(maps)}.")
    shapes = {name: tuple(each.shape) for name, each in maps.items()}
    alike = {(len(shape), shape[0], *shape[2:]) for shape in shapes.values()}
    wide = {shape[1] for shape in shapes.values() if len(shape) > 1}
    pooled = min(len(shape) for shape in shapes.values()) > 2 and len(wide - {1}) == 1
    if len(alike) != 1 or not (len(wide) == 1 or pooled):
        raise InvalidInput(
            f"All maps must be of the same samples, so of one shape but for channels; got {shapes}."
        )
    bad = [name for name, each in maps.items() if not bool(each.isfinite().all())]
    if bad:
        raise InvalidInput(f"Relevance contains NaN or infinity: {', '.join(bad)}.")


def _top_count(top: int | float, features: int) -> int:
    if not 0 < top <= (1 if isinstance(top, float) else features):
        raise InvalidInput(
            f"top must be a number of the {features} features, or a share, 0 < top <= 1; got {top}."
        )
    return max(1, round(top * features)) if isinstance(top, float) else top


def _top(values: Tensor, count: int) -> Tensor:
    """Whether each feature is among those of the largest magnitude."""
    keys = keys_of(range(len(values)), 0).to(values.device)
    shuffle = shuffles(keys, values.shape[1])
    order = values.abs().gather(1, shuffle).argsort(dim=1, descending=True, stable=True)
    chosen = shuffle.gather(1, order[:, :count])
    return torch.zeros_like(values, dtype=torch.bool).scatter_(1, chosen, True)
