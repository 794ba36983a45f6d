"""Methods x metrics on some samples, and what comes out as tables and pictures."""

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from torch import Tensor
from torch.nn.functional import avg_pool2d

from comparing.methods import explainers
from comparing.pictures import Chosen, shown_pictures
from whence import evaluate, viz
from whence.metrics import Metric
from whence.runs import Evaluation
from whence.zoo import Model

COARSE = 56  # squares of a large map, about, along each side


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
    for failure in (*found.failures, *found.left_out):
        console.print(f"sample {failure.id}, {failure.method}: {failure.error}")


def draw(
    found: Evaluation, metric: str, path: Path, methods: tuple[str, ...], *, title: str, most: float
) -> None:
    """The mean curves of one metric, up to a share of features replaced."""
    curves = found.curves(metric)
    first = curves[methods[0]]
    shown = first.x <= most
    figure = viz.curves(
        {name: curves[name].mean[shown].numpy() for name in methods},
        x=first.x[shown].numpy(),
        xlabel=first.xlabel,
        ylabel=first.ylabel,
        title=title,
    )
    viz.save(figure, path)


def draw_maps(
    net: Model,
    chosen: Chosen,
    path: Path,
    title: str,
    methods: tuple[str, ...] = (),
    notes: Mapping[str, list[str]] | None = None,
) -> None:
    """Pictures and what each method says about them; notes: a caption for each map."""
    found = {
        name: strong(each.explain(chosen.inputs, chosen.classes).relevance.detach())
        for name, each in explainers(net, methods).items()
    }
    pictures = shown_pictures(net, chosen)
    side = next(iter(found.values())).shape[-1]
    numbers = range(len(pictures))
    rows = [[pictures[i], *(R[i].numpy() for R in found.values())] for i in numbers]
    captions = None
    if notes is not None:
        captions = [["", *(notes[method][i] for method in found)] for i in numbers]
    page = viz.draw_grid(
        rows,
        row_names=[net.classes[int(k)] for k in chosen.classes],
        column_names=["picture", *found],
        title=title,
        captions=captions,
        cell=side * (128 // side),
    )
    viz.save(page, path)


def strong(relevance: Tensor) -> Tensor:
    """Maps that can be seen at the size of a stamp, (samples, 1, height, width): large ones are
    summed over squares, and the strongest 0.5 % get full colour, however strong they are."""
    R = relevance.sum(1, keepdim=True)
    side = R.shape[-1] // COARSE
    if side > 1:
        R = avg_pool2d(R, side, ceil_mode=True) * side**2
    most = R.flatten(1).abs().quantile(0.995, dim=1).view(-1, 1, 1, 1)
    return R.clamp(-most, most)


def _mean(found: Evaluation, method: str, metric: str) -> str:
    interval = found.interval(method, metric)
    return f"{interval.mean:.3f} ±{(interval.high - interval.low) / 2:.3f}"


def _lead(found: Evaluation, first: str, second: str, metric: str) -> str:
    lead = found.compare(first, second, metric)
    star = "" if lead.low <= 0 <= lead.high else " *"
    return f"{lead.mean:+.3f} ±{(lead.high - lead.low) / 2:.3f}{star}"
