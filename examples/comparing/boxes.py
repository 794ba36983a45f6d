"""Photographs with boxes: how much of what speaks for a thing lies where the thing is?"""

from pathlib import Path

from rich.console import Console

from comparing.measuring import draw_maps, measure, report
from comparing.photographs import MANY
from comparing.pictures import evenly, with_things
from whence import zoo
from whence.metrics import Metric, RelevanceMass

NET, SHOWN = "squeezenet-imagenet", 6


def metrics() -> dict[str, Metric]:
    """The share of the positive relevance inside the boxes."""
    return {"inside": RelevanceMass()}


def compare(data: str, out: Path, most: int, console: Console) -> None:
    """A table of shares, and a panel of maps with the share below each."""
    net = zoo.model(NET, data)
    chosen = with_things(net, zoo.dataset("voc2007", data), most)
    assert chosen.masks is not None
    area = chosen.masks.double().mean()
    console.print(f"{len(chosen)} photographs; the boxes cover {area:.1%} of them on average")
    found = measure(net, chosen, metrics(), MANY)
    report(f"{net.name}: share of the positive relevance inside the boxes", found, console)
    numbers = evenly(len(chosen), SHOWN)
    shares = {method: found.scores(method, "inside")[numbers].tolist() for method in MANY}
    notes = {method: [f"{share:.0%}" for share in each] for method, each in shares.items()}
    title = "What speaks for the class, and how much of it lies inside the box"
    draw_maps(net, chosen.at(numbers), out / "voc-maps.png", title, MANY, notes)
    found.save(out / "voc.json")
