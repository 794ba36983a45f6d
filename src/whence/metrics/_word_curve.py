"""The model's answers as words are taken out of texts, for one order after the other."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.metrics._batch import Batch, Copies
from whence.metrics._deleting import Deleter
from whence.metrics._read import Read
from whence.metrics._words import Words


@dataclass(frozen=True, eq=False)
class WordCurve:
    """What the curves of one batch share, whatever the order of the words.

    chosen: the numbers of the samples that are measured. counts: how many words are gone at each
    point. read: what is read from the model. key: what tells these curves from others of the batch.
    """

    batch: Batch
    words: Words
    deleter: Deleter
    chosen: Tensor
    counts: Tensor
    read: Read
    key: tuple[Any, ...]

    def curve(self, rank: Tensor) -> Tensor:
        """The number read after each count of words, float64 of shape (samples, points); NaN for
        samples that are not chosen."""
        chosen, batch = self.chosen, self.batch
        stops = torch.minimum(self.counts, self._limit[chosen, None])
        new = stops.diff(dim=1, prepend=stops[:, :1]) > 0
        empty = new & (stops == self.words.count[chosen, None])  # at most once in each row
        found = torch.zeros(stops.shape, dtype=torch.float64, device=batch.x.device)
        found[empty] = self._without_words[chosen][empty.any(1)]
        found[new & ~empty] = self._asked(rank, stops, new & ~empty)
        y = found.new_full((len(batch), len(self.counts)), torch.nan)
        now = self.read(batch.untouched, slice(0, len(batch)), 1)[chosen, 0]
        for point in range(len(self.counts)):
            now = torch.where(new[:, point], found[:, point], now)
            y[chosen, point] = now
        return y

    def _asked(self, rank: Tensor, stops: Tensor, new: Tensor) -> Tensor:
        """The numbers where they are new, in reading order; texts of like length go together."""
        rank = self.words.of_tokens(rank)
        row, point = new.nonzero(as_tuple=True)
        samples, gone = self.chosen[row], stops[row, point]
        length = self.deleter.lengths[samples]
        order = (length - gone if self.deleter.how == "remove" else length).argsort(stable=True)
        samples, gone = samples[order], gone[order]

        def make(part: slice) -> Copies:
            return self.deleter.copies(samples[part], rank[samples[part]] < gone[part, None])

        found = self.batch.listed(make, samples, self.read)
        return torch.empty_like(found).scatter_(0, order, found)

    @property
    def _without_words(self) -> Tensor:
        """The number read where all words are gone, for the samples that come so far; the same for
        all orders and explanations."""
        return self.batch.keep((*self.key, "without words"), self._ask_without_words)

    def _ask_without_words(self) -> Tensor:
        count = self.words.count
        far = (count > 0) & (count <= self.counts[-1]) & (self._limit == count)
        samples = self.chosen[far[self.chosen]]
        gone = self.words.numbers >= 0
        found = torch.zeros(len(self.batch), dtype=torch.float64, device=count.device)
        found[samples] = self.batch.listed(
            lambda part: self.deleter.copies(samples[part], gone[samples[part]]), samples, self.read
        )
        return found

    @property
    def _limit(self) -> Tensor:
        """How many words can go: one token must be left to read where texts are shortened."""
        count = self.words.count
        if self.deleter.how == "blank" or self.deleter.mask is None:
            return count
        others = ((self.deleter.mask > 0) & (self.words.numbers < 0)).any(1)
        return torch.where(others, count, (count - 1).clamp_min(0))

    def check_long(self) -> None:
        """Raise if a text has too few words."""
        short = self.chosen[self._limit[self.chosen] < self.counts[-1]].tolist()
        if short:
            words = int(self.words.count[short].min())
            raise InvalidInput(
                f"Each text must have {int(self.counts[-1])} words to delete, but {len(short)} "
                f"have fewer, down to {words} (samples {short[:8]}). Leave them out, or take "
                "short='hold'."
            )
