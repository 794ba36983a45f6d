"""What one run of the model shows to an objective."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from whence.errors import InvalidInput


@dataclass(frozen=True, eq=False)
class Seen:
    """One run of the model on a batch of candidates; all tensors can be differentiated.

    - `inputs`: what the model was given, transformations included, (batch, ...).
    - `output`: what it answered, after `output=` picked from it.
    - `scores`: the output before a softmax or sigmoid that the model ends in; else the output.
    - `head`: what it ends in: "scores", "softmax", "log_softmax", "sigmoid", "probabilities".
    - `rows`: which entry of the objective (which class of several) each sample belongs to.
    - `notes`: what the result should tell its user; an objective may add a line.
    """

    inputs: Tensor
    output: Any
    scores: Any
    head: str
    rows: Tensor
    made: Mapping[str, Sequence[Tensor]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.inputs)

    def at(self, name: str, call: int | None = None) -> Tensor:
        """The output of a named module, (batch, ...); `call` says which, if it ran several times.

        The objective must list the name in `modules`.
        """
        found = self.made.get(name)
        if found is None:
            raise InvalidInput(
                f"Module {name!r} was not watched: an objective lists what it reads in `modules`, "
                f"and here these are {sorted(self.made)}."
            )
        if not found:
            raise InvalidInput(
                f"Module {name!r} did not run, or returned no float tensor. Give the name of one "
                "that does, as in model.named_modules()."
            )
        if call is None and len(found) > 1:
            raise InvalidInput(
                f"Module {name!r} ran {len(found)} times. Say which run counts: call=0 is the "
                "first, call=-1 the last."
            )
        try:
            return found[0 if call is None else call]
        except IndexError as error:
            raise InvalidInput(
                f"Module {name!r} ran {len(found)} times; there is no call={call}."
            ) from error
