"""Which geometry of a molecule does a net find extreme, and which atoms make it so?

    python examples/ethanol.py --data FOLDER         # needs painn_ethanol/; see `whence models`
    python examples/ethanol.py --data FOLDER --quick

PaiNN, trained by others on ethanol at 500 K, gives an energy as a sum over atoms. Its input are
places, so its prototypes are geometries. Four are looked for, the first without limits:

    lowest       max -E(x): a relaxed molecule, from a sample of a simulation
    highest      max E(x), near the relaxed molecule and no more
    strained     max E(x) + log p(x), near it, with a barrier of distances: bonds keep their length
                 to 5 %, and atoms that are no neighbours stay 2 angstrom apart
    oxygen       max E_O(x) + log p(x), near it, with a barrier of energy: no more than the heat of
                 500 K puts into the molecule on average, 21/2 kT

Near means: within 0.2 angstrom of the relaxed molecule, root mean square over atoms, shifts and
turns taken out. These limits were fixed before anything was seen. A table shows how the strained
molecule depends on the radius. Beside each molecule stands what each atom adds to the energy of the
relaxed one; the sum over atoms is the energy, exactly.

What the net was never shown it cannot know: its mean energy in training is printed beside.
"""

import argparse
import json
import os
from pathlib import Path
from typing import Any

import torch
from molecules.drawing import Shown, draw
from molecules.geometry import Molecule, angle, lengths, moved, read_xyz, torsion
from molecules.limits import Ceiling, Distances, Near
from rich.console import Console
from torch import Tensor

import whence
from whence import viz, zoo
from whence.prototypes import Neuron, Objective, Output, Prior

RADIUS, RADII = 0.2, (0.05, 0.1, 0.2, 0.3)
HEAT = 21 / 2 * 0.0019872 * 500  # 21 vibrations, each with kT/2 of energy of place; kcal/mol
OXYGEN = 7
BONDS = {"C-C": (0, 1), "C-O": (1, 7), "O-H": (7, 8)}


def main() -> None:
    parser = argparse.ArgumentParser(description="Finds extreme geometries of ethanol.")
    parser.add_argument(
        "--data",
        default=os.environ.get("WHENCE_DATA"),
        help="the folder that holds painn_ethanol/; default: WHENCE_DATA",
    )
    parser.add_argument("--out", type=Path, default=Path("out/ethanol"))
    parser.add_argument("--quick", action="store_true", help="take fewer steps")
    options = parser.parse_args()
    if not options.data:
        raise SystemExit("The net needs its weights: pass --data FOLDER or set WHENCE_DATA.")
    options.out.mkdir(parents=True, exist_ok=True)
    console = Console(highlight=False, width=120)
    net: Any = zoo.model("painn-ethanol", options.data).module.double()
    sample = read_xyz(Path(options.data) / "painn_ethanol" / "md_ethanol.xyz")
    steps = 30 if options.quick else 400

    relaxed = relax(net, sample, 20 if options.quick else 60)
    rest = Molecule(sample.symbols, relaxed)
    found = {"sample": sample.places, "lowest": relaxed, **extremes(net, rest, steps)}
    numbers = {name: measure(net, rest, places) for name, places in found.items()}
    report(net, numbers, console)
    numbers["radii"] = by_radius(net, rest, steps, console)
    base = net.contributions(relaxed).detach()[0]
    rows = [
        Shown(title_of(name, each), each, net.contributions(each).detach()[0] - base)
        for name, each in found.items()
    ]
    page = draw(
        rest, rows, "Ethanol as PaiNN sees it: extreme geometries, and which atoms make them"
    )
    viz.save(page, options.out / "ethanol.png")
    (options.out / "ethanol.json").write_text(json.dumps(numbers, indent=1))
    console.print(f"Pictures and numbers are in {options.out}.")


def relax(net: Any, sample: Molecule, steps: int) -> Tensor:
    """Downhill to where nothing pulls, (1, atoms, 3)."""
    found = whence.maximize(
        net, -Output(), start=sample.places, optimiser="lbfgs", steps=steps, patience=3
    )
    return found.inputs


def extremes(net: Any, rest: Molecule, steps: int) -> dict[str, Tensor]:
    """Name -> places, of the three searches near the relaxed molecule."""
    lowest = net(rest.places).item()
    oxygen = Neuron("outnet", (OXYGEN, 0))
    searches: dict[str, tuple[Objective, Prior | None]] = {
        "highest": (Output(), None),
        "strained": (Output(), Distances(rest)),
        "oxygen": (oxygen, Ceiling(net, lowest + HEAT)),
    }
    return {
        name: search(net, rest, objective, prior, RADIUS, steps)
        for name, (objective, prior) in searches.items()
    }


def search(
    net: Any, rest: Molecule, objective: Objective, prior: Prior | None, radius: float, steps: int
) -> Tensor:
    """The best of four starts, each the relaxed molecule shaken by 0.02 angstrom, (1, atoms, 3)."""
    noise = torch.randn(4, rest.count, 3, generator=torch.Generator().manual_seed(0)).double()
    found = whence.maximize(
        net,
        objective,
        start=rest.places + 0.02 * noise,
        prior=prior,
        parametrisation=Near(rest.places, radius),
        rate=0.005,
        steps=steps,
        schedule="cosine",
    )
    best = int((found.total).argmax())
    return found.inputs[best : best + 1]


def measure(net: Any, rest: Molecule, places: Tensor) -> dict[str, Any]:
    """The energy, its shares, and the geometry."""
    with torch.no_grad():
        shares = net.contributions(places)[0]
        energy = float(net(places))
    return {
        "energy": energy,
        "above the lowest": energy - net(rest.places).item(),
        "by atom": shares.tolist(),
        "sum by atom minus energy": float(shares.sum()) - energy,
        "moved": float(moved(places, rest.places)),
        "bonds": {name: float(lengths(places, [pair])) for name, pair in BONDS.items()},
        "C-C-O": float(angle(places, 0, 1, 7)),
        "C-O-H": float(angle(places, 1, 7, 8)),
        "C-C-O-H": float(torsion(places, (0, 1, 7, 8))),
        "closest": float(lengths(places, rest.apart()).min()),
        "places": places[0].tolist(),
    }


def report(net: Any, numbers: dict[str, Any], console: Console) -> None:
    """The table of geometries."""
    lowest = numbers["lowest"]["energy"]
    usual = rest_count(numbers) * float(net.mean)
    console.print(
        f"Energies in kcal/mol. Lowest: {lowest:.2f}. In training the mean was {usual:.2f}, "
        f"{usual - lowest:.1f} above it. The heat of 500 K is {HEAT:.1f} on average."
    )
    head = ["", "above lowest", "moved", *BONDS, "C-C-O", "C-O-H", "C-C-O-H", "closest"]
    rows = [
        [
            name,
            f"{each['above the lowest']:.2f}",
            f"{each['moved']:.3f}",
            *(f"{length:.3f}" for length in each["bonds"].values()),
            *(f"{each[key]:.0f}" for key in ("C-C-O", "C-O-H", "C-C-O-H")),
            f"{each['closest']:.2f}",
        ]
        for name, each in numbers.items()
    ]
    console.print(viz.table(head, rows, title="Extreme geometries (angstrom, degrees)"))


def rest_count(numbers: dict[str, Any]) -> int:
    """How many atoms there are."""
    return len(numbers["lowest"]["by atom"])


def by_radius(net: Any, rest: Molecule, steps: int, console: Console) -> dict[str, float]:
    """How far up the strained molecule gets within each radius."""
    lowest = net(rest.places).item()
    found = {}
    for radius in RADII:
        places = search(net, rest, Output(), Distances(rest), radius, steps)
        found[f"{radius:g}"] = net(places).item() - lowest
    rows = [[radius, f"{height:.1f}"] for radius, height in found.items()]
    console.print(viz.table(["radius", "above lowest"], rows, title="Strained, by trust region"))
    return found


def title_of(name: str, places: Tensor) -> str:
    """What the search was for, in words."""
    return {
        "sample": "a sample of a simulation",
        "lowest": "lowest energy",
        "highest": f"highest energy within {RADIUS:g} angstrom",
        "strained": "highest, bonds kept",
        "oxygen": f"highest E_O, at most {HEAT:.0f} kcal/mol in all",
    }[name]


if __name__ == "__main__":
    main()
