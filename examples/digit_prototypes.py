"""What does each digit look like to a net? Four ways to ask, and how near the answers are to data.

    python examples/digit_prototypes.py                    # the digits that ship, about a minute
    python examples/digit_prototypes.py --data FOLDER      # MNIST as well, some more
    python examples/digit_prototypes.py --quick            # seconds, for a first look

The tutorial's comparison of activation maximisation. All four look for the picture with the
largest log-probability of a class, inside the valid box, and differ in what else they know:

    simple, from the mean           -lambda |x|^2, start at the mean of all digits
    simple, from class means        -lambda |x|^2, start at the mean of the class
    density expert                  lambda log p(x) of a Gaussian-binary Boltzmann machine
    generator                       over the codes of an autoencoder, -lambda |code|^2

The last two start at the mean of the class (its code). Pictures and numbers go to out/prototypes
(`--out`). The rules below were fixed before held-out digits were looked at.

Five seeds: each draws 80 % of the training digits, takes means from them, trains the machine and
the autoencoder on them, and adds noise to the starts. lambda is chosen once for each variant, with
a sixth seed: of three or four values the one whose prototypes lie nearest to the digits of their
class that this seed left out, among those with a median class probability of 0.9 or more. How
machine and autoencoder are trained was set by looking at what they draw, on training digits too.
Held-out digits are the test split; they are used for the scores only.

Scores: the log-probability of the class; the mean distance to the five nearest held-out digits of
the class (Euclidean, pixels from 0 to 1), to those of any class, and to those of the class when
each picture is scaled to length 1; log p(x) by the seed's own machine, less the median of held-out
digits; sharpness, the root mean square difference of neighbouring pixels over the standard
deviation of the picture. The distance to any class came first; on MNIST's validation digits it
turned out to reward black pictures, which lie near to the thin digits there, so distances are now
to the class, and the old one is still printed.

Printed are medians over ten classes and five seeds, with 95 % intervals by bootstrap over classes
and seeds; differences are paired. Three rows for comparison: the simple ascent with a penalty on
the distance from the class mean instead of black, which is another way to connect to data; the
class means as they are; held-out digits among themselves. Class means are blurred, and so near to
many digits: a small distance alone is no proof of a good picture.

At last, the first seed draws six digits of each class with the generator, a density of its codes
and noise: Langevin steps from the code of the class mean.
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from prototypes_of_digits.data import Digits, mnist, part_of, shipped
from prototypes_of_digits.draws import draws, judge
from prototypes_of_digits.scores import (
    SCORES,
    judge_on_validation,
    middle,
    real_scores,
    scores,
)
from prototypes_of_digits.variants import DRAWN, PRINTED, Effort, Tools, chosen, learn, prototypes
from rich.console import Console
from rich.table import Table
from torch import Tensor

from whence import viz
from whence.prototypes import PersistentDivergence
from whence.viz import save

SEEDS, TUNING = 5, 100
DIGITS = Effort(PersistentDivergence(epochs=40), 100, 0.1, epochs=30, autoencoder_sigma=0.2)
MNIST = Effort(
    PersistentDivergence(epochs=16, rate=5e-3), 200, 0.15, epochs=16, autoencoder_sigma=0.15
)
QUICK = Effort(PersistentDivergence(epochs=3), 20, 0.1, 3, autoencoder_sigma=0.2, steps=15)
PAIRS = (
    ("from the mean", "expert"),
    ("from class means", "expert"),
    ("from the mean", "generator"),
    ("from class means", "generator"),
    ("expert", "generator"),
)
DISTANCES = ("distance", "any class", "contrast")
Found = dict[str, dict[str, Tensor]]  # variant -> score -> (seeds, classes)


def main() -> None:
    parser = argparse.ArgumentParser(description="Prototypes of digits, four ways.")
    parser.add_argument("--data", default=os.environ.get("WHENCE_DATA"), help="folder with MNIST")
    parser.add_argument("--out", type=Path, default=Path("out/prototypes"))
    parser.add_argument("--quick", action="store_true", help="two seeds, little training")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    console = Console(highlight=False, width=120)
    torch.set_num_threads(1)  # nets this small gain nothing from more, and lose where others work
    seeds = 2 if options.quick else SEEDS
    compare(shipped(), QUICK if options.quick else DIGITS, (seeds, options.out), console)
    if options.data and not options.quick:
        compare(mnist(options.data), MNIST, (seeds, options.out), console)
    console.print(f"Pictures and numbers are in {options.out}.")


def compare(digits: Digits, effort: Effort, where: tuple[int, Path], console: Console) -> None:
    """One data set: choose the weights, climb with each seed, print, draw, save."""
    seeds, out = where
    began = time.perf_counter()
    console.rule(digits.name)
    tuning = learn(digits, TUNING, part_of(digits, TUNING), effort)
    weights = chosen(digits, tuning, judge_on_validation(digits, tuning))
    console.print(f"lambda, chosen on validation digits: {weights}")
    found: Found = {variant: {} for variant in (*PRINTED, "class means")}
    shown: dict[str, Tensor] = {}
    first = tuning
    for seed in range(seeds):
        tools = learn(digits, seed, part_of(digits, seed), effort)
        made = {each: prototypes(digits, tools, each, weights[each]) for each in PRINTED}
        if not shown:
            shown, first = made, tools
        for variant, inputs in {**made, "class means": tools.part.class_means()}.items():
            add(found[variant], digits, tools, inputs)
        console.print(f"seed {seed} done, {time.perf_counter() - began:.0f} s")
    summary = tell(digits, found, console)
    draw(digits, shown, found, out / f"{digits.name}.png")
    several = draws(digits, first, 3 * effort.steps)
    varied = judge(digits, several)
    console.print(f"six draws of each class: {varied}")
    draw_several(digits, several, out / f"{digits.name}-draws.png")
    numbers = {variant: {k: v.tolist() for k, v in each.items()} for variant, each in found.items()}
    record = {"weights": weights, "summary": summary, "draws": varied, "scores": numbers}
    (out / f"{digits.name}.json").write_text(json.dumps(record, indent=1), encoding="utf-8")


def add(rows: dict[str, Tensor], digits: Digits, tools: Tools, inputs: Tensor) -> None:
    """One more seed's scores."""
    for name, values in scores(digits, tools, inputs, torch.arange(10)).items():
        rows[name] = torch.cat([rows.get(name, values.new_empty(0, 10)), values[None]])


def tell(digits: Digits, found: Found, console: Console) -> dict[str, Any]:
    """Print medians and paired differences; all of them as plain numbers."""
    table = Table("", *SCORES.values(), title="Medians over classes and seeds [95 % interval]")
    summary: dict[str, Any] = {"medians": {}, "differences": {}}
    for variant, rows in found.items():
        middles = {name: middle(values) for name, values in rows.items()}
        table.add_row(PRINTED.get(variant, variant), *map(str, middles.values()))
        summary["medians"][variant] = {name: vars(each) for name, each in middles.items()}
    real = real_scores(digits)
    summary["held-out digits"] = real
    table.add_row(
        "held-out digits", *(f"{real[name]:.3g}" if name in real else "" for name in SCORES)
    )
    console.print(table)
    pairs = Table(
        "", *(SCORES[name] for name in DISTANCES), title="Paired differences of distances"
    )
    for first, second in PAIRS:
        apart = {name: middle(found[first][name] - found[second][name]) for name in DISTANCES}
        summary["differences"][f"{first} - {second}"] = {k: vars(v) for k, v in apart.items()}
        pairs.add_row(f"{PRINTED[first]} less {PRINTED[second]}", *map(str, apart.values()))
    console.print(pairs)
    return summary


def draw(digits: Digits, shown: dict[str, Tensor], found: Found, path: Path) -> None:
    """Four rows of ten prototypes, of the first seed, each with its distance to held-out digits."""
    rows = [[picture(each) for each in digits.unit(shown[name])] for name in DRAWN]
    captions = [[f"{d:.2f}" for d in found[name]["distance"][0].tolist()] for name in DRAWN]
    drawing = viz.draw_grid(
        rows,
        row_names=[PRINTED[name] for name in DRAWN],
        column_names=list("0123456789"),
        captions=captions,
        title="What each digit looks like to the net; below, the distance to held-out digits",
        colours=None,
        cell=64,
    )
    save(drawing, path)


def draw_several(digits: Digits, several: Tensor, path: Path) -> None:
    """A column for each class, its draws below each other."""
    pixels = digits.unit(several).view(10, -1, *several.shape[1:])
    drawing = viz.draw_grid(
        [[picture(each[number]) for each in pixels] for number in range(pixels.shape[1])],
        column_names=list("0123456789"),
        title="Drawn with expert, generator and noise",
        colours=None,
        cell=64,
    )
    save(drawing, path)


def picture(pixels: Tensor) -> Image.Image:
    """(1, height, width) from 0 to 1, as they are: each picture's own range is not stretched."""
    return Image.fromarray((pixels[0].clamp(0, 1) * 255).round().byte().numpy())


if __name__ == "__main__":
    main()
