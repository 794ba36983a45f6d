"""Where are the roots of a digit net? Simple Taylor decomposition at four of them.

    python examples/roots.py            # a minute
    python examples/roots.py --quick    # fewer digits, less training

The nets of noisy_digits.py, three layers and six, without biases, in double precision; explained is
the score of the class that a net gives a held-out digit, 8 of them. The roots:

- limit: eps x, eps -> 0, of which the sum is f(x) exactly.
- toward the mean: where f first becomes zero on the way to the mean of all training digits.
- toward another: the same on the way to the mean of the next class.
- nearest: the nearest that a short search (12 steps) finds with pixels in 0..1.

Printed: for how many digits a root was found; its distance ||x - root|| / ||x||; what the expansion
leaves over, |residual| / f; the share of negative relevance. Medians over digits; the rules were
fixed before.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from rich.console import Console
from theory.digit_nets import NETS, Digits, digits, train
from torch import Tensor, nn

from whence import viz
from whence.explainers import Taylor

MOST, SHOWN, STEPS, STARTS = 8, 5, 12, 1
COLUMNS = ("root", "found", "distance", "left over", "negative")


def main() -> None:
    parser = argparse.ArgumentParser(description="Simple Taylor decomposition at four roots.")
    parser.add_argument("--out", type=Path, default=Path("out/roots"))
    parser.add_argument("--quick", action="store_true", help="fewer digits, less training")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    console = Console(highlight=False, width=110)
    data, numbers = digits("digits"), {}
    for name in NETS:
        made = train(name, data, biases=False, seed=0, epochs=2 if options.quick else None)
        net, x = made.net.double(), data.test[: SHOWN if options.quick else MOST].double()
        rows, shown = [], {}
        for root, found in expanded(net, x, data).items():
            rows.append([root, *(f"{value:.3f}" for value in summary(found).values())])
            numbers[f"{name}: {root}"] = summary(found)
            shown[root] = found
        console.print(viz.table(COLUMNS, rows, title=f"{name}, {len(x)} digits"))
        page = picture(x[:SHOWN], shown, name)
        viz.save(page, options.out / f"roots-{name[:3].lower()}.png")
    (options.out / "roots.json").write_text(json.dumps(numbers, indent=1), encoding="utf-8")
    console.print(f"Picture and numbers are in {options.out}.")


def expanded(net: nn.Module, x: Tensor, data: Digits) -> dict[str, Any]:
    """An explanation for each root."""
    classes = net(x).argmax(1)
    means = [data.train[data.train_classes == k].double().mean(0) for k in range(10)]
    other = torch.stack([means[(int(k) + 1) % 10] for k in classes])
    roots = {
        "limit": Taylor(net),
        "toward the mean": Taylor(net, root="segment", toward=torch.stack(means).mean(0)),
        "toward another": Taylor(net, root="segment", toward=other),
        "nearest": Taylor(net, root="nearest", box=(0.0, 1.0), steps=STEPS, starts=STARTS),
    }
    return {name: each.explain(x, classes) for name, each in roots.items()}


def summary(found: Any) -> dict[str, float]:
    """The numbers of one root."""
    facts = found.facts
    return {
        "found": float(facts["found"].double().mean()),
        "distance": float(facts["distance"].median()),
        "left over": float((facts["residual"] / found.score).abs().median()),
        "negative": float(facts["negative"].median()),
    }


def picture(x: Tensor, shown: dict[str, Any], name: str) -> viz.Drawing:
    """Digits; each root, and the relevance at it."""
    rows = [[_ink(each) for each in x[:, 0]]]
    names = ["the digit"]
    for root, found in shown.items():
        rows.append([_ink(each) for each in found.facts["root"][: len(x), 0]])
        rows.append([each.numpy() for each in found.relevance[: len(x), 0]])
        names += [f"root: {root}", "relevance"]
    return viz.draw_grid(rows, row_names=names, cell=84, title=name)


def _ink(image: Tensor) -> Image.Image:
    return Image.fromarray(image.clamp(0, 1).mul(255).round().byte().numpy())


if __name__ == "__main__":
    main()
