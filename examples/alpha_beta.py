"""The alpha-beta rule for several values, on digits and photographs.

    python examples/alpha_beta.py                  # digits, with a net that ships
    python examples/alpha_beta.py --data FOLDER    # photographs with SqueezeNet too
    python examples/alpha_beta.py --quick          # fewer pictures

The same pair on every linear operation, alpha - beta = 1: (1, 0), which is z+, then (2, 1), (3, 2)
and (5, 4). Each is asked for in the other convention too, alpha + beta = 1 as Bach et al. write it,
and must give the same bits.

Printed for each pair: the share of negative relevance; |relevance| as a multiple of |f|, which says
how much cancels; the gap between the sum and f; total variation as in noisy_digits.py. Means over
pictures, in double precision, as beta multiplies what cancels at every layer. The digits net has no
biases. SqueezeNet has, and they take their part.
"""

import argparse
import json
import os
from pathlib import Path
from typing import NamedTuple

import torch
from comparing.measuring import strong
from comparing.pictures import Chosen, predicted, shown_pictures, spread
from rich.console import Console
from theory.noise import total_variation
from torch import Tensor

from whence import viz, zoo
from whence.composites import Composite, where
from whence.explainers import LRP
from whence.rules import AlphaBeta, Rule

PAIRS = ((1, 0), (2, 1), (3, 2), (5, 4))
MANY, SHOWN = 60, 8  # digits that are measured, pictures in each panel
PHOTOGRAPHS = 6


class Shown(NamedTuple):
    """What one pair gives: relevance (samples, channels, height, width) and the numbers."""

    relevance: Tensor
    numbers: dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description="Alpha-beta for several values.")
    parser.add_argument("--data", default=os.environ.get("WHENCE_DATA"))
    parser.add_argument("--out", type=Path, default=Path("out/alpha-beta"))
    parser.add_argument("--quick", action="store_true", help="fewer pictures")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    console = Console(highlight=False, width=110)
    numbers = {}
    net = zoo.model("digits-cnn")
    data = zoo.dataset("digits", split="test")
    count = SHOWN if options.quick else MANY
    numbers["digits"] = show(net, spread(net, data, count).inputs, options.out, console)
    if options.data:
        net = zoo.model("squeezenet-imagenet", options.data)
        photographs = zoo.dataset("imagenet-samples", options.data)
        chosen = spread(net, photographs, 2 if options.quick else PHOTOGRAPHS)
        numbers["photographs"] = show(net, chosen.inputs, options.out, console)
    (options.out / "alpha-beta.json").write_text(json.dumps(numbers, indent=1), encoding="utf-8")
    console.print(f"Pictures and numbers are in {options.out}.")


def show(net: zoo.Model, x: Tensor, out: Path, console: Console) -> dict[str, dict[str, float]]:
    """All pairs on some inputs: a table, a panel, the numbers."""
    net.module.double()
    x = x.double()
    classes = predicted(net, x)
    found = {pair: asked(net, pair, x, classes) for pair in PAIRS}
    names = {pair: "alpha {}, beta {}".format(*pair) for pair in PAIRS}
    rows = []
    for pair, one in found.items():
        rows.append([names[pair], *(f"{value:.3f}" for value in one.numbers.values())])
    head = ["", *next(iter(found.values())).numbers]
    console.print(viz.table(head, rows, title=f"{net.name}, {len(x)} pictures"))
    viz.save(panel(net, x[:SHOWN], classes[:SHOWN], found), out / f"alpha-beta-{net.name}.png")
    return {names[pair]: one.numbers for pair, one in found.items()}


def asked(net: zoo.Model, pair: tuple[int, int], x: Tensor, classes: Tensor) -> Shown:
    """One pair in both conventions, which must agree to the bit."""
    alpha, beta = pair
    ex = everywhere(net, AlphaBeta(alpha, beta)).explain(x, classes)
    other = everywhere(net, AlphaBeta.from_bach2015(alpha, -beta)).explain(x, classes)
    if not torch.equal(ex.relevance, other.relevance):
        raise SystemExit(f"The two conventions differ at alpha = {alpha}.")
    R, f = ex.relevance.detach(), ex.score.detach()
    amount = R.abs().flatten(1).sum(1)
    numbers = {
        "negative share": R.clamp(max=0).abs().flatten(1).sum(1) / amount,
        "amount by |f|": amount / f.abs(),
        "gap by |f|": (R.flatten(1).sum(1) - f).abs() / f.abs(),
        "total variation": total_variation(R.sum(1)),
    }
    return Shown(R, {name: float(each.mean()) for name, each in numbers.items()})


def everywhere(net: zoo.Model, rule: Rule) -> LRP:
    """One rule on every linear operation."""
    return LRP(net.module, Composite([(where.nature("linear"), rule)]))


def panel(
    net: zoo.Model, x: Tensor, classes: Tensor, found: dict[tuple[int, int], Shown]
) -> viz.Drawing:
    """Pictures above, one row of maps for each pair."""
    numbers = torch.arange(len(x))
    chosen = Chosen(x, classes, [""] * len(x))
    maps = {pair: strong(one.relevance[: len(x)]) for pair, one in found.items()}
    rows = [shown_pictures(net, chosen), *([R[k].numpy() for k in numbers] for R in maps.values())]
    names = ["picture", *(f"alpha {a}, beta {b}" for a, b in maps)]
    side = next(iter(maps.values())).shape[-1]
    columns = [net.classes[int(k)].split(",")[0] for k in classes]
    cell = side * max(1, 114 // side)
    return viz.draw_grid(rows, row_names=names, column_names=columns, cell=cell)


if __name__ == "__main__":
    main()
