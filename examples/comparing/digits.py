"""MNIST: pixel flipping on LeNet-5 of the LRP toolbox and on a small net of our own."""

from pathlib import Path

from rich.console import Console

from comparing.measuring import draw, draw_maps, measure, report
from comparing.methods import FEW
from comparing.nets import trained
from comparing.pictures import Chosen, evenly, predicted
from whence import zoo
from whence.metrics import Constant, Inpaint, Mean, Metric, PixelFlipping, SignFlip, Uniform

STEP, IMPUTED, DRAWS, SHOWN = 16, 64, 3, 6
LOW, HIGH = -1.0, 1.0  # black and white, as both nets take them


def metrics() -> dict[str, Metric]:
    """Pixel flipping under each replacement."""
    replacements = {
        "sign flip": SignFlip(LOW, HIGH),
        "uniform": Uniform(LOW, HIGH, draws=DRAWS),
        "mean": Mean(),
        "black": Constant(LOW),
        "imputed": Inpaint(),
    }
    steps = {name: IMPUTED if name == "imputed" else STEP for name in replacements}
    return {
        name: PixelFlipping(step=steps[name], replacement=each, read="probability")
        for name, each in replacements.items()
    }


def first_digits(net: zoo.Model, data: str | Path, most: int) -> Chosen:
    """The first digits of the test set, for the class that the net gives them."""
    digits = zoo.dataset("mnist", data)
    inputs = net.preprocess(digits.batch(range(most))[0])
    return Chosen(inputs, predicted(net, inputs), list(digits.names[:most]))


def compare(data: str, out: Path, most: int, console: Console) -> None:
    """Both nets: tables, curves, maps, numbers."""
    lenet = zoo.model("lenet5-mnist", data)
    labels = zoo.dataset("mnist", data).labels[:most]
    for net in (lenet, trained(lenet, data, out, console)):
        chosen = first_digits(net, data, most)
        right = (chosen.classes == labels).double().mean()
        console.print(f"{net.name}: {right:.1%} of {most} digits right")
        found = measure(net, chosen, metrics())
        report(f"{net.name}: area over the curve, larger is better", found, console)
        name = net.name.replace(" ", "-")
        for metric in found.metrics:
            path = out / f"mnist-{name}-{metric.replace(' ', '-')}.png"
            draw(found, metric, path, FEW, title=f"{net.name}, replacement: {metric}", most=1.0)
        title = f"{net.name}: what speaks for the class"
        draw_maps(net, chosen.at(evenly(most, SHOWN)), out / f"mnist-{name}-maps.png", title)
        found.save(out / f"mnist-{name}.json")
