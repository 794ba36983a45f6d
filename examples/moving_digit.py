"""Explanation continuity: a digit moves pixel by pixel, and so should its explanation.

    python examples/moving_digit.py            # seconds
    python examples/moving_digit.py --quick    # fewer digits

The convolutional net that ships, without biases, and held-out digits that are moved to the left and
to the right, up to 4 pixels; all places are asked about the class of the digit where it stands.

- sensitivity, simple Taylor (root at the limit eps x), deep Taylor (box rule for pixels in 0..1).

Measured is the largest ||R(x) - R(x')||_1 / ||x - x'||_2 over neighbouring places, by the digit's
own ||R||_1, as [montavon2018, sec. 7.1] but for that division; and the mean over places. Medians
over 40 digits, and the paired difference with its interval of 95 %. The drawn digit is the first.
"""

import argparse
import json
from pathlib import Path

from rich.console import Console

from whence import viz, zoo
from whence.explainers import DeepTaylor, Explainer, Sensitivity, Taylor
from whence.metrics import Continuity, Shifts, continuity_strip, paired_difference

REACH, MOST, DEEP = 4, 40, "deep Taylor"


def main() -> None:
    parser = argparse.ArgumentParser(description="Continuity while a digit moves.")
    parser.add_argument("--out", type=Path, default=Path("out/moving"))
    parser.add_argument("--quick", action="store_true", help="fewer digits")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    console = Console(highlight=False)
    net = zoo.model("digits-cnn")
    data = zoo.dataset("digits", split="test")
    x = net.preprocess(data.batch(range(4 if options.quick else MOST))[0])
    classes, near = net.module(x).argmax(1), Shifts(reach=REACH)
    methods: dict[str, Explainer] = {
        "sensitivity": Sensitivity(net.module),
        "simple Taylor": Taylor(net.module),
        DEEP: DeepTaylor(net.module, 0.0, 1.0),
    }
    found = {}
    for name, each in methods.items():
        R = each.explain(x, classes).relevance.detach()
        measured = Continuity(near, "relative")
        found[name] = measured(net.module, x, R, classes, explainer=each)
    rows, numbers = [], {}
    for name, each in found.items():
        lead = paired_difference(each.values, found[DEEP].values)
        numbers[name] = {
            "largest": float(each.values.median()),
            "mean": float(each.details["mean"].median()),
            "less deep Taylor": [lead.mean, lead.low, lead.high],
        }
        largest, mean = numbers[name]["largest"], numbers[name]["mean"]
        rows.append([name, largest, mean, "" if name == DEEP else str(lead)])
    console.print(viz.table(["method", "largest", "mean", "largest, less deep Taylor"], rows))
    page = continuity_strip(methods, x[0], shifts=near)
    viz.save(page, options.out / "moving-digit.png")
    path = options.out / "moving-digit.json"
    path.write_text(json.dumps(numbers, indent=1), encoding="utf-8")
    console.print(f"Picture and numbers are in {options.out}.")


if __name__ == "__main__":
    main()
