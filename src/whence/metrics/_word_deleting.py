"""Word deleting: how fast a classifier of texts fails, or recovers, as words are taken out."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.metrics._batch import Batch
from whence.metrics._case import Case, check_order
from whence.metrics._cost import Cost
from whence.metrics._curve import Curve, counts_for
from whence.metrics._deleting import HOW, Deleter
from whence.metrics._features import Patches
from whence.metrics._height import mean_height
from whence.metrics._metric import Metric, Scores, by_rank, declare
from whence.metrics._read import READINGS, Read, read_as
from whence.metrics._word_curve import WordCurve
from whence.metrics._words import Words, words_of
from whence.targets import Logit

_TEXTS = ("right", "wrong", "all")
_CLASSES = ("target", "label")
_SHORT = ("hold", "refuse")


@dataclass(frozen=True)
class WordDeleting(Metric):
    """Word deleting: how early a classifier of texts changes its mind as words are taken out.

        x(k) = the text without its first k words;
        1 - integral of f(x(k)) dk / most   for texts judged right,
        integral of f(x(k)) dk / most       for texts judged wrong

    For token ids (samples, tokens), their vectors (samples, tokens, width; `inputs_embeds`) and
    bags of words (samples, features; a word is a coordinate that is not zero). The two protocols
    of the papers; the target is the true class:

    - `texts="right"`: of texts classified right, the most relevant words go first, and the
      accuracy should fall.
    - `texts="wrong"`: of texts classified wrong, the words that speak most against the true class
      go first, and the accuracy should rise. With the predicted class as target, `watched="label"`
      and `labels`, those that speak most for the predicted class go first.

    Other texts score NaN and cost nothing; `texts="all"` measures all as if they were right. f is 1
    where the watched class is on top ("right"), or another `read`. In both protocols larger is
    better: with f = 1 or 0 the value is the share of the deletions at which the decision has
    changed. The curve starts at the untouched text.

    - `most` words go, `step` at a time; `how`: "blank" puts the padding id (or `blank`) or zeros in
      their place, "remove" reads the text without them.
    - A text with fewer words than `most` keeps its last value ("hold"): all orders end there, so
      that methods are compared on all texts. `short="refuse"` raises instead, as the papers
      took long texts only. "remove" leaves one token to read.
    - A word may have several tokens: the inputs tell it (`tokens(i)` and `word_ids(i)`), or the
      explanation if it is a `TextExplanation`, or `tokenizer`; else each token is a word. Special
      tokens and padding are never deleted; where ids are all there is, name the `special` ids.
    - `order`: one of `metrics.ORDERS`, where the protocol's own is not meant; relevance without
      sign goes "morf" in both. "random" is averaged over `runs`. Small values are good in "lerf" of
      right texts; of other orders than the protocol's own neither is.

    Texts of like length are read together, without columns of padding behind all of them; this
    needs an `attention_mask` that the model heeds.

    References: [arras2016], [arras2017], [arras2017b].
    """

    texts: str = "right"
    how: str = "blank"
    most: int = 10
    step: int = 1
    read: str = "right"
    order: str | None = None
    runs: int = 10
    watched: str = "target"
    short: str = "hold"
    blank: int | None = None
    special: tuple[int, ...] = ()
    tokenizer: Any = field(default=None, compare=False)

    name: ClassVar[str] = "word-deleting"
    direction: ClassVar[int] = 1
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    invariances: ClassVar[frozenset[str]] = frozenset({"batch", "order", "scale", "channels"})
    sources: ClassVar[tuple[str, ...]] = ("arras2016", "arras2017", "arras2017b")
    equation: ClassVar[str] = "1 - int f(x(k)) dk / most; of wrong texts, int f(x(k)) dk / most"

    def __post_init__(self) -> None:
        _check("texts", self.texts, _TEXTS)
        _check("how", self.how, tuple(HOW))
        _check("read", self.read, ("auto", *READINGS))
        _check("watched", self.watched, _CLASSES)
        _check("short", self.short, _SHORT)
        if self.order is not None:
            check_order(self.order)
        if min(self.most, self.step, self.runs) < 1:
            raise InvalidInput(
                "most, step and runs must be at least 1, got "
                f"{self.most}, {self.step} and {self.runs}."
            )
        reverse = self.texts != "wrong" and self._order == "lerf"
        own = self._order == self._own_order
        declare(
            self,
            direction=1 if own else -1 if reverse else 0,
            read=self.read,
            invariances=by_rank(Patches(), self._order),  # words differ in size, as patches may
        )

    def measure(self, case: Case) -> Scores:
        batch = case.batch
        words = words_of(batch, case.explanation, self.tokenizer, self.special)
        read, counts = self._read(batch), self._counts
        numbers = words.numbers.cpu().numpy().tobytes()
        course = WordCurve(
            batch=batch,
            words=words,
            deleter=Deleter.of(batch, self.how, self.blank),
            chosen=self._chosen(batch),
            counts=torch.tensor(counts, device=batch.x.device),
            read=read,
            key=(self.texts, self.how, self.blank, self.read, self.watched, self.most, numbers),
        )
        if self.short == "refuse":
            course.check_long()
        if self._order == "random":
            y = batch.keep((self, numbers), lambda: self._random(course))
        else:
            y = course.curve(self._rank(words, words.pool(case.relevance), batch.keys))
        x = torch.tensor(counts, dtype=y.dtype, device=y.device)
        area = mean_height(y, x, "petsiuk2018")
        curve = Curve(x, y, "words deleted", f"{self.read} of the {self.watched}")
        return Scores(
            values=area if self.texts == "wrong" else 1 - area,
            curves={self.name: curve},
            details={"words": words.count.double()},
            reasons=self._reasons(course.chosen.tolist(), len(batch)),
        )

    def cost(self, batch: Batch) -> Cost:
        """At most so many: texts of the other kind, and those with few words, need fewer."""
        own = len(self._counts) - 1
        if self._order == "random":
            return Cost(0, {"untouched": 1, (self, "random"): own * self.runs})
        return Cost(own, {"untouched": 1})

    @property
    def _own_order(self) -> str:
        """The order of the protocol."""
        return "lerf" if self.texts == "wrong" and self.watched == "target" else "morf"

    @property
    def _order(self) -> str:
        return self._own_order if self.order is None else self.order

    @property
    def _counts(self) -> list[int]:
        return counts_for(self.most, step=self.step)

    def _read(self, batch: Batch) -> Read:
        if self.watched == "target":
            return batch.read(self.read)
        return batch.keep(
            ("read of label", self.read),
            lambda: read_as(self.read, batch.untouched, Logit(_labels(batch))),
        )

    def _chosen(self, batch: Batch) -> Tensor:
        """The numbers of the samples that are measured."""
        everyone = torch.arange(len(batch), device=batch.x.device)
        if self.texts == "all":
            return everyone
        target = batch.target if self.watched == "target" else Logit(_labels(batch))
        right = read_as("right", batch.untouched, target)(batch.untouched, everyone, 1)[:, 0] > 0
        return (right if self.texts == "right" else ~right).nonzero()[:, 0]

    def _reasons(self, chosen: list[int], count: int) -> dict[int, str]:
        other = "wrong" if self.texts == "right" else "right"
        said = f"The text is classified {other}, and texts={self.texts!r} are measured."
        return dict.fromkeys(sorted(set(range(count)) - set(chosen)), said)

    def _random(self, course: WordCurve) -> Tensor:
        """The mean over the runs: with equal values the order is that of the sample's draws."""
        keys, words = course.batch.keys, course.words
        equal = torch.zeros_like(words.present, dtype=torch.float64)
        runs = [course.curve(words.rank(equal, keys, run)) for run in range(self.runs)]
        return torch.stack(runs).mean(0)

    def _rank(self, words: Words, values: Tensor, keys: Tensor) -> Tensor:
        if self._order == "near-zero":
            return words.rank(-values.abs(), keys)
        rank = words.rank(values, keys)
        return words.count[:, None] - 1 - rank if self._order == "lerf" else rank


def _labels(batch: Batch) -> Tensor:
    if batch.labels is None:
        raise InvalidInput(
            "watched='label' needs the true class of each sample: give labels=, integers of shape "
            "(samples,)."
        )
    return batch.labels.to(batch.x.device)


def _check(name: str, value: Any, allowed: tuple[Any, ...]) -> None:
    if value not in allowed:
        raise InvalidInput(f"{name}= must be one of {', '.join(map(str, allowed))}, got {value!r}.")
