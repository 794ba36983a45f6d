"""What goes over the wire about the inside of an explanation: its operations, and their flow."""

from typing import Annotated

from pydantic import BaseModel, Field, StrictInt, StrictStr

from whence.serve._schemas import Ask, Class, ClassName, Lost, Name, Numbers

WIDTHS, STATIONS = (280, 1200), (4, 200)


class AskInside(Ask):
    """An input, one of `sample`, `pixels` and `text`, and what to ask about it."""

    model: Name = "digits-cnn"
    sample: Name | None = None
    pixels: StrictStr | None = Field(
        None, description="base64 of height x width bytes, 0 paper to 255 ink, for digits"
    )
    height: Annotated[StrictInt, Field(ge=1)] | None = Field(
        None, description="rows of the drawing; left out, the drawing is square"
    )
    text: StrictStr | None = None
    method: Name = Field("lrp", description="a method that keeps a ledger")
    composite: Name | None = None
    target: Class | None = None
    against: Class | None = None
    width: Annotated[StrictInt, Field(ge=WIDTHS[0], le=WIDTHS[1])] = Field(
        640, description="of the diagram, in pixels"
    )
    stations: Annotated[StrictInt, Field(ge=STATIONS[0], le=STATIONS[1])] = Field(
        24, description="of the diagram at most; a longer flow is grouped by module"
    )


class RuleAbout(BaseModel):
    """A rule in words."""

    name: str
    summary: str
    equation: str
    papers: str


class Operation(BaseModel):
    """One line of the ledger. received = passed + the sum of `lost`, up to rounding.

    rule: as Python prints it; in brackets the nature of an operation that leaves no choice. lost:
    by reason; a negative number means that the operation passed on more than it received. station:
    its number in the diagram.
    """

    name: str
    path: str
    source: str
    rule: str
    received: float
    passed: float
    lost: dict[str, float]
    station: int


class Station(BaseModel):
    """One bar of the diagram: the score, an operation, several of one module, or an input.

    map: the relevance that arrived there, summed over channels, where it is a picture.
    """

    name: str
    path: str
    received: float
    passed: float
    lost: dict[str, float]
    operations: list[int]
    map: Numbers | None = None


class StreamAbout(BaseModel):
    """Relevance between two stations: the sums of what is positive, and of what is negative."""

    above: int
    below: int
    positive: float
    negative: float


class InsideAnswer(BaseModel):
    """An explanation from the inside, from the score down. svg: the diagram, an element."""

    model: str
    method: str
    composite: str | None
    decomposes: str
    target: ClassName
    against: ClassName | None
    score: float
    arrived: float
    operations: list[Operation]
    stations: list[Station]
    streams: list[StreamAbout]
    rules: list[RuleAbout]
    svg: str
    words: str
    verdict: str | None
    conserves: bool | None
    ledger: Lost | None
    notes: list[str]
    seconds: float
    citation: list[str]
