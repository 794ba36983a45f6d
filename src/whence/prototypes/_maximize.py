"""What does this class, neuron or direction look like to the model? The front of the ascent."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy
import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.prototypes._ascent import Hill, Pace
from whence.prototypes._class_objectives import LogProbability, Target
from whence.prototypes._groups import Groups
from whence.prototypes._lens import Lens
from whence.prototypes._objective import Objective
from whence.prototypes._operations import Operation
from whence.prototypes._optimiser import MakeOptimiser, Schedule, name_of, stepping_of
from whence.prototypes._parametrisation import (
    Box,
    Parametrisation,
    Pixels,
    checked_box,
    clip,
    show_box,
)
from whence.prototypes._plan import Plan, place_of, plan_of
from whence.prototypes._prior import Prior
from whence.prototypes._progress import shown
from whence.prototypes._prototypes import Prototypes
from whence.prototypes._start import Start
from whence.prototypes._transformations import Transformation


def maximize(
    model: Callable[..., Any],
    objective: Any,
    *,
    start: Tensor | Start | None = None,
    prior: Prior | None = None,
    parametrisation: Parametrisation | None = None,
    transformations: Sequence[Transformation] = (),
    copies: int = 1,
    operations: Sequence[Operation] = (),
    optimiser: str | MakeOptimiser = "adam",
    rate: float | None = None,
    schedule: str | Schedule | None = None,
    normalise: bool = False,
    steps: int = 200,
    patience: int | None = None,
    tolerance: float = 0.0,
    keep: str | None = None,
    box: Box | None = None,
    count: int = 1,
    batch_size: int | None = None,
    seed: int = 0,
    progress: bool | Callable[[int, Tensor, Tensor], None] = False,
    call: Callable[[Tensor], Any] | None = None,
    output: Any = None,
) -> Prototypes:
    """Find inputs that a model answers most to: activation maximisation [montavon2018].

        x* = argmax_x  objective(model(x)) + prior(x),    x = parametrisation(parameters)

    What is to be large:

    - `objective`: a class or several (log-probability; one prototype for each), a target of
      whence, a function of the output, or an objective of `whence.prototypes`.
    - `prior`: log-densities that are added; a penalty is a negative number: `L2(0.1)`.

    Where and how:

    - `start`: inputs (n or 1, ...), or `Noise(shape)`, `Zeros(shape)`, `Mean(data)`,
      `ClassMeans(data, labels)`; all are brought to the model's dtype and device. n inputs for one
      objective give n prototypes.
    - `parametrisation`: `Pixels()` by default, `Fourier`, `Generator`, `Coordinates`.
    - `box`: (low, high) of valid inputs. Pixels are clipped after each step; other
      parametrisations say how they keep it.
    - `transformations`: random changes before the model, new in each step; `copies` of them are
      averaged.
    - `operations`: what is done to the parameters between steps: `Blur`, `Decay`.
    - `optimiser`: "adam", "sgd", "lbfgs" (one prototype at a time), or a function of the
      parameters that returns one of torch; `rate`; `schedule`: "linear", "cosine", or a function
      of the share of steps done. `normalise` divides each gradient by its mean size.
    - `patience`: a prototype rests after so many steps without an improvement above `tolerance`.
    - `keep`: "best" (the default) keeps the parameters with the largest objective plus prior of
      all steps, "last" those of the last step. With transformations the default is "last": the
      best of random numbers would be the luckiest draw.
    - `count`: prototypes of each class; they differ if the start is noise.
    - `batch_size`: so many climb at once; by default all.
    - `progress`: a bar on standard error, or a function told (step, objective, prior).
    - `call`, `output`: how the model is called, x -> output, and what to pick from that.

    The same seed gives the same result, whatever the batch. The model is never touched. Ctrl-C
    returns what was reached. Raises `Diverged`, which holds the best so far, if a number is NaN.

    >>> net = torch.nn.Linear(4, 3).eval()
    >>> found = maximize(net, [0, 2], start=torch.zeros(1, 4), box=(0, 1), steps=10)
    >>> found.inputs.shape, found.names
    (torch.Size([2, 4]), ['0', '2'])
    """
    goal = as_objective(objective)
    form = parametrisation or Pixels()
    if keep not in (None, "best", "last"):
        raise InvalidInput(f'keep= must be "best" or "last", got {keep!r}.')
    pace = Pace(
        stepping=stepping_of(optimiser, rate, schedule, scale=form.scale),
        steps=_at_least(1, "steps", steps),
        keep=keep or ("last" if transformations else "best"),
        patience=patience if patience is None else _at_least(1, "patience", patience),
        tolerance=tolerance,
        normalise=normalise,
        operations=_fitting(operations, form),
    )
    lens = Lens(model, goal.modules, call=call, output=output)
    boxed = form if box is None else form.boxed(checked_box(box))
    hill = Hill(lens, goal, prior, boxed, transformations, _at_least(1, "copies", copies), seed)
    with torch.inference_mode(False), torch.enable_grad():
        plan = _placed(plan_of(goal, start, boxed, _at_least(1, "count", count), seed), model)
        if box is not None and boxed.plain and not torch.equal(clip(plan.x0, box), plan.x0):
            lens.notes.append("The start was clipped to the box.")
        size = len(plan.x0) if batch_size is None else _at_least(1, "batch_size", batch_size)
        size = len(plan.x0) if goal.joint else 1 if optimiser == "lbfgs" else size
        made = {
            "model": name_of(model),
            **hill.words(),
            "start": _shown(start, boxed),
            "count": count,
            "box": None if box is None else show_box(box),
            **pace.words(),
            "batch_size": size,
            "torch": torch.__version__,
        }
        with shown(progress, steps, -(-len(plan.x0) // size)) as advance:
            return Groups(hill, pace, plan, box, made).run(size, advance)


def as_objective(asked: Any) -> Objective:
    """The objective that a user's argument means."""
    if isinstance(asked, Objective):
        return asked
    if isinstance(asked, bool):
        raise InvalidInput("The objective must be a class, a target or an Objective, got a bool.")
    if isinstance(asked, numpy.ndarray):
        asked = torch.as_tensor(asked)
    if isinstance(asked, Tensor) and not asked.is_floating_point():
        asked = asked.tolist()
    if isinstance(asked, Integral):
        return LogProbability(int(asked))
    if isinstance(asked, (list, tuple, range)) and all(isinstance(k, Integral) for k in asked):
        return LogProbability(tuple(map(int, asked)))
    return Target(asked)


def _placed(plan: Plan, model: Callable[..., Any]) -> Plan:
    """The start in the model's dtype and on its device."""
    dtype, device = place_of(model)
    if dtype is None and plan.drawn:
        dtype = torch.get_default_dtype()
    return replace(plan, x0=plan.x0.detach().to(device=device, dtype=dtype))


def _fitting(operations: Sequence[Operation], form: Parametrisation) -> tuple[Operation, ...]:
    """The operations, if they make sense on these parameters."""
    for operation in operations:
        if operation.of_inputs and not form.plain:
            raise InvalidInput(
                f"{operation!r} works on inputs, but the parameters of {form!r} are something "
                "else. Use it with Pixels, or a prior such as TotalVariation."
            )
    return tuple(operations)


def _at_least(least: int, name: str, number: int) -> int:
    if isinstance(number, bool) or number < least:
        raise InvalidInput(f"{name}= must be at least {least}, got {number}.")
    return number


def _shown(start: Tensor | Start | None, form: Parametrisation) -> str:
    if isinstance(start, Tensor):
        return f"tensor of {tuple(start.shape)}"
    return repr(form.default_start if start is None else start)
