"""The page "Image", which also works without JavaScript: a form, and its answer drawn here."""

import base64
from typing import Any

import numpy as np
from fastapi import APIRouter, Query
from pydantic import ValidationError
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.templating import Jinja2Templates

from whence import runs, viz
from whence.reports._page import Picture, Table
from whence.serve._desk import AtDesk, Desk
from whence.serve._errors import up_from
from whence.serve._explain_routes import AskImage
from whence.serve._pages import MENU
from whence.serve._problem import Problem
from whence.serve._schemas import Answer, ModelEntry, Numbers, SampleEntry

_KINDS = ("digits", "image")
_FIELDS = 16  # more than the form has
_FULL = 0.99  # the quantile of |R| that gets full colour, as the page with scripts begins


def image_page(templates: Jinja2Templates) -> APIRouter:
    """The routes of the page: to show it, and to answer its form."""
    router = APIRouter(include_in_schema=False)

    @router.get("/image", response_class=Response)
    async def show(
        request: Request, desk: AtDesk, model: str | None = Query(None, max_length=200)
    ) -> Response:
        chosen = AskImage(model=model or "")
        context = await desk.work(lambda: _choices(desk, chosen))
        context |= {"page": "image", "pages": MENU, "up": up_from(request)}
        return templates.TemplateResponse(request, "image.html", context)

    @router.post("/image", response_class=Response)
    async def answer(request: Request, desk: AtDesk) -> Response:
        chosen, upload = await _read(request)
        found = await desk.work(lambda: desk.explain_image(chosen, upload))
        context = await desk.work(lambda: _choices(desk, chosen) | {"result": _drawn(found)})
        context |= {"page": "image", "pages": MENU, "up": up_from(request)}
        return templates.TemplateResponse(request, "image.html", context)

    return router


async def _read(request: Request) -> tuple[AskImage, bytes | None]:
    """The form's fields, and the picture's bytes if one was chosen; it goes before a sample."""
    async with request.form(max_files=1, max_fields=_FIELDS) as form:
        fields = {name: value for name, value in form.items() if isinstance(value, str) and value}
        file = form.get("picture")
        upload = await file.read() if isinstance(file, UploadFile) and file.filename else None
    if upload is not None:
        fields.pop("sample", None)
    elif "sample" not in fields:
        raise Problem("bad_field", "Choose a picture or a sample.")
    try:
        return AskImage.model_validate(fields), upload
    except ValidationError as error:
        wrong = error.errors()[0]
        place = ".".join(str(part)[:40] for part in wrong["loc"])
        raise Problem("bad_field", f"{place}: {wrong['msg'][:200]}") from error


def _choices(desk: Desk, chosen: AskImage) -> dict[str, Any]:
    """What the form offers, and what is chosen in it."""
    models = [entry for entry in desk.shelf.entries.values() if entry.kind in _KINDS]
    entry = desk.shelf.entry(chosen.model, *_KINDS) if chosen.model else _first(models)
    found = desk.samples.names(entry)
    lines = runs.catalogue()
    sample = chosen.sample or next(iter(found), None)
    return {
        "models": models,
        "samples": [SampleEntry(name=name, label=label, url="") for name, label in found.items()],
        "methods": lines["methods"],
        "composites": lines["composites"],
        "chosen": chosen.model_copy(update={"model": entry.name, "sample": sample}),
    }


def _first(models: list[ModelEntry]) -> ModelEntry:
    """What the page begins with: the model of pictures that knows most classes."""
    if not models:
        raise Problem("unknown_model", "There is no model of pictures here.")
    return max(models, key=lambda each: (each.kind == "image", len(each.classes)))


def _drawn(answer: Answer) -> dict[str, Any]:
    """An answer as the page shows it without scripts: a picture, a sentence, a table."""
    relevance, picture = _array(answer.relevance), _array(answer.picture)
    is_drawing = picture.ndim == 2
    draw = viz.heatmap if is_drawing else viz.overlay
    sizes = np.abs(relevance[relevance != 0])
    scale = float(np.quantile(sizes, _FULL)) if sizes.size else None
    drawn = draw(relevance, picture, scale=scale, size=448)
    what = answer.target.name
    if answer.against is not None:
        what += f" rather than {answer.against.name}"
    text = (
        f"The score for {what} is {answer.score:.4g}. "
        f"Evidence for it: {answer.positive:+.4g}. Against it: {answer.negative:.4g}."
    )
    return {
        "what": what,
        "picture": Picture.of(drawn, text),
        "text": text,
        "verdict": answer.verdict,
        "holds": {True: "yes", False: "no", None: "none"}[answer.conserves],
        "notes": answer.notes,
        "classes": _best(answer),
    }


def _best(answer: Answer) -> Table:
    best = sorted(answer.classes, key=lambda each: -each.score)[:10]
    rows = [(each.name, f"{each.score:.4g}", f"{each.probability:.1%}") for each in best]
    return Table(("class", "score", "share in the softmax"), rows, "Highest scores")


def _array(numbers: Numbers) -> np.ndarray:
    values = np.frombuffer(base64.b64decode(numbers.data), dtype="<f4")
    return values.reshape(numbers.shape).astype(np.float64)
