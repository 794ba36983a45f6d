"""One prototype cannot show a class of many faces. How much of it do four show?

    python examples/diverse_class.py           # all ten digits
    python examples/diverse_class.py --quick   # three of them

For each digit, prototypes are made in several ways and compared by coverage: the share of held-out
digits that are as near to a prototype as digits of the class typically are to their nearest
neighbour, in the features that the net's last layer sees.

The protocol was fixed before anything was measured. The net that ships; features: the output of its
convolutions, 48 x 4 x 4. Clusters, means and distances of neighbours come from the training digits,
coverage from the 355 others. Every ascent makes log p(class | x) - 0.02 ||x - mean||^2 large, mean
being that of the class, with pixels in [0, 1], by Adam at rate 0.02 in 200 steps. One: from the
mean of the class. Four from noise: from the mean plus noise of 0.3. Four diverse: the same start,
with Diversity(5) on the cosine of features. Four by clusters: from the mean digit of each cluster
(k-means of features, or of the features' relevance scaled to length 1), and Towards(0.1) its mean
features. Beside them what needs no ascent: the mean digits of the feature clusters, and four real
training digits (the mean of 20 draws). Nothing is tuned.

One way was added after a first look, which showed that diversity alone leaves the data: the codes
of the variational autoencoder that ships, again with Diversity(5), from the code of the mean digit
plus standard noise, with log p(z) = -||z||^2 / 2, the autoencoder's own, for the other penalty.

Coverage is given for the median distance of neighbours, and for the distance within which 95 % of
the digits have one. Medians over classes, with the quartiles.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from rich.console import Console
from rich.progress import track
from torch import Tensor, nn

import whence
from whence import viz, zoo
from whence.prototypes import (
    L2,
    Clusters,
    Diversity,
    Generator,
    LogProbability,
    Mean,
    Noise,
    Objective,
    Prototypes,
    Start,
    Towards,
    clusters,
    coverage,
)

FEATURES, COUNT, STEPS, RATE = "features", 4, 200, 0.02
QUANTILES = (0.5, 0.95)
DRAWS = 20
DRAWN = (1, 7)  # the classes of the picture


@dataclass(frozen=True, eq=False)
class Digit:
    """One class: the net, its training and its held-out digits as the net sees them."""

    net: nn.Module
    digit: int
    train: Tensor
    test: Tensor

    def ascend(self, objective: Objective, start: Tensor | Start, count: int = 1) -> Tensor:
        """Prototypes, with the penalty on the distance from the class mean."""
        found: Prototypes = whence.maximize(
            self.net,
            objective,
            start=start,
            count=count,
            prior=L2(0.02, around=self.train.mean(0)),
            rate=RATE,
            steps=STEPS,
            box=(0.0, 1.0),
        )
        return found.inputs

    def features(self, x: Tensor) -> Tensor:
        """What the last layer sees."""
        with torch.no_grad():
            return self.net.get_submodule(FEATURES)(x)

    def of_clusters(self, found: Clusters) -> Tensor:
        """One prototype for each cluster."""
        centres = torch.stack(
            [self.features(self.train[found.members(k)]).mean(0) for k in range(len(found))]
        )
        objective = LogProbability(self.digit) + Towards(FEATURES, 0.1, centres)
        return self.ascend(objective, found.means(self.train))


def one(of: Digit) -> Tensor:
    return of.ascend(LogProbability(of.digit), Mean(of.train))


def noise(of: Digit) -> Tensor:
    return of.ascend(LogProbability(of.digit), _noise(of), COUNT)


def diverse(of: Digit) -> Tensor:
    return of.ascend(LogProbability(of.digit) + Diversity(5.0, FEATURES), _noise(of), COUNT)


def diverse_codes(of: Digit) -> Tensor:
    vae = zoo.generator("digits-vae")
    with torch.no_grad():
        code = vae.encoder(of.train.mean(0, keepdim=True))[0]
    found = whence.maximize(
        of.net,
        LogProbability(of.digit) + Diversity(5.0, FEATURES),
        parametrisation=Generator(vae.decoder, vae.code_shape, prior=L2(0.5)),
        start=Noise(vae.code_shape, mean=code),
        count=COUNT,
        rate=RATE,
        steps=STEPS,
    )
    return found.inputs


def by_features(of: Digit) -> Tensor:
    return of.of_clusters(clusters(of.features(of.train), COUNT))


def by_relevance(of: Digit) -> Tensor:
    explained = whence.LRP(of.net).explain(of.train, of.digit, taps=[FEATURES])
    return of.of_clusters(clusters(explained.at(FEATURES), COUNT, unit=True))


def means(of: Digit) -> Tensor:
    return clusters(of.features(of.train), COUNT).means(of.train)


def _noise(of: Digit) -> Noise:
    return Noise(tuple(of.train.shape[1:]), std=0.3, mean=of.train.mean(0))


WAYS: dict[str, Callable[[Digit], Tensor]] = {
    "one": one,
    "four from noise": noise,
    "four diverse": diverse,
    "four diverse by generator": diverse_codes,
    "four by feature clusters": by_features,
    "four by relevance clusters": by_relevance,
    "four cluster means, no ascent": means,
}
REAL = "four real digits, no ascent"


def main() -> None:
    parser = argparse.ArgumentParser(description="Covers diverse classes by several prototypes.")
    parser.add_argument("--out", type=Path, default=Path("out/diverse"))
    parser.add_argument("--quick", action="store_true", help="only three of the digits")
    options = parser.parse_args()
    console = Console(highlight=False)
    options.out.mkdir(parents=True, exist_ok=True)
    net = zoo.model("digits-cnn")
    train, test = zoo.dataset("digits", split="train"), zoo.dataset("digits")
    numbers: list[dict[str, Any]] = []
    shown: dict[str, list[Tensor]] = {}
    for digit in track((1, 4, 7) if options.quick else range(10), "classes"):
        of = Digit(
            net.module,
            digit,
            *(net.preprocess(each.images[each.labels == digit]) for each in (train, test)),
        )
        made = {name: make(of) for name, make in WAYS.items()}
        if digit in DRAWN:
            shown |= {f"{digit}: {name}": [*x] for name, x in made.items()}
        numbers += measured(of, made)
    report(numbers, console)
    (options.out / "coverage.json").write_text(json.dumps(numbers, indent=1), encoding="utf-8")
    draw(shown, options.out / "diverse.png")
    console.print(f"Pictures and numbers are in {options.out}.")


def measured(of: Digit, made: dict[str, Tensor]) -> list[dict[str, Any]]:
    """Coverage of one class by each way, at each quantile."""
    train, test = of.features(of.train), of.features(of.test)
    found = []
    for quantile in QUANTILES:
        for name, x in made.items():
            cover = coverage(of.features(x), test, train, quantile=quantile)
            found.append(_row(of.digit, name, quantile, cover.share, cover.shares.tolist()))
        generator = torch.Generator().manual_seed(of.digit)
        draws = [torch.randperm(len(train), generator=generator)[:COUNT] for _ in range(DRAWS)]
        real = [coverage(train[each], test, train, quantile=quantile).share for each in draws]
        found.append(_row(of.digit, REAL, quantile, sum(real) / DRAWS, []))
    return found


def _row(
    digit: int, way: str, quantile: float, share: float, shares: list[float]
) -> dict[str, Any]:
    return {"class": digit, "way": way, "quantile": quantile, "share": share, "shares": shares}


def report(numbers: list[dict[str, Any]], console: Console) -> None:
    """A table of medians over classes."""
    rows = []
    for way in (*WAYS, REAL):
        row = [way]
        for quantile in QUANTILES:
            shares = torch.tensor(
                [n["share"] for n in numbers if n["way"] == way and n["quantile"] == quantile]
            )
            low, middle, high = shares.quantile(torch.tensor([0.25, 0.5, 0.75])).tolist()
            row.append(f"{middle:.0%} ({low:.0%} to {high:.0%})")
        rows.append(row)
    heads = ["prototypes", *(f"radius: quantile {quantile:g}" for quantile in QUANTILES)]
    console.print("\nHeld-out digits covered, median over classes (quartiles):")
    console.print(viz.table(heads, rows))


def draw(shown: dict[str, list[Tensor]], path: Path) -> None:
    """The prototypes of some classes, a row for each way."""
    cells = [
        [Image.fromarray((each[0] * 255).round().byte().numpy()) for each in row]
        for row in shown.values()
    ]
    viz.save(viz.draw_grid(cells, row_names=[*shown], colours=None, cell=64), path)


if __name__ == "__main__":
    main()
