"""Methods x metrics on some samples, and what comes out as tables and pictures."""

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from torch import Tensor

from comparing.methods import explainers
from comparing.pictures import Chosen, shown
from whence import evaluate, viz
from whence.metrics import Metric
from whence.runs import Evaluation
from whence.zoo import Model


def measure(
    net: Model, chosen: Chosen, metrics: Mapping[str, Metric], methods: tuple[str, ...] = ()
) -> Evaluation:
    """All metrics for all methods, for the class that the net gives each sample."""
    return evaluate(
        net.module, chosen.inputs, explainers(net, methods), metrics, masks=chosen.masks
    )


def report(title: str, found: Evaluation, console: Console) -> None:
    """A table of means, and of the first method's lead over each other; after ± half the width of
    the interval of 95 %."""
    first, *others = found.methods
    rows = [
        [method, *(_mean(found, method, metric) for metric in found.metrics)]
        for method in found.methods
    ]
    console.print()
    console.print(viz.table(["method", *found.metrics], rows, title=title))
    rows = [[other, *(_lead(found, first, other, m) for m in found.metrics)] for other in others]
    title = f"{first} less the others, paired; * where the interval excludes 0"
    console.print(viz.table(["method", *found.metrics], rows, title=title))
    for failure in found.failures:
        console.print(f"failed: {failure}")


def draw(found: Evaluation, metric: str, path: Path, title: str, methods: tuple[str, ...]) -> None:
    """The mean curves of one metric."""
    curves = found.curves(metric)
    first = curves[methods[0]]
    figure = viz.curves(
        {name: curves[name].mean.numpy() for name in methods},
        x=first.x.numpy(),
        xlabel=first.xlabel,
        ylabel=first.ylabel,
        title=title,
    )
    viz.save(figure, path)


def maps(net: Model, chosen: Chosen, methods: tuple[str, ...] = ()) -> dict[str, Tensor]:
    """The maps of the methods, summed over channels: (samples, 1, height, width) each."""
    return {
        name: each.explain(chosen.inputs, chosen.classes).relevance.sum(1, keepdim=True).detach()
        for name, each in explainers(net, methods).items()
    }


def draw_maps(
    net: Model,
    chosen: Chosen,
    path: Path,
    title: str,
    methods: tuple[str, ...] = (),
    notes: Mapping[str, list[str]] | None = None,
) -> None:
    """Pictures and what each method says about them; notes: a caption for each map."""
    found = maps(net, chosen, methods)
    pictures = shown(net, chosen.inputs)
    columns = ["picture", *found]
    rows = [
        [pictures[i], *(R[i].numpy() for R in found.values())] for i in range(len(pictures))
    ]
    names = [net.classes[int(k)] for k in chosen.classes]
    captions = None
    if notes is not None:
        captions = [
            ["", *(notes[method][i] for method in found)] for i in range(len(pictures))
        ]
    page = viz.draw_grid(
        rows, row_names=names, column_names=columns, title=title, captions=captions, cell=128
    )
    viz.save(page, path)


def _mean(found: Evaluation, method: str, metric: str) -> str:
    interval = found.interval(method, metric)
    return f"{interval.mean:.3f} ±{(interval.high - interval.low) / 2:.3f}"


def _lead(found: Evaluation, first: str, second: str, metric: str) -> str:
    lead = found.compare(first, second, metric).difference
    star = "" if lead.low <= 0 <= lead.high else " *"
    return f"{lead.mean:+.3f} ±{(lead.high - lead.low) / 2:.3f}{star}"
