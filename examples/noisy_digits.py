"""Are sensitivity and simple Taylor decomposition noisy, and deep Taylor not? Measured on digits.

    python examples/noisy_digits.py                  # digits of scikit-learn, under two minutes
    python examples/noisy_digits.py --data FOLDER    # MNIST too, if it is in the folder
    python examples/noisy_digits.py --quick          # one seed, fewer rounds of training

A net of three layers (784-300-100-10) and one of six (four convolutions, two dense layers) are
trained without biases, so that f(eps x) = eps f(x) and simple Taylor with its root at 0 adds up to
f. Explained is the class that the net gives each of the first 200 held-out digits.

- sensitivity: the squared gradient.
- simple Taylor: the root at the limit eps x; without biases it is gradient times input.
- LRP, epsilon: with an epsilon of a quarter of the root mean square of a layer's output. With a
  tiny epsilon it would be simple Taylor again, as the nets have no biases.
- deep Taylor: z+ in hidden layers, the box rule for pixels in 0..1.

The rules were fixed before any map was seen. Noise is measured twice, on maps (28 x 28) as they
are: total variation by the absolute relevance, and the share of the energy in waves shorter than
four pixels; examples/theory/noise.py has the equations. Both ignore the unit. Compared are the same
digits, each method less deep Taylor; intervals of 95 % by bootstrap over digits, for each seed of
three on its own. The digit itself is measured too: a map can be that smooth.
"""

import argparse
import json
import os
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from rich.console import Console
from theory.digit_nets import NETS, Digits, digits, train
from theory.noise import NOISE
from torch import Tensor, nn

from whence import viz
from whence.composites import EpsilonEverywhere
from whence.explainers import LRP, DeepTaylor, Explainer, Sensitivity, Taylor
from whence.metrics import mean_interval, paired_difference

SEEDS, MOST, EPSILON, DEEP = 3, 200, 0.25, "deep Taylor"
Maps = dict[str, Tensor]


class Run(NamedTuple):
    """One trained net: its maps, and the noise of each, method -> measure -> (samples,)."""

    name: str
    right: float
    maps: Maps
    noise: dict[str, Maps]


def explainers(net: nn.Module) -> dict[str, Explainer]:
    """The four methods."""
    return {
        "sensitivity": Sensitivity(net),
        "simple Taylor": Taylor(net),
        "LRP, epsilon": LRP(net, EpsilonEverywhere(EPSILON)),
        DEEP: DeepTaylor(net, 0.0, 1.0),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="How noisy are the maps of digits?")
    parser.add_argument("--data", default=os.environ.get("WHENCE_DATA"), help="holds mnist/")
    parser.add_argument("--out", type=Path, default=Path("out/noisy-digits"))
    parser.add_argument("--biases", action="store_true", help="nets with biases")
    parser.add_argument("--quick", action="store_true", help="one seed, two rounds of training")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    console = Console(highlight=False, width=110)
    numbers: dict[str, object] = {}
    for name in ["digits", *(["mnist"] if options.data else [])]:
        data = digits(name, options.data)
        seeds = range(1 if options.quick or name == "mnist" else SEEDS)
        runs: list[list[Run]] = []
        for net in NETS:
            runs.append([])
            for seed in seeds:
                epochs = 2 if options.quick else None
                made = train(net, data, biases=options.biases, seed=seed, epochs=epochs)
                console.print(
                    f"{name}, {net}, seed {seed}: {made.right:.1%} of {len(data.test)} right, "
                    f"{made.seconds:.0f} s"
                )
                runs[-1].append(explained(net, made.net, made.right, data.test[:MOST]))
            console.print(table(f"{name}, {net}", runs[-1]))
        numbers[name] = [[summary(run) for run in each] for each in runs]
        viz.save(picture(data, [each[0] for each in runs]), options.out / f"noisy-{name}.png")
    (options.out / "noisy-digits.json").write_text(json.dumps(numbers, indent=1), encoding="utf-8")
    console.print(f"Pictures and numbers are in {options.out}.")


def explained(name: str, net: nn.Module, right: float, x: Tensor) -> Run:
    """Maps of all methods, and of the digits themselves, with their noise."""
    classes = net(x).argmax(1)
    maps = {"the digit": x[:, 0].double()}
    for method, each in explainers(net).items():
        maps[method] = each.explain(x, classes).relevance.detach().sum(1).double()
    noise = {method: {k: of(R) for k, of in NOISE.items()} for method, R in maps.items()}
    return Run(name, right, maps, noise)


def table(title: str, runs: list[Run]) -> object:
    """Means over digits, and the paired difference to deep Taylor for each seed."""
    rows = []
    for method in runs[0].maps:
        row = [method]
        for measure in NOISE:
            row.append(" ".join(f"{run.noise[method][measure].nanmean():.3f}" for run in runs))
            others = method not in (DEEP, "the digit")
            row.append("  ".join(lead(run, method, measure) for run in runs) if others else "")
        rows.append(row)
    head = ["", *(text for measure in NOISE for text in (measure, "less deep Taylor"))]
    return viz.table(head, rows, title=f"{title}: noise, one number for each seed")


def lead(run: Run, method: str, measure: str) -> str:
    """How much noisier than deep Taylor, with its interval."""
    found = paired_difference(run.noise[method][measure], run.noise[DEEP][measure])
    return f"{found.mean:+.2f} [{found.low:+.2f} {found.high:+.2f}]"


def summary(run: Run) -> dict[str, object]:
    """The numbers of one run."""
    noise: dict[str, object] = {}
    for method in run.maps:
        for measure in NOISE:
            values = run.noise[method][measure]
            mean = mean_interval(values)
            lead = paired_difference(values, run.noise[DEEP][measure])
            noise[f"{method}: {measure}"] = {
                "mean": [mean.mean, mean.low, mean.high],
                "less deep Taylor": [lead.mean, lead.low, lead.high],
                "missing": mean.missing,
            }
    return {"net": run.name, "right": run.right, "noise": noise}


def picture(data: Digits, runs: list[Run]) -> viz.Drawing:
    """One held-out digit of each class, by both nets and all methods; no outliers cut."""
    chosen = [int((data.test_classes[:MOST] == digit).nonzero()[0, 0]) for digit in range(10)]
    rows, names = [], []
    for run in runs:
        for method, maps in run.maps.items():
            if method == "the digit":
                if run is runs[0]:
                    rows.append([_ink(maps[number]) for number in chosen])
                    names.append(method)
                continue
            rows.append([maps[number].numpy() for number in chosen])
            names.append(f"{run.name}: {method}")
    return viz.draw_grid(rows, row_names=names, cell=56)


def _ink(image: Tensor) -> Image.Image:
    """White strokes on black, as the net sees them."""
    return Image.fromarray(image.mul(255).round().byte().numpy())


if __name__ == "__main__":
    main()
