"""CIFAR-10 and photographs: region perturbation, curves as on the tutorial's slide."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from comparing.measuring import draw, draw_maps, measure, report
from comparing.methods import FEW
from comparing.pictures import Chosen, evenly, spread
from whence import zoo
from whence.metrics import Blur, Mean, Metric, Patches, RegionPerturbation, Uniform

NETS = ("squeezenet-imagenet", "squeezenet1_0-imagenet")
DRAWS, SHOWN = 2, 6
MANY = (
    "LRP",
    "LRP, epsilon-plus",
    "LRP, default",
    "gradient x input",
    "sensitivity",
    "deconvolution",
    "guided backprop",
    "random",
)


def metrics(size: int, steps: int | None, step: int, blur: float) -> dict[str, Metric]:
    """Region perturbation under each replacement."""
    replacements = {"uniform": Uniform(draws=DRAWS), "mean": Mean(), "blur": Blur(blur)}
    return {
        name: RegionPerturbation(
            steps=steps, step=step, replacement=each, features=Patches(size), read="probability"
        )
        for name, each in replacements.items()
    }


def compare_cifar(data: str, out: Path, most: int, console: Console) -> None:
    """ResNet-20 and ResNet-56, all 64 patches of 4 x 4."""
    for name in ("resnet20-cifar10", "resnet56-cifar10"):
        net = zoo.model(name, data)
        chosen = spread(net, zoo.dataset("cifar10", data), most)
        compare(net, chosen, metrics(4, None, 4, 3.0), out, console)


def compare_photographs(
    data: str, out: Path, what: tuple[str, Sequence[str], int], console: Console
) -> None:
    """Nets on photographs, 100 patches of 9 x 9. what: the data set, the nets, how many."""
    pictures, nets, most = what
    for name in nets:
        net = zoo.model(name, data)
        chosen = spread(net, zoo.dataset(pictures, data), most)
        compare(net, chosen, metrics(9, 5, 20, 10.0), out, console, MANY)


def compare(
    net: zoo.Model,
    chosen: Chosen,
    by: Mapping[str, Metric],
    out: Path,
    console: Console,
    methods: tuple[str, ...] = (),
) -> None:
    """Tables, curves, maps, numbers of one net."""
    found = measure(net, chosen, by, methods)
    report(f"{net.name}, {len(chosen)} pictures: AOPC, larger is better", found, console)
    for metric in found.metrics:
        path = out / f"{net.name}-{metric}.png"
        most = 1.0 if net.input_shape[-1] < 100 else 0.2  # of photographs, 15 % are replaced
        draw(found, metric, path, FEW, title=f"{net.name}, replacement: {metric}", most=most)
    title = f"{net.name}: what speaks for the class"
    draw_maps(
        net, chosen.at(evenly(len(chosen), SHOWN)), out / f"{net.name}-maps.png", title, methods
    )
    found.save(out / f"{net.name}.json")
