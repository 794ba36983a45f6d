"""Which explanation is better? The tutorial's comparisons, on real data, with intervals.

    python examples/compare_methods.py --data FOLDER                 # all parts, half an hour
    python examples/compare_methods.py --data FOLDER --quick         # fewer samples, minutes
    python examples/compare_methods.py --data FOLDER --parts mnist   # mnist cifar imagenet voc text
    python examples/compare_methods.py --data FOLDER --parts imagenet --pictures sun397 --net NAME

Tables are printed; pictures and numbers go to out/compare (`--out`). The rules below were fixed
before anything was measured, but for how many pixels and patches go at a time: that was set by what
a trial cost.

What is "LRP". The epsilon rule on every layer, with an epsilon of a hundredth of the root mean
square of a layer's output. Beside it: epsilon-plus (z+ on convolutions) and what `method="lrp"`
takes by default. Nothing is tuned.

mnist. LeNet-5 of the LRP toolbox, and a small net of our own. The first 1,000 test digits, for the
class that the net gives them, right or wrong. f is the probability of that class. Of 32 x 32 pixels
in [-1, 1], the frame included, 16 are replaced at a time, most relevant first, until all are: 65
points. The number is the area over the curve, by trapezoids, as the tutorial's 0.722 / 0.691 /
0.523 seem to be (the slide names no unit). Replacements: the sign is flipped, as [bach2015]; a
uniformly random value, three draws; the mean of the digit; black; noisy linear imputation (64
pixels at a time, as it costs most).

cifar, imagenet. Region perturbation as [samek2017]: patches in the order of their summed relevance,
most relevant first; AOPC is the mean fall of f over the points of the curve, the first included.
ResNet-20 and ResNet-56 on 200 test pictures of CIFAR-10, every fiftieth, in patches of 4 x 4, all
64 of them, four at a time. SqueezeNet 1.1 and 1.0 on the ImageNet samples, in patches of 9 x 9, 100
of 676 (about 15 % of the picture), twenty at a time. Replacements: uniformly random values in the
range of the picture's channel, two draws; the channel's mean; a blurred copy.

voc. Photographs of PASCAL VOC in which SqueezeNet 1.1 names, of its 1,000 classes, a kind of thing
that has a box. The share of the positive relevance inside the boxes, beside their share of the
picture.

text. Word deleting, in the two examples that do it: sentiment.py and newsgroups.py.

Intervals are of 95 %, by bootstrap over samples; differences are paired. A difference whose
interval contains 0 is called open.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from comparing import boxes, digits, photographs
from rich.console import Console

PARTS = ("mnist", "cifar", "imagenet", "voc", "text")


def main() -> None:
    parser = argparse.ArgumentParser(description="Compares methods of explanation on real data.")
    parser.add_argument(
        "--data",
        default=os.environ.get("WHENCE_DATA"),
        help="the folder that holds mnist/, cifar10/ and the others; default: WHENCE_DATA",
    )
    parser.add_argument("--out", type=Path, default=Path("out/compare"))
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--quick", action="store_true", help="use fewer samples")
    parser.add_argument(
        "--pictures", default="imagenet-samples", help="data set of the part imagenet, from the zoo"
    )
    parser.add_argument("--net", help="the only net of the part imagenet, from the zoo")
    options = parser.parse_args()
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    if not options.data:
        raise SystemExit("The comparisons need data: pass --data FOLDER or set WHENCE_DATA.")
    options.out.mkdir(parents=True, exist_ok=True)
    for part in options.parts:
        console.rule(part)
        began = time.perf_counter()
        run(part, options, console)
        console.print(f"{part} took {time.perf_counter() - began:.0f} seconds")
    console.print(f"Pictures and numbers are in {options.out}.")


def run(part: str, options: argparse.Namespace, console: Console) -> None:
    """One part."""
    data, out, quick = options.data, options.out, options.quick
    if part == "mnist":
        digits.compare(data, out, 100 if quick else 1000, console)
    elif part == "cifar":
        photographs.compare_cifar(data, out, 40 if quick else 200, console)
    elif part == "imagenet":
        nets = (options.net,) if options.net else photographs.NETS
        most = 6 if quick else 72
        photographs.compare_photographs(data, out, (options.pictures, nets, most), console)
    elif part == "voc":
        boxes.compare(data, out, 12 if quick else 200, console)
    else:
        read_texts(data, out, quick)


def read_texts(data: str, out: Path, quick: bool) -> None:
    """Word deleting, by the examples that do it."""
    for name in ("sentiment", "newsgroups"):
        script = Path(__file__).with_name(f"{name}.py")
        command = [sys.executable, str(script), "--data", data, "--out", str(out / name)]
        subprocess.run([*command, *(["--quick"] if quick else [])], check=True)


if __name__ == "__main__":
    main()
