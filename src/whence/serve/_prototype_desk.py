"""Searches for prototypes on a server: one at a time, each to be followed, stopped, remembered."""

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from starlette.requests import Request
from torch import Tensor

from whence import runs
from whence.serve._desk import Desk
from whence.serve._problem import Problem
from whence.serve._prototype_making import make, seek
from whence.serve._prototype_reality import Realities
from whence.serve._prototype_schemas import AskPrototypes, Gallery, Progress, Stopped

_KEPT, _LETTERS = 32, 32_000_000  # galleries that are remembered; letters of all their numbers
_SHARE = 0.7  # of the time of a request, after which no search goes on: scores are still to come
_PATIENCE = 0.4  # of it, that a density is waited for
_LOOK = 0.5  # seconds between looks whether who asked is still there


@dataclass
class Run:
    """A search that is under way."""

    steps: int = 0
    step: int = 0
    objective: float | None = None
    doing: str = "waiting for its turn"
    stop: bool = False
    end: float = field(default=float("inf"))

    def told(self, step: int, objective: Tensor, prior: Tensor) -> None:
        """Hears of each step from the ascent, which ends with what it has on KeyboardInterrupt."""
        self.doing, self.step = "climbing", step
        self.objective = float(objective.mean())
        if self.stop or time.monotonic() > self.end:
            raise KeyboardInterrupt


class Galleries:
    """The searches of a server. One worker at most works on them, so that others get answers."""

    def __init__(self) -> None:
        self._memory = runs.PrototypeMemory()
        self._realities: Realities | None = None
        self._remembered: OrderedDict[str, Gallery] = OrderedDict()
        self._running: dict[str, Run] = {}
        self._turn = asyncio.Semaphore(1)

    async def gallery(self, desk: Desk, request: Request, asked: AskPrototypes) -> Gallery:
        """The gallery of a question: remembered, or made now within the limits."""
        key = asked.model_dump_json(exclude={"ticket", "seconds"})
        if key in self._remembered:
            self._remembered.move_to_end(key)
            return self._remembered[key].model_copy(update={"remembered": True})
        ticket = asked.ticket or secrets.token_hex(16)
        run = self._enter(desk, ticket)
        try:
            async with self._its_turn(desk), _watching(request, run):
                found = await desk.work(lambda: self._make(desk, asked, run))
        finally:
            del self._running[ticket]
        if found.finished:
            self._keep(key, found)
        return found

    def progress(self, ticket: str) -> Progress:
        """How far a search is."""
        run = self._running.get(ticket)
        if run is None:
            return Progress(running=False, doing="", step=0, steps=0, objective=None)
        return Progress(
            running=True,
            doing=run.doing,
            step=run.step,
            steps=run.steps,
            objective=run.objective,
        )

    def stop(self, ticket: str) -> Stopped:
        """End a search at its next step; who asked for it gets what it has reached."""
        run = self._running.get(ticket)
        if run is not None:
            run.stop = True
        return Stopped(stopped=run is not None)

    def _make(self, desk: Desk, asked: AskPrototypes, run: Run) -> Gallery:
        last = time.monotonic() + _SHARE * desk.settings.limits.seconds
        net = desk.shelf.model(asked.model, "digits", "image")
        sought = seek(net, asked, desk.settings.root)
        run.steps, run.doing = sought.steps, "looking at the data"
        if self._realities is None:
            self._realities = Realities(desk.settings.root)
        real = self._realities.of(net)

        def told(step: int, objective: Tensor, prior: Tensor) -> None:
            if step == 0:
                run.end = min(time.monotonic() + asked.seconds, last)
            run.told(step, objective, prior)

        return make(sought, self._memory, real, told, _PATIENCE * desk.settings.limits.seconds)

    def _enter(self, desk: Desk, ticket: str) -> Run:
        if len(self._running) >= desk.settings.limits.waiting:
            raise Problem("busy", f"{len(self._running)} searches are waiting already.")
        if ticket in self._running:
            raise Problem("bad_field", "ticket: another search has this one; take a new word.")
        self._running[ticket] = Run()
        return self._running[ticket]

    def _keep(self, key: str, found: Gallery) -> None:
        self._remembered[key] = found
        while len(self._remembered) > 1 and (
            len(self._remembered) > _KEPT or sum(map(_size, self._remembered.values())) > _LETTERS
        ):
            self._remembered.popitem(last=False)

    @asynccontextmanager
    async def _its_turn(self, desk: Desk) -> AsyncIterator[None]:
        try:
            await asyncio.wait_for(self._turn.acquire(), desk.settings.limits.seconds)
        except TimeoutError:
            raise Problem("busy", "Other searches for prototypes are not done yet.") from None
        try:
            yield
        finally:
            self._turn.release()


@asynccontextmanager
async def _watching(request: Request, run: Run) -> AsyncIterator[None]:
    """Ends a search that nobody waits for any longer."""

    async def watch() -> None:
        while not await request.is_disconnected():
            await asyncio.sleep(_LOOK)
        run.stop = True

    task = asyncio.create_task(watch())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _size(gallery: Gallery) -> int:
    pictures = sum(
        len(each.png) + (len(each.nearest.png) if each.nearest else 0)
        for each in gallery.prototypes
    )
    return len(gallery.inputs.data) + pictures
