"""Work runs in threads, within its time, and never more of it than allowed."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch

import whence
from whence import zoo
from whence.serve import Limits, Problem
from whence.serve._pool import Deadline, Pool, TimeUp


def test_work_runs_in_another_thread_and_its_result_comes_back() -> None:
    found = asyncio.run(Pool(Limits()).run(threading.get_ident))

    assert found != threading.get_ident()


def test_an_exception_comes_back_as_it_is() -> None:
    def fails() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError, match="x"):
        asyncio.run(Pool(Limits()).run(fails))


def test_a_long_computation_ends_at_its_next_operation() -> None:
    ended = threading.Event()

    def endless() -> None:
        try:
            count_up()
        finally:
            ended.set()

    assert code_of(Pool(Limits(seconds=0.1)), endless) == "too_slow"
    assert ended.wait(2)


def test_a_stuck_run_is_abandoned_and_another_thread_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("whence.serve._pool._GRACE", 0.1)
    pool = Pool(Limits(running=1, seconds=0.1))
    stuck = threading.Event()

    async def both() -> int:
        with pytest.raises(Problem, match="takes longer"):
            await pool.run(stuck.wait)
        return await pool.run(lambda: 7)

    assert asyncio.run(both()) == 7
    stuck.set()


def test_while_too_many_are_lost_the_server_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whence.serve._pool._GRACE", 0.1)
    pool = Pool(Limits(running=1, seconds=0.1, lost=1))
    stuck = threading.Event()

    async def three() -> tuple[str, int]:
        with pytest.raises(Problem, match="takes longer"):
            await pool.run(stuck.wait)
        with pytest.raises(Problem) as busy:
            await pool.run(lambda: 7)
        stuck.set()
        await asyncio.sleep(0.3)
        return busy.value.code, await pool.run(lambda: 7)

    assert asyncio.run(three()) == ("busy", 7)


def test_beyond_the_queue_the_answer_is_busy() -> None:
    pool = Pool(Limits(running=1, waiting=2))
    gate = threading.Event()

    async def crowd() -> list[Any]:
        asked = [asyncio.ensure_future(pool.run(gate.wait)) for _ in range(5)]
        await asyncio.sleep(0.05)
        gate.set()
        return await asyncio.gather(*asked, return_exceptions=True)

    found = asyncio.run(crowd())
    refused = [each for each in found if isinstance(each, Problem)]

    assert found.count(True) == 3
    assert [each.code for each in refused] == ["busy", "busy"]
    assert refused[0].headers == {"Retry-After": "1"}


def test_never_more_run_at_once_than_allowed() -> None:
    pool = Pool(Limits(running=2, waiting=20))
    lock, now, most = threading.Lock(), [0], [0]

    def work() -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.01)
        with lock:
            now[0] -= 1

    async def crowd() -> None:
        await asyncio.gather(*(pool.run(work) for _ in range(12)))

    asyncio.run(crowd())

    assert most[0] == 2


def test_closing_ends_the_threads() -> None:
    pool = Pool(Limits(running=1))
    worker = asyncio.run(pool.run(threading.current_thread))
    again = asyncio.run(pool.run(threading.current_thread))
    pool.close()
    worker.join(5)

    assert again is worker
    assert not worker.is_alive()


def test_watching_the_clock_changes_no_explanation() -> None:
    net = zoo.model("digits-cnn")
    inputs = net.preprocess(zoo.dataset("digits")[5].image[None])
    plain = whence.explain(net.module, inputs, 3)
    with Deadline(60):
        watched = whence.explain(net.module, inputs, 3)

    assert torch.equal(plain.relevance, watched.relevance)
    assert plain.ledger.verdict == watched.ledger.verdict


def test_an_explanation_past_its_time_leaves_the_model_untouched() -> None:
    net = zoo.model("digits-cnn").module
    before = {name: each.clone() for name, each in net.state_dict().items()}
    versions = [each._version for each in net.parameters()]
    with pytest.raises(TimeUp), Deadline(-1):
        whence.explain(net, torch.rand(1, 1, 32, 32), method="smoothgrad")

    assert all(torch.equal(before[name], each) for name, each in net.state_dict().items())
    assert [each._version for each in net.parameters()] == versions
    assert all(each.grad is None and each.requires_grad for each in net.parameters())
    assert not net.training
    assert torch.is_grad_enabled()


def count_up() -> None:
    x = torch.zeros(1)
    while True:
        x = x + 1


def code_of(pool: Pool, work: Callable[[], Any]) -> str:
    with pytest.raises(Problem) as found:
        asyncio.run(pool.run(work))
    return found.value.code
