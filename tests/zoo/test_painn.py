"""PaiNN on ethanol: the energy its makers give, by a slow oracle, and the symmetries of space."""

from math import cos, pi
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from whence import zoo
from whence.errors import InvalidInput, NotAvailable

CARBON, CARBON_OXYGEN, OXYGEN, HYDROGEN = 0, 1, 7, 8  # CH3, CH2, and the two atoms of OH


@pytest.fixture(scope="module")
def net(data: Path) -> Any:
    model = zoo.model("painn-ethanol", data)
    model.module.double()
    return model


@pytest.fixture(scope="module")
def places(data: Path) -> Tensor:
    lines = (data / "painn_ethanol" / "md_ethanol.xyz").read_text().splitlines()[2:]
    rows = [[float(each) for each in line.split()[1:]] for line in lines if line.strip()]
    return torch.tensor(rows, dtype=torch.float64)[None]


@pytest.fixture(scope="module")
def relaxed(net: Any, places: Tensor) -> Tensor:
    moved = places.clone().requires_grad_()
    search = torch.optim.LBFGS([moved], max_iter=300, line_search_fn="strong_wolfe")

    def energy() -> Tensor:
        search.zero_grad()
        value = net.module(moved).sum()
        value.backward()
        return value

    search.step(energy)
    return moved.detach()


def turned(places: Tensor) -> Tensor:
    """Turned about an axis that is none of the three, mirrored, and moved."""
    matrix, _ = torch.linalg.qr(torch.tensor([[1.0, 2, 0], [0, 1, -3], [2, 0, 1]]).double())
    mirror = matrix * -torch.sign(torch.linalg.det(matrix))
    return places @ mirror.T + torch.tensor([3.0, -20.0, 0.5]).double()


def silu(x: np.ndarray) -> np.ndarray:
    return x / (1 + np.exp(-x))


def layers(weights: dict[str, np.ndarray], name: str, x: np.ndarray) -> np.ndarray:
    hidden = silu(weights[f"{name}.0.weight"] @ x + weights[f"{name}.0.bias"])
    return weights[f"{name}.1.weight"] @ hidden + weights[f"{name}.1.bias"]


def oracle(weights: dict[str, np.ndarray], numbers: list[int], places: np.ndarray) -> np.ndarray:
    """PaiNN's equations for one molecule, atom by atom and pair by pair."""
    count = len(numbers)
    q = weights["representation.embedding.weight"][numbers]
    mu = np.zeros((count, 3, 128))
    widths = weights["representation.radial_basis.widths"]
    offsets = weights["representation.radial_basis.offsets"]
    for number in range(3):
        name = f"representation.interactions.{number}.interatomic_context_net"
        dq, dmu = np.zeros_like(q), np.zeros_like(mu)
        for i in range(count):
            for j in range(count):
                r = places[j] - places[i]
                d = np.sqrt(r @ r)
                if i == j or d >= 5:
                    continue
                shells = np.exp(-0.5 / widths**2 * (d - offsets) ** 2)
                rows = slice(384 * number, 384 * number + 384)
                filters = weights["representation.filter_net.weight"][rows] @ shells
                filters += weights["representation.filter_net.bias"][rows]
                x = filters * 0.5 * (cos(pi * d / 5) + 1) * layers(weights, name, q[j])
                dq[i] += x[:128]
                dmu[i] += np.outer(r / d, x[128:256]) + mu[j] * x[256:]
        q, mu = q + dq, mu + dmu
        name = f"representation.mixing.{number}"
        for i in range(count):
            both = mu[i] @ weights[f"{name}.mu_channel_mix.weight"].T
            v, w = both[:, :128], both[:, 128:]
            length = np.sqrt((v**2).sum(0) + 1e-8)
            x = layers(weights, f"{name}.intraatomic_context_net", np.concatenate([q[i], length]))
            q[i] = q[i] + x[:128] + x[256:] * (v * w).sum(0)
            mu[i] = mu[i] + x[128:256] * w
    name, mean = "output_modules.0.outnet", weights["postprocessors.1.mean"]
    return np.array([layers(weights, name, each)[0] + mean for each in q])


def test_the_energy_of_the_sample_is_the_one_its_makers_give(net: Any, places: Tensor) -> None:
    assert net.module(net.preprocess(places)).item() == pytest.approx(-97_088, abs=0.5)


def test_energies_by_atom_are_those_of_the_equations(net: Any, places: Tensor, data: Path) -> None:
    file = data / "painn_ethanol" / "painn_rmd17_ethanol_weights.npz"
    with np.load(file) as archive:
        weights = {key: archive[key].astype(np.float64) for key in archive.files}
    expected = oracle(weights, [6, 6, 1, 1, 1, 1, 1, 8, 1], places[0].numpy())
    found = net.module.contributions(places)[0]

    assert torch.allclose(found, torch.from_numpy(expected), rtol=0, atol=1e-8)


def test_downhill_lies_ethanol_with_the_bonds_it_has(relaxed: Tensor) -> None:
    lengths = torch.cdist(relaxed[0], relaxed[0])

    assert lengths[CARBON, CARBON_OXYGEN].item() == pytest.approx(1.52, abs=0.006)
    assert lengths[CARBON_OXYGEN, OXYGEN].item() == pytest.approx(1.42, abs=0.006)
    assert lengths[OXYGEN, HYDROGEN].item() == pytest.approx(0.97, abs=0.006)


def test_nothing_pulls_at_the_atoms_of_the_relaxed_molecule(
    net: Any, relaxed: Tensor, places: Tensor
) -> None:
    held = relaxed.clone().requires_grad_()
    (slope,) = torch.autograd.grad(net.module(held).sum(), held)

    assert slope.abs().max() < 0.005
    assert net.module(relaxed).item() < net.module(places).item()


def test_the_energy_is_the_sum_of_the_energies_by_atom(net: Any, places: Tensor) -> None:
    batch = torch.cat([places, 1.01 * places])
    by_atom = net.module.contributions(batch)

    assert by_atom.shape == (2, 9)
    assert torch.equal(by_atom.sum(1, keepdim=True), net.module(batch))


def test_turning_mirroring_and_moving_the_molecule_change_no_energy(
    net: Any, places: Tensor
) -> None:
    found, still = net.module.contributions(turned(places)), net.module.contributions(places)

    assert torch.allclose(found, still, rtol=0, atol=1e-8)


def test_two_hydrogens_that_change_places_change_no_energy(net: Any, places: Tensor) -> None:
    swapped = places[:, [0, 1, 4, 3, 2, 5, 6, 7, 8]]
    found, still = net.module.contributions(swapped), net.module.contributions(places)

    assert torch.allclose(found[:, [0, 1, 4, 3, 2, 5, 6, 7, 8]], still, rtol=0, atol=1e-8)


def test_a_molecule_has_the_same_energy_in_any_batch(net: Any, places: Tensor) -> None:
    batch = torch.cat([1.02 * places, places])

    assert torch.allclose(net.module(batch)[1:], net.module(places), rtol=0, atol=1e-8)


def test_places_of_another_shape_are_refused(net: Any) -> None:
    with pytest.raises(InvalidInput, match=r"shape \(batch, 9, 3\).*got \(9, 3\)"):
        net.preprocess(torch.zeros(9, 3))


def test_without_its_weights_it_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(NotAvailable, match=r"painn_ethanol/painn_rmd17_ethanol_weights\.npz"):
        zoo.model("painn-ethanol", tmp_path)
