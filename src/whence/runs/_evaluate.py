"""How good are these explanations, over a data set? Resumable, with intervals and tests."""

import json
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import torch
from rich.progress import Progress
from torch import nn

from whence._identity import model_identity
from whence.errors import InvalidInput
from whence.metrics import Batch, Metric, Tally
from whence.runs._evaluate_ask import (
    Asked,
    asked_explainers,
    asked_metrics,
    described,
    model_hash,
)
from whence.runs._evaluate_data import Part, Samples, samples_of
from whence.runs._evaluate_progress import Bar, Told, budget_of, is_watched, shown_bar
from whence.runs._evaluate_store import Store
from whence.runs._evaluate_work import Group, in_words, maker, measure
from whence.runs._evaluation import Evaluation
from whence.zoo import Model


def evaluate(
    model: Any,
    data: Any,
    explainers: Sequence[Any] | Mapping[str, Any] = ("lrp", "sensitivity", "random"),
    metrics: Sequence[Any] | Mapping[str, Any] = ("flipping",),
    *,
    target: Any = None,
    batch_size: int | None = None,
    limit: int | None = None,
    out: str | Path | None = None,
    shard: tuple[int, int] = (0, 1),
    seed: int = 0,
    output: Any = None,
    masks: Any = None,
    confidence: float = 0.95,
    progress: bool = True,
    say: Callable[[str], None] | None = None,
) -> Evaluation:
    """Measure explanations of a model over a data set: which method can be relied on?

    - `model`: an `nn.Module`, a callable, or a `whence.zoo` Model, whose preprocessing is used.
    - `data`: a `whence.zoo` Dataset; a tensor of inputs or a pair (inputs, labels); a DataLoader or
      any iterable of batches, each a tensor, a pair (inputs, labels), or a dictionary of keyword
      arguments in which "labels", "ids" and "masks" are about the samples. Without ids a sample is
      known by its number, so the order must not change between runs.
    - `explainers`: names from `whence.methods()`, pairs (name, options), explainers, attribution
      objects of captum, or functions (model, inputs, target) -> relevance; a dictionary gives each
      a label of its own.
    - `metrics`: metrics, their names, or pairs (name, knobs); a dictionary gives them labels.
    - `target`: None for the predicted class, "label" for the true one, a class, one for each
      sample, any target.
    - `batch_size`: samples explained together. `limit`: only the first so many.
    - `out`: a folder. Finished batches are written there at once; asked again, the same question
      goes on where it stopped (also with a larger `limit`), and another one is refused.
    - `shard`: (i, n) does every n-th batch from the i-th, counted from 0. Into the same folder, or
      with `Evaluation.merge`, the shards give the whole.
    - `masks`: of the object, boolean (samples, height, width), or a function of a data set's item;
      by default from the data set's boxes of the labelled class.
    - `confidence`: of the intervals. `say`: is told the budget before work starts.
    - `progress`: the budget and a bar on a terminal, silent elsewhere.

    A batch that fails is tried again in halves; the samples that fail alone score NaN, and
    `Evaluation.failures` says why. Ctrl-C returns what is finished, with `complete=False`, and
    raises if nothing is.

    ```python
    net, digits = zoo.model("digits-cnn"), zoo.dataset("digits", split="test")
    found = whence.evaluate(net, digits, ["lrp", "random"], ["flipping"], limit=100)
    print(found)
    ```
    """
    module = model.module if isinstance(model, Model) else model
    if isinstance(module, nn.Module) and module.training:
        raise InvalidInput("The model is in training mode. Call model.eval() first.")
    _check_shard(shard)
    if not 0 < confidence < 1:
        raise InvalidInput(f"confidence lies between 0 and 1, got {confidence}.")
    asked = asked_explainers(explainers, model, output, seed)
    measured = asked_metrics(metrics)
    samples = samples_of(
        data, model, target=target, batch_size=batch_size, limit=limit, masks=masks
    )
    question = _question(model, samples, asked, measured, target, output, seed)
    store = None if out is None else Store.open(out, question)
    run = _Run(samples, asked, measured, store, shard)
    watch = _Watch(progress and is_watched(), say)
    tally, complete, stopped = run.work(
        watch, maker(module, output=output, seed=seed, told=watch.told)
    )
    return Evaluation(
        tally=tally,
        methods=tuple(each.label for each in asked),
        metrics={name: metric.protocol() for name, metric in measured.items()},
        protocol=question
        | {"versions": _versions(), "samples": samples.total, "identity": _identity(model)},
        confidence=confidence,
        complete=complete,
        stopped=stopped,
    )


class _Unreadable(Exception):
    """The data raised; what is measured is kept."""


@dataclass
class _Watch:
    """Who is told how far the work is."""

    bar: bool
    say: Callable[[str], None] | None
    told: Told = field(default_factory=Told)

    def begin(self, run: "_Run", group: Group, frame: Progress | None, rest: int | None) -> None:
        """Tell the budget, once, and show the bar."""
        if frame is None and self.say is None:
            return
        budget = budget_of(group, run.explainers, run.metrics)
        if budget is not None:
            line = budget.line(rest, len(run.explainers), len(run.metrics))
            if self.say is not None:
                self.say(line)
            elif frame is not None:
                frame.console.print(line, markup=False, highlight=False)
        if frame is not None:
            self.told.bar = Bar(frame, budget, rest)


@dataclass
class _Run:
    """What is asked of every batch, and where the answers go."""

    samples: Samples
    explainers: Sequence[Asked]
    metrics: Mapping[str, Metric]
    store: Store | None
    shard: tuple[int, int]

    def work(self, watch: _Watch, make: Callable[[Part], Batch]) -> tuple[Tally, bool, str]:
        """All results, also of earlier runs; whether they are complete, and if not, why."""
        tally, known = (Tally(), {}) if self.store is None else self.store.read()
        try:
            with shown_bar() if watch.bar else nullcontext() as frame:
                self._measure(tally, known, frame, watch, make)
        except (KeyboardInterrupt, _Unreadable) as stop:
            if isinstance(stop, KeyboardInterrupt) and known:
                return tally, False, "interrupted"
            if known:
                return tally, False, f"the data could not be read on: {stop}"
            if isinstance(stop, _Unreadable):
                raise (stop.__cause__ or InvalidInput(f"{stop}.")) from None
            raise
        if not known and self.shard == (0, 1):
            raise InvalidInput("The data set is empty: there is nothing to evaluate.")
        whole = self.samples.total is None and self.shard[1] == 1
        return tally, whole or len(known) == self.samples.total, ""

    def _measure(
        self,
        tally: Tally,
        known: dict[Any, str],
        frame: Progress | None,
        watch: _Watch,
        make: Callable[[Part], Batch],
    ) -> None:
        rest = _rest(self.samples, self.shard, len(known))
        for number, part in enumerate(self._parts(dict(known))):
            group = Group(part, make)
            _check_new(part, known)
            if number == 0:
                _check_needs(self.metrics, part)
                watch.begin(self, group, frame, rest)
            found = Tally()
            measure(group, self.explainers, self.metrics, found)
            digests = [""] * len(part)
            if self.store is not None:
                digests = part.digests()
                self.store.write(found, part.ids, digests)
            tally.add(found)
            known.update(zip(part.ids, digests, strict=True))
            if watch.told.bar is not None:
                watch.told.bar.finish(len(part))

    def _parts(self, known: Mapping[Any, str]) -> Iterator[Part]:
        """The samples that are not known yet, batch by batch."""
        batches = self.samples.batches()
        for number in count():
            with _reading():
                waiting = next(batches, None)
            if waiting is None:
                return
            new = [each not in known for each in waiting.ids]
            ours = number % self.shard[1] == self.shard[0]
            if not ours or (not any(new) and self.samples.named):
                continue
            with _reading():
                part = waiting.load()
            if not all(new):
                _check_same(part, known)
            edges = [0, *(i for i in range(1, len(new)) if new[i] != new[i - 1]), len(new)]
            for start, stop in pairwise(edges):
                if new[start]:
                    yield part if stop - start == len(part) else part.take(start, stop)


@contextmanager
def _reading() -> Iterator[None]:
    """Errors of the data are told from those of the work."""
    try:
        yield
    except Exception as error:
        raise _Unreadable(in_words(error)) from error


def _check_new(part: Part, known: Mapping[Any, str]) -> None:
    for place, each in enumerate(part.ids):
        if each in known or each in part.ids[:place]:
            raise _Unreadable(f"the sample {each!r} came twice. Give ids that differ")


def _check_same(part: Part, known: Mapping[Any, str]) -> None:
    for each, digest in zip(part.ids, part.digests(), strict=True):
        if known.get(each, digest) != digest:
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


def _check_shard(shard: tuple[int, int]) -> None:
    if len(shard) != 2 or not 0 <= shard[0] < shard[1]:
        raise InvalidInput(
            f"shard must be (i, n) with i from 0 to n - 1, got {shard}. The first of two is (0, 2)."
        )


def _question(
    model: Any,
    samples: Samples,
    explainers: Sequence[Asked],
    metrics: Mapping[str, Metric],
    target: Any,
    output: Any,
    seed: int,
) -> dict[str, Any]:
    """What makes two evaluations the same: every knob, the weights, the numeric type."""
    module = model.module if isinstance(model, Model) else model
    named = {"name": model.name} if isinstance(model, Model) else {}
    question = {
        "model": named | {"class": type(module).__name__, "hash": model_hash(module)},
        "numbers": _numbers(module),
        "data": samples.name,
        "target": "the predicted class" if target is None else described(target),
        "output": described(output),
        "explainers": [each.record() for each in explainers],
        "metrics": {
            name: metric.protocol() | {"knobs": described(metric)}
            for name, metric in metrics.items()
        },
        "seed": seed,
    }
    return json.loads(json.dumps(question))  # as it comes back from a file


def _numbers(module: Any) -> str:
    """The numeric type of the weights."""
    if not isinstance(module, nn.Module):
        return "unknown"
    kinds = {str(each.dtype) for each in module.parameters() if each.is_floating_point()}
    return ", ".join(sorted(kinds)) or "none"


def _identity(model: Any) -> dict[str, Any]:
    """The hashes that other results of the same model have too."""
    return model_identity(model.module if isinstance(model, Model) else model)


def _versions() -> dict[str, str]:
    try:
        own = version("whence")
    except PackageNotFoundError:
        own = "source"
    return {"whence": own, "torch": torch.__version__, "python": platform.python_version()}
