"""Positions of atoms or other points, within a trust region around a geometry."""

from dataclasses import dataclass, replace

from torch import Tensor

from whence.errors import InvalidInput
from whence.prototypes._parametrisation import Parametrisation


@dataclass(frozen=True, eq=False)
class Coordinates(Parametrisation):
    """Positions (batch, points, dimensions), moved freely or within a trust region.

    - `reference`: positions to stay near, (points, dimensions) or with a batch axis.
    - `radius`: how far each point may be from its reference; kept by projection onto a ball.
    - `centred`: hold the mean position at that of the reference, since energies do not tell where
      a molecule is.

    Each step takes out the common shift first and then cuts what is too far, so the radius is kept
    exactly and the mean as well as the cut allows.
    """

    reference: Tensor | None = None
    radius: float | None = None
    centred: bool = False

    def __post_init__(self) -> None:
        if self.reference is None and (self.radius is not None or self.centred):
            raise InvalidInput("radius= and centred= need reference= positions to stay near.")
        if self.radius is not None and self.radius <= 0:
            raise InvalidInput(f"radius must be above 0, got {self.radius}.")

    def start(self, x0: Tensor) -> list[Tensor]:
        x = x0.detach().clone()
        if x.dim() != 3:
            raise InvalidInput(
                f"Coordinates need a start of (batch, points, dimensions), got {tuple(x.shape)}."
            )
        self.project([x])
        return [x]

    def inputs(self, parameters: list[Tensor]) -> Tensor:
        return parameters[0]

    def project(self, parameters: list[Tensor]) -> None:
        if self.reference is None:
            return
        x, reference = parameters[0], self.reference.detach().to(parameters[0])
        moved = x - reference
        if self.centred:
            moved = moved - moved.mean(-2, keepdim=True)
        if self.radius is not None:
            length = moved.norm(dim=-1, keepdim=True)
            moved = moved * (self.radius / length.clamp_min(self.radius))
        x.copy_(reference + moved)

    def of_rows(self, rows: Tensor, batch: int) -> Parametrisation:
        reference = self.reference
        if reference is None or reference.dim() < 3 or len(reference) != batch:
            return self
        return replace(self, reference=reference[rows.to(reference.device)])

    def __repr__(self) -> str:
        region = "" if self.radius is None else f"radius={self.radius:g}"
        return f"Coordinates({region})"
