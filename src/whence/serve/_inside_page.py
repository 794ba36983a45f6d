"""The page "Inside", which also works without JavaScript: a form, and its answer drawn here."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from markupsafe import Markup
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.templating import Jinja2Templates

from whence import runs
from whence.reports._page import Table
from whence.serve._desk import AtDesk, Desk
from whence.serve._errors import up_from
from whence.serve._inside import KINDS, explain_inside, with_ledgers
from whence.serve._inside_schemas import STATIONS, AskInside, InsideAnswer
from whence.serve._pages import MENU
from whence.serve._problem import Problem
from whence.serve._schemas import ModelEntry, SampleEntry

_FIRST = "digits-cnn"
_WIDTH = 640
_HOLDS = {True: "yes", False: "no", None: "none"}
Word = Annotated[str, Field(max_length=200)]


class InsideForm(BaseModel):
    """The fields of the page's form, in its address; empty ones count as left out."""

    model_config = ConfigDict(extra="forbid")

    model: Word = ""
    sample: Word = ""
    text: str = ""
    method: Word = "lrp"
    composite: Word = ""
    target: Word = ""
    against: Word = ""
    stations: Annotated[int, Field(ge=STATIONS[0], le=STATIONS[1])] = 24

    def asked(self, kind: str) -> AskInside | None:
        """The question; None where nothing to explain is given yet."""
        given = {"text": self.text} if kind == "text" and self.text else {"sample": self.sample}
        if not any(given.values()):
            return None
        fields = ("method", "composite", "target", "against")
        chosen = {name: getattr(self, name) for name in fields if getattr(self, name)}
        return AskInside(model=self.model, **given, **chosen, stations=self.stations, width=_WIDTH)


def inside_page(templates: Jinja2Templates) -> APIRouter:
    """The route of the page: it shows the form and, once a sample or text is named, the answer."""
    router = APIRouter(include_in_schema=False)

    @router.get("/inside", response_class=Response)
    async def show(
        request: Request, desk: AtDesk, form: Annotated[InsideForm, Query()]
    ) -> Response:
        context = await desk.work(lambda: _context(desk, form))
        context |= {"page": "inside", "pages": MENU, "up": up_from(request)}
        return templates.TemplateResponse(request, "inside.html", context)

    return router


def _context(desk: Desk, form: InsideForm) -> dict[str, Any]:
    """What the form offers, what is chosen in it, and the answer if it asks for one."""
    models = [each for each in desk.shelf.entries.values() if each.kind in KINDS]
    entry = desk.shelf.entry(form.model, *KINDS) if form.model else _first(models)
    found = desk.samples.names(entry)
    lines, kept = runs.catalogue(), with_ledgers()
    asked = form.model_copy(update={"model": entry.name}).asked(entry.kind)
    sample = form.sample or next(iter(found), "")
    chosen = form.model_copy(update={"model": entry.name, "sample": sample})
    return {
        "models": models,
        "kind": entry.kind,
        "samples": [SampleEntry(name=name, label=label, url="") for name, label in found.items()],
        "methods": [each for each in lines["methods"] if each.name in kept],
        "composites": lines["composites"],
        "details": ((24, "modules"), (STATIONS[1], "every operation")),
        "chosen": chosen,
        "result": None if asked is None else drawn(explain_inside(desk, asked)),
    }


def _first(models: list[ModelEntry]) -> ModelEntry:
    if not models:
        raise Problem("unknown_model", "There is no model of pictures or texts here.")
    return next((each for each in models if each.name == _FIRST), models[0])


def drawn(answer: InsideAnswer) -> dict[str, Any]:
    """An answer as the page shows it without scripts: the diagram, and tables."""
    what = answer.target.name
    if answer.against is not None:
        what += f" rather than {answer.against.name}"
    rules = [(each.name, each.equation, each.papers) for each in answer.rules]
    return {
        "what": what,
        "svg": Markup(answer.svg),  # made by viz.flow_svg, which escapes names
        "words": answer.words,
        "verdict": answer.verdict,
        "holds": _HOLDS[answer.conserves],
        "notes": answer.notes,
        "operations": _operations(answer),
        "rules": Table(("rule", "equation", "papers"), rules, "Rules that were used", numbers=3),
    }


def _operations(answer: InsideAnswer) -> Table:
    """The ledger as a table; columns in which nothing is booked are left out."""
    least = 1e-6 * max(abs(answer.score), abs(answer.arrived))
    reasons = [
        reason
        for reason in ("bias", "epsilon", "dropped", "softmax", "unexplained")
        if any(abs(each.lost.get(reason, 0.0)) > least for each in answer.operations)
    ]
    rows = [
        (
            each.name, each.path, each.rule, each.source, f"{each.received:.4g}",
            f"{each.passed:.4g}", *(f"{each.lost.get(reason, 0.0):.2g}" for reason in reasons),
        )
        for each in answer.operations
    ]  # fmt: skip
    head = ("operation", "module", "rule", "line", "received", "passed on", *reasons)
    return Table(head, rows, "Every operation, from the score down", numbers=4)
