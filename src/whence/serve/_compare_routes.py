"""Comparisons over the wire: begin one, measure on, stop."""

from fastapi import APIRouter, Path

from whence.serve._compare_jobs import Jobs
from whence.serve._compare_metrics import entries
from whence.serve._compare_schemas import AskCompare, CompareAnswer, MetricEntry
from whence.serve._schemas import ErrorAnswer
from whence.serve._strict import StrictRoute

_WRONG = {code: {"model": ErrorAnswer} for code in (400, 404, 413, 415, 422, 503, 504)}
_NUMBER = Path(max_length=60, description="the id of an answer")


def compare_api(jobs: Jobs) -> APIRouter:
    """The routes of comparisons."""
    router = APIRouter(
        prefix="/api/compare", tags=["comparing"], route_class=StrictRoute, responses={**_WRONG}
    )

    @router.get("/metrics")
    async def metrics() -> list[MetricEntry]:
        """The metrics that methods can be compared by."""
        return entries()

    @router.post("")
    async def begin(asked: AskCompare) -> CompareAnswer:
        """Compare methods on held-out samples: explain, measure, and answer after the first second.

        Measuring goes on with each further request for the answer's id, until it is finished.
        """
        return await jobs.begin(asked)

    @router.post("/{number}")
    async def go_on(number: str = _NUMBER) -> CompareAnswer:
        """Measure on for about a second. A comparison not asked about for a minute is dropped."""
        return await jobs.go_on(number)

    @router.post("/{number}/stop")
    async def stop(number: str = _NUMBER) -> CompareAnswer:
        """End a comparison before its budget is spent: what is known, for the last time."""
        return await jobs.stop(number)

    return router
