"""What keeps a search for the extreme near molecules that exist: priors of one's own."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from molecules.geometry import Molecule, laid_on, lengths
from whence.prototypes import Parametrisation, Prior


class Distances(Prior):
    """A barrier of distances: nothing while they are allowed, and steep walls outside.

    log p(x) = -k sum_pairs (how far d_ij lies outside its bounds)^2. Bonds may stretch and shrink
    by a share of their length; atoms that are three bonds or more apart may not come nearer than
    `nearest`. k is in kcal/mol per square angstrom, as force fields have it.
    """

    def __init__(
        self, molecule: Molecule, *, share: float = 0.05, nearest: float = 2.0, k: float = 5000.0
    ) -> None:
        self.pairs = molecule.bonds() + molecule.apart()
        bonded = len(molecule.bonds())
        rest = lengths(molecule.places, self.pairs)[0]
        self.low = torch.cat([(1 - share) * rest[:bonded], rest[bonded:].clamp(max=nearest)])
        self.high = torch.cat([(1 + share) * rest[:bonded], torch.full_like(rest[bonded:], 1e9)])
        self.k = k

    def log_density(self, x: Tensor) -> Tensor:
        """(batch, atoms, 3) to (batch,)."""
        found = lengths(x, self.pairs)
        outside = (self.low - found).relu() + (found - self.high).relu()
        return -self.k * outside.square().sum(1)


class Ceiling(Prior):
    """A barrier of energy: nothing up to a limit, and a steep wall above it.

    log p(x) = -k max(0, E(x) - limit)^2, with k in 1 / (kcal/mol).
    """

    def __init__(self, energy: Callable[[Tensor], Tensor], limit: float, k: float = 10.0) -> None:
        self.energy, self.limit, self.k = energy, limit, k

    def log_density(self, x: Tensor) -> Tensor:
        """(batch, atoms, 3) to (batch,)."""
        return -self.k * (self.energy(x).flatten() - self.limit).relu().square()


@dataclass(frozen=True, eq=False)
class Near(Parametrisation):
    """Places within a root mean square distance of a molecule; shifts and turns are taken out.

    An energy does not change when the molecule moves or turns as a whole, so every step is first
    laid on the reference, and then what is left is shortened to `radius`, in angstrom.
    """

    reference: Tensor
    radius: float

    def start(self, x0: Tensor) -> list[Tensor]:
        """The places themselves."""
        x = x0.detach().clone()
        self.project([x])
        return [x]

    def inputs(self, parameters: list[Tensor]) -> Tensor:
        """The places themselves."""
        return parameters[0]

    def project(self, parameters: list[Tensor]) -> None:
        """Back into the trust region, in place."""
        offset = laid_on(parameters[0], self.reference) - self.reference
        size = offset.square().sum(-1).mean(1).sqrt().view(-1, 1, 1)
        parameters[0].copy_(self.reference + offset * (self.radius / size.clamp_min(self.radius)))
