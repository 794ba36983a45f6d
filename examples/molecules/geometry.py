"""Where atoms are: files, bonds, distances, angles, and how far a molecule has moved."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

RADII = {"H": 0.31, "C": 0.76, "O": 0.66}  # of covalent bonds, in angstrom
_BONDED = 1.3  # atoms nearer than so many sums of their radii


@dataclass(frozen=True, eq=False)
class Molecule:
    """symbols: of the elements. places: (1, atoms, 3), float64, in angstrom."""

    symbols: tuple[str, ...]
    places: Tensor

    def bonds(self) -> list[tuple[int, int]]:
        """Pairs of atoms that are as near as bonded ones."""
        distances = torch.cdist(self.places, self.places)[0]
        reach = [[_BONDED * (RADII[a] + RADII[b]) for b in self.symbols] for a in self.symbols]
        count = len(self.symbols)
        pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
        return [(i, j) for i, j in pairs if distances[i, j] < reach[i][j]]

    def apart(self) -> list[tuple[int, int]]:
        """Pairs of atoms that are neither bonded nor bonded to the same atom."""
        bonded = self.bonds()
        near = {i: {j for pair in bonded if i in pair for j in pair} for i in range(self.count)}
        pairs = [(i, j) for i in range(self.count) for j in range(i + 1, self.count)]
        return [(i, j) for i, j in pairs if not near[i] & near[j]]

    @property
    def count(self) -> int:
        """How many atoms."""
        return len(self.symbols)


def read_xyz(path: Path) -> Molecule:
    """The molecule in a file: how many atoms, a remark, then an element and a place a line."""
    lines = path.read_text().splitlines()
    rows = [line.split() for line in lines[2 : 2 + int(lines[0])]]
    places = [[float(each) for each in row[1:4]] for row in rows]
    return Molecule(tuple(row[0] for row in rows), torch.tensor([places], dtype=torch.float64))


def lengths(places: Tensor, pairs: list[tuple[int, int]]) -> Tensor:
    """The distances of pairs of atoms, (batch, pairs)."""
    first, second = (torch.tensor(side) for side in zip(*pairs, strict=True))
    return (places[:, first] - places[:, second]).square().sum(-1).sqrt()


def angle(places: Tensor, first: int, middle: int, last: int) -> Tensor:
    """In degrees, (batch,)."""
    one, two = places[:, first] - places[:, middle], places[:, last] - places[:, middle]
    return torch.rad2deg(torch.acos(torch.cosine_similarity(one, two, dim=-1)))


def torsion(places: Tensor, atoms: tuple[int, int, int, int]) -> Tensor:
    """How far the bond in the middle is twisted, in degrees from -180 to 180, (batch,)."""
    a, b, c, d = (places[:, atom] for atom in atoms)
    axis = torch.nn.functional.normalize(c - b, dim=-1)
    front, back = torch.linalg.cross(a - b, axis), torch.linalg.cross(d - c, axis)
    along = (torch.linalg.cross(front, back) * axis).sum(-1)
    return torch.rad2deg(torch.atan2(along, (front * back).sum(-1)))


def laid_on(places: Tensor, reference: Tensor) -> Tensor:
    """The molecules moved and turned, without mirroring, to lie best on the reference [kabsch].

    W. Kabsch (1976): A solution for the best rotation to relate two sets of vectors.
    """
    here, there = places.mean(1, keepdim=True), reference.mean(1, keepdim=True)
    u, _, v = torch.linalg.svd((places - here).mT @ (reference - there))
    flipped = torch.ones(len(places), 3, dtype=places.dtype)
    flipped[:, 2] = torch.linalg.det(u @ v).sign()
    return (places - here) @ (u * flipped.unsqueeze(1)) @ v + there


def moved(places: Tensor, reference: Tensor) -> Tensor:
    """Root mean square distance of atoms in angstrom, laid on each other, (batch,)."""
    return (laid_on(places, reference) - reference).square().sum(-1).mean(1).sqrt()
