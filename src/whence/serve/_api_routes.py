"""What there is: models, methods, samples."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from whence import runs
from whence.explainers import presets
from whence.serve._desk import AtDesk
from whence.serve._problem import Problem
from whence.serve._question import ask, takes_composite
from whence.serve._schemas import Line, MethodsAnswer, ModelEntry, SampleEntry

router = APIRouter(prefix="/api", tags=["what there is"])
Model = Annotated[str, Query(max_length=200, description="a name from api/models")]


@router.get("/models")
async def models(desk: AtDesk) -> list[ModelEntry]:
    """The models that are offered."""
    return await desk.work(lambda: list(desk.shelf.entries.values()))


@router.get("/methods")
async def methods(desk: AtDesk, model: Model | None = None) -> MethodsAnswer:
    """Methods, composites and rules; of one model, without those that cannot be made for it."""
    return await desk.work(lambda: _methods(desk, model))


@router.get("/samples")
async def samples(desk: AtDesk, model: Model) -> list[SampleEntry]:
    """The samples of a model, with their true classes where they are known."""
    return await desk.work(lambda: _samples(desk, model))


@router.get("/samples/{model:path}/{name}", response_class=Response)
async def sample(desk: AtDesk, model: str, name: str) -> Response:
    """A sample's bytes: a PNG, or a text."""
    found, kind = await desk.work(lambda: desk.samples.content(desk.shelf.entry(model), name))
    return Response(found, media_type=kind)


def _samples(desk: Any, model: str) -> list[SampleEntry]:
    found = desk.samples.names(desk.shelf.entry(model))
    return [
        SampleEntry(name=name, label=label, url=f"api/samples/{model}/{name}")
        for name, label in found.items()
    ]


def _methods(desk: Any, model: str | None) -> MethodsAnswer:
    lines = runs.catalogue()
    net = None if model is None else desk.shelf.model(model)

    def fits(name: str) -> bool:
        if net is None or name not in presets():
            return True
        try:
            ask(net, "lrp", name, None, None)
        except Problem:
            return False
        return True

    return MethodsAnswer(
        methods=[_line(each, takes_composite(each.name)) for each in lines["methods"]],
        composites=[_line(each) for each in lines["composites"] if fits(each.name)],
        rules=[_line(each) for each in lines["rules"]],
    )


def _line(line: runs.Line, takes: bool | None = None) -> Line:
    return Line(
        name=line.name,
        summary=line.summary,
        decomposes=line.decomposes,
        papers=line.papers,
        takes_composite=takes,
    )
