"""The page "Compare", which also works without JavaScript: a form, computed once, drawn here."""

import asyncio
import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
from fastapi import APIRouter
from PIL import Image
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.templating import Jinja2Templates

from whence import runs, viz
from whence.reports._page import Picture, Table
from whence.serve._compare_jobs import Jobs
from whence.serve._compare_metrics import entries
from whence.serve._compare_schemas import (
    CONTROL,
    METHODS,
    MOST_SAMPLES,
    MOST_SECONDS,
    AskCompare,
    CompareAnswer,
    ComparedSample,
    Ends,
)
from whence.serve._desk import AtDesk, Desk
from whence.serve._errors import up_from
from whence.serve._pages import MENU
from whence.serve._problem import Problem
from whence.serve._schemas import Numbers

_FIELDS = 60  # more than the form has
_FULL = 0.99  # the quantile of |R| that gets full colour, as with scripts
_COLUMNS = 6  # of the picture; the numbers are of all samples
_RULES = ("epsilon", "epsilon-plus", "epsilon-gamma-box", "epsilon-alpha2-beta1-flat")


def compare_page(templates: Jinja2Templates, jobs: Jobs) -> APIRouter:
    """The routes of the page: to show it, and to answer its form."""
    router = APIRouter(include_in_schema=False)

    @router.get("/compare", response_class=Response)
    async def show(request: Request, desk: AtDesk) -> Response:
        context = await desk.work(lambda: _choices(desk, AskCompare()))
        return templates.TemplateResponse(request, "compare.html", context | _frame(request))

    @router.post("/compare", response_class=Response)
    async def answer(request: Request, desk: AtDesk) -> Response:
        asked = await _read(request)
        found, samples = await _whole(jobs, asked)
        context = await desk.work(
            lambda: _choices(desk, asked) | {"result": _drawn(found, samples)}
        )
        return templates.TemplateResponse(request, "compare.html", context | _frame(request))

    return router


def _frame(request: Request) -> dict[str, Any]:
    return {"page": "compare", "pages": MENU, "up": up_from(request)}


async def _whole(jobs: Jobs, asked: AskCompare) -> tuple[CompareAnswer, list[ComparedSample]]:
    """All of a comparison, step by step, so that others get their turns."""
    answer = await jobs.begin(asked)
    samples = answer.new
    while not answer.finished:
        await asyncio.sleep(0)
        answer = await jobs.go_on(answer.id)
        samples += answer.new
    jobs.drop(answer.id)
    return answer, samples


async def _read(request: Request) -> AskCompare:
    """The form's fields; those left empty are as by default."""
    async with request.form(max_files=0, max_fields=_FIELDS) as form:
        given = [(name, str(value)) for name, value in form.multi_items() if value != ""]
    fields: dict[str, Any] = {name: value for name, value in given if name != "methods"}
    fields["methods"] = [value for name, value in given if name == "methods"]
    for name, kind in (("samples", int), ("budget_seconds", float)):
        try:
            fields |= {name: kind(fields[name])} if name in fields else {}
        except ValueError as error:
            raise Problem("bad_field", f"{name}: {fields[name][:40]!r} is no number.") from error
    try:
        return AskCompare.model_validate(fields)
    except ValidationError as error:
        wrong = error.errors()[0]
        place = ".".join(str(part)[:40] for part in wrong["loc"])
        raise Problem("bad_field", f"{place}: {wrong['msg'][:200]}") from error


def _choices(desk: Desk, chosen: AskCompare) -> dict[str, Any]:
    """What the form offers, and what is chosen in it."""
    kinds = ("digits", "image")
    models = [each for each in desk.shelf.entries.values() if each.kind in kinds]
    lines = runs.catalogue()
    rules = [line for line in lines["composites"] if line.name in _RULES]
    return {
        "models": models,
        "metrics": entries(),
        "methods": [line for line in lines["methods"] if line.name != CONTROL],
        "rules": rules,
        "chosen": chosen,
        "usual": METHODS,
        "control": next(line for line in lines["methods"] if line.name == CONTROL),
        "most": {"samples": MOST_SAMPLES, "seconds": MOST_SECONDS},
    }


def _drawn(found: CompareAnswer, samples: Sequence[ComparedSample]) -> dict[str, Any]:
    """A comparison as the page shows it without scripts."""
    charts = [("mean score with its interval", found.charts.intervals)]
    if found.charts.curves is not None:
        charts.append(("mean curves with their bands", found.charts.curves))
    return {
        "answer": found,
        "grid": _grid(found, samples[:_COLUMNS]) if samples else None,
        "charts": [Picture(_address(svg), f"{found.metric.name}: {alt}") for alt, svg in charts],
        "scores": _scores(found),
        "pairs": _pairs(found),
    }


def _grid(found: CompareAnswer, samples: Sequence[ComparedSample]) -> Picture:
    rows: list[list[Any]] = [[_shown(_array(each.picture)) for each in samples]]
    for row in found.rows:
        rows.append([_map(each.relevance[row.method], each.picture) for each in samples])
    names = [f"{each.label or each.name}" for each in samples]
    drawn = viz.grid(
        rows, row_names=["what the model sees", *(row.method for row in found.rows)],
        column_names=names, cell=112,
    )  # fmt: skip
    return Picture.of(drawn, "Heatmaps: a row for each method, a column for each sample")


def _shown(picture: np.ndarray) -> Image.Image:
    return Image.fromarray(np.rint(255 * picture.clip(0, 1)).astype(np.uint8))


def _map(relevance: Numbers | None, picture: Numbers) -> Any:
    if relevance is None:
        return None
    seen, R = _array(picture), _array(relevance)
    draw = viz.heatmap if seen.ndim == 2 else viz.overlay
    sizes = np.abs(R[R != 0])
    scale = float(np.quantile(sizes, _FULL, method="lower")) if sizes.size else None
    return draw(R, seen, scale=scale, size=112)


def _scores(found: CompareAnswer) -> Table:
    rows = [
        (row.method, ", ".join(row.beats), _told(row.score), str(row.samples), f"{row.place}.")
        for row in found.rows
    ]
    head = ("method", "better beyond doubt than", "mean [95 %]", "samples", "place")
    return Table(head, rows, f"{found.metric.name}: {found.metric.better} is better", numbers=2)


def _pairs(found: CompareAnswer) -> Table:
    rows = [
        (
            f"{pair.first} less {pair.second}",
            pair.better or "open",
            _told(pair.difference),
            "–" if pair.p is None else f"{pair.p:.3g}",
        )
        for pair in found.pairs
    ]
    head = ("pair", "better", "mean difference [95 %]", "p (Holm)")
    return Table(head, rows, "Paired differences on the same samples", numbers=2)


def _told(ends: Ends) -> str:
    if ends.mean is None:
        return "–"
    if ends.low is None or ends.high is None:
        return f"{ends.mean:.3g}"
    return f"{ends.mean:.3g} [{ends.low:.3g}, {ends.high:.3g}]"


def _address(svg: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def _array(numbers: Numbers) -> np.ndarray:
    values = np.frombuffer(base64.b64decode(numbers.data), dtype="<f4")
    return values.reshape(numbers.shape).astype(np.float64)
