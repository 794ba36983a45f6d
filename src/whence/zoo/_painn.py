"""PaiNN [schuett2021], a net for molecules: from the places of atoms to energies that add up."""

from collections.abc import Sequence
from math import pi
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from whence.errors import InvalidInput
from whence.zoo._files import find_file, read_npz
from whence.zoo._model import Model

_FILE = "painn_rmd17_ethanol_weights.npz"
_ETHANOL = (6, 6, 1, 1, 1, 1, 1, 8, 1)  # CH3, CH2, OH: the order of md_ethanol.xyz
_FEATURES, _SHELLS, _ROUNDS = 128, 20, 3
_PREFIXES = ("representation.", "output_modules.0.", "postprocessors.1.")
_LEAST = 1e-8  # below the root of |V|^2, whose slope is infinite at 0; as the trained net has it


class Interaction(nn.Module):
    """Atoms hear of their neighbours: dq_i = sum_j W(d_ij) phi(q_j), and the same for vectors."""

    def __init__(self) -> None:
        super().__init__()
        self.interatomic_context_net = _two_layers(_FEATURES)

    def forward(
        self, q: Tensor, mu: Tensor, filters: Tensor, directions: Tensor, near: Tensor
    ) -> tuple[Tensor, Tensor]:
        told = self.interatomic_context_net(q)[:, near]  # (batch, atoms, others, 3 features)
        scalars, along, carried = (filters * told).chunk(3, dim=-1)
        moved = along.unsqueeze(-2) * directions.unsqueeze(-1)
        passed = carried.unsqueeze(-2) * mu[:, near]  # (batch, atoms, others, xyz, features)
        return q + scalars.sum(2), mu + (moved + passed).sum(2)


class Mixing(nn.Module):
    """Each atom's scalars and vectors speak: q += a + c <V, W>, mu += b W."""

    def __init__(self) -> None:
        super().__init__()
        self.mu_channel_mix = nn.Linear(_FEATURES, 2 * _FEATURES, bias=False)
        self.intraatomic_context_net = _two_layers(2 * _FEATURES)

    def forward(self, q: Tensor, mu: Tensor) -> tuple[Tensor, Tensor]:
        v, w = self.mu_channel_mix(mu).chunk(2, dim=-1)
        length = (v.square().sum(-2) + _LEAST).sqrt()
        mixed = self.intraatomic_context_net(torch.cat([q, length], dim=-1))
        a, b, c = mixed.chunk(3, dim=-1)
        return q + a + c * (v * w).sum(-2), mu + b.unsqueeze(-2) * w


class PaiNN(nn.Module):
    """From places (batch, atoms, 3) in angstrom to the energy (batch, 1) in kcal/mol.

    The energy is a sum over atoms, and `contributions` are its terms. It depends on distances and
    on the angles between them, so that moving or turning the molecule changes nothing.

    - `numbers`: which element each atom is, by atomic number; the model's inputs keep this order.

    Energies are large beside their differences: call `.double()` for more than two decimals.
    """

    numbers: Tensor
    others: Tensor
    widths: Tensor
    offsets: Tensor
    cutoff: Tensor
    mean: Tensor

    def __init__(self, numbers: Sequence[int]) -> None:
        super().__init__()
        count = len(numbers)
        others = [[j for j in range(count) if j != i] for i in range(count)]
        self.register_buffer("numbers", torch.tensor(numbers), persistent=False)
        self.register_buffer("others", torch.tensor(others), persistent=False)
        self.register_buffer("widths", torch.ones(_SHELLS))
        self.register_buffer("offsets", torch.zeros(_SHELLS))
        self.register_buffer("cutoff", torch.ones(1))
        # In double precision: five digits before the point leave float32 two behind it.
        self.register_buffer("mean", torch.zeros((), dtype=torch.float64))
        self.embedding = nn.Embedding(100, _FEATURES)
        self.filter_net = nn.Linear(_SHELLS, 3 * _ROUNDS * _FEATURES)
        self.interactions = nn.ModuleList(Interaction() for _ in range(_ROUNDS))
        self.mixing = nn.ModuleList(Mixing() for _ in range(_ROUNDS))
        self.outnet = nn.Sequential(nn.Linear(_FEATURES, 64), nn.SiLU(), nn.Linear(64, 1))

    def forward(self, places: Tensor) -> Tensor:
        return self.contributions(places).sum(1, keepdim=True)

    def contributions(self, places: Tensor) -> Tensor:
        """The energy that each atom adds, (batch, atoms); their sum is the energy, exactly."""
        apart = places[:, self.others] - places.unsqueeze(2)  # (batch, atoms, others, xyz)
        distances = apart.square().sum(-1).sqrt()
        filters = self._filters(distances).chunk(_ROUNDS, dim=-1)
        directions = apart / distances.unsqueeze(-1)
        start = self.embedding(self.numbers)
        q = start.expand(len(places), *start.shape)  # (batch, atoms, features)
        mu = q.new_zeros(*q.shape[:2], 3, _FEATURES)
        rounds = zip(self.interactions, self.mixing, filters, strict=True)
        for interaction, mixing, weights in rounds:
            q, mu = mixing(*interaction(q, mu, weights, directions, self.others))
        return self.outnet(q).squeeze(-1) + self.mean

    def _filters(self, distances: Tensor) -> Tensor:
        """Weights by distance: Gaussian shells, a linear map, and a fade-out at the cutoff."""
        away = (distances.unsqueeze(-1) - self.offsets) / self.widths
        shells = away.square().mul(-0.5).exp()
        fade = 0.5 * ((distances * (pi / self.cutoff)).cos() + 1) * (distances < self.cutoff)
        return self.filter_net(shells) * fade.unsqueeze(-1)


def painn_ethanol(root: str | Path | None) -> Model:
    """The potential of SchNetPack 2, trained on ethanol at many geometries (rMD17)."""
    path = find_file(
        root,
        [f"painn_ethanol/{_FILE}", _FILE],
        what=f"painn-ethanol ({_FILE})",
        family="painn",
        source="github.com/atomistic-machine-learning/schnetpack, saved as .npz",
    )
    module = PaiNN(_ETHANOL)
    module.load_state_dict(_renamed(read_npz(path)))
    return Model(
        name="painn-ethanol",
        module=module.eval(),
        preprocess=as_places,
        classes=("energy in kcal/mol",),
        input_shape=(len(_ETHANOL), 3),
        low=None,
        high=None,
    )


def as_places(places: Tensor) -> Tensor:
    """The preprocessing of the net: none. Floats of shape (batch, 9, 3) in angstrom."""
    count = len(_ETHANOL)
    shape = tuple(places.shape) if isinstance(places, Tensor) else type(places).__name__
    if not isinstance(places, Tensor) or shape[1:] != (count, 3):
        raise InvalidInput(
            f"the places of ethanol's atoms have shape (batch, {count}, 3), in angstrom and in the "
            f"order C C H H H H H O H; got {shape}."
        )
    return places


def _renamed(weights: dict[str, np.ndarray]) -> dict[str, Tensor]:
    """The saved names without the parts of the program that they stood in."""
    found = {}
    for name, value in weights.items():
        if name.endswith("atomref"):  # energies of lone atoms: all zero here
            continue
        for prefix in _PREFIXES:
            name = name.removeprefix(prefix)
        name = name.removeprefix("radial_basis.").removeprefix("cutoff_fn.")
        # Between its two layers ours has the activation as an entry of its own.
        name = name.replace("_net.1.", "_net.2.").replace("outnet.1.", "outnet.2.")
        found[name] = torch.from_numpy(value)
    return found


def _two_layers(inputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, _FEATURES), nn.SiLU(), nn.Linear(_FEATURES, 3 * _FEATURES)
    )
