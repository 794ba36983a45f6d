"""Comparisons under way. A request measures a little and answers; nothing runs between requests.

So a comparison that nobody asks about costs no time, and is forgotten after a while. Its number is
a secret of whoever began it: nobody sees another's results.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from whence.errors import WhenceError
from whence.serve._compare_answer import answer_of
from whence.serve._compare_question import begin
from whence.serve._compare_schemas import AskCompare, CompareAnswer
from whence.serve._compare_work import Comparison
from whence.serve._desk import Desk
from whence.serve._problem import Problem

STEP = 1.0  # seconds of measuring between two answers
_PAUSE = 0.02


@dataclass(eq=False)
class Job:
    """One comparison, and when it was last asked about."""

    held: Comparison
    asked: float = field(default_factory=time.monotonic)
    working: bool = False


class Jobs:
    """At most `limits.comparisons` at a time, each dropped when not asked about for `idle` seconds.

    Of the worker threads one is always left to others: comparisons take turns.
    """

    def __init__(self, desk: Desk, idle: float = 60.0) -> None:
        self._desk, self._idle = desk, idle
        self._jobs: dict[str, Job] = {}
        self._turns = asyncio.Semaphore(max(1, desk.settings.limits.running - 1))

    def __len__(self) -> int:
        self._forget()
        return len(self._jobs)

    async def begin(self, asked: AskCompare) -> CompareAnswer:
        """Begin a comparison, and measure a first step."""
        self._make_room()
        number = secrets.token_urlsafe(16)
        async with self._turn():
            held = await self._desk.work(lambda: begin(self._desk, asked))
        self._make_room()
        self._jobs[number] = Job(held)
        return await self.go_on(number)

    async def go_on(self, number: str) -> CompareAnswer:
        """Measure the next step of a comparison; of one that is finished, only answer."""
        job = self._job(number)
        if job.working:
            raise Problem("busy", "This comparison is being worked on for another request.")
        job.working = True
        try:
            async with self._turn():
                return await self._desk.work(lambda: _stepped(number, job.held))
        except Problem as problem:
            if problem.code != "busy":  # the next sample would fail as this one did
                self.drop(number)
            raise
        finally:
            job.working, job.asked = False, time.monotonic()

    async def stop(self, number: str) -> CompareAnswer:
        """End a comparison: what is known, and it is forgotten. A step under way ends first."""
        job = self._job(number)
        job.held.stopped = True
        while job.working:
            await asyncio.sleep(_PAUSE)
        answer = await self.go_on(number)
        self.drop(number)
        return answer

    def drop(self, number: str) -> None:
        """Forget a comparison."""
        self._jobs.pop(number, None)

    def _job(self, number: str) -> Job:
        self._forget()
        if number not in self._jobs:
            raise Problem("unknown_comparison", "There is no comparison of this number here.")
        job = self._jobs[number]
        job.asked = time.monotonic()
        return job

    def _forget(self) -> None:
        now = time.monotonic()
        old = [n for n, j in self._jobs.items() if not j.working and now - j.asked > self._idle]
        for number in old:
            del self._jobs[number]

    def _make_room(self) -> None:
        """Room for one more; those that are finished go first."""
        self._forget()
        most = self._desk.settings.limits.comparisons
        over = [n for n, job in self._jobs.items() if job.held.finished and not job.working]
        for number in over[: max(0, len(self._jobs) - most + 1)]:
            del self._jobs[number]
        if len(self._jobs) >= most:
            raise Problem("busy", f"{len(self._jobs)} comparisons are under way.")

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._desk.settings.limits.seconds):
                await self._turns.acquire()
        except TimeoutError:
            raise Problem("busy", "Other comparisons are being worked on.") from None
        try:
            yield
        finally:
            self._turns.release()


def _stepped(number: str, held: Comparison) -> CompareAnswer:
    try:
        return answer_of(number, held, held.step(STEP))
    except WhenceError as error:
        text = " ".join(str(error).split())[:300]
        raise Problem("not_explained", f"{held.net.name}: {text}") from error
