"""The helpers of examples/ethanol.py: geometry by hand, limits that hold, a figure that adds up."""

import importlib
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import whence
from whence.prototypes import Output

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(autouse=True)
def beside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))


def part(name: str) -> Any:
    return importlib.import_module(f"molecules.{name}")


def points(*rows: tuple[float, ...]) -> Tensor:
    return torch.tensor([rows], dtype=torch.float64)


WATER = points((0.0, 0, 0), (0.96, 0, 0), (-0.24, 0.93, 0))
ROUND = points((2.0, 1, 0), (1, -3, 1), (0, 2, 2), (-4, 0, 1), (1, 1, -2))


def turned(places: Tensor, degrees: float = 70) -> Tensor:
    angle = torch.deg2rad(torch.tensor(degrees, dtype=torch.float64))
    c, s = angle.cos(), angle.sin()
    one = torch.eye(3, dtype=torch.float64)
    one[0, 0], one[0, 1], one[1, 0], one[1, 1] = c, -s, s, c
    two = one.roll((1, 1), (0, 1))
    return places @ one @ two


def test_a_molecule_is_read_with_its_elements(tmp_path: Path) -> None:
    path = tmp_path / "water.xyz"
    path.write_text("3\nwater\nO 0 0 0\nH 0.96 0 0\nH -0.24 0.93 0\n\n")
    molecule = part("geometry").read_xyz(path)

    assert molecule.symbols == ("O", "H", "H")
    assert torch.equal(molecule.places, WATER)


def test_bonds_and_what_lies_three_bonds_apart() -> None:
    chain = points((0.0, 0, 0), (1.5, 0, 0), (3.0, 0, 0), (4.5, 0, 0))
    molecule = part("geometry").Molecule(("C", "C", "C", "C"), chain)

    assert molecule.bonds() == [(0, 1), (1, 2), (2, 3)]
    assert molecule.apart() == [(0, 3)]


def test_lengths_angles_and_torsions_are_those_of_a_ruler() -> None:
    geometry = part("geometry")
    corner = points((1.0, 0, 0), (0, 0, 0), (0, 2, 0), (0, 2, 3))
    other = points((1.0, 0, 0), (0, 0, 0), (0, 2, 0), (-1, 2, 0))

    assert geometry.lengths(corner, [(0, 1), (0, 2)])[0].tolist() == pytest.approx([1, 5**0.5])
    assert geometry.angle(corner, 0, 1, 2).item() == pytest.approx(90)
    assert abs(geometry.torsion(corner, (0, 1, 2, 3)).item()) == pytest.approx(90)
    assert abs(geometry.torsion(other, (0, 1, 2, 3)).item()) == pytest.approx(180)


def test_a_torsion_turns_its_sign_in_a_mirror() -> None:
    geometry = part("geometry")
    left = points((1.0, 0, 0), (0, 0, 0), (0, 2, 0), (1, 2, 1))

    assert geometry.torsion(left, (0, 1, 2, 3)).item() == pytest.approx(
        -geometry.torsion(left * torch.tensor([1.0, 1, -1]), (0, 1, 2, 3)).item()
    )
    assert abs(geometry.torsion(left, (0, 1, 2, 3)).item()) == pytest.approx(45)


def test_a_turned_and_shifted_molecule_lies_on_itself_again() -> None:
    geometry = part("geometry")
    away = turned(ROUND) + torch.tensor([5.0, -1, 2])

    assert geometry.moved(away, ROUND).item() < 1e-12
    assert torch.allclose(geometry.laid_on(away, ROUND), ROUND)


def test_a_mirrored_molecule_does_not() -> None:
    geometry = part("geometry")
    mirrored = ROUND * torch.tensor([1.0, 1, -1])

    assert geometry.moved(mirrored, ROUND).item() > 0.5


def test_no_turn_lies_better_than_the_one_found() -> None:
    geometry = part("geometry")
    bent = ROUND + torch.randn_like(ROUND)
    best = geometry.laid_on(bent, ROUND)
    least = (best - ROUND).square().sum()
    centre = best.mean(1, keepdim=True)
    around = [(turned(best - centre, d) + centre - ROUND).square().sum() for d in (-3, -1, 1, 3)]

    assert all(least < each for each in around)


def test_the_barrier_of_distances_is_flat_inside_and_square_outside() -> None:
    geometry, limits = part("geometry"), part("limits")
    molecule = geometry.Molecule(("O", "H", "H"), WATER)
    wall = limits.Distances(molecule, share=0.1, k=100.0)
    stretched = WATER.clone()
    stretched[0, 1, 0] = 0.96 * 1.25  # the walls stand at 1.1 times 0.96

    assert wall.log_density(WATER * 1.05).item() == 0
    assert wall.log_density(stretched).item() == pytest.approx(-100 * (0.15 * 0.96) ** 2)
    assert wall.log_density(WATER * 0.8).item() < 0


def test_atoms_that_are_no_neighbours_stay_apart() -> None:
    geometry, limits = part("geometry"), part("limits")
    chain = points((0.0, 0, 0), (1.5, 0, 0), (1.5, 1.5, 0), (1.5, 1.5, 1.5))
    molecule = geometry.Molecule(("C", "C", "C", "C"), chain)
    closed = chain.clone()
    closed[0, 3] = torch.tensor([0.0, 1.5, 0])
    wall = limits.Distances(molecule, share=10.0, nearest=2.0, k=2.0)

    assert wall.log_density(chain).item() == 0
    assert wall.log_density(closed).item() == pytest.approx(-2 * 0.5**2)


def test_the_ceiling_of_energy_counts_only_what_is_above() -> None:
    ceiling = part("limits").Ceiling(lambda x: x.flatten(1).sum(1), limit=2.0, k=3.0)

    assert ceiling.log_density(points((1.0, 0.5, 0))).item() == 0
    assert ceiling.log_density(points((1.0, 3.0, 0))).item() == pytest.approx(-3 * 2**2)


def test_a_search_near_a_molecule_ends_on_the_edge_and_does_not_turn_it() -> None:
    geometry, limits = part("geometry"), part("limits")
    found = whence.maximize(
        lambda x: (x[:, 0] - x[:, 3]).square().sum(1),
        Output(),
        start=ROUND + 0.01 * torch.randn_like(ROUND),
        parametrisation=limits.Near(ROUND, 0.3),
        optimiser="sgd",
        steps=30,
    ).inputs
    # The two ends go apart by the same amount, along the line between them.
    length = geometry.lengths(ROUND, [(0, 3)]).item()
    expected = length + 2 * 0.3 * (5 / 2) ** 0.5

    assert geometry.moved(found, ROUND).item() == pytest.approx(0.3, abs=1e-6)
    assert torch.allclose(geometry.laid_on(found, ROUND), found, atol=1e-6)
    assert geometry.lengths(found, [(0, 3)]).item() == pytest.approx(expected, rel=1e-3)


def test_the_figure_has_a_row_for_each_geometry() -> None:
    geometry, drawing = part("geometry"), part("drawing")
    molecule = geometry.Molecule(("O", "H", "H"), WATER)
    row = drawing.Shown("water", WATER, torch.tensor([1.0, -0.5, 0.25]))
    figure = drawing.draw(molecule, [row, row], "Water")

    assert len(figure.axes) == 4
    assert figure.axes[1].get_title(loc="left").endswith("+0.8")
