"""The commands and their options."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text
from typer.core import TyperCommand

from whence import runs, zoo
from whence.cli._console import FAILED, INTERRUPTED, STOPPED, remarks, results, told_plainly
from whence.cli._evaluation_page import evaluation_page
from whence.cli._maximize import MAXIMIZING, maximize
from whence.cli._options import Debug, Root
from whence.cli._pages import answer_lines, answer_page, catalogue_page, demo_page, zoo_page
from whence.cli._report import REPORTING, leave_report, report
from whence.cli._serve import SERVING, serve
from whence.errors import WhenceError

_RUNNER_UP = "top"  # what `runs` calls the contrast of the highest score with the second
_ENDING = """\
Exit codes: 0 done · 1 some of several pictures or samples failed · 2 a wrong option, name or file ·
130 interrupted. What was written is kept: the same command goes on from there, and tries again what
failed.
"""

_EXAMPLES = """\
Examples:

whence explain digits:51 --model digits-cnn --contrast 3,9

whence explain cat.jpg --model squeezenet-imagenet --target tabby --out maps

whence explain --text "not a good film" --model sst-lstm --contrast

whence explain photos/ --model timm:resnet18 --method lrp,sensitivity --composite epsilon-plus-flat
"""

_MEASURING = """\
A method or metric with options is NAME:option=value, with further colons between several:
lrp:composite=epsilon-plus, integrated-gradients:steps=64:baseline=-1, region:features=5x5.
The same command goes on where an earlier one was interrupted, and tries again what failed. Shards
share the work: with the same --out, at the same time or not, and at last without --shard, which
joins them.

Examples:

whence evaluate --model digits-cnn --data digits --methods lrp,sensitivity,random --out measured

whence evaluate -m squeezenet-imagenet --data photos/ --methods lrp:composite=epsilon-plus,random \
--metrics region,srg --replacement uniform,inpaint --limit 100 --target label

whence evaluate -m digits-cnn --data digits --batch-size 32 --out measured --shard 0/2
"""

app = typer.Typer(
    name="whence",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Where does this prediction come from?",
    epilog=_ENDING,
)


def main() -> None:
    """Run the command with the arguments of the process."""
    app()


class _Explain(TyperCommand):
    """Lets --contrast stand alone: it then asks for the highest score against the second."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        given = list(args)
        for number, word in enumerate(given):
            alone = number + 1 == len(given) or given[number + 1].startswith("-")
            if word == "--contrast" and alone:
                given[number] = f"--contrast={_RUNNER_UP}"
        return super().parse_args(ctx, given)


@app.command(epilog=_EXAMPLES, cls=_Explain)
def explain(
    item: Annotated[
        str | None,
        typer.Argument(
            help="A picture, a folder of pictures, an item of a data set (digits:12), or all of it."
        ),
    ] = None,
    *,
    model: Annotated[
        str, typer.Option("--model", "-m", help="A name from `whence models`, or a folder.")
    ],
    text: Annotated[str | None, typer.Option(help="A text to explain.")] = None,
    file: Annotated[
        Path | None,
        typer.Option(help='Texts to explain: a .jsonl file, {"id": ..., "text": ...} a line.'),
    ] = None,
    question: Annotated[
        str | None, typer.Option(help="What is asked about the text, for question answering.")
    ] = None,
    method: Annotated[
        str, typer.Option(help="Names from `whence methods`, with commas between.")
    ] = "lrp",
    composite: Annotated[
        str | None, typer.Option(help="Which rule where, for lrp; a name from `whence methods`.")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(help="The class or token to explain, by number or name; else the highest."),
    ] = None,
    contrast: Annotated[
        str | None,
        typer.Option(
            help="Two classes or tokens, A,B: what speaks for the first and not the second? "
            "Alone: for the highest score and not the second."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for pictures and numbers.")] = Path(
        "whence-out"
    ),
    split: Annotated[str, typer.Option(help="Part of the data set: test or train.")] = "test",
    root: Root = None,
    again: Annotated[
        bool, typer.Option("--again", help="Also do what is there already from an earlier run.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Explain pictures or texts: writes maps and pages in colour, and the numbers.

    Each picture gets a folder with METHOD.png, METHOD.npz, METHOD.json and overview.png, each text
    one with METHOD.html, METHOD.png and METHOD.json. All of it is on one page in report.html, with
    report.json as the record for audits.
    """
    with told_plainly(debug):
        names = [each.strip() for each in method.split(",") if each.strip()]
        runs.check_one_kind(item, text, file)
        asked = {"composite": composite, "target": target, "contrast": contrast, "root": root}
        if item is None:
            texts = runs.find_texts(text, file, question)
            answers = runs.explain_texts(
                texts, runs.ask_texts(model, names, **asked), out, again=again
            )
            count, things = len(texts), "texts"
        else:
            pictures = runs.find_subjects(item, root=root, split=split)
            answers = runs.explain_pictures(
                pictures, runs.ask(model, names, item=item, **asked), out, again=again
            )
            count, things = len(pictures), "pictures"
        failed = _one(answers) if count == 1 else _many(answers, count, things)
        written = leave_report(out, failed)
        if written:
            results().print(Text(f"Report: {written[0]}"))
    if failed:
        raise typer.Exit(FAILED if count > 1 else 2)


@app.command(epilog=_MEASURING)
def evaluate(
    *,
    model: Annotated[
        str, typer.Option("--model", "-m", help="A name from `whence models`, or a folder.")
    ],
    data: Annotated[
        str, typer.Option(help="A data set from `whence models`, or a folder of pictures.")
    ],
    methods: Annotated[
        str, typer.Option(help="Names from `whence methods`, the first is compared with.")
    ] = "lrp,sensitivity,random",
    metrics: Annotated[
        str, typer.Option(help="Names of metrics from `whence methods`.")
    ] = "flipping",
    out: Annotated[Path, typer.Option(help="Folder for table, curves and numbers.")] = Path(
        "whence-measured"
    ),
    limit: Annotated[
        int | None, typer.Option(help="Only the first so many samples.", min=1, show_default=False)
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(help="Samples explained together.", min=1, show_default=False),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help="Only every N-th batch from the I-th, counted from 0.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of all that is random.")] = 0,
    target: Annotated[
        str,
        typer.Option(help="predicted, label (the true class), or a class by number or name."),
    ] = "predicted",
    replacement: Annotated[
        str | None,
        typer.Option(
            help="What removed pixels become: mean, constant, uniform, blur, inpaint or flip; "
            "several with commas. By default each metric's own choice.",
            show_default=False,
        ),
    ] = None,
    draws: Annotated[
        int | None,
        typer.Option(help="Averaged draws of uniform and inpaint.", min=1, show_default=False),
    ] = None,
    split: Annotated[str, typer.Option(help="Part of the data set: test or train.")] = "test",
    root: Root = None,
    debug: Debug = False,
) -> None:
    """Measure explanations: which method tells best what the model looks at?

    Prints what it will cost, then for each metric the methods with intervals and their paired
    differences to the first one. Writes table.csv and .json, evaluation.png and .svg (curves),
    scores.csv and evaluation.json (numbers), protocol.json (all that was decided), report.html (all
    of it on one page) and report.json (its record).
    """
    with told_plainly(debug):
        share = (0, 1) if shard is None else runs.read_shard(shard)
        study = runs.ask_study(
            model,
            data,
            methods.split(","),
            metrics.split(","),
            replacements=[] if replacement is None else replacement.split(","),
            draws=draws,
            target=target,
            split=split,
            root=root,
        )
        found, files = runs.evaluate_study(
            study,
            out,
            limit=limit,
            batch_size=batch_size,
            shard=share,
            seed=seed,
            say=lambda line: remarks().print(line, markup=False, soft_wrap=True),
        )
        if files:
            results().print(*evaluation_page(found, [*files, *leave_report(out)]), sep="\n")
    if found.stopped == "interrupted":
        remarks().print(STOPPED, markup=False)
        raise typer.Exit(INTERRUPTED)
    if found.failures or found.stopped:
        raise typer.Exit(FAILED)


app.command(epilog=MAXIMIZING)(maximize)
app.command(epilog=REPORTING)(report)
app.command(epilog=SERVING)(serve)


@app.command()
def methods(debug: Debug = False) -> None:
    """List methods, composites, rules and metrics, each with a line and its papers."""
    with told_plainly(debug):
        results().print(*catalogue_page(runs.catalogue()), sep="\n")


@app.command()
def models(debug: Debug = False) -> None:
    """List the models and data sets that have a name."""
    with told_plainly(debug):
        results().print(*zoo_page(zoo.names()), sep="\n")


@app.command(epilog="Example: whence demo --out pictures")
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path("whence-demo"),
    digits: Annotated[
        int, typer.Option(help="How many held-out digits pixel flipping uses.", min=2, max=355)
    ] = 300,
    debug: Debug = False,
) -> None:
    """Explain real handwritten digits by many methods, for and against two classes.

    Writes pictures; prints conservation per layer, and pixel flipping as measured. Takes about
    half a minute and needs no network.
    """
    with told_plainly(debug):
        found = runs.demo(out, digits=digits, say=lambda line: remarks().print(line))
        results().print(*demo_page(found), sep="\n")


def _one(answers: Iterator[runs.Answer]) -> dict[str, str]:
    """What failed, by name: nothing, or the one."""
    answer = next(answers)
    if answer.error is not None:
        if answer.cause is not None and not isinstance(answer.cause, WhenceError):
            raise answer.cause  # not on purpose: its traceback says where
        remarks().print(f"whence: {answer.error}", markup=False, soft_wrap=True)
        return {answer.name: answer.error}
    results().print(*answer_page(answer), sep="\n")
    return {}


def _many(answers: Iterator[runs.Answer], count: int, things: str) -> dict[str, str]:
    """What failed, by name."""
    failed: dict[str, str] = {}
    console = results()
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=remarks(),
    ) as progress:
        task = progress.add_task("explaining", total=count)
        for answer in answers:
            if answer.error is not None:
                failed[answer.name] = answer.error
            console.print(*answer_lines(answer), sep="\n", markup=False)
            progress.advance(task)
    remarks().print(f"{count - len(failed)} of {count} {things} explained.")
    return failed
