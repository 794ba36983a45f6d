"""The inside of an explanation over the wire."""

from fastapi import APIRouter

from whence.serve._desk import AtDesk
from whence.serve._inside import explain_inside
from whence.serve._inside_schemas import AskInside, InsideAnswer
from whence.serve._schemas import ErrorAnswer
from whence.serve._strict import StrictRoute

_WRONG = {code: {"model": ErrorAnswer} for code in (400, 404, 413, 415, 422, 503, 504)}
router = APIRouter(
    prefix="/api", tags=["explaining"], route_class=StrictRoute, responses={**_WRONG}
)


@router.post("/inside")
async def inside(desk: AtDesk, asked: AskInside) -> InsideAnswer:
    """Every operation of an explanation: its rule, its line in the ledger, and the flow."""
    return await desk.work(lambda: explain_inside(desk, asked))
