"""Shattered gradients: along a line, the gradient of a deep net looks like noise.

    python examples/shattering.py            # under two minutes on two cores
    python examples/shattering.py --quick    # two seeds, less depth

Random nets of ReLUs, 200 wide, from 1 to 50 layers deep, on 256 places in [-2, 2]; 10 seeds, 64
random scores on top of each net. With skips, each layer from the second on adds to what came before
and divides by the square root of two. examples/theory/shattered.py has the equations.

Measured: the autocorrelation of the gradient by lag; the cosine between the gradients of the 64
scores at neighbouring places; the number of kinks of the scores, exactly, by following the straight
pieces. Thin broken lines are what the limit of infinite width foretells, nothing is fitted.
[balduzzi2017] introduced the experiment; weights and skips here are those of the equations above.
"""

import argparse
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from matplotlib.figure import Figure
from rich.console import Console
from theory.shattered import POINTS, LineNet, autocorrelation, cosine, kinks, line, slopes, theory
from torch import Tensor

from whence import viz

DEPTHS, SEEDS, LAG, SHOWN = (1, 5, 10, 24, 50), 10, 15, 64
FAMILIES = {"plain": False, "skips": True}


@dataclass(frozen=True)
class Measured:
    """One net. autocorrelation: by lag, (points,)."""

    autocorrelation: list[float]
    cosine: float
    kinks: int


def measure(depth: int, skips: bool, seed: int) -> Measured:
    """All numbers of one net."""
    net = LineNet(depth, skips, seed)
    g = slopes(net, line())
    return Measured(autocorrelation(g).tolist(), cosine(g), kinks(net))


def main() -> None:
    parser = argparse.ArgumentParser(description="The gradients of deep random nets.")
    parser.add_argument("--out", type=Path, default=Path("out/shattering"))
    parser.add_argument("--quick", action="store_true", help="two seeds, at most 10 layers")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    console = Console(highlight=False)
    depths = DEPTHS[:3] if options.quick else DEPTHS
    seeds = range(2 if options.quick else SEEDS)
    found: dict[str, dict[int, list[Measured]]] = {}
    for family, skips in FAMILIES.items():
        for depth in depths:
            rows = [measure(depth, skips, seed) for seed in seeds]
            found.setdefault(family, {})[depth] = rows
            console.print(f"{family}, depth {depth}: {len(rows)} nets")
    console.print(table(found))
    viz.save(picture(found), options.out / "shattering.png")
    numbers = {
        family: {depth: [asdict(each) for each in rows] for depth, rows in each.items()}
        for family, each in found.items()
    }
    (options.out / "shattering.json").write_text(json.dumps(numbers), encoding="utf-8")
    console.print(f"Picture and numbers are in {options.out}.")


def table(found: dict[str, dict[int, list[Measured]]]) -> object:
    """Means over the seeds, ± the standard deviation; what theory says in brackets."""
    rows = []
    for family, by_depth in found.items():
        for depth, each in by_depth.items():
            said = theory(depth, FAMILIES[family], line()[1:], line()[:-1])
            rows.append(
                [
                    family,
                    depth,
                    _spread([one.autocorrelation[LAG] for one in each], 3),
                    f"{_spread([one.cosine for one in each], 3)} [{said.cosine.mean():.3f}]",
                    f"{_spread([float(one.kinks) for one in each], 0)} [{said.kinks:.0f}]",
                ]
            )
    head = ["net", "depth", f"autocorrelation, lag {LAG}", "cosine of neighbours", "kinks"]
    return viz.table(head, rows)


def picture(found: dict[str, dict[int, list[Measured]]]) -> Figure:
    """Autocorrelation by lag for both families, cosine and kinks by depth."""
    lags = torch.arange(SHOWN) * 4.0 / (POINTS - 1)
    panels = [
        viz.Panel(
            f"Autocorrelation of the gradient: {family}",
            {f"depth {depth}": _curves(each)[:, :SHOWN] for depth, each in by_depth.items()},
            lags,
            "lag",
        )
        for family, by_depth in found.items()
    ]
    depths = torch.tensor(list(found["plain"]), dtype=torch.float64)
    said = {
        family: [theory(int(depth), skips, line()[1:], line()[:-1]) for depth in depths]
        for family, skips in FAMILIES.items()
    }
    cosines = {family: _by_depth(each, "cosine") for family, each in found.items()}
    switches = {family: _by_depth(each, "kinks") for family, each in found.items()}
    limits, expected = {}, {}
    for family, each in said.items():
        limits[family] = torch.stack([one.cosine.mean() for one in each])
        expected[family] = torch.tensor([one.kinks for one in each])
    panels += [
        viz.Panel("Cosine of neighbouring gradients", cosines, depths, "depth", "", limits, True),
        viz.Panel("Kinks on [-2, 2]", switches, depths, "depth", "", expected, True),
    ]
    return viz.draw_panels(panels, columns=2)


def _curves(rows: list[Measured]) -> Tensor:
    return torch.tensor([each.autocorrelation for each in rows], dtype=torch.float64)


def _by_depth(by_depth: dict[int, list[Measured]], name: str) -> Tensor:
    """(seeds, depths)"""
    rows = [[float(getattr(one, name)) for one in each] for each in by_depth.values()]
    return torch.tensor(rows, dtype=torch.float64).T


def _spread(values: list[float], digits: int) -> str:
    mean = sum(values) / len(values)
    spread = math.sqrt(sum((each - mean) ** 2 for each in values) / max(1, len(values) - 1))
    return f"{mean:.{digits}f} ±{spread:.{digits}f}"


if __name__ == "__main__":
    main()
