"""Explanations over the wire: of a drawing, a picture, texts."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Form, UploadFile
from pydantic import BaseModel, ConfigDict, Field

from whence.serve._desk import AtDesk, Desk
from whence.serve._problem import Problem
from whence.serve._schemas import (
    Answer,
    AskDigit,
    AskText,
    ErrorAnswer,
    TextAnswer,
    in_words,
)
from whence.serve._strict import FORM, StrictRoute

_WRONG = {code: {"model": ErrorAnswer} for code in (400, 404, 413, 415, 422, 503, 504)}
router = APIRouter(
    prefix="/api/explain", tags=["explaining"], route_class=StrictRoute, responses={**_WRONG}
)
Word = Annotated[str, Field(max_length=200)]


class AskImage(BaseModel):
    """A picture to explain: a file, or the name of a sample. Empty fields count as left out."""

    model_config = ConfigDict(
        extra="forbid", arbitrary_types_allowed=True, json_schema_extra=in_words
    )

    model: Word
    picture: UploadFile | None = None
    sample: Word | None = None
    method: Word = "lrp"
    composite: Word | None = None
    depth: Word | None = None
    target: Word | None = None
    against: Word | None = None

    def plain(self) -> "AskImage":
        """The same with empty fields left out, as forms send them."""
        given = {key: value for key, value in vars(self).items() if value not in ("", None)}
        return AskImage(**given)


@router.post("/digit")
async def digit(desk: AtDesk, asked: AskDigit) -> Answer:
    """Explain a drawing of a digit."""
    return await desk.work(lambda: desk.explain_digit(asked))


@router.post("/image")
async def image(desk: AtDesk, asked: Annotated[AskImage, Form(media_type=FORM)]) -> Answer:
    """Explain a picture: a file, or a sample by its name."""
    asked = asked.plain()
    if (asked.picture is None) == (asked.sample is None):
        raise Problem("bad_field", "Send a picture or name a sample, one of the two.")
    upload = None if asked.picture is None else await asked.picture.read()
    return await desk.work(lambda: desk.explain_image(asked, upload))


@router.post("/text")
async def text(desk: AtDesk, asked: AskText) -> TextAnswer:
    """Explain a text, or several."""
    texts = texts_of(desk, asked)
    return await desk.work(lambda: desk.explain_text(asked, texts))


def texts_of(desk: Desk, asked: AskText) -> Sequence[str]:
    """The texts of a request, within the limits."""
    if (asked.text is None) == (asked.texts is None):
        raise Problem("bad_field", "Send `text` or `texts`, one of the two.")
    texts = asked.texts if asked.text is None else [asked.text]
    limits = desk.settings.limits
    if asked.without and asked.text is None:
        raise Problem("bad_field", "`without` goes with one `text`.")
    if not texts:
        raise Problem("empty_text", "There are no texts.")
    if len(texts) > limits.texts:
        raise Problem("too_many_texts", f"There are {len(texts)} texts; at most {limits.texts}.")
    if max(map(len, texts)) > limits.text:
        raise Problem("text_too_long", f"A text may have {limits.text:,} characters.")
    return texts
