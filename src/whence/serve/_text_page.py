"""The page "Text", which also works without JavaScript: a form, and words in colour below it."""

import base64
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.templating import Jinja2Templates

from whence import runs
from whence.reports._page import Table, pieces
from whence.serve._desk import AtDesk, Desk
from whence.serve._errors import up_from
from whence.serve._explain_routes import texts_of
from whence.serve._pages import MENU
from whence.serve._problem import Problem
from whence.serve._samples import texts_for
from whence.serve._schemas import AskText, ClassScore, ModelEntry, TextItem
from whence.serve._text_continuing import explain_tokens
from whence.serve._text_routes import check_length
from whence.serve._text_schemas import AskContinuation, ContinuationAnswer

_KINDS = ("text", "language")
_FIELDS = 16  # more than the form has
_FIRST = "sst-lstm"
_HOLDS = {True: "yes", False: "no", None: "none"}
Word = Annotated[str, Field(max_length=200)]


class TextForm(BaseModel):
    """The fields of the page's form; empty ones count as left out."""

    model_config = ConfigDict(extra="forbid")

    model: Word
    text: str = ""
    sample: Word | None = None
    mode: Literal["one", "many"] = "one"
    method: Word = "lrp"
    composite: Word | None = None
    target: Word | None = None
    against: Word | None = None
    tokens: Annotated[int, Field(ge=1, le=64)] = 12
    of: Literal["logit", "log-probability", "contrast"] = "logit"


def text_page(templates: Jinja2Templates) -> APIRouter:
    """The routes of the page: to show it, and to answer its form."""
    router = APIRouter(include_in_schema=False)

    @router.get("/text", response_class=Response)
    async def show(
        request: Request, desk: AtDesk, model: str | None = Query(None, max_length=200)
    ) -> Response:
        context = await desk.work(lambda: _choices(desk, TextForm(model=model or "")))
        context |= {"page": "text", "pages": MENU, "up": up_from(request)}
        return templates.TemplateResponse(request, "text.html", context)

    @router.post("/text", response_class=Response)
    async def answer(request: Request, desk: AtDesk) -> Response:
        chosen = await _read(request)
        context = await desk.work(lambda: _answered(desk, chosen))
        context |= {"page": "text", "pages": MENU, "up": up_from(request)}
        return templates.TemplateResponse(request, "text.html", context)

    return router


async def _read(request: Request) -> TextForm:
    async with request.form(max_files=0, max_fields=_FIELDS) as form:
        fields = {name: value for name, value in form.items() if isinstance(value, str) and value}
    try:
        return TextForm.model_validate(fields)
    except ValidationError as error:
        wrong = error.errors()[0]
        place = ".".join(str(part)[:40] for part in wrong["loc"])
        raise Problem("bad_field", f"{place}: {wrong['msg'][:200]}") from error


def _choices(desk: Desk, chosen: TextForm) -> dict[str, Any]:
    """What the form offers, and what is chosen in it."""
    models = [entry for entry in desk.shelf.entries.values() if entry.kind in _KINDS]
    entry = desk.shelf.entry(chosen.model, *_KINDS) if chosen.model else _first(models)
    lines = runs.catalogue()
    samples = texts_for(entry)
    text = chosen.text or samples[chosen.sample or next(iter(samples))]
    return {
        "models": models,
        "entry": entry,
        "samples": samples,
        "methods": lines["methods"],
        "composites": lines["composites"],
        "chosen": chosen.model_copy(update={"model": entry.name, "text": text}),
        "has_language": any(each.kind == "language" for each in models),
    }


def _first(models: list[ModelEntry]) -> ModelEntry:
    if not models:
        raise Problem("unknown_model", "There is no model of texts here.")
    return next((each for each in models if each.name == _FIRST), models[0])


def _answered(desk: Desk, chosen: TextForm) -> dict[str, Any]:
    entry = desk.shelf.entry(chosen.model, *_KINDS)
    if chosen.sample is not None:  # chosen from a list: the field of text holds an earlier one
        samples = texts_for(entry)
        if chosen.sample not in samples:
            raise Problem("unknown_sample", f"{entry.name} has no sample {chosen.sample[:60]!r}.")
        chosen = chosen.model_copy(update={"text": samples[chosen.sample], "sample": None})
    read = _continued if entry.kind == "language" else _explained
    rows = read(desk, chosen)
    return _choices(desk, chosen) | {"rows": rows}


def _explained(desk: Desk, chosen: TextForm) -> list[dict[str, Any]]:
    lines = [line.strip() for line in chosen.text.splitlines() if line.strip()]
    asked = AskText(
        model=chosen.model,
        text=chosen.text if chosen.mode == "one" else None,
        texts=lines if chosen.mode == "many" else None,
        method=chosen.method,
        composite=chosen.composite,
        target=chosen.target,
        against=chosen.against,
    )
    found = desk.explain_text(asked, texts_of(desk, asked))
    return [_row(item, len(found.texts) == 1) for item in found.texts]


def _row(item: TextItem, alone: bool) -> dict[str, Any]:
    """A text as the page shows it without scripts."""
    what = item.target.name
    if item.against is not None:
        what += f" rather than {item.against.name}"
    best = sorted(item.classes, key=lambda each: -each.score)[: 10 if alone else 0]
    return {
        "title": f"Why {what}?",
        "text": (
            f"The score for {what} is {item.score:.4g}. "
            f"Evidence for it: {item.positive:+.4g}. Against it: {item.negative:.4g}."
        ),
        "pieces": pieces(item.words, [value or 0.0 for value in item.relevance]),
        "verdict": item.verdict,
        "holds": _HOLDS[item.conserves],
        "notes": item.notes,
        "classes": _scores(best) if alone else None,
    }


def _scores(best: list[ClassScore]) -> Table:
    rows = [(each.name, f"{each.score:.4g}", f"{each.probability:.1%}") for each in best]
    return Table(("class", "score", "share in the softmax"), rows, "Highest scores")


def _continued(desk: Desk, chosen: TextForm) -> list[dict[str, Any]]:
    """How a language model goes on, a row for each generated token."""
    check_length(desk, chosen.text)
    asked = AskContinuation(
        model=chosen.model,
        text=chosen.text,
        tokens=chosen.tokens,
        of=chosen.of,
        method=chosen.method,
        composite=chosen.composite,
    )
    found = explain_tokens(desk.shelf.model(chosen.model, "language"), asked)
    return [_token_row(found, number) for number in range(len(found.ids))]


def _token_row(found: ContinuationAnswer, number: int) -> dict[str, Any]:
    R = np.frombuffer(base64.b64decode(found.relevance.data), "<f4").reshape(found.relevance.shape)
    read = found.prompt + number
    is_last = number + 1 == len(found.ids)
    return {
        "title": f"Why “{found.tokens[read].strip()}”?",
        "text": f"Its score ({found.of}) is {found.scores[number]:.4g}.",
        "pieces": pieces(found.tokens[:read], R[number, :read].tolist()),
        "verdict": found.verdicts[number],
        "holds": _HOLDS[found.conserves[number]],
        "notes": found.notes if is_last else [],
        "classes": None,
    }
