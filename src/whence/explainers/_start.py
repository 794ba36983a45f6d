"""Where relevance starts: the output tensor, its target's coefficients, and the score."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from whence.engine import Ledger, Message, Tape, Value, restore
from whence.errors import InvalidInput, UnsupportedModel
from whence.targets import ClassTarget, Given, Relative, Target


@dataclass(frozen=True, eq=False)
class Start:
    """One value with the message that starts there and the number it stands for."""

    value: Value
    message: Message
    score: Tensor

    def book(self, ledger: Ledger) -> None:
        """Book what the target's coefficients do not carry of its score."""
        ledger.score = self.score.detach()
        data, c = restore(self.value), self.message.c
        if c is not None:
            carried = (data.to(c.dtype) * c).flatten(1).sum(1) if data.dim() > 1 else data * c
            rest = self.score.to(c.dtype) - carried
            if bool(rest.abs().max() > 1e-6 * self.score.abs().max()):
                ledger.open("target", "", "").book(bias=rest)


def pick_output(output: Any, which: Any = None) -> Any:
    """The tensor to explain from what the model returned."""
    if callable(which):
        return which(output)
    if which is not None:
        if isinstance(output, Tensor):
            raise InvalidInput(
                f"output={which!r} was asked for, but the model returns one tensor. Leave output= "
                "out, or give a function of it."
            )
        try:
            return output[which]
        except (KeyError, IndexError, TypeError) as error:
            keys = list(output) if isinstance(output, Mapping) else type(output).__name__
            raise InvalidInput(f"output={which!r} is not in the model's output: {keys}.") from error
    if isinstance(output, Tensor):
        return output
    if isinstance(output, Mapping):
        if isinstance(output.get("logits"), Tensor):
            return output["logits"]
        if isinstance(output.get("start_logits"), Tensor) and "end_logits" in output:
            # Question answering: (batch, 2, tokens), for targets.Span.
            return torch.stack([output["start_logits"], output["end_logits"]], 1)
        output = tuple(output.values())
    if isinstance(output, (tuple, list)):
        for each in output:
            if isinstance(each, Tensor) and each.is_floating_point():
                return each
    raise InvalidInput(
        f"The model returned {type(output).__name__}, from which no score can be taken. Give "
        "output='name', output=index or output=function."
    )


def start_at(tape: Tape, output: Tensor, target: Target) -> Start:
    """The start of relevance for one target."""
    if target.at is not None:
        values = values_at(tape, target.at)
        if len(values) != 1:
            raise InvalidInput(f"Module {target.at!r} made {len(values)} tensors; one is needed.")
        value = values[0]
    else:
        value = _output_value(tape, output, target)
    data = restore(value)
    wide = data.float() if data.dtype in (torch.float16, torch.bfloat16) else data
    if isinstance(target, Given):
        score = target.score(wide)  # checks that the relevance fits
        R = target.relevance.to(wide).expand_as(wide)
        return Start(value, Message(R=R), score)
    c = target.coefficients(wide)
    score = target.score(wide, c)
    return Start(value, Message(c), score if wide.requires_grad else score.detach())


def values_at(tape: Tape, name: str) -> list[Value]:
    """The tensors that a named module returned, in the order of its calls."""
    if name not in tape.modules:
        close = difflib.get_close_matches(name, tape.modules, 3)
        hint = f" Close names: {', '.join(close)}." if close else ""
        raise InvalidInput(f"No module {name!r} passed a tensor that depends on the input.{hint}")
    return [value for call in tape.modules[name] for value in call]


def _output_value(tape: Tape, output: Tensor, target: Target) -> Value:
    value = tape.values.get(id(output))
    if value is None:
        raise UnsupportedModel(
            "The explained output does not depend on the explained inputs: nothing was recorded "
            "between them. Was it detached, or computed outside torch? " + " ".join(tape.notes)
        )
    op = value.op
    if isinstance(target, Relative):
        target = target.target
    classes = isinstance(target, ClassTarget)
    if op is not None and op.name in ("softmax", "log_softmax") and classes:
        tape.note(
            f"The model ends in {op.where()}; the scores before it are explained, since its "
            "outputs only compare them."
        )
        return op.inputs[0]
    return value
