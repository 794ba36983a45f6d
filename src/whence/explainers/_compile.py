"""Freezing: a whole explanation captured as one graph for fixed shapes, without the tape.

While it is captured no value is read back: signs come from the data flow, else both branches run.
So the result holds for new inputs of other signs and for other classes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

from whence._numerics import plain
from whence.errors import InvalidInput, UnsupportedModel
from whence.targets import Highest, Target, as_target


@dataclass(frozen=True, eq=False)
class Choice(Highest):
    """A target without reading a value: weights of the output, and the highest class or not."""

    weights: Tensor
    highest: Tensor

    def coefficients(self, output: Tensor) -> Tensor:
        classes = torch.arange(output.shape[1], device=output.device)
        winner = (output.argmax(1, keepdim=True) == classes).to(output)
        return self.weights + self.highest * winner


class Compiled:
    """An explanation of one shape of inputs as a graph: `compiled(inputs, target) -> relevance`.

    The weights of the model are those of the moment it was compiled. `optimised` says whether the
    graph was turned into machine code, and `reason` why not: without a working C++ compiler the
    graph still runs, as the recorded operations.
    """

    def __init__(
        self,
        explain: Callable[[Tensor, Target], Tensor],
        example: Tensor,
        output: Tensor,
        *,
        optimise: bool,
    ) -> None:
        if output.dim() != 2:
            raise InvalidInput(
                f"compile() is for outputs of shape (batch, classes), got {tuple(output.shape)}."
            )
        self.shape, self.dtype = example.shape, example.dtype
        self._output = output.detach()
        self.graph = _captured(explain, example, output)
        self.reason = "" if optimise else "not asked for"
        self._run: Callable[..., Tensor] = self.graph
        if optimise:
            self._optimise(example)

    @property
    def optimised(self) -> bool:
        """Whether the graph runs as machine code."""
        return not self.reason

    def __repr__(self) -> str:
        state = "machine code" if self.optimised else f"graph; {self.reason}"
        return f"Compiled(inputs {tuple(self.shape)}, {self.dtype}, {state})"

    def _optimise(self, example: Tensor) -> None:
        """Compile to machine code, by running once; compilers fail in too many ways to list."""
        compiled = torch.compile(self.graph)
        try:
            with torch.no_grad():
                compiled(example, torch.zeros_like(self._output), self._output.new_ones(()))
        except Exception as error:
            self.reason = f"the compiler failed: {str(error).splitlines()[0]}"
            return
        self._run = compiled

    def __call__(self, inputs: Tensor, target: Any = None) -> Tensor:
        """The relevance of new inputs for a class, one for each sample, a contrast, or weights."""
        if inputs.shape != self.shape or inputs.dtype != self.dtype:
            raise InvalidInput(
                f"This explanation was compiled for inputs of shape {tuple(self.shape)} and "
                f"{self.dtype}, got {tuple(inputs.shape)} and {inputs.dtype}. Compile another."
            )
        asked = as_target(target)
        highest = torch.tensor(float(isinstance(asked, Highest)), dtype=self._output.dtype)
        weights = torch.zeros_like(self._output)
        if not isinstance(asked, Highest):
            weights = asked.coefficients(self._output)
        with torch.no_grad():
            return self._run(inputs, weights, highest.to(weights.device))


def _captured(
    explain: Callable[[Tensor, Target], Tensor], example: Tensor, output: Tensor
) -> Callable[..., Tensor]:
    def whole(inputs: Tensor, weights: Tensor, highest: Tensor) -> Tensor:
        return explain(inputs, Choice(weights, highest))

    try:
        with torch.no_grad(), plain():
            return make_fx(whole)(example, torch.zeros_like(output), output.new_ones(()))
    except RuntimeError as error:
        if "tracing tensor" not in str(error) and "data-dependent" not in str(error):
            raise
        raise UnsupportedModel(
            "compile() needs a model that runs the same operations for all inputs, but this one "
            "reads a value back (an `if` on a tensor, .item(), or the like). Explain it without "
            "compile()."
        ) from error
