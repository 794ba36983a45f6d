"""`whence maximize`: what does a class look like to a model?"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from whence import runs, viz
from whence.cli._console import INTERRUPTED, STOPPED, remarks, results, told_plainly
from whence.cli._options import Debug, Root
from whence.cli._report import leave_report

MAXIMIZING = """\
A prior or transformation with options is NAME:option=value, with further colons between several:
l2:weight=0.1:around=mean, density:hidden=100:epochs=20:weight=0.5, jitter:pixels=8. Weights of l2
and tv are for pixels between 0 and 1.

Examples:

whence maximize --model digits-cnn --target 3 --prior generator

whence maximize -m digits-mlp --target all --prior density --start class-means --out densest

whence maximize -m squeezenet-imagenet --unit conv10:340 --steps 128 --root DATA
"""


def maximize(
    *,
    model: Annotated[str, typer.Option("--model", "-m", help="A name from `whence models`.")],
    target: Annotated[
        str | None,
        typer.Option(
            help="Classes by number or name, with commas between, or all.", show_default=False
        ),
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option(
            help="MODULE:CHANNEL instead of a class, as in features.3:7.", show_default=False
        ),
    ] = None,
    objective: Annotated[str, typer.Option(help="log-probability or logit.")] = "log-probability",
    prior: Annotated[
        list[str] | None,
        typer.Option(
            help="l2, tv, density (trained on --data) or generator; several with commas.",
            show_default=False,
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            help="noise, mean, class-means, or a picture: digits:12, cat.jpg. By default noise for "
            "large pictures; else class-means with density and generator, and mean without.",
            show_default=False,
        ),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option(
            help="What is turned, pixels or fourier; by default fourier from 64 pixels a side.",
            show_default=False,
        ),
    ] = None,
    transform: Annotated[
        str | None,
        typer.Option(
            help="jitter, rotate, scale with commas, or none; by default all with fourier.",
            show_default=False,
        ),
    ] = None,
    box: Annotated[
        str,
        typer.Option(help="valid (black to white), none, or LOW,HIGH as shares of that range."),
    ] = "valid",
    steps: Annotated[int, typer.Option(help="Steps of the search.", min=1)] = 300,
    rate: Annotated[
        float | None,
        typer.Option(
            help="Size of a step, as a share of black to white; by default 0.02, and 0.05 for "
            "codes.",
            show_default=False,
        ),
    ] = None,
    count: Annotated[
        int, typer.Option(help="Prototypes of each class; they need a start from noise.", min=1)
    ] = 1,
    seed: Annotated[int, typer.Option(help="Of all that is random.")] = 0,
    data: Annotated[
        str | None,
        typer.Option(
            help="A data set from `whence models` for means and densities; by default the one that "
            "the model was trained on, where that is known.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for pictures and numbers.")] = Path(
        "whence-prototypes"
    ),
    root: Root = None,
    debug: Debug = False,
) -> None:
    """Show what a class or a unit looks like to a model: inputs that it answers most to.

    Prints the scores of what was found. Writes prototypes.png and .svg (all of them), .npz (inputs
    and history), .json (scores, and how they were made), a picture of each, report.html (all of it
    on one page) and report.json (its record). Ctrl-C writes what was reached.
    """
    with told_plainly(debug):
        priors = [each for text in prior or [] for each in text.split(",")]
        search = runs.ask_prototypes(
            model,
            target,
            unit=unit,
            objective=objective,
            priors=priors,
            start=start,
            form=form,
            transform=transform,
            box=box,
            data=data,
            root=root,
        )
        found = runs.find_prototypes(
            search,
            out,
            count=count,
            steps=steps,
            rate=rate,
            seed=seed,
            progress=remarks().is_terminal,
            say=lambda line: remarks().print(line, markup=False, soft_wrap=True),
        )
        written = leave_report(out)
        results().print(*_page(search, found, [*found.files, *written]), sep="\n")
    if found.stopped:
        remarks().print(STOPPED, markup=False)
        raise typer.Exit(INTERRUPTED)


def _page(search: runs.Search, found: runs.Searched, files: Sequence[Path]) -> list[RenderableType]:
    """How it was looked for, a row for each prototype, and the files."""
    head = ["prototype", "log-probability", "objective", "prior", "read as", "steps"]
    rows = [
        [
            row["name"],
            "" if row["log_probability"] is None else f"{row['log_probability']:.4g}",
            f"{row['objective']:.4g}",
            f"{row['prior']:.4g}",
            f"{row['read_as']} ({row['probability']:.1%})",
            str(row["steps"]),
        ]
        for row in found.rows
    ]
    title = f"{search.net.name}: {search.form}, from {search.start}, {search.in_words}"
    notes = [Text(f"note: {note}") for note in found.prototypes.notes]
    return [
        viz.table(head, rows, title=title),
        *notes,
        Text("Files:"),
        *(Text(f"  {path}") for path in files),
    ]
