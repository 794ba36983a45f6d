"""The work of an evaluation: batch by batch, what is finished kept, what failed tried again."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import count, pairwise, product

from rich.progress import Progress

from whence.errors import InvalidInput
from whence.metrics import Batch, Metric, Tally
from whence.runs._evaluate_ask import Asked
from whence.runs._evaluate_part import Part, Samples
from whence.runs._evaluate_progress import Bar, Told, budget_of, counted, shown_bar
from whence.runs._evaluate_store import Store
from whence.runs._evaluate_work import Group, measure
from whence.runs._reason import reason

Id = int | str
Owed = frozenset[tuple[str, str]]  # pairs of an explainer's label and a metric


class _Unreadable(Exception):
    """The data raised; what is measured is kept."""


@dataclass
class Watch:
    """Who is told how far the work is."""

    bar: bool
    say: Callable[[str], None] | None
    told: Told = field(default_factory=Told)
    frame: Progress | None = None

    def begin(self, run: "Run", group: Group, rest: int | None) -> None:
        """Tell the budget, once, and show the bar."""
        if self.frame is None and self.say is None:
            return
        budget = budget_of(group, run.explainers, run.metrics)
        if budget is not None:
            self.tell(budget.line(rest, len(run.explainers), len(run.metrics)))
        if self.frame is not None:
            self.told.bar = Bar(self.frame, budget, rest)

    def tell(self, line: str) -> None:
        """Tell it where somebody listens."""
        if self.say is not None:
            self.say(line)
        elif self.frame is not None:
            self.frame.console.print(line, markup=False, highlight=False)


@dataclass
class Run:
    """What is asked of every batch, and where the answers go."""

    samples: Samples
    explainers: Sequence[Asked]
    metrics: Mapping[str, Metric]
    store: Store | None
    shard: tuple[int, int]
    unread: dict[Id, str] = field(default_factory=dict, init=False)  # why, sample by sample

    @property
    def everything(self) -> Owed:
        """What a sample lacks that was never measured."""
        return frozenset(product([each.label for each in self.explainers], self.metrics))

    def work(self, watch: Watch, make: Callable[[Part], Batch]) -> tuple[Tally, bool, str]:
        """All results, also of earlier runs; whether they are complete, and if not, why."""
        tally, digests = (Tally(), {}) if self.store is None else self.store.read()
        try:
            with shown_bar() if watch.bar else nullcontext() as watch.frame:
                self._measure(tally, digests, watch, make)
        except (KeyboardInterrupt, _Unreadable) as stop:
            if isinstance(stop, KeyboardInterrupt) and tally.ids:
                return tally, False, "interrupted"
            if tally.ids:
                return tally, False, f"the data could not be read on: {stop}"
            if isinstance(stop, _Unreadable):
                raise (stop.__cause__ or InvalidInput(f"{stop}.")) from None
            raise
        done = len(tally.ids)
        if not done and self.shard == (0, 1):
            raise InvalidInput("The data set is empty: there is nothing to evaluate.")
        if done and done == len(self.unread):
            raise InvalidInput(self._none_read())
        total = self.samples.total
        # An earlier run may have had a larger limit.
        whole = self.shard[1] == 1 and (total is None or done >= total)
        return tally, whole or done == total, ""

    def _measure(
        self,
        tally: Tally,
        digests: Mapping[Id, str],
        watch: Watch,
        make: Callable[[Part], Batch],
    ) -> None:
        failed = tally.failed
        if failed:
            watch.tell(_told_of(len(failed), self.shard[1]))
        finished = len(digests) - len(failed)
        done: set[Id] = set()
        begun = False
        for part, owed in self._parts(digests, failed):
            group = Group(part, make)
            _check_new(part, done)
            if not begun and not part.errors:
                _check_needs(self.metrics, part)
                watch.begin(self, group, _rest(self.samples, self.shard, finished + len(done)))
                begun = True
            found = Tally()
            measure(group, self.explainers, self.metrics, found, owed)
            if self.store is not None:
                self.store.write(found, part.ids, _of_measured(part, found, owed), owed)
            tally.add(found)
            done.update(part.ids)
            if owed == self.everything:
                self.unread.update(zip(part.ids, part.errors, strict=False))
            if watch.told.bar is not None:
                watch.told.bar.finish(len(part))

    def _parts(
        self, known: Mapping[Id, str], failed: Mapping[Id, Owed]
    ) -> Iterator[tuple[Part, Owed]]:
        """The samples that lack results, batch by batch, with what they lack."""
        everything, nothing = self.everything, frozenset()

        def owed(each: Id) -> Owed:
            return failed.get(each, nothing) if each in known else everything

        batches = self.samples.batches()
        for number in count():
            with _reading():
                waiting = next(batches, None)
            if waiting is None:
                return
            ours = number % self.shard[1] == self.shard[0]
            if not ours or (self.samples.named and not any(map(owed, waiting.ids))):
                continue
            with _reading():
                parts = waiting.load()
            for part in parts:
                _check_same(part, known)
                lacking = [owed(each) for each in part.ids]
                changes = (i for i in range(1, len(part)) if lacking[i] != lacking[i - 1])
                for start, stop in pairwise([0, *changes, len(part)]):
                    if start < stop and lacking[start]:
                        whole = stop - start == len(part)
                        yield part if whole else part.take(start, stop), lacking[start]

    def _none_read(self) -> str:
        name, why = next(iter(self.unread.items()))
        return (
            f"Of {counted(len(self.unread), 'sample')} of {self.samples.name} none could be read. "
            f"The first, {name}: {why}"
        )


def _told_of(failed: int, shards: int) -> str:
    samples = counted(failed, "sample")
    if shards > 1:
        return f"{samples} failed before; those of this shard are tried again."
    return f"{samples} that failed before {'is' if failed == 1 else 'are'} tried again."


@contextmanager
def _reading() -> Iterator[None]:
    """Errors of the data are told from those of the work."""
    try:
        yield
    except Exception as error:
        raise _Unreadable(reason(error)) from error


def _of_measured(part: Part, found: Tally, owed: Owed) -> list[str]:
    """The digests of samples that have a number; others may be mended before they come again."""
    failed = found.failed
    pairs = zip(part.ids, part.digests(), strict=True)
    return ["" if failed.get(each) == owed else digest for each, digest in pairs]


def _check_new(part: Part, done: set[Id]) -> None:
    for place, each in enumerate(part.ids):
        if each in done or each in part.ids[:place]:
            raise _Unreadable(f"the sample {each!r} came twice. Give ids that differ")


def _check_same(part: Part, known: Mapping[Id, str]) -> None:
    if not any(known.get(each) for each in part.ids):
        return
    for each, digest in zip(part.ids, part.digests(), strict=True):
        if known.get(each) and digest and known[each] != digest:
            raise InvalidInput(
                f"Sample {each!r} is not the one that was evaluated before under this id: the data "
                "differ, or came in another order. Give ids, or another folder."
            )


def _check_needs(metrics: Mapping[str, Metric], part: Part) -> None:
    for name, metric in metrics.items():
        for what, held in (("labels", part.labels), ("masks", part.masks)):
            if what in metric.needs and held is None:
                raise InvalidInput(
                    f"The metric {name!r} needs {what}, and the data has none. Give them with the "
                    "data" + (", or as masks=." if what == "masks" else ".")
                )


def _rest(samples: Samples, shard: tuple[int, int], done: int) -> int | None:
    """How many samples are left to do, but for the last batch of a shard."""
    if samples.total is None:
        return None
    return max(0, samples.total - done) if shard[1] == 1 else samples.total // shard[1]
