"""Several users at once: nobody gets another's result, and memory stays bounded."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import serve as bench  # benchmarks/serve.py
from serving import Client, Reply, form, ink

USERS, ROUNDS = 8, 6
METHODS = ["lrp", "sensitivity", "smoothgrad", "guided-backprop", "deep-taylor"]
PAGES = ["", "image", "text", "compare", "prototypes", "inside", "about", "api/docs", "none"]


@pytest.fixture
def impatient_threads() -> Iterator[None]:
    """Threads take turns after every few instructions, so that what is shared shows."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def questions(user: int) -> list[tuple[str, dict[str, Any]]]:
    """Different drawings, texts, models and methods for each user."""
    digits = [
        (
            "api/explain/digit",
            {
                "pixels": ink(17 * user + k),
                "model": ["digits-cnn", "digits-mlp"][(user + k) % 2],
                "method": METHODS[(user + k) % 5],
                "target": (user + k) % 10,
            },
        )
        for k in range(ROUNDS - 2)
    ]
    texts = [("api/explain/text", {"text": f"user {user} saw {k} good films"}) for k in range(2)]
    return [*digits, *texts]


def answers(address: str, user: int, start: threading.Barrier | None = None) -> list[Any]:
    client = Client(address)
    if start is not None:
        start.wait()
    found = [_facts(client.post(path, body).json) for path, body in questions(user)]
    client.close()
    return found


def test_eight_users_at_once_get_what_each_gets_alone(
    address: str, impatient_threads: None
) -> None:
    alone = [answers(address, user) for user in range(USERS)]
    start = threading.Barrier(USERS)
    with ThreadPoolExecutor(USERS) as crowd:
        together = list(crowd.map(lambda user: answers(address, user, start), range(USERS)))

    assert together == alone
    assert [each for found in alone for each in found if "error" in each] == []


def test_eight_clients_for_seconds_without_an_error(address: str) -> None:
    found = bench.load(address, clients=8, seconds=2)
    print(*found.lines(), sep="\n")

    assert found.errors == []
    assert len(found.seconds) >= 8


def test_the_load_notices_a_wrong_answer(address: str) -> None:
    user = bench.User(address, 0)
    user.learn()
    user._wanted[1] = user._wanted[0]
    found = bench.Load()
    user.ask_until(bench.time.perf_counter() + 0.3, found)
    user.close()

    assert "an answer differs from the one given alone" in found.errors


@pytest.mark.slow
def test_eight_clients_for_a_minute_without_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["--clients", "8", "--seconds", "60"]) == 0
    assert "0 errors" in capfd.readouterr().out


@pytest.mark.slow
def test_digits_answer_within_100_ms(own_server: tuple[str, int]) -> None:
    found = bench.load(own_server[0], clients=1, seconds=10)
    found.seconds.sort()

    assert found.errors == []
    assert found.seconds[int(0.95 * len(found.seconds))] < 0.1


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")
def test_memory_is_bounded_over_a_thousand_requests(own_server: tuple[str, int]) -> None:
    address, process = own_server
    client = Client(address)
    warm_up = [_one_of_all(client, k) for k in range(300)]
    before = resident_megabytes(process)
    statuses = [_one_of_all(client, k) for k in range(1000)]
    growth = resident_megabytes(process) - before
    client.close()
    print(f"{growth:.1f} MB more after 1,000 requests, {before:.0f} MB before")

    assert set(warm_up) == set(statuses) == {200, 404, 413, 415, 422}
    assert growth < 20


@pytest.fixture
def own_server() -> Iterator[tuple[str, int]]:
    """A server in a process of its own: its address and number."""
    command = [sys.executable, "-m", "whence", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        yield bench._address(running), running.pid
        running.terminate()


def resident_megabytes(process: int) -> float:
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def _one_of_all(client: Client, k: int) -> int:
    """A request of each kind in turn, a few of them wrong."""
    body: dict[str, Any] = {"pixels": ink(k % 300), "method": METHODS[k % len(METHODS)]}
    kinds = [
        lambda: client.post("api/explain/digit", body),
        lambda: client.post("api/explain/digit", body | {"model": "digits-mlp"}),
        lambda: client.post("api/explain/text", {"text": f"film number {k} " * (1 + k % 9)}),
        lambda: client.post("api/explain/digit", body | {"target": 99}),
        lambda: client.upload("api/explain/image", {"model": "digits-cnn"}, bytes(50_000)),
        lambda: client.post("api/explain/text", {"text": "a" * 30_000}),
        lambda: client.get("api/samples?model=digits-cnn"),
        lambda: client.post("api/inside", {"pixels": ink(k % 300), "target": k % 10}),
        lambda: client.post("api/prototypes", {"classes": [k % 10], "steps": 3, "seed": k}),
        lambda: client.get(PAGES[k // 12 % len(PAGES)], Accept="text/html"),
        lambda: _plain(client, "text", {"model": "sst-lstm", "text": f"film {k}"}),
        lambda: _plain(client, "image", {"model": "digits-cnn", "sample": "none"}),
    ]
    if k % 50 == 49:  # each takes a good part of a second
        return client.post("api/compare", {"samples": 1, "methods": ["lrp"]}).status
    return kinds[k % len(kinds)]().status


def _plain(client: Client, path: str, fields: dict[str, str]) -> Reply:
    """A form of a page without JavaScript."""
    body, kind = form(fields)
    return client.post(path, body, {"Content-Type": kind, "Accept": "text/html"})


def _facts(answer: dict[str, Any]) -> dict[str, Any]:
    return {key: each for key, each in answer.items() if key != "seconds"}
