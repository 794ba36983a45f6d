"""What do classes of photographs look like to a net trained on ImageNet?

    python examples/natural_prototypes.py --data FOLDER          # squeezenet_imagenet/ is in it
    python examples/natural_prototypes.py --data FOLDER --quick  # two classes, few steps

One objective for six classes, climbed in three ways, each from noise and with the same faint L2
prior: over pixels; over Fourier coefficients, low frequencies first, with the colours of
photographs; and over these while the picture is shifted, turned and scaled at random in each step.
The objective is what SqueezeNet 1.1 finds for a class before its last ReLU, the mean of a channel:
behind it a class without evidence has no gradient.

Rate, steps, prior and the size of the random changes were chosen by looking at three other classes
(airliner, pineapple, hen); the six shown here were named before. One seed, nothing picked.

Scores: the log-probability that the net gives the finished picture, without random changes; the
same by SqueezeNet 1.0, which was trained apart and did not take part (transfer); and the share of
the picture's contrast in frequencies above half of the highest, beside that of photographs.

This needs no decoder. With one of your own (`Generator(decoder, code_shape)`, any module from codes
to pictures) the same call gives prototypes in its code space [nguyen2016].
"""

import argparse
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from rich.console import Console
from rich.progress import track
from torch import Tensor

import whence
from whence import viz, zoo
from whence.prototypes import (
    L2,
    Channel,
    Fourier,
    Jitter,
    Noise,
    Parametrisation,
    Pixels,
    Rotate,
    Scale,
    Start,
    Transformation,
    colour_root,
)

CLASSES = ("goldfish", "tabby", "sorrel", "zebra", "monarch", "daisy")
STEPS = 128
PRIOR = 0.01  # on the squared distance from the mean colour, black to white counting 1
CHANGES = (Jitter(16), Rotate(15.0), Scale(0.8, 1.2), Jitter(4))
SMALL = 84  # pixels a side in the picture for the docs


@dataclass(frozen=True, eq=False)
class Way:
    """One of the three: what is turned, from where, how fast, and what is changed on the way."""

    form: Parametrisation
    start: Start | None
    rate: float
    changes: tuple[Transformation, ...] = ()


def main() -> None:
    parser = argparse.ArgumentParser(description="Draws what classes look like to SqueezeNet.")
    parser.add_argument(
        "--data",
        default=os.environ.get("WHENCE_DATA"),
        help="the folder with squeezenet_imagenet/ and imagenet_samples/; default: WHENCE_DATA",
    )
    parser.add_argument("--out", type=Path, default=Path("out/natural"))
    parser.add_argument("--quick", action="store_true", help="two classes, few steps")
    options = parser.parse_args()
    if not options.data:
        raise SystemExit("The net needs its weights: pass --data FOLDER or set WHENCE_DATA.")
    options.out.mkdir(parents=True, exist_ok=True)
    console = Console(highlight=False, width=120)
    net = zoo.model("squeezenet-imagenet", options.data)
    judge = zoo.model("squeezenet1_0-imagenet", options.data)
    photographs = read_photographs(net, options.data)
    names = CLASSES[:2] if options.quick else CLASSES
    steps = 4 if options.quick else STEPS

    found = {
        name: climb(net, names, way, name, steps) for name, way in ways(net, photographs).items()
    }
    numbers = {name: score(net, judge, names, x) for name, x in found.items()}
    usual = float(fine_share(pixels_of(net, photographs)).median())
    report(numbers, names, usual, console)
    page = draw(net, found, names, numbers)
    page.save(options.out / "natural.png")
    shrunk(net, found, names).save(options.out / "natural-small.png", optimize=True)
    text = json.dumps({"fine share of photographs": usual, **numbers}, indent=1)
    (options.out / "natural.json").write_text(text)
    console.print(f"Pictures and numbers are in {options.out}.")


def read_photographs(net: zoo.Model, data: str) -> Tensor:
    """Some photographs as the net sees them: for their colours and their frequencies."""
    items = zoo.dataset("imagenet-samples", data)
    return torch.cat([net.preprocess(items[index].image) for index in range(0, len(items), 2)])


def ways(net: zoo.Model, photographs: Tensor) -> dict[str, Way]:
    """The three ways, by name."""
    assert net.low is not None
    assert net.high is not None
    span = float((net.high - net.low).mean())
    frequencies = Fourier(net.input_shape, decorrelate=colour_root(photographs).float())
    grey = Noise(net.input_shape, 0.05 * span, (net.low + net.high) / 2)
    return {
        "pixels": Way(Pixels(), grey, 0.01 * span),
        "Fourier": Way(frequencies, None, 0.02),
        "Fourier, random changes": Way(frequencies, None, 0.02, CHANGES),
    }


def climb(net: zoo.Model, names: tuple[str, ...], way: Way, title: str, steps: int) -> Tensor:
    """One prototype of each class, (classes, 3, height, width)."""
    assert net.low is not None
    assert net.high is not None
    span = float((net.high - net.low).mean())
    made = [
        whence.maximize(
            net.module,
            Channel("conv10", net.classes.index(name)),
            start=way.start,
            prior=L2(PRIOR / span**2),
            parametrisation=way.form,
            transformations=way.changes,
            box=(net.low, net.high),
            rate=way.rate,
            schedule="cosine",
            steps=steps,
        ).inputs
        for name in track(names, title, transient=True)
    ]
    return torch.cat(made)


@torch.no_grad()
def score(net: zoo.Model, judge: zoo.Model, names: tuple[str, ...], x: Tensor) -> dict[str, Any]:
    """What both nets make of the pictures, and how fine their grain is."""
    numbers = [net.classes.index(name) for name in names]
    rows = torch.arange(len(names))
    own, other = (each.module(x).log_softmax(1) for each in (net, judge))
    better = (other > other[rows, numbers][:, None]).sum(1)
    return {
        "log p": own[rows, numbers].tolist(),
        "log p by the other": other[rows, numbers].tolist(),
        "read by the other as": [judge.classes[int(k)] for k in other.argmax(1)],
        "rank by the other": (1 + better).tolist(),
        "fine share": fine_share(pixels_of(net, x)).tolist(),
    }


def pixels_of(net: zoo.Model, x: Tensor) -> Tensor:
    """What the net sees as pictures in 0..1."""
    assert isinstance(net.preprocess, zoo.ImageInput)
    return net.preprocess.pixels(x)


def fine_share(pixels: Tensor) -> Tensor:
    """The share of squared contrast above a quarter cycle per pixel, (batch,)."""
    grey = pixels.mean(1)
    power = torch.fft.fft2(grey - grey.mean((1, 2), keepdim=True)).abs().square()
    rows, columns = (torch.fft.fftfreq(side) for side in grey.shape[1:])
    fine = (rows[:, None].square() + columns.square()).sqrt() > 0.25
    return power[:, fine].sum(1) / power.sum((1, 2))


def report(numbers: dict[str, Any], names: tuple[str, ...], usual: float, console: Console) -> None:
    """Two tables: medians, and each class by the other net."""
    rows = []
    for way, each in numbers.items():
        ranks = each["rank by the other"]
        rows.append(
            [
                way,
                f"{_median(each['log p']):.2f}",
                f"{_median(each['log p by the other']):.2f}",
                f"{sum(rank == 1 for rank in ranks)} of {len(ranks)}",
                f"{sum(rank <= 5 for rank in ranks)} of {len(ranks)}",
                f"{_median(each['fine share']):.1%}",
            ]
        )
    head = ["way", "log p", "log p by 1.0", "1.0 agrees", "in its top 5", "fine"]
    title = "Medians over classes; 1.0 is the net that did not take part"
    console.print(viz.table(head, rows, title=title))
    console.print(f"In photographs {usual:.1%} of the contrast is fine.")
    rows = [
        [way, *(f"{k} ({p:.1f})" for k, p in zip(*_read(each), strict=True))]
        for way, each in numbers.items()
    ]
    title = "What 1.0 reads (log p of the class meant)"
    console.print(viz.table(["way", *names], rows, title=title))


def _read(each: dict[str, Any]) -> tuple[list[str], list[float]]:
    return each["read by the other as"], each["log p by the other"]


def _median(values: list[float]) -> float:
    return float(torch.tensor(values).quantile(0.5))


def draw(
    net: zoo.Model, found: dict[str, Tensor], names: tuple[str, ...], numbers: dict[str, Any]
) -> Image.Image:
    """Ways by classes, each with both log-probabilities."""
    captions = [
        [
            f"{a + 0.0:.1f} / {b + 0.0:.1f}"
            for a, b in zip(each["log p"], _read(each)[1], strict=True)
        ]
        for each in numbers.values()
    ]
    return viz.grid(
        [_pictures(net, x) for x in found.values()],
        row_names=list(found),
        column_names=names,
        captions=captions,
        colours=None,
        cell=227,
        title="What classes look like to SqueezeNet 1.1; log p by it and by 1.0",
    )


def shrunk(net: zoo.Model, found: dict[str, Tensor], names: tuple[str, ...]) -> Image.Image:
    """The same, small enough for a page."""
    size = (SMALL, SMALL)
    rows = [
        [each.resize(size, Image.Resampling.LANCZOS) for each in _pictures(net, x)]
        for x in found.values()
    ]
    page = viz.grid(rows, row_names=list(found), column_names=names, colours=None, cell=SMALL)
    return page.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)


def _pictures(net: zoo.Model, x: Tensor) -> list[Image.Image]:
    pixels = (pixels_of(net, x) * 255).round().byte().permute(0, 2, 3, 1)
    return [Image.fromarray(each) for each in pixels.numpy()]


if __name__ == "__main__":
    main()
