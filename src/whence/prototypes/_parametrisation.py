"""What an ascent turns: the numbers that make an input, and how they stay valid."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.prototypes._start import Start

Box = tuple[float | Tensor, float | Tensor]
"""The lowest and highest valid value; tensors broadcast to the inputs, as for channels."""


class Parametrisation(ABC):
    """Parameters that make inputs: x = inputs(parameters).

    Each parameter has the batch as its first axis, and samples are apart: sample i of the inputs
    depends on row i of each parameter only. `start(x0)` gives parameters for which inputs(...) is
    x0; the ascent then moves them.
    """

    @abstractmethod
    def start(self, x0: Tensor) -> list[Tensor]:
        """The parameters to begin with."""

    @abstractmethod
    def inputs(self, parameters: list[Tensor]) -> Tensor:
        """The inputs that parameters make, differentiable."""

    def project(self, parameters: list[Tensor]) -> None:
        """Move parameters back to where they are valid, in place; called after each step."""
        return  # anything is valid unless a parametrisation says otherwise

    def log_density(self, parameters: list[Tensor]) -> Tensor | None:
        """The prior on the parameters themselves, (batch,), as on a code; None: there is none."""
        return None

    def of_rows(self, rows: Tensor, batch: int) -> "Parametrisation":
        """The same for some samples of a batch, if it holds something for each; else itself."""
        return self

    def boxed(self, box: Box) -> "Parametrisation":
        """The same, whose inputs stay within a box: by a sigmoid, unless it knows better."""
        return Squashed(self, box)

    @property
    def default_start(self) -> Start | None:
        """Where to begin when the user does not say; None: the user must."""
        return None

    @property
    def scale(self) -> float:
        """How much inputs change with parameters, root mean square; the usual rate is divided by
        it."""
        return 1.0

    @property
    def plain(self) -> bool:
        """Whether the one parameter is the input itself, so that it may be blurred as a picture."""
        return False


@dataclass(frozen=True, eq=False)
class Pixels(Parametrisation):
    """The input's own numbers. A box is kept by projection: after each step they are clipped."""

    box: Box | None = None

    def start(self, x0: Tensor) -> list[Tensor]:
        x = x0.detach().clone()
        self.project([x])
        return [x]

    def inputs(self, parameters: list[Tensor]) -> Tensor:
        return parameters[0]

    def project(self, parameters: list[Tensor]) -> None:
        if self.box is not None:
            parameters[0].copy_(clip(parameters[0], self.box))

    def boxed(self, box: Box) -> "Parametrisation":
        return replace(self, box=checked_box(box))

    @property
    def plain(self) -> bool:
        return True

    def __repr__(self) -> str:
        return "Pixels()" if self.box is None else f"Pixels(box={show_box(self.box)})"


@dataclass(frozen=True, eq=False)
class Boxed(Parametrisation):
    """Any parametrisation, kept in a box: what both ways to do so have in common."""

    inner: Parametrisation
    box: Box

    def log_density(self, parameters: list[Tensor]) -> Tensor | None:
        return self.inner.log_density(parameters)

    def of_rows(self, rows: Tensor, batch: int) -> Parametrisation:
        return replace(self, inner=self.inner.of_rows(rows, batch))

    @property
    def scale(self) -> float:
        return self.inner.scale

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.inner!r}, box={show_box(self.box)})"


@dataclass(frozen=True, eq=False, repr=False)
class Squashed(Boxed):
    """Any parametrisation, pressed into a box: x = low + (high - low) sigmoid(inner inputs).

    The bounds themselves are never reached, and near them the gradient fades: a pixel that large
    steps drove far beyond gets stuck there. Smaller rates, a cosine schedule and transformations
    help, and `Projected` avoids it. A start on a bound begins a thousandth of the range inside.
    """

    def start(self, x0: Tensor) -> list[Tensor]:
        low, high = bounds(checked_box(self.box), x0)
        share = ((x0 - low) / (high - low)).clamp(1e-3, 1 - 1e-3)
        return self.inner.start(share.logit())

    def inputs(self, parameters: list[Tensor]) -> Tensor:
        raw = self.inner.inputs(parameters)
        low, high = bounds(self.box, raw)
        return low + (high - low) * raw.sigmoid()

    def project(self, parameters: list[Tensor]) -> None:
        self.inner.project(parameters)

    @property
    def default_start(self) -> Start | None:
        inner = self.inner.default_start
        return None if inner is None else Within(inner, self.box)


@dataclass(frozen=True, eq=False, repr=False)
class Projected(Boxed):
    """Any parametrisation that can make every input, clipped to a box after each step: the inputs
    are clipped, and parameters found that make them.

    For `Fourier` where a sigmoid leaves pixels stuck: `Projected(Fourier(shape), (0.0, 1.0))`.
    Where many pixels are clipped it settles near the best place in the box, not at it: clipping
    looks for what is nearest in pixels, and steps are scaled by frequency. Not for a generator,
    which cannot make every input.
    """

    def start(self, x0: Tensor) -> list[Tensor]:
        return self.inner.start(clip(x0, checked_box(self.box)))

    def inputs(self, parameters: list[Tensor]) -> Tensor:
        return self.inner.inputs(parameters)

    def project(self, parameters: list[Tensor]) -> None:
        clipped = clip(self.inner.inputs(parameters), self.box)
        for parameter, valid in zip(parameters, self.inner.start(clipped), strict=True):
            parameter.copy_(valid)

    @property
    def default_start(self) -> Start | None:
        return self.inner.default_start


@dataclass(frozen=True, eq=False)
class Within(Start):
    """A start of the inner parametrisation, seen through the squashing."""

    inner: Start
    box: Box

    def draw(self, keys: Tensor, classes: Sequence[int | None]) -> Tensor:
        raw = self.inner.draw(keys, classes)
        low, high = bounds(self.box, raw)
        return low + (high - low) * raw.sigmoid()


def bounds(box: Box, like: Tensor) -> tuple[Tensor, Tensor]:
    """The bounds as tensors that go with `like`."""
    low, high = (torch.as_tensor(each).detach().to(like) for each in box)
    return low, high


def clip(x: Tensor, box: Box) -> Tensor:
    """x within the box."""
    low, high = bounds(box, x)
    return torch.minimum(torch.maximum(x, low), high)


def checked_box(box: Box) -> Box:
    """The box, if it has room."""
    low, high = (torch.as_tensor(each) for each in box)
    if not bool((low < high).all()):
        raise InvalidInput(f"A box needs low < high everywhere, got {show_box(box)}.")
    return box


def show_box(box: Box) -> str:
    """The box in words."""
    low, high = (
        f"tensor of {tuple(each.shape)}"
        if isinstance(each, Tensor) and each.numel() > 1
        else f"{float(each):g}"
        for each in box
    )
    return f"({low}, {high})"
