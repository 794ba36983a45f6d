"""Prototypes: the routes of the API, and the page, which also works without JavaScript."""

import base64
import binascii
import math
from typing import Annotated, Any

import numpy as np
import torch
from fastapi import APIRouter, Query
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.templating import Jinja2Templates
from torch import Tensor

from whence.serve._desk import AtDesk, Desk
from whence.serve._errors import up_from
from whence.serve._explaining import explain_input
from whence.serve._pages import MENU
from whence.serve._problem import Problem
from whence.serve._prototype_desk import Galleries
from whence.serve._prototype_making import choices
from whence.serve._prototype_schemas import (
    AskInput,
    AskPrototypes,
    AskTicket,
    Choices,
    Gallery,
    GivenNumbers,
    Progress,
    Stopped,
    Ticket,
)
from whence.serve._schemas import Answer, ErrorAnswer
from whence.serve._strict import StrictRoute

_WRONG = {code: {"model": ErrorAnswer} for code in (400, 404, 413, 415, 422, 503, 504)}
_FIELDS = 16  # more than the form has
_NUMBERS = {"strength": float, "count": int, "steps": int, "seed": int}
ModelName = Annotated[str, Query(max_length=200, description="a name from api/models")]


def prototype_routes(templates: Jinja2Templates) -> APIRouter:
    """All routes; they share one memory."""
    galleries = Galleries()
    both = APIRouter()
    both.include_router(_api(galleries))
    both.include_router(_page(templates, galleries))
    return both


def _api(galleries: Galleries) -> APIRouter:
    router = APIRouter(
        prefix="/api", tags=["prototypes"], route_class=StrictRoute, responses={**_WRONG}
    )

    @router.post("/prototypes")
    async def search(request: Request, desk: AtDesk, asked: AskPrototypes) -> Gallery:
        """Look for inputs that a model answers most to."""
        return await galleries.gallery(desk, request, asked)

    @router.get("/prototypes/choices")
    async def can_be_asked(desk: AtDesk, model: ModelName) -> Choices:
        """The priors and starts that a model's prototypes can have."""
        return await desk.work(lambda: _choices(desk, model))

    @router.get("/prototypes/progress")
    async def progress(ticket: Annotated[Ticket, Query(description="as it was sent")]) -> Progress:
        """How far a search is that was sent with this ticket."""
        return galleries.progress(ticket)

    @router.post("/prototypes/stop")
    async def stop(asked: AskTicket) -> Stopped:
        """End a search now; its request is answered with what it has reached."""
        return galleries.stop(asked.ticket)

    @router.post("/explain/input")
    async def explain(desk: AtDesk, asked: AskInput) -> Answer:
        """Explain an input in the numbers that the model takes, such as a prototype."""
        return await desk.work(lambda: _explained(desk, asked))

    return router


def _page(templates: Jinja2Templates, galleries: Galleries) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/prototypes", response_class=Response)
    async def show(request: Request, desk: AtDesk, model: ModelName = "digits-cnn") -> Response:
        chosen = AskPrototypes.model_validate({"model": model})
        return await shown(request, desk, chosen, None)

    @router.post("/prototypes", response_class=Response)
    async def answer(request: Request, desk: AtDesk) -> Response:
        asked = await _read(request)
        return await shown(request, desk, asked, await galleries.gallery(desk, request, asked))

    async def shown(
        request: Request, desk: Desk, asked: AskPrototypes, found: Gallery | None
    ) -> Response:
        def fill() -> dict[str, Any]:
            models = [e for e in desk.shelf.entries.values() if e.kind in ("digits", "image")]
            return {"models": models, "can": _choices(desk, asked.model)}

        context = await desk.work(fill)
        context |= {"chosen": asked, "gallery": found, "page": "prototypes"}
        context |= {"pages": MENU, "up": up_from(request)}
        return templates.TemplateResponse(request, "prototypes.html", context)

    return router


def _choices(desk: Desk, model: str) -> Choices:
    return choices(desk.shelf.model(model, "digits", "image"), desk.settings.root)


async def _read(request: Request) -> AskPrototypes:
    """The fields of the page's form; what is empty counts as left out."""
    async with request.form(max_files=0, max_fields=_FIELDS) as form:
        given: dict[str, Any] = {
            name: value.strip()
            for name, value in form.items()
            if isinstance(value, str) and value.strip()
        }
    for name, kind in _NUMBERS.items():
        if name in given:
            try:
                given[name] = kind(given[name][:40])
            except ValueError:
                raise Problem("bad_field", f"{name}: write a number.") from None
    classes = given.pop("classes", "all")
    if classes != "all":
        given["classes"] = [each.strip() for each in classes.split(",") if each.strip()]
    try:
        return AskPrototypes.model_validate(given)
    except ValidationError as error:
        wrong = error.errors()[0]
        place = ".".join(str(part)[:40] for part in wrong["loc"])
        raise Problem("bad_field", f"{place}: {wrong['msg'][:200]}") from error


def _explained(desk: Desk, asked: AskInput) -> Answer:
    net = desk.shelf.model(asked.model, "digits", "image")
    inputs = read_numbers(asked.input, net.input_shape)
    return explain_input(net, inputs, desk.question(net, asked), depth=desk.layer(asked))


def read_numbers(given: GivenNumbers, shape: tuple[int, ...]) -> Tensor:
    """One input of a shape, (1, *shape), from base64 of little-endian float32."""
    if tuple(given.shape) not in (shape, (1, *shape)):
        raise Problem("bad_numbers", f"The input must have the shape {list(shape)}.")
    try:
        data = base64.b64decode(given.data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Problem("bad_numbers", "`data` is not base64.") from error
    if len(data) != 4 * math.prod(shape):
        raise Problem("bad_numbers", f"{len(data)} bytes are not 4 for each of the numbers.")
    values = torch.from_numpy(np.frombuffer(data, dtype="<f4").astype(np.float32))
    if not bool(values.isfinite().all()):
        raise Problem("bad_numbers", "The numbers must be finite.")
    return values.reshape(1, *shape)
