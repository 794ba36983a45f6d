"""Prototypes over the wire: what is asked, how far it is, and the gallery."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr

from whence.serve._schemas import Ask, Class, ClassName, ClassScore, Name, Numbers

Prior = Literal["none", "l2", "tv", "density", "generator"]
Start = Literal["noise", "mean", "class-means"]
Ticket = Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9-]{8,64}$")]
MOST_CLASSES, MOST_STEPS, MOST_SECONDS, MOST_STRENGTH = 60, 1000, 15.0, 1000.0


class AskPrototypes(Ask):
    """Which prototypes to look for. The same question gives the same gallery."""

    model: Name = "digits-cnn"
    classes: Annotated[list[Class], Field(min_length=1, max_length=MOST_CLASSES)] | None = Field(
        None, description="classes by number or name; null is all, where they are few"
    )
    prior: Prior = Field("none", description="what is known of inputs, from api/prototypes/choices")
    strength: Annotated[float, Field(ge=0, le=MOST_STRENGTH, allow_inf_nan=False)] = Field(
        1.0, description="times the prior's usual weight"
    )
    start: Start | None = Field(None, description="where the search begins; null is the usual")
    count: Annotated[StrictInt, Field(ge=1, le=6)] = Field(1, description="for each class")
    steps: Annotated[StrictInt, Field(ge=1, le=MOST_STEPS)] | None = Field(
        None, description="steps uphill; null is the usual number for the model"
    )
    seed: Annotated[StrictInt, Field(ge=0, lt=2**31)] = 0
    seconds: Annotated[float, Field(ge=0.1, le=MOST_SECONDS, allow_inf_nan=False)] = Field(
        8.0, description="the search ends after them with what it has reached"
    )
    ticket: Ticket | None = Field(
        None, description="a random word of yours, to follow the search or to stop it"
    )


class AskTicket(Ask):
    """The search that is meant."""

    ticket: Ticket


class GivenNumbers(BaseModel):
    """An array as answers carry it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    shape: Annotated[list[Annotated[StrictInt, Field(ge=1)]], Field(max_length=4)]
    data: StrictStr


class AskInput(Ask):
    """An input in the numbers that the model takes, such as a prototype, and what to ask of it."""

    model: Name
    input: GivenNumbers
    method: Name = "lrp"
    composite: Name | None = None
    depth: Name | None = None
    target: Class | None = None
    against: Class | None = None


class PriorChoice(BaseModel):
    """A prior that a model can be asked with."""

    name: Prior
    text: str


class Choices(BaseModel):
    """What can be asked for of a model. most: prototypes at once. steps: the usual number."""

    model: str
    priors: list[PriorChoice]
    starts: list[Start]
    most: int
    steps: int
    data: str | None


class Progress(BaseModel):
    """How far a search is; `running` false: it has not begun, or is over."""

    running: bool
    doing: str
    step: int
    steps: int
    objective: float | None


class Stopped(BaseModel):
    """Whether there was a search to stop."""

    stopped: bool


class Nearest(BaseModel):
    """The real picture nearest to a prototype; `png` is base64 of a PNG file."""

    name: str
    label: str | None
    distance: float
    png: str


class Prototype(BaseModel):
    """A prototype and how real it is.

    png: its picture, base64 of a PNG file. score, probability: what the model gives its class.
    read_as: the class with the highest score. objective: what was climbed, without the prior;
    prior: its reward.
    """

    target: ClassName
    png: str
    score: float
    probability: float
    read_as: ClassScore
    objective: float
    prior: float
    steps: int
    nearest: Nearest | None


class Reality(BaseModel):
    """The real pictures that prototypes are measured against.

    distance: Euclidean, black to white being 1 in each number that the model sees. usual: the
    median distance of a real picture to the nearest other one.
    """

    data: str
    pictures: int
    usual: float


class Gallery(BaseModel):
    """Prototypes. inputs: (prototypes, channels, height, width), in the numbers the model takes.

    finished: whether all steps were taken. command: what finds the same in a terminal. remembered:
    whether the same question was answered before; `seconds` are then those of that time.
    """

    model: str
    prior: Prior
    strength: float
    start: str
    form: str
    seed: int
    count: int
    steps: int
    finished: bool
    prototypes: list[Prototype]
    inputs: Numbers
    reality: Reality | None
    notes: list[str]
    citation: list[str]
    command: str
    seconds: float
    remembered: bool
