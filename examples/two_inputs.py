"""A random net of two inputs: its score, and what each method makes of it, as surfaces.

    python examples/two_inputs.py                    # seconds
    python examples/two_inputs.py --quick            # one net in place of ten

The net is 2-20-20-20-1 with a ReLU after every layer, He weights, no biases, so that the score is
never negative and f(t x) = t f(x). Nets are taken in the order of their seeds, those whose score is
above zero on at least half of the square [-1, 1]^2; nothing else decides. Drawn is the first.

Counted on a grid of 160 x 160 points: how far R_1 + R_2 is from f, and how many scores are negative
where f is positive. On the unit circle, in 4,000 steps: how often R jumps, that is, changes within
a step by more than a hundredth of its largest value of which a hundredth of the step keeps more
than a quarter; and whether a neuron switches in that step.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from statistics import mean

from rich.console import Console
from theory.planes import (
    POINTS,
    Measured,
    active_nets,
    count_switches,
    explainers,
    measure,
    plane,
    relevance,
)
from torch import nn

from whence import viz

NETS, SIDE = 10, 160


def main() -> None:
    parser = argparse.ArgumentParser(description="Relevance of two inputs as surfaces.")
    parser.add_argument("--out", type=Path, default=Path("out/two-inputs"))
    parser.add_argument("--quick", action="store_true", help="one net only")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    console = Console(highlight=False)
    nets = active_nets(1 if options.quick else NETS)
    found: dict[str, list[Measured]] = {}
    for seed, net in nets.items():
        console.print(f"net of seed {seed}: neurons switch {count_switches(net)} times on a circle")
        for name, explainer in explainers(net).items():
            found.setdefault(name, []).append(measure(net, explainer))
    console.print(table(found))
    viz.save(picture(next(iter(nets.values()))), options.out / "two-inputs.png")
    numbers = {name: [asdict(each) for each in rows] for name, rows in found.items()}
    path = options.out / "two-inputs.json"
    path.write_text(json.dumps({"seeds": list(nets), **numbers}, indent=1), encoding="utf-8")
    console.print(f"Picture and numbers are in {options.out}.")


def table(found: dict[str, list[Measured]]) -> object:
    """Means over the nets; of the gap the largest."""
    rows = []
    for name, each in found.items():
        places = [one.at_switches for one in each if one.jumps]
        rows.append(
            [
                name,
                f"{max(one.gap for one in each):.1e}",
                f"{mean(one.negative for one in each):.1%}",
                f"{mean(one.jumps for one in each):.1f}",
                f"{mean(places):.0%}" if places else "-",
            ]
        )
    head = ["method", "largest gap", "negative scores", "jumps on the circle", "at a switch"]
    return viz.table(head, rows)


def picture(net: nn.Sequential) -> viz.Drawing:
    """f, and R_1, R_2 and their sum by each method; one scale in each row."""
    x = plane()
    score = net(x).view(POINTS, POINTS)
    rows, names = [], []
    for name, explainer in explainers(net).items():
        first, second = relevance(explainer)(x).T.reshape(2, POINTS, POINTS)
        most = max(float(each.abs().max()) for each in (first, second, first + second))
        maps = [viz.surface(each, scale=most, size=SIDE) for each in (first, second)]
        total = viz.surface(first + second, scale=most, size=SIDE)
        rows.append([None if rows else viz.surface(score, size=SIDE), *maps, total])
        names.append(name)
    return viz.draw_grid(
        rows,
        row_names=names,
        column_names=["f", "R1", "R2", "R1 + R2"],
        title="A random net of two inputs",
        cell=SIDE,
    )


if __name__ == "__main__":
    main()
