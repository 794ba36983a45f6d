"""Where does relevance lie in photographs: sensitivity, simple Taylor, deep Taylor.

    python examples/natural_comparison.py --data FOLDER            # 60 photographs
    python examples/natural_comparison.py --data FOLDER --quick    # 8

Photographs of PASCAL VOC in which SqueezeNet names, of its 1,000 classes, a kind of thing that has
a box, which covers 5 to 60 % of what the net sees. Explained is that class, by the score before the
softmax.

- sensitivity: the squared gradient, summed over colours.
- simple Taylor: expanded at the limit eps x, next to the mean picture (inputs are less their mean).
  The net has biases, so that this is no root; what is left over is in the table.
- gradient x input: the slope at the picture itself, which is often shown under that name.
- deep Taylor: z+ in hidden layers, the box rule for the valid pixels.

Measured is the share of the positive relevance inside the boxes, after summing over colours, beside
the share that the boxes cover; compared in pairs, each method less the others, with intervals of
95 % by bootstrap over photographs. Fixed before any map was seen.
"""

import argparse
import json
import os
from pathlib import Path

import torch
from comparing.measuring import strong
from comparing.pictures import Chosen, shown_pictures, with_things
from rich.console import Console
from torch import Tensor, nn

from whence import viz, zoo
from whence.explainers import DeepTaylor, Explainer, GradientTimesInput, Sensitivity, Taylor
from whence.metrics import mean_interval, paired_difference

NET, MOST, SHOWN = "squeezenet-imagenet", 60, 5
PAIRS = (
    ("deep Taylor", "simple Taylor"),
    ("deep Taylor", "sensitivity"),
    ("deep Taylor", "gradient x input"),
    ("simple Taylor", "sensitivity"),
    ("deep Taylor", "uniform"),
    ("simple Taylor", "uniform"),
    ("sensitivity", "uniform"),
)


def explainers(net: zoo.Model) -> dict[str, Explainer]:
    """The three methods of the tutorial's picture, and the usual stand-in for simple Taylor."""
    module: nn.Module = net.module
    return {
        "sensitivity": Sensitivity(module),
        "simple Taylor": Taylor(module),
        "gradient x input": GradientTimesInput(module),
        "deep Taylor": DeepTaylor(module, net.low, net.high),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Relevance in photographs, by three methods.")
    parser.add_argument("--data", default=os.environ.get("WHENCE_DATA"))
    parser.add_argument("--out", type=Path, default=Path("out/comparison"))
    parser.add_argument("--quick", action="store_true", help="8 photographs")
    options = parser.parse_args()
    if not options.data:
        raise SystemExit("Photographs are needed: pass --data FOLDER or set WHENCE_DATA.")
    options.out.mkdir(parents=True, exist_ok=True)
    console = Console(highlight=False, width=110)
    net = zoo.model(NET, options.data)
    photographs = zoo.dataset("voc2007", options.data)
    chosen = with_things(net, photographs, 8 if options.quick else MOST)
    maps, gaps = {}, {}
    for name, each in explainers(net).items():
        parts = [
            each.explain(x, k)
            for x, k in zip(chosen.inputs.split(8), chosen.classes.split(8), strict=True)
        ]
        maps[name] = torch.cat([one.relevance.detach().sum(1) for one in parts]).double()
        score = torch.cat([one.score.detach() for one in parts]).double()
        gaps[name] = float(((maps[name].sum((1, 2)) - score).abs() / score.abs()).median())
    numbers = measured(chosen, maps, gaps, console)
    (options.out / "comparison.json").write_text(json.dumps(numbers, indent=1), encoding="utf-8")
    viz.save(picture(net, chosen, maps), options.out / "comparison.png")
    console.print(f"Picture and numbers are in {options.out}.")


def measured(
    chosen: Chosen, maps: dict[str, Tensor], gaps: dict[str, float], console: Console
) -> dict[str, object]:
    """Shares inside the boxes, and paired differences."""
    shares = {name: inside(chosen, R) for name, R in maps.items()}
    assert chosen.masks is not None
    shares["uniform"] = chosen.masks.double().mean((1, 2))
    rows, numbers = [], {}
    for name, each in shares.items():
        mean = mean_interval(each)
        numbers[name] = [mean.mean, mean.low, mean.high]
        gap = f"{gaps[name]:.2g}" if name in gaps else "-"
        rows.append([name, f"{mean.mean:.3f} [{mean.low:.3f} {mean.high:.3f}]", gap])
    console.print(viz.table(["method", "share inside", "median gap to f"], rows))
    for first, second in PAIRS:
        lead = paired_difference(shares[first], shares[second])
        numbers[f"{first} less {second}"] = [lead.mean, lead.low, lead.high]
        console.print(f"{first} less {second}: {lead.mean:+.3f} [{lead.low:+.3f} {lead.high:+.3f}]")
    return {"photographs": len(chosen), "gaps": gaps, **numbers}


def inside(chosen: Chosen, maps: Tensor) -> Tensor:
    """The share of the positive relevance inside the boxes, (samples,)."""
    assert chosen.masks is not None
    positive = maps.clamp(min=0)
    return (positive * chosen.masks).sum((1, 2)) / positive.sum((1, 2))


def picture(net: zoo.Model, chosen: Chosen, maps: dict[str, Tensor]) -> viz.Drawing:
    """Evenly chosen photographs with their maps; the share inside the box below each."""
    numbers = [k * len(chosen) // SHOWN for k in range(min(SHOWN, len(chosen)))]
    few = chosen.at(numbers)
    seen = {name: strong(R[numbers, None]) for name, R in maps.items()}
    side = next(iter(seen.values())).shape[-1]
    drawn = [[R[k].numpy() for k in range(len(few))] for R in seen.values()]
    rows = [shown_pictures(net, few), *drawn]
    shares = {name: inside(few, R[numbers]).tolist() for name, R in maps.items()}
    names = [net.classes[int(k)].split(",")[0] for k in few.classes]
    return viz.draw_grid(
        rows,
        row_names=["photograph", *maps],
        column_names=names,
        captions=[[""] * len(few), *([f"{each:.0%}" for each in row] for row in shares.values())],
        cell=side * (128 // side),
    )


if __name__ == "__main__":
    main()
