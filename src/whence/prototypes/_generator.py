"""Prototypes in the code space of a generator: everything it makes looks like its data."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from whence.errors import InvalidInput
from whence.prototypes._parametrisation import Box, Parametrisation, clip, show_box
from whence.prototypes._prior import Prior
from whence.prototypes._start import Start, Zeros


@dataclass(frozen=True, eq=False)
class Generator(Parametrisation):
    """x = g(z): activation maximisation over the codes z of a decoder g [nguyen2016].

        max_z  objective(g(z)) + log p(z),   with log p(z) = -weight ||z||^2 for `L2(weight)`

    - `decoder`: any module or function from codes (batch, *code_shape) to inputs.
    - `code_shape`: of one code.
    - `prior`: on the code, such as `L2(0.01)`; priors given to `maximize` are on the inputs.
    - `box`: bounds of the code, kept by projection after each step; tensors bound single units.
    - `encoder`: inputs -> codes. With it the start is an input, such as a class mean; without it
      the start is a code (by default zeros; noise is `Noise(code_shape)`).

    A box on the inputs (`maximize(box=)`) clips what the decoder makes; no gradient passes where
    it is clipped.

    The paper's own settings: `optimiser="sgd"`, `rate=8.0`, `schedule="linear"`, `normalise=True`,
    200 steps, the code multiplied by 0.99 in each step (`operations=[Decay(0.99)]`, which is the
    penalty on its length), a code box, `keep="last"`.
    """

    decoder: Callable[[Tensor], Tensor]
    code_shape: Sequence[int]
    prior: Prior | None = None
    box: Box | None = None
    encoder: Callable[[Tensor], Tensor] | None = None
    input_box: Box | None = None

    def start(self, x0: Tensor) -> list[Tensor]:
        code = (x0 if self.encoder is None else self.encoder(x0)).detach().clone()
        if code.shape != (len(x0), *self.code_shape):
            which = "start must be codes" if self.encoder is None else "encoder must give codes"
            raise InvalidInput(
                f"The {which} of shape {(len(x0), *self.code_shape)}, got {tuple(code.shape)}. To "
                "start from inputs give encoder=."
            )
        self.project([code])
        return [code]

    def inputs(self, parameters: list[Tensor]) -> Tensor:
        x = self.decoder(parameters[0])
        return x if self.input_box is None else clip(x, self.input_box)

    def project(self, parameters: list[Tensor]) -> None:
        if self.box is not None:
            parameters[0].copy_(clip(parameters[0], self.box))

    def log_density(self, parameters: list[Tensor]) -> Tensor | None:
        return None if self.prior is None else self.prior.log_density(parameters[0])

    def of_rows(self, rows: Tensor, batch: int) -> Parametrisation:
        return self if self.prior is None else replace(self, prior=self.prior.of_rows(rows, batch))

    def boxed(self, box: Box) -> Parametrisation:
        return replace(self, input_box=box)

    @property
    def default_start(self) -> Start | None:
        return Zeros(self.code_shape) if self.encoder is None else None

    def __repr__(self) -> str:
        parts = [type(self.decoder).__name__, f"{tuple(self.code_shape)}"]
        parts += [] if self.prior is None else [f"prior={self.prior!r}"]
        parts += [] if self.box is None else [f"box={show_box(self.box)}"]
        return f"Generator({', '.join(parts)})"
