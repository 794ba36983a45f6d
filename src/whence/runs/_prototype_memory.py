"""Prototypes without files: what searches learn from data is kept in memory, and bounded."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from whence.prototypes import GaussianBinaryRBM, Prototypes
from whence.runs._maximize import Effort, check_count, climb
from whence.runs._prototype_ask import Search
from whence.runs._prototype_making import Known, Training, needs_data, prior_of, read_known

Say = Callable[[str], None]


class PrototypeMemory:
    """Searches that share data and density experts, for servers: nothing is written.

    most: pictures that means and densities are learnt from. kept: data sets, and experts, that stay
    in memory; the one used longest ago goes first. Several threads may use it.
    """

    def __init__(self, most: int = 2000, kept: int = 4) -> None:
        self._most, self._kept = most, kept
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[Known, list[str]]] = OrderedDict()
        self._experts: OrderedDict[str, Future[GaussianBinaryRBM]] = OrderedDict()

    def find(
        self,
        search: Search,
        effort: Effort,
        say: Say = lambda line: None,
        patience: float | None = None,
    ) -> Prototypes:
        """What `find_prototypes` finds. Experts are trained with seed 0, so that another seed of
        the search changes its start and not what it holds for likely.

        An expert is trained in a thread of its own. Raises `TimeoutError` where it is not ready
        after `patience` seconds; it goes on learning, and who asks again later finds it.
        """
        check_count(search, effort)
        with self._lock:
            known = self._data(search, say)
        prior = prior_of(search, known, lambda data: self._expert(search, data, patience, say))
        return climb(search, known, prior, effort)

    def _data(self, search: Search, say: Say) -> Known | None:
        """The data of a search, as its model sees them."""
        if not needs_data(search):
            return None

        def read() -> tuple[Known | None, list[str]]:
            notes: list[str] = []
            return read_known(search, notes.append, self._most), notes

        key = f"{search.data}, {search.preprocess}"
        known, told = self._remembered(self._known, key, read)
        for note in told:
            say(note)
        return known

    def _expert(
        self, search: Search, known: Known, patience: float | None, say: Say
    ) -> GaussianBinaryRBM:
        training = Training.of(search, seed=0)
        key = f"{search.data}, {search.preprocess}, {training}"
        with self._lock:
            told = self._remembered(
                self._experts, key, lambda: _begun(lambda: training.run(search, known, False, say))
            )
        try:
            return told.result(patience)
        finally:
            if told.done() and told.exception() is not None:  # the next one tries again
                with self._lock:
                    self._experts.pop(key, None)

    def _remembered(self, shelf: OrderedDict[str, Any], key: str, make: Callable[[], Any]) -> Any:
        if key not in shelf:
            shelf[key] = make()
        shelf.move_to_end(key)
        while len(shelf) > self._kept:
            shelf.popitem(last=False)
        return shelf[key]


def _begun(work: Callable[[], GaussianBinaryRBM]) -> "Future[GaussianBinaryRBM]":
    """What `work()` will return; it runs in a thread that ends with the program."""
    future: Future[GaussianBinaryRBM] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:
            future.set_exception(error)

    threading.Thread(target=run, name="whence-expert", daemon=True).start()
    return future
