"""Word deleting: how fast a classifier of texts fails, or recovers, as words are taken out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from whence._errors import InvalidInput

Classify = Callable[..., Tensor]
Delete = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]

_BATCH = 256


@dataclass(frozen=True, eq=False)
class WordsDeleted:
    """Deleting in the order of one method.

    curve: 1 where the target class has the highest score, shape (texts, points), the untouched
    texts first; the mean over its runs for an order that was given several times. deleted: how many
    words are gone at each point.
    """

    method: str
    curve: Tensor
    deleted: Tensor

    @property
    def accuracies(self) -> Tensor:
        """The share of texts with the target class, at each point."""
        return self.curve.mean(0)

    @property
    def areas(self) -> Tensor:
        """The area under the curve of each text, in 0..1.

        Of texts that were classified right, smaller is better: the words were needed. Of texts that
        were classified wrong, larger is better: the words were in the way.
        """
        return torch.trapezoid(self.curve, self.deleted, dim=1) / (
            self.deleted[-1] - self.deleted[0]
        )


@dataclass(frozen=True)
class Difference:
    """A mean difference over texts, with the interval that holds it with 95 % confidence."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"


def delete_words(
    classify: Classify,
    inputs: Mapping[str, Tensor],
    targets: Tensor,
    orders: Mapping[str, Tensor],
    *,
    most: int,
    delete: Delete,
    step: int = 1,
) -> list[WordsDeleted]:
    """Delete words in the order of each method, and see whether the target class stays on top.

    - `classify`: `input_ids` and `attention_mask`, both (texts, tokens) -> scores (texts, classes).
    - `targets`: one class for each text, the true one as a rule.
    - `orders`: method -> what to sort by, (texts, tokens); the largest value goes first. With a
      leading axis of runs the curves are averaged, as for random orders.
    - `most`: how many words are deleted in the end; each text must have more of them.
    - `delete`: `blank_words` or `remove_words`.

    References: [arras2016], [arras2017], [arras2017b].
    """
    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    shortest = int(mask.sum(1).min())
    if shortest <= most:
        raise InvalidInput(
            f"each text must have more words than are deleted, which are {most}, got one of "
            f"{shortest}. Leave out the short ones."
        )
    counts = [*range(0, most, step), most]
    untouched = _right(classify, ids, mask, targets)
    found = []
    for method, values in orders.items():
        runs = values if values.dim() == 3 else values.unsqueeze(0)
        curves = []
        for each in runs:
            rank = _ranks(each, mask)
            points = [
                _right(classify, *delete(ids, mask, rank < count), targets) for count in counts[1:]
            ]
            curves.append(torch.stack([untouched, *points], dim=1))
        curve = torch.stack(curves).mean(0)
        found.append(WordsDeleted(method, curve, torch.tensor(counts, dtype=torch.float64)))
    return found


def blank_words(ids: Tensor, mask: Tensor, gone: Tensor) -> tuple[Tensor, Tensor]:
    """Words become padding where they stand, so that their vectors are zero; the rest stays put."""
    return ids.masked_fill(gone, 0), mask


def remove_words(ids: Tensor, mask: Tensor, gone: Tensor) -> tuple[Tensor, Tensor]:
    """The text is read without the words: what followed moves up."""
    kept = mask.bool() & ~gone
    order = (~kept).to(torch.uint8).argsort(dim=1, stable=True)
    left = kept.gather(1, order)
    return ids.gather(1, order).masked_fill(~left, 0), left.to(mask.dtype)


def random_orders(mask: Tensor, runs: int, seed: int = 0) -> Tensor:
    """Random values to sort by, (runs, texts, tokens)."""
    return torch.rand(runs, *mask.shape, generator=torch.Generator().manual_seed(seed))


def compare_areas(
    first: WordsDeleted, second: WordsDeleted, *, times: int = 5000, seed: int = 0
) -> Difference:
    """How much larger the area of `first` is, on the same texts.

    The interval is a paired bootstrap: texts are drawn again with replacement, the differences of
    each text stay together, and the middle 95 % of the means are kept.
    """
    differences = (first.areas - second.areas).double()
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(len(differences), (times, len(differences)), generator=generator)
    low, high = differences[drawn].mean(1).quantile(torch.tensor([0.025, 0.975]).double())
    return Difference(float(differences.mean()), float(low), float(high))


def _ranks(values: Tensor, mask: Tensor) -> Tensor:
    """How many words of a text go before each, (texts, tokens); padding goes last."""
    lowest = torch.finfo(values.dtype).min
    order = values.masked_fill(mask == 0, lowest).argsort(dim=1, descending=True, stable=True)
    return order.argsort(dim=1)


@torch.no_grad()
def _right(classify: Classify, ids: Tensor, mask: Tensor, targets: Tensor) -> Tensor:
    """1 where the target class has the highest score, (texts,); texts of like length together."""
    found = torch.zeros(len(ids), dtype=torch.float64)
    lengths = mask.sum(1)
    for chosen in lengths.argsort().split(_BATCH):
        longest = int(lengths[chosen].max())
        scores = classify(input_ids=ids[chosen, :longest], attention_mask=mask[chosen, :longest])
        found[chosen] = (scores.argmax(1) == targets[chosen]).double().cpu()
    return found
