"""What goes over the wire for comparisons: methods x samples, and what the numbers say."""

from typing import Annotated

from pydantic import BaseModel, Field, StrictFloat, StrictInt

from whence.serve._schemas import Ask, Class, ClassName, Name, Numbers

MOST_METHODS, MOST_SAMPLES, MOST_SECONDS = 8, 200, 60
CONTROL = "random"
METHODS = ("lrp", "sensitivity", "gradient-times-input", CONTROL)


class AskCompare(Ask):
    """Methods to compare on the held-out samples of a model. The control `random` is always added.

    Samples given as a number are the first of one fixed random order of the held-out data.
    """

    model: Name = "digits-cnn"
    methods: list[Name] = Field(
        default_factory=lambda: list(METHODS),
        min_length=1,
        max_length=MOST_METHODS,
        description="names from api/methods; lrp with other rules is lrp:composite=NAME",
    )
    samples: Annotated[
        Annotated[StrictInt, Field(ge=1, le=MOST_SAMPLES)]
        | Annotated[list[Name], Field(min_length=1, max_length=MOST_SAMPLES)],
        Field(description=f"how many, up to {MOST_SAMPLES}, or their names"),
    ] = 20
    metric: Annotated[Name, Field(description="a name from api/compare/metrics")] = "flipping"
    budget_seconds: Annotated[
        StrictInt | StrictFloat,
        Field(
            gt=0,
            le=MOST_SECONDS,
            description=f"of explaining and measuring, up to {MOST_SECONDS}",
        ),
    ] = 5
    target: Annotated[
        Class | None,
        Field(description="a class by number or name, or label for the true one; null: predicted"),
    ] = None


class MetricEntry(BaseModel):
    """A metric that can be compared by. better: larger or smaller."""

    name: str
    summary: str
    better: str
    papers: str


class ComparedSample(BaseModel):
    """One column of the grid. relevance: of each method, by its label, as a map of places.

    Maps of large pictures hold sums over squares of `pooled` x `pooled` pixels.
    """

    name: str
    label: str | None
    target: ClassName
    picture: Numbers
    relevance: dict[str, Numbers | None]
    pooled: int


class Ends(BaseModel):
    """A mean with its interval; null where there is none."""

    mean: float | None
    low: float | None
    high: float | None


class MethodRow(BaseModel):
    """One row of the grid: a method, its mean score, its place, and what it is better than."""

    method: str
    summary: str
    score: Ends
    samples: int
    missing: int
    place: int
    beats: list[str]
    colour: str


class MeanCurveAnswer(BaseModel):
    """A curve averaged over samples, with the interval of the mean."""

    x: list[float]
    mean: list[float | None]
    low: list[float | None]
    high: list[float | None]


class PairRow(BaseModel):
    """A paired difference, first less second; p is adjusted over all pairs (Holm)."""

    first: str
    second: str
    difference: Ends
    p: float | None
    better: str | None


class Charts(BaseModel):
    """Charts as SVG texts; a metric without curves has none."""

    intervals: str
    curves: str | None


class CompareAnswer(BaseModel):
    """What is known so far. `new` holds the samples that were measured since the last answer.

    done of asked samples took `seconds` of the budget. While not finished, POST to
    api/compare/ID measures on.
    """

    id: str
    finished: bool
    model: str
    metric: MetricEntry
    protocol: str
    done: int
    asked: int
    seconds: float
    budget: float
    progress: str
    says: list[str]
    new: list[ComparedSample]
    rows: list[MethodRow]
    pairs: list[PairRow]
    curves: dict[str, MeanCurveAnswer]
    charts: Charts
    notes: list[str]
