"""From a request to a gallery of prototypes: the search, and what is told of each it finds."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from whence import runs, zoo
from whence._references import REFERENCES
from whence.errors import Diverged, NotAvailable, WhenceError
from whence.prototypes import Prototypes
from whence.serve._problem import Problem
from whence.serve._prototype_reality import Real, data_for, png_of
from whence.serve._prototype_schemas import (
    AskPrototypes,
    Choices,
    Gallery,
    PriorChoice,
    Prototype,
    Start,
)
from whence.serve._question import ask, class_scores, find_class, name_of, scores_of
from whence.serve._schemas import Numbers
from whence.zoo import ImageInput, Model

_IN_WORDS = {
    "none": "nothing but the class score",
    "l2": "near to the mean picture, or to black",
    "tv": "smooth: neighbouring pixels alike",
    "density": "likely under a density of real pictures",
    "generator": "made by a generator of real pictures",
}
_SOURCES = {
    "none": ["simonyan2014"],
    "l2": ["simonyan2014"],
    "tv": ["mahendran2015"],
    "density": ["hinton2002"],
    "generator": ["nguyen2016"],
}
_LARGE = 64  # pixels a side, from which pictures are made of frequencies
_NUMBERS, _MOST = 650_000, 60  # of all prototypes of one gallery; prototypes
_USUAL_STEPS, _FEWER_STEPS = 100, 48


@dataclass(frozen=True, eq=False)
class Sought:
    """A question with all names looked up."""

    asked: AskPrototypes
    net: Model
    search: runs.Search
    steps: int

    @property
    def count(self) -> int:
        """Prototypes in all."""
        return len(self.search.classes or ()) * self.asked.count


def choices(net: Model, root: Path | None) -> Choices:
    """What can be asked for of a model."""
    if not isinstance(net.preprocess, ImageInput):
        raise Problem("no_prototype", f"{net.name} does not take plain pictures.")
    data, large = data_for(net, root), min(net.input_shape[1:]) >= _LARGE
    usable = data is not None and zoo.data_of(net.name) is not None
    priors = runs.prior_choices(net, data=usable, root=root)
    learnt: list[Start] = ["mean", "class-means"] if usable and not large else []
    return Choices(
        model=net.name,
        priors=[PriorChoice(name=name, text=_IN_WORDS[name]) for name in ("none", *priors)],  # type: ignore[arg-type]
        starts=["noise", *learnt],
        most=max(1, min(_MOST, _NUMBERS // math.prod(net.input_shape))),
        steps=_FEWER_STEPS if large else _USUAL_STEPS,
        data=data.name if usable and data is not None else None,
    )


def seek(net: Model, asked: AskPrototypes, root: Path | None) -> Sought:
    """The search that is asked for, or a `Problem`."""
    can = choices(net, root)
    priors = [each.name for each in can.priors]
    if asked.prior not in priors:
        raise Problem("no_prototype", f"{net.name} can have the priors {', '.join(priors)} here.")
    if asked.start is not None and asked.start not in can.starts:
        raise Problem("no_prototype", f"{net.name} can start from {', '.join(can.starts)} here.")
    if asked.count > 1 and asked.start not in (None, "noise"):
        raise Problem("no_prototype", "Several of one class differ only if they start from noise.")
    given = range(len(net.classes)) if asked.classes is None else asked.classes
    if len(given) * asked.count > can.most:
        raise Problem(
            "too_many_prototypes",
            f"{len(given)} classes with {asked.count} each; of {net.name} at most {can.most}.",
        )
    classes = dict.fromkeys(find_class(net, each) for each in given)
    try:
        search = runs.ask_prototypes(
            net,
            ",".join(map(str, classes)),
            priors=[_spelled(asked, with_data=can.data is not None)],
            start=_start(asked, can),
            root=root,
        )
    except WhenceError as error:
        raise _failed(net, error) from error
    known = zoo.data_of(net.name) if can.data is not None else None
    return Sought(asked, net, replace(search, data=known), asked.steps or can.steps)


def make(
    sought: Sought,
    memory: runs.PrototypeMemory,
    real: Real | None,
    told: Callable[[int, Any, Any], None],
    patience: float | None = None,
) -> Gallery:
    """The gallery. `told` hears of each step, and may end the search by KeyboardInterrupt.

    patience: seconds that a density may be waited for; then the `Problem` is "busy".
    """
    began, asked, notes = time.perf_counter(), sought.asked, []
    effort = runs.Effort(asked.count, sought.steps, None, asked.seed, told)
    try:
        found = memory.find(sought.search, effort, notes.append, patience)
    except TimeoutError as error:
        raise Problem("busy", "A density of real pictures is still being learnt.") from error
    except WhenceError as error:
        raise _failed(sought.net, error) from error
    if sought.search.changes:
        changes = ", ".join(type(each).__name__ for each in sought.search.changes)
        notes.append(f"Made of {sought.search.form} under {changes}: a prior of its own.")
    stopped = [note for note in found.notes if note.startswith("Stopped by hand")]
    notes += [note for note in found.notes if note not in stopped]
    if stopped:
        notes.append(f"It ended after {int(found.steps.max())} of {sought.steps} steps.")
    if asked.prior == "density" and asked.seed:
        notes.append("The density was trained with seed 0; the command trains it with its own.")
    sources = dict.fromkeys([*_SOURCES[asked.prior], "montavon2018"])
    return Gallery(
        model=sought.net.name,
        prior=asked.prior,
        strength=asked.strength,
        start=sought.search.start,
        form=sought.search.form,
        seed=asked.seed,
        count=asked.count,
        steps=sought.steps,
        finished=not stopped,
        prototypes=_shown(sought, found, real),
        inputs=Numbers.of(found.inputs.cpu().numpy()),
        reality=None if real is None else real.about,
        notes=notes,
        citation=[REFERENCES[key] for key in sources],
        command=_command(sought),
        seconds=time.perf_counter() - began,
        remembered=False,
    )


def _shown(sought: Sought, found: Prototypes, real: Real | None) -> list[Prototype]:
    """What is told of each prototype."""
    net, preprocess = sought.net, sought.search.preprocess
    with torch.no_grad():
        output = net.module(found.inputs)
    rows = getattr(output, "logits", output).split(1)
    shown = []
    for index, (row, name) in enumerate(zip(rows, found.names, strict=True)):
        k, pixels = int(name), preprocess.pixels(found.inputs[index : index + 1])[0]
        classes = class_scores(net, scores_of(row), ask(net, "lrp", None, k, None))
        own = next(each for each in classes if each.index == k)
        shown.append(
            Prototype(
                target=name_of(net, k),
                png=png_of(pixels),
                score=own.score,
                probability=own.probability,
                read_as=max(classes, key=lambda each: each.score),
                objective=float(found.objective[index]),
                prior=float(found.prior[index]),
                steps=int(found.steps[index]),
                nearest=None if real is None else real.nearest(pixels),
            )
        )
    return shown


def _spelled(asked: AskPrototypes, *, with_data: bool) -> str:
    """The prior as the library and the command line spell it."""
    if asked.prior == "none":
        return ""
    weight = runs.PRIOR_WEIGHTS[asked.prior] * asked.strength
    around = "" if with_data or asked.prior != "l2" else ":around=zero"
    return f"{asked.prior}:weight={weight:.6g}{around}"


def _start(asked: AskPrototypes, can: Choices) -> str | None:
    is_fixed = asked.count > 1 or can.data is None
    return asked.start or ("noise" if is_fixed else None)


def _command(sought: Sought) -> str:
    asked, search = sought.asked, sought.search
    prior = _spelled(asked, with_data=search.data is not None)
    return " ".join(
        [
            f"whence maximize --model {sought.net.name}",
            f"--target {','.join(map(str, search.classes or ()))}",
            *([f"--prior {prior}"] if prior else []),
            f"--start {search.start} --count {asked.count} --steps {sought.steps}",
            f"--seed {asked.seed}",
        ]
    )


def _failed(net: Model, error: WhenceError) -> Problem:
    if isinstance(error, NotAvailable):  # its text names folders of this machine
        return Problem("not_available", f"The data of {net.name} are not here.")
    if isinstance(error, Diverged):
        return Problem("no_prototype", "The search ran away to numbers that are not finite.")
    return Problem("no_prototype", " ".join(str(error).split())[:300])
