"""A real server on loopback for tests and benchmarks, and a plain client that may send anything."""

import base64
import http.client
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import uvicorn

from whence import zoo
from whence.serve import Settings, create_app
from whence.serve._run import KEEP_ALIVE, address_of, listen

BOUNDARY = "whence-test-boundary"


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def code(self) -> str | None:
        """The code of the error, or None."""
        return self.json["error"]["code"] if self.status >= 400 else None


class Client:
    """One user: a connection of its own, kept open."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        assert parts.hostname is not None
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)

    def ask(
        self, verb: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Send one request; a body that is an object goes as JSON, bytes as they are."""
        sent = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        try:
            self._connection.request(verb, "/" + path, body, sent)
            answer = self._connection.getresponse()
            return Reply(answer.status, _lower(answer.getheaders()), answer.read())
        except (http.client.HTTPException, OSError):
            self._connection.close()  # the next request opens a new one
            raise

    def get(self, path: str, **headers: str) -> Reply:
        return self.ask("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})

    def post(self, path: str, body: Any, headers: Mapping[str, str] | None = None) -> Reply:
        return self.ask("POST", path, body, headers)

    def upload(self, path: str, fields: Mapping[str, Any], picture: bytes | None = None) -> Reply:
        """Send a form as browsers do."""
        body, kind = form(fields, picture)
        return self.post(path, body, {"Content-Type": kind})

    def begin(self, path: str, parts: Sequence[bytes], headers: Mapping[str, str]) -> Reply:
        """Send the first parts of a body of unknown length and never its end."""
        self._connection.putrequest("POST", "/" + path)
        for name, value in {**headers, "Transfer-Encoding": "chunked"}.items():
            self._connection.putheader(name, value)
        self._connection.endheaders()
        for part in parts:
            self._connection.send(b"%X\r\n%s\r\n" % (len(part), part))
        answer = self._connection.getresponse()
        return Reply(answer.status, _lower(answer.getheaders()), answer.read())

    def close(self) -> None:
        self._connection.close()


@contextmanager
def server(settings: Settings | None = None, **options: Any) -> Iterator[str]:
    """The address of a running server; it is stopped afterwards. Options: of uvicorn."""
    settings = Settings(port=0) if settings is None else settings
    listening = listen(settings.host, settings.port)
    config = uvicorn.Config(
        create_app(settings),
        log_level="critical",
        access_log=False,
        timeout_graceful_shutdown=1,
        timeout_keep_alive=KEEP_ALIVE,
        **options,
    )
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield address_of(listening, None)
    finally:
        running.should_exit = True
        thread.join(timeout=20)
        listening.close()


def form(fields: Mapping[str, Any], picture: bytes | None = None) -> tuple[bytes, str]:
    """A multipart form and its media type."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    if picture is not None:
        head = 'Content-Disposition: form-data; name="picture"; filename="picture.png"'
        parts += [f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode(), picture, b"\r\n"]
    return b"".join([*parts, f"--{BOUNDARY}--\r\n".encode()]), (
        f"multipart/form-data; boundary={BOUNDARY}"
    )


def ink(number: int) -> str:
    """A held-out digit as the API takes drawings."""
    return encoded(zoo.dataset("digits")[number].image[0].numpy() * 255)


def encoded(pixels: Any) -> str:
    """Pixels from 0 to 255 as base64 of bytes."""
    return base64.b64encode(np.asarray(pixels).astype(np.uint8).tobytes()).decode()


def decoded(numbers: Mapping[str, Any]) -> np.ndarray:
    """An array as the API sends it."""
    flat = np.frombuffer(base64.b64decode(numbers["data"]), dtype="<f4")
    return flat.reshape(numbers["shape"])


def _lower(headers: list[tuple[str, str]]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers}
