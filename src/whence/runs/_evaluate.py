"""How good are these explanations, over a data set? Resumable, with intervals and tests."""

import json
import platform
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from torch import nn

from whence._identity import model_identity
from whence.errors import InvalidInput
from whence.metrics import Metric
from whence.runs._evaluate_ask import (
    Asked,
    asked_explainers,
    asked_metrics,
    check_shard,
    described,
    model_hash,
)
from whence.runs._evaluate_data import samples_of
from whence.runs._evaluate_part import Samples
from whence.runs._evaluate_progress import is_watched
from whence.runs._evaluate_run import Run, Watch
from whence.runs._evaluate_store import Store
from whence.runs._evaluate_work import maker
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

    A batch that fails is tried again in halves; the samples that fail alone, or cannot be read,
    score NaN, and `Evaluation.failures` says why. The same question into the same folder tries
    them again, and nothing else. Ctrl-C returns what is finished, with `complete=False`, and
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
    check_shard(shard)
    if not 0 < confidence < 1:
        raise InvalidInput(f"confidence lies between 0 and 1, got {confidence}.")
    asked = asked_explainers(explainers, model, output, seed)
    measured = asked_metrics(metrics)
    samples = samples_of(
        data, model, target=target, batch_size=batch_size, limit=limit, masks=masks
    )
    question = _question(model, samples, asked, measured, target, output, seed)
    store = None if out is None else Store.open(out, question)
    run = Run(samples, asked, measured, store, shard)
    watch = Watch(progress and is_watched(), say)
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
