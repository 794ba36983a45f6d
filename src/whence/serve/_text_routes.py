"""Language models over the wire: how a text goes on, and what each generated token comes from."""

from fastapi import APIRouter

from whence.serve._desk import AtDesk, Desk
from whence.serve._problem import Problem
from whence.serve._schemas import ErrorAnswer
from whence.serve._strict import StrictRoute
from whence.serve._text_continuing import continue_text, explain_tokens
from whence.serve._text_schemas import (
    AskContinuation,
    AskContinue,
    ContinuationAnswer,
    ContinueAnswer,
)

_WRONG = {code: {"model": ErrorAnswer} for code in (400, 404, 413, 415, 422, 503, 504)}
router = APIRouter(
    prefix="/api", tags=["explaining"], route_class=StrictRoute, responses={**_WRONG}
)


@router.post("/continue")
async def go_on(desk: AtDesk, asked: AskContinue) -> ContinueAnswer:
    """Let a language model go on with a text."""
    check_length(desk, asked.text)

    def work() -> ContinueAnswer:
        return continue_text(desk.shelf.model(asked.model, "language"), asked.text, asked.tokens)

    return await desk.work(work)


@router.post("/explain/continuation")
async def continuation(desk: AtDesk, asked: AskContinuation) -> ContinuationAnswer:
    """Explain each token of a continuation by the tokens before it."""
    check_length(desk, asked.text)
    return await desk.work(lambda: explain_tokens(desk.shelf.model(asked.model, "language"), asked))


def check_length(desk: Desk, text: str) -> None:
    """Raises `Problem` for a text beyond the limit."""
    if len(text) > desk.settings.limits.text:
        raise Problem("text_too_long", f"A text may have {desk.settings.limits.text:,} characters.")
