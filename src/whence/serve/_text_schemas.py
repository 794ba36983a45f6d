"""What goes over the wire about language models: how a text goes on, and why."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StrictInt, StrictStr

from whence.serve._schemas import Ask, Lost, Name, Numbers

Count = Annotated[StrictInt, Field(ge=1, le=64, description="how many tokens at most, up to 64")]
Ids = list[Annotated[StrictInt, Field(ge=0)]]


class AskContinue(Ask):
    """A beginning that a language model shall go on with, always taking the likeliest token."""

    model: Name
    text: StrictStr
    tokens: Count = 12


class AskContinuation(Ask):
    """A beginning and how it goes on: which tokens does each of the generated ones come from?"""

    model: Name
    text: StrictStr
    continuation: Annotated[
        Ids | None,
        Field(description="ids of tokens, as api/continue gives them; null: what the model says"),
    ] = None
    tokens: Count = 12
    of: Annotated[
        Literal["logit", "log-probability", "contrast"],
        Field(description="the score of each token; contrast is against the second likeliest"),
    ] = "logit"
    method: Name = "lrp"
    composite: Name | None = None


class Token(BaseModel):
    """A token: its id, how it is written (with the space before it), and its probability."""

    id: int
    text: str
    probability: float


class Step(Token):
    """A generated token, and the likeliest at its place."""

    likeliest: list[Token]


class ContinueAnswer(BaseModel):
    """How a text goes on. prompt: its tokens as they are written."""

    model: str
    prompt: list[str]
    generated: list[Step]
    ended: bool = Field(description="whether the model ended the text by itself")
    seconds: float


class ContinuationAnswer(BaseModel):
    """What each generated token comes from.

    tokens: of the prompt, `prompt` many, then the generated ones. relevance: (generated, tokens);
    a token has none for those before it. scores, verdicts, conserves, ledgers: for each generated
    token.
    """

    model: str
    method: str
    composite: str | None
    decomposes: str
    of: str
    tokens: list[str]
    prompt: int
    ids: list[int]
    relevance: Numbers
    scores: list[float]
    verdicts: list[str | None]
    conserves: list[bool | None]
    ledgers: list[Lost | None]
    notes: list[str]
    seconds: float
    citation: list[str]
