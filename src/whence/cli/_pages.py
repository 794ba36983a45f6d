"""What the commands print."""

from collections.abc import Iterable, Mapping
from math import sqrt
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text
from torch import Tensor

from whence import viz
from whence.metrics import Scores
from whence.runs import Answer, Demo, Line
from whence.zoo import Entry

Page = list[RenderableType]

_TITLES = {
    "methods": "Methods: --method NAME, or method=NAME",
    "composites": "Composites, which rule where: --composite NAME, or composite=NAME",
    "rules": "Rules: whence.rules.NAME()",
    "metrics": "Metrics: whence evaluate --metrics NAME, or whence.metrics.metric(NAME)",
}
_NOT_LOST = ("op", "path", "r_out", "r_in", "residual", "absolute")


def answer_page(answer: Answer) -> Page:
    """All about one picture: scores, and for each method its sum, verdict and map."""
    first = answer.records[0]
    label = "" if first["label"] is None else f"   (it is: {first['label']})"
    top = ", ".join(f"{each['class']} {each['score']:.4g}" for each in first["top"])
    page: Page = [Text(f"{answer.name}{label}", "bold"), Text(f"highest scores: {top}")]
    for record, shown in zip(answer.records, _shown(answer), strict=True):
        name = " ".join(filter(None, [record["method"], record["composite"]]))
        verdict = record["verdict"] or f"none; {record['method']} decomposes {record['decomposes']}"
        page += [
            Text(f"\n{name}, for {record['target']}", "bold"),
            Text(f"score {record['score']:.6g}, sum of relevance {record['sum']:.6g}"),
            Text(f"ledger: {verdict}"),
            *(Text(f"note: {note}") for note in record["notes"]),
            *shown,
        ]
    state = "written to" if answer.new else "there already (--again does it anew) in"
    kind = "Pictures" if answer.maps else "Pages"
    page.append(Text(f"\n{kind} and numbers {state} {answer.folder}"))
    return page


def _shown(answer: Answer) -> list[Page]:
    """For each method the map of a picture, or the text in colour."""
    if answer.maps:
        return [[viz.summary(pixels)] for pixels in answer.maps]
    pages: list[Page] = []
    for record in answer.records:
        rows: list[Any] = [tuple(row) for row in record["rows"]]
        share = f"first token: {record['first_token_share']:.1%} of all |relevance|"
        pages.append([Text(share), viz.text_block(rows)])
    return pages


def answer_lines(answer: Answer) -> list[str]:
    """One picture of many: a line for each method."""
    if answer.error is not None:
        return [f"{answer.name}: FAILED: {answer.error}"]
    state = "" if answer.new else "  (there already)"
    return [
        f"{answer.name}: {record['method']} for {record['target']}: score {record['score']:.4g}, "
        f"sum {record['sum']:.4g}{_closing(record)}{state}"
        for record in answer.records
    ]


def catalogue_page(found: Mapping[str, tuple[Line, ...]]) -> Page:
    """Methods, composites, rules and metrics."""
    page: Page = []
    for kind, title in _TITLES.items():
        page += [Text(title, "bold"), _listing(_about(line, kind) for line in found[kind])]
    return page


def zoo_page(entries: Iterable[Entry]) -> Page:
    """Models and data sets."""
    listed = list(entries)
    page: Page = []
    for kind in dict.fromkeys(each.kind for each in listed):
        rows = [(each.name, Text(each.description)) for each in listed if each.kind == kind]
        page += [Text(f"{kind.capitalize()}s", "bold"), _listing(rows)]
    return page


def demo_page(found: Demo) -> Page:
    """The tables of the main job, and where its pictures are."""
    digit = found.doubtful[0]
    rows = [_booked(row) for row in found.ledger.to_rows()]
    head = ["operation", "module", "received", "passed on", "lost", "unexplained"]
    return [
        f"The CNN reads {found.accuracy:.1%} of the held-out digits right.\n",
        viz.table(head, rows, title=f"Conservation, layer by layer: what speaks for 3 in {digit}"),
        Text(f"without biases: {found.ledger.verdict}"),
        Text(f"with biases (the MLP): {found.with_biases.verdict}\n"),
        _flipping_table(found.flipped),
        Text(
            "Higher is better; the mean over the digits and its standard error. The number depends "
            "on what pixels become: this net's\nrelevance is measured from black, which erasing "
            "tests; inverting also paints ink where there was none.\n"
        ),
        Text("Pictures:"),
        *(Text(f"  {path}") for path in found.pictures),
    ]


def _flipping_table(flipped: Mapping[str, Mapping[str, Scores]]) -> RenderableType:
    columns = [f"pixels {name}" for name in flipped]
    first = next(iter(flipped.values()))
    rows = [
        (method, *(_with_error(found[method].values) for found in flipped.values()))
        for method in first
    ]
    count = len(next(iter(first.values())).values)
    title = f"Pixel flipping: area over the curve of P(predicted), {count} held-out digits"
    return viz.table(["order", *columns], rows, title=title)


def _with_error(values: Tensor) -> str:
    return f"{float(values.mean()):.3f} ± {float(values.std()) / sqrt(len(values)):.3f}"


def _about(line: Line, kind: str) -> tuple[str, Text]:
    text = Text(line.summary)
    if line.decomposes:
        better = f"{line.decomposes} is better"
        said = better if kind == "metrics" else f"decomposes {line.decomposes}"
        text.append(f"\n{said}", "dim")
    if line.papers:
        text.append(f"\n{line.papers}", "dim")
    return line.name, text


def _listing(rows: Iterable[tuple[str, Text]]) -> Table:
    """Names that are never cut, and what is said about them beside."""
    listing = Table.grid(padding=(0, 2, 0, 0))
    listing.add_column(no_wrap=True)
    listing.add_column()
    for name, text in rows:
        listing.add_row(f"  {name}", text)
    listing.add_row("", "")
    return listing


def _booked(row: Mapping[str, Any]) -> tuple[str, ...]:
    lost = sum(value for name, value in row.items() if name not in _NOT_LOST)
    numbers = (f"{row['r_out']:.4f}", f"{row['r_in']:.4f}", f"{lost:.1e}", f"{row['residual']:.1e}")
    return (row["op"], row["path"], *numbers)


def _closing(record: Mapping[str, Any]) -> str:
    if record["conserves"] is None:
        return ""
    return ", every row closes" if record["conserves"] else ", does NOT conserve"
