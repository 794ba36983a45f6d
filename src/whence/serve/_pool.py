"""A few worker threads with a queue: explanations run here, never in the server's own loop.

Time is limited in two ways. Each operation of torch looks at the clock (`Deadline`), so a run past
its time ends by itself at the next operation. A run that is stuck inside one operation cannot be
ended from outside; it is abandoned: its sender gets an answer, another thread takes its place, and
while too many are lost the server says that it is busy.
"""

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from torch.overrides import TorchFunctionMode

from whence.serve._problem import Problem
from whence.serve._settings import Limits

T = TypeVar("T")
_GRACE = 1.0  # seconds beyond the limit in which a run may still end by itself


class TimeUp(BaseException):
    """The time of a run is over; no handler of errors on the way may take it for a failure."""


class Deadline(TorchFunctionMode):
    """Raises `TimeUp` at the first operation of torch in this thread after so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._end = time.monotonic() + seconds

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if time.monotonic() > self._end:
            raise TimeUp
        return func(*args, **(kwargs or {}))


class _Job:
    """One run: what to do, and whom to tell that it began and how it ended."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.work = work
        self.loop = asyncio.get_running_loop()
        self.began: asyncio.Future[None] = self.loop.create_future()
        self.done: asyncio.Future[Any] = self.loop.create_future()
        self.unwanted = False  # its sender waits no longer
        self.lost = False  # its thread has been replaced

    def tell(self, future: "asyncio.Future[Any]", value: Any) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody listens
            self.loop.call_soon_threadsafe(_settle, future, value)


class Pool:
    """`running` threads for explanations, made when first needed, and a queue before them."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._pending = 0
        self._lost = 0

    async def run(self, work: Callable[[], T]) -> T:
        """The result of `work()`, or its exception; `Problem` busy or too_slow where it must be."""
        job = self._enter(work)
        try:
            await self._wait(job.began, self._limits.seconds, job)
            return await self._wait(job.done, self._limits.seconds + _GRACE, job)
        finally:
            with self._lock:
                self._pending -= 1

    def close(self) -> None:
        """Let the threads end when they have nothing to do."""
        with self._lock:
            count, self._threads = self._threads, 0
        for _ in range(count):
            self._jobs.put(None)

    def _enter(self, work: Callable[[], Any]) -> _Job:
        limits = self._limits
        with self._lock:
            if self._pending >= limits.running + limits.waiting:
                raise Problem("busy", f"{self._pending} explanations are running or waiting.")
            if self._lost >= limits.lost:
                raise Problem("busy", f"{self._lost} runs are past their time and still going on.")
            self._pending += 1
            job = _Job(work)
            if self._threads < min(limits.running, self._pending):
                self._threads += 1
                self._start()
        self._jobs.put(job)
        return job

    async def _wait(self, future: "asyncio.Future[T]", seconds: float, job: _Job) -> T:
        try:
            return await asyncio.wait_for(asyncio.shield(future), seconds)
        except TimeoutError:
            job.unwanted = True
            if not job.began.done():
                raise Problem("busy", f"No explanation ended within {seconds:g} seconds.") from None
            self._replace(job)
            raise too_slow(self._limits.seconds) from None

    def _replace(self, job: _Job) -> None:
        with self._lock:
            if not job.done.done():
                job.lost = True
                self._lost += 1
                self._start()

    def _start(self) -> None:
        threading.Thread(target=self._serve, name="whence-worker", daemon=True).start()

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            if not job.unwanted:
                job.tell(job.began, None)
                job.tell(job.done, _result_of(job.work, self._limits.seconds))
            with self._lock:
                lost = job.lost
                self._lost -= lost
            if lost:
                return  # another thread has taken this one's place
            del job  # the queue may be empty for long: hold no arrays meanwhile


def too_slow(seconds: float) -> Problem:
    """The problem of a run past its time."""
    return Problem("too_slow", f"The explanation takes longer than {seconds:g} seconds.")


def _result_of(work: Callable[[], Any], seconds: float) -> Any:
    try:
        with Deadline(seconds):
            return work()
    except TimeUp:
        return too_slow(seconds)
    except Exception as error:
        return error


def _settle(future: "asyncio.Future[Any]", value: Any) -> None:
    if future.done():
        return
    if isinstance(value, Exception):
        future.set_exception(value)
        future.exception()  # seen: its sender may wait no longer
    else:
        future.set_result(value)
