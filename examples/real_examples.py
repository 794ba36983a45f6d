"""What does a unit stand for? Real samples that make it fire, and samples in which it matters.

    python examples/real_examples.py                 # digits, at once
    python examples/real_examples.py --data FOLDER   # and SqueezeNet on photographs of ImageNet
    python examples/real_examples.py --quick         # fewer samples

For some channels of a convolution the samples are ranked twice: by the activation at its highest
position (most active), and by the relevance that the channel gets when the class is explained (most
relevant, [achtibat2023]). Each is cut to the channel's receptive field at that position, and below
it stands what in the patch is meant: for an active patch what makes the channel fire, for a
relevant one what of it goes on to the class.

The protocol was fixed before anything was looked at, but for one list. digits: the net that ships,
last convolution, the 355 digits it was not trained on. For the classes 3, 4 and 8 the channel with
the largest mean relevance for that class over the training digits that it calls so; relevance for
that class. A first look showed that most of these digits are of other classes: a channel speaks for
3 also in an 8. So a third list was added, of digits of the class only, as in the paper.
photographs: SqueezeNet 1.1, the 3 x 3 halves of the fire modules 3, 5 and 8, in each the channel
with the largest mean relevance over all photographs, for the class the net gives each.
LRP with the composite that Whence takes by default. Nothing is tuned.

Pictures and numbers go to out/examples (`--out`).
"""

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor

import whence
from whence import viz, zoo
from whence.prototypes import (
    Examples,
    Patch,
    draw_patches,
    filters,
    most_active,
    most_relevant,
    patches,
    receptive_field,
)

CLASSES = (3, 4, 8)
LAYERS = ("fire3.expand3x3", "fire5.expand3x3", "fire8.expand3x3")
SHOWN = 6


def main() -> None:
    parser = argparse.ArgumentParser(description="Finds real examples of what units stand for.")
    parser.add_argument(
        "--data",
        default=os.environ.get("WHENCE_DATA"),
        help="the folder that holds squeezenet_imagenet/ and imagenet_samples/; WHENCE_DATA",
    )
    parser.add_argument("--out", type=Path, default=Path("out/examples"))
    parser.add_argument("--quick", action="store_true", help="use fewer samples")
    options = parser.parse_args()
    console = Console(highlight=False)
    options.out.mkdir(parents=True, exist_ok=True)
    numbers = {"digits": show_digits(options.out, 100 if options.quick else None, console)}
    if options.data:
        most = 16 if options.quick else None
        numbers["photographs"] = show_photographs(options.data, options.out, most, console)
    else:
        console.print("Photographs need data: pass --data FOLDER.")
    (options.out / "examples.json").write_text(json.dumps(numbers, indent=1), encoding="utf-8")
    console.print(f"Pictures and numbers are in {options.out}.")


def show_digits(out: Path, most: int | None, console: Console) -> list[dict[str, Any]]:
    """The channels that matter most for some digits."""
    net, module = zoo.model("digits-cnn"), "features.6"
    train, test = zoo.dataset("digits", split="train"), zoo.dataset("digits")
    seen, shown = (net.preprocess(each.images[:most]) for each in (train, test))
    labels = test.labels[:most]
    explainer = whence.LRP(net.module)
    console.print(f"\ndigits: {len(shown)} digits, {_field(net.module, shown, module)}")
    rows: dict[str, list[Patch]] = {}
    found = []
    with torch.no_grad():
        called = net.module(seen).argmax(1)
    for digit in CLASSES:
        (unit,) = strongest(explainer, seen[called == digit], [module], digit)
        options: dict[str, Any] = {"units": [unit], "count": SHOWN}
        asked = {**options, "target": digit, "aggregate": "max"}
        lists = {
            "most active": most_active(net.module, shown, module, **options),
            f"most relevant for {digit}": most_relevant(explainer, shown, module, **asked),
            f"most relevant for {digit}, of {digit}s": most_relevant(
                explainer, (shown, labels), module, label=digit, **asked
            ),
        }
        for name, examples in lists.items():
            rows[f"channel {unit}: {name}"] = patches(explainer, shown, examples, unit)
        active, relevant, _ = lists.values()
        found.append(compare(active, relevant, labels, digit))
        console.print(told(found[-1]))
    title = "Channels that matter most for 3, 4 and 8, in held-out digits"
    viz.save(draw_patches(rows, title=title, cell=72), out / "digits.png")
    filters(net).save(out / "digits-filters.png")
    return found


def show_photographs(
    data: str, out: Path, most: int | None, console: Console
) -> list[dict[str, Any]]:
    """A channel of an early, a middle and a late layer of SqueezeNet."""
    net = zoo.model("squeezenet-imagenet", data)
    pictures = zoo.dataset("imagenet-samples", data)
    items = [pictures[i] for i in range(most or len(pictures))]
    inputs = torch.cat([net.preprocess(item.image) for item in track(items, "photographs")])
    explainer = whence.LRP(net.module)
    rows: dict[str, list[Patch]] = {}
    found = []
    units = strongest(explainer, inputs, LAYERS, None)
    for module, unit in zip(LAYERS, units, strict=True):
        active = most_active(net.module, inputs, module, units=[unit], count=SHOWN)
        relevant = most_relevant(
            explainer, inputs, module, units=[unit], count=SHOWN, aggregate="max", progress=True
        )
        console.print(f"\n{module}: {_field(net.module, inputs, module)}")
        for examples in (active, relevant):
            name = f"{module.split('.')[0]}, channel {unit}: {examples.how}"
            rows[name] = patches(explainer, inputs, examples, unit)
        found.append({"module": module, **compare(active, relevant)})
        console.print(told(found[-1]))
    title = "A channel of an early, a middle and a late layer of SqueezeNet"
    page = draw_patches(rows, title=title, cell=88, show=lambda patch: as_picture(net, patch))
    viz.save(page, out / "photographs.png")
    filters(net).save(out / "squeezenet-filters.png")
    return found


def strongest(
    explainer: whence.LRP, inputs: Tensor, modules: Sequence[str], target: int | None
) -> list[int]:
    """The channel with the largest mean relevance, of each module."""
    found = [
        explainer.explain(part, target, taps=modules, ledger=None)
        for part in track(inputs.split(16), "relevance")
    ]
    return [
        int(torch.cat([each.at(module).sum((2, 3)) for each in found]).mean(0).argmax())
        for module in modules
    ]


def compare(
    active: Examples, relevant: Examples, labels: Tensor | None = None, digit: int | None = None
) -> dict[str, Any]:
    """How many samples the two lists share, and how many of each belong to the class."""
    first, second = (each.samples[0][each.samples[0] >= 0] for each in (active, relevant))
    found: dict[str, Any] = {
        "unit": active.units[0],
        "active": first.tolist(),
        "relevant": second.tolist(),
        "shared": len(set(first.tolist()) & set(second.tolist())),
    }
    if labels is not None:
        found["class"] = digit
        found["active of the class"] = int((labels[first] == digit).sum())
        found["relevant of the class"] = int((labels[second] == digit).sum())
    return found


def told(found: Mapping[str, Any]) -> str:
    """One line about a channel."""
    line = f"channel {found['unit']}: {found['shared']} of {SHOWN} samples are in both lists"
    if "class" in found:
        line += (
            f"; of the class {found['class']} are {found['active of the class']} of the most "
            f"active, {found['relevant of the class']} of the most relevant"
        )
    return line


def as_picture(net: zoo.Model, patch: Tensor) -> Tensor:
    """A patch of the net's input as red, green and blue within 0 and 1."""
    assert isinstance(net.preprocess, zoo.ImageInput)
    mean, std = (torch.tensor(each) for each in (net.preprocess.mean, net.preprocess.std))
    pixels = (patch * std[:, None, None] + mean[:, None, None]).clamp(0, 1)
    return pixels.flip(0) if net.preprocess.bgr else pixels


def _field(model: torch.nn.Module, inputs: Tensor, module: str) -> str:
    height, width = receptive_field(model, inputs, module).size
    return f"a channel of {module} sees {height} x {width} of {inputs.shape[2]} x {inputs.shape[3]}"


if __name__ == "__main__":
    main()
