"""What goes over the wire: the requests and answers of the JSON API.

Arrays of floats travel as base64 of little-endian float32 with their shape (`Numbers`).
"""

import base64
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr

Kind = Literal["digits", "image", "text", "language"]
Name = Annotated[StrictStr, Field(max_length=200)]
Class = StrictInt | Name
IN_WORDS = {
    "model": "a name from api/models",
    "method": "a name from api/methods",
    "composite": "which rule where, for lrp; null is the method's default",
    "depth": "a layer from api/models; null is the picture",
    "target": "a class by number or name; null is the highest score",
    "against": "a class to contrast with, by number or name",
    "picture": "a PNG, JPEG, WebP, BMP or GIF file",
    "sample": "a name from api/samples, in place of a file",
    "text": "one text",
    "texts": "several texts, in place of one",
    "without": "numbers of words of `text`, from 0, that the model does not get to read",
}


def in_words(schema: dict[str, Any]) -> None:
    """Adds to a JSON schema what fields of many requests mean."""
    for name, field in schema["properties"].items():
        if name in IN_WORDS:
            field.setdefault("description", IN_WORDS[name])


class Ask(BaseModel):
    """A request: no fields but those that are listed, and no conversion of types."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra=in_words)


class AskDigit(Ask):
    """A drawing and what to ask about it. `target` null is the highest score."""

    model: Name = "digits-cnn"
    pixels: StrictStr = Field(description="base64 of height x width bytes, 0 paper to 255 ink")
    height: Annotated[StrictInt, Field(ge=1)] | None = Field(
        None, description="rows of the drawing; left out, the drawing is square"
    )
    method: Name = "lrp"
    composite: Name | None = None
    depth: Name | None = None
    target: Class | None = None
    against: Class | None = None


class AskText(Ask):
    """One text or several, and what to ask about them."""

    model: Name = "sst-lstm"
    text: StrictStr | None = None
    texts: list[StrictStr] | None = None
    without: list[Annotated[StrictInt, Field(ge=0)]] | None = None
    method: Name = "lrp"
    composite: Name | None = None
    target: Class | None = None
    against: Class | None = None


class Numbers(BaseModel):
    """An array: base64 of little-endian float32, row by row."""

    shape: list[int]
    data: str

    @classmethod
    def of(cls, array: Any) -> "Numbers":
        """The array as it travels."""
        values = np.ascontiguousarray(array, dtype="<f4")
        return cls(shape=list(values.shape), data=base64.b64encode(values.tobytes()).decode())


class ClassName(BaseModel):
    """A class by number and name."""

    index: int
    name: str


class ClassScore(ClassName):
    """A class, its score, and its share in the softmax of the scores."""

    score: float
    probability: float


class Lost(BaseModel):
    """The ledger's totals: relevance that did not arrive at the inputs, by reason."""

    bias: float
    epsilon: float
    dropped: float
    softmax: float


class Answer(BaseModel):
    """An explanation of a picture.

    relevance: of each pixel that the model sees (of each place of the layer, where `depth` was
    asked), summed over channels. picture: what the model sees, (height, width) grey or (height,
    width, 3), in 0..1. positive, negative: the sums of the pixels for and against. classes: all, or
    the highest and those asked about.
    """

    model: str
    method: str
    composite: str | None
    depth: str | None
    target: ClassName
    against: ClassName | None
    score: float
    classes: list[ClassScore]
    relevance: Numbers
    positive: float
    negative: float
    picture: Numbers
    decomposes: str
    verdict: str | None
    conserves: bool | None
    ledger: Lost | None
    notes: list[str]
    seconds: float
    citation: list[str]


class TextItem(BaseModel):
    """The explanation of one text: its words and their relevance.

    deleted: numbers of the words that were left out; their relevance is null. unknown: numbers of
    words that the model takes for one and the same unknown word. specials: tokens that are no
    words, whose relevance is told apart. positive, negative: the sums of the words for and against.
    """

    text: str
    target: ClassName
    against: ClassName | None
    score: float
    classes: list[ClassScore]
    words: list[str]
    relevance: list[float | None]
    deleted: list[int]
    unknown: list[int]
    specials: list[str]
    special_relevance: list[float]
    positive: float
    negative: float
    verdict: str | None
    conserves: bool | None
    ledger: Lost | None
    notes: list[str]


class TextAnswer(BaseModel):
    """Explanations of texts, in the order they were sent."""

    model: str
    method: str
    composite: str | None
    decomposes: str
    texts: list[TextItem]
    seconds: float
    citation: list[str]


class ModelEntry(BaseModel):
    """A model that is offered. layers: where `depth` may stop."""

    name: str
    kind: Kind
    title: str
    classes: list[str]
    input: list[int] | None
    layers: list[str]


class Line(BaseModel):
    """A method, composite or rule."""

    name: str
    summary: str
    decomposes: str
    papers: str
    takes_composite: bool | None = None


class MethodsAnswer(BaseModel):
    """What can be asked; of one model, if it is named."""

    methods: list[Line]
    composites: list[Line]
    rules: list[Line]


class SampleEntry(BaseModel):
    """A sample: its name, its true class where known, and its address for the bytes."""

    name: str
    label: str | None
    url: str


class Wrong(BaseModel):
    """Why a request was not answered."""

    code: str
    message: str
    what_to_do: str


class ErrorAnswer(BaseModel):
    """The body of every answer with a status of 400 or more."""

    error: Wrong
