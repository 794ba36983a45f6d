"""Load on a server on loopback: throughput and latency of digits, with every answer checked.

    python benchmarks/serve.py --clients 8 --seconds 60

Starts a server in a process of its own. Each client has one connection and asks again as soon as it
has its answer; each draws digits and classes of its own, and compares the relevance, bit by bit,
with what the server gave to it alone. Prints p50, p95 and p99; any error or difference ends with 1.
"""

import argparse
import base64
import http.client
import json
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from whence import zoo

QUESTIONS = 6  # of each client


@dataclass
class Load:
    """What the clients saw."""

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    took: float = 0.0

    def lines(self) -> list[str]:
        """The result in words."""
        times = np.array(self.seconds or [np.nan]) * 1e3
        p50, p95, p99 = np.percentile(times, [50, 95, 99])
        rate = len(self.seconds) / max(self.took, 1e-9)
        return [
            f"{len(self.seconds)} answers in {self.took:.1f} s: {rate:.1f} a second, "
            f"{len(self.errors)} errors",
            f"latency: p50 {p50:.1f}, p95 {p95:.1f}, p99 {p99:.1f}, most {times.max():.1f} ms",
            *dict.fromkeys(self.errors[:5]),
        ]


def main(arguments: list[str] | None = None) -> int:
    """Run the load; returns 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--address", help="of a running server; else one is started")
    given = parser.parse_args(arguments)
    if given.address:
        found = load(given.address, given.clients, given.seconds)
    else:
        command = [sys.executable, "-m", "whence", "serve", "--port", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                found = load(_address(server), given.clients, given.seconds)
            finally:
                server.terminate()
    print(f"{given.clients} clients", *found.lines(), sep="\n")
    return 1 if found.errors else 0


def load(address: str, clients: int, seconds: float) -> Load:
    """Ask from so many clients for so long."""
    found = Load()
    users = [User(address, number) for number in range(clients)]
    for user in users:
        user.learn()
    began = time.perf_counter()
    threads = [
        threading.Thread(target=user.ask_until, args=(began + seconds, found)) for user in users
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found.took = time.perf_counter() - began
    for user in users:
        user.close()
    return found


class User:
    """One client with questions of its own, and the answers it must get."""

    def __init__(self, address: str, number: int) -> None:
        parts = urlsplit(address)
        assert parts.hostname is not None
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
        digits = zoo.dataset("digits")
        self._questions = [
            {
                "pixels": _bytes(digits[QUESTIONS * number + k].image[0].numpy()),
                "target": (number + k) % 10,
                "against": (number + k + 1 + number % 9) % 10 if k % 2 else None,
            }
            for k in range(QUESTIONS)
        ]
        self._wanted: list[Any] = []

    def learn(self) -> None:
        """The answers while nobody else asks."""
        self._wanted = [_facts(self._ask(question)) for question in self._questions]

    def ask_until(self, end: float, found: Load) -> None:
        """Ask and compare until the time is over."""
        k = 0
        while time.perf_counter() < end:
            began = time.perf_counter()
            try:
                if _facts(self._ask(self._questions[k])) != self._wanted[k]:
                    found.errors.append("an answer differs from the one given alone")
            except (OSError, http.client.HTTPException, ValueError) as error:
                found.errors.append(f"{type(error).__name__}: {error}")
                self._connection.close()
            else:
                found.seconds.append(time.perf_counter() - began)
            k = (k + 1) % QUESTIONS

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def _ask(self, question: Any) -> Any:
        headers = {"Content-Type": "application/json"}
        self._connection.request("POST", "/api/explain/digit", json.dumps(question), headers)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise ValueError(f"status {answer.status}: {body[:200]!r}")
        return json.loads(body)


def _facts(answer: Any) -> Any:
    return {key: each for key, each in answer.items() if key != "seconds"}


def _bytes(picture: Any) -> str:
    return base64.b64encode((picture * 255).astype(np.uint8).tobytes()).decode()


def _address(server: "subprocess.Popen[str]") -> str:
    assert server.stdout is not None
    for line in server.stdout:
        if line.startswith("Whence is at "):
            return line.split()[3]
    raise SystemExit("The server did not start.")


if __name__ == "__main__":
    sys.exit(main())
