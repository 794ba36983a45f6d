"""What do neurons detect? Filters and patterns, PatternNet and PatternAttribution, on digits.

    python examples/patterns.py                  # the two nets that ship, a minute on two cores
    python examples/patterns.py --data FOLDER    # LeNet-5 on MNIST too, if both are in the folder
    python examples/patterns.py --quick          # fewer digits, seconds

A layer's weights (its filter) must cancel what disturbs as well as find what counts, so they do not
show what makes a neuron fire; its pattern does [haufe2014], [kindermans2018].

Measured is rho = 1 - max_v corr(w^T x, v^T (x - S(x))): 1 where a signal estimator S leaves nothing
of a neuron's output in what it takes for distractor, 0 where it leaves all. The rules were fixed
before any number was seen: patterns are fitted to the even-numbered training digits, v to the
odd-numbered ones, and the correlation is that on the held-out digits; 16 neurons of each layer,
spread evenly. (On the digits of the fit itself any linear pattern would have rho = 1.) Of MNIST,
2,000 training digits for each half and the first 1,000 test digits.

filters: the first layer, where the output of a neuron varies. maps: the first held-out digit of
each class, for the class that the net gives it. LRP is the epsilon rule with a quarter of the root
mean square of a layer's output. The rows with centred patterns were added after the others had been
seen: where the background is not 0, as in MNIST for LeNet-5 (it is -1), two-component patterns take
part of the background for signal.
"""

import argparse
import json
import os
from pathlib import Path

import torch
from PIL import Image
from rich.console import Console
from torch import Tensor

from whence import viz, zoo
from whence.composites import EpsilonEverywhere
from whence.explainers import (
    LRP,
    Explainer,
    InputGradient,
    PatternAttribution,
    PatternNet,
    PatternQuality,
    Patterns,
    pattern_quality,
)
from whence.zoo import Dataset, Model

ESTIMATORS = ("linear", "centred", "two-component")
NETS = {"digits-mlp": "digits", "digits-cnn": "digits", "lenet5-mnist": "mnist"}
MOST = {"digits": (2000, 2000), "mnist": (4000, 1000)}  # training and held-out digits


def main() -> None:
    parser = argparse.ArgumentParser(description="Patterns of nets for digits.")
    parser.add_argument("--data", default=os.environ.get("WHENCE_DATA"), help="holds mnist/")
    parser.add_argument("--out", type=Path, default=Path("out/patterns"))
    parser.add_argument("--quick", action="store_true", help="fewer digits, one net")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    console = Console(highlight=False, width=110)
    names = list(NETS)[: 1 if options.quick else 3 if options.data else 2]
    numbers = {}
    for name in names:
        net = zoo.model(name, options.data)
        train, test = (read(net, NETS[name], split, options) for split in ("train", "test"))
        fitted = {each: fit(net, each, train[0][::2]) for each in ESTIMATORS}
        quality = pattern_quality(
            net.module,
            list(fitted.values()),
            train[0][1::2],
            test[0],
            neurons=4 if options.quick else 16,
        )
        console.print(f"{name}: patterns of {len(train[0][::2])} training digits; rho on held-out")
        console.print(str(quality))
        console.print(better(quality))
        best = fitted["two-component"]
        console.print(f"neurons that never fire: {best.dead or 'none'}\n")
        numbers[name] = {
            each: {layer: values.tolist() for layer, values in layers.items()}
            for each, layers in quality.values.items()
        }
        viz.save(filters(net, best), options.out / f"patterns-{name}-filters.png")
        viz.save(maps(net, fitted, *test), options.out / f"patterns-{name}-maps.png")
    (options.out / "patterns.json").write_text(json.dumps(numbers, indent=1), encoding="utf-8")
    console.print(f"Pictures and numbers are in {options.out}.")


def read(net: Model, name: str, split: str, options: argparse.Namespace) -> tuple[Tensor, Tensor]:
    """Digits as the net sees them, and their labels."""
    data: Dataset = zoo.dataset(name, options.data, split)
    most = 200 if options.quick else MOST[name][split == "test"]
    images, labels = data.batch(range(min(most, len(data))))
    return net.preprocess(images), labels


def fit(net: Model, estimator: str, x: Tensor) -> Patterns:
    """Patterns of all layers."""
    found = PatternNet(net.module, estimator=estimator).fit(x).patterns
    assert found is not None
    return found


def better(quality: PatternQuality) -> str:
    """In how many neurons the two-component pattern fits better than the filter."""
    pairs = [
        (quality.values["two-component"][layer], quality.values["filter"][layer])
        for layer in quality.values["filter"]
    ]
    wins = sum(int((mine > its).sum()) for mine, its in pairs)
    count = sum(int(its.isfinite().sum()) for _, its in pairs)
    return f"two-component patterns have a higher rho than filters in {wins} of {count} neurons"


def filters(net: Model, patterns: Patterns) -> viz.Drawing:
    """Weights of the first layer above its patterns."""
    place = next(iter(patterns.layers))
    weight = net.module.get_submodule(place).weight
    assert isinstance(weight, Tensor)
    pattern = patterns[place]
    shown = pattern.flatten(1).any(1).nonzero().flatten()[:12]
    shape = weight.shape[2:] if weight.dim() > 2 else net.input_shape[1:]
    rows = [
        [each.detach()[number].view(-1, *shape).sum(0).numpy() for number in shown]
        for each in (weight, pattern)
    ]
    return viz.draw_grid(
        rows,
        row_names=["filter", "pattern"],
        column_names=[str(int(number)) for number in shown],
        title=f"{net.name}, first layer: what neurons weigh, and what makes them fire",
        colours=None,
        cell=96,
    )


def maps(net: Model, fitted: dict[str, Patterns], x: Tensor, labels: Tensor) -> viz.Drawing:
    """One digit of each class by the gradient, LRP, and the pattern methods."""
    first = torch.stack([(labels == digit).nonzero()[0, 0] for digit in range(10)])
    x = x[first]
    methods: dict[str, Explainer] = {
        "gradient": InputGradient(net.module),
        "LRP, epsilon": LRP(net.module, EpsilonEverywhere(0.25)),
    }
    for each in ("two-component", "centred"):
        methods[f"PatternNet, {each}"] = PatternNet(net.module, fitted[each])
        methods[f"Pattern-Attribution, {each}"] = PatternAttribution(net.module, fitted[each])
    found = [each.explain(x).relevance for each in methods.values()]
    rows = [[grey(each) for each in x]]
    rows += [[picture.sum(0).numpy() for picture in each] for each in found]
    classes = net.module(x).argmax(1)
    return viz.draw_grid(
        rows,
        row_names=["digit", *methods],
        column_names=[f"read as {net.classes[int(each)]}" for each in classes],
        title=f"{net.name}: what speaks for the class",
        cell=64,
    )


def grey(digit: Tensor) -> Image.Image:
    """A digit as the net sees it, (1, height, width), black on white."""
    low, high = digit.amin(), digit.amax()
    return Image.fromarray((255 * (high - digit[0]) / (high - low)).round().byte().numpy())


if __name__ == "__main__":
    main()
