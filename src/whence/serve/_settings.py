"""What the operator of a server decides, with the defaults of a desk: one machine, one person."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from whence.errors import InvalidInput

LOOPBACK = ("127.0.0.1", "localhost", "::1")
_PREFIX = re.compile(r"(/[\w.~-]+)+", re.ASCII)
_OWN = tuple("about api compare image inside openapi.json prototypes static text".split())


@dataclass(frozen=True)
class Limits:
    """What one request may ask for, and how many may run at once.

    body: bytes of a whole request. pixels: of an uploaded picture, height times width. side: of a
    drawing, and the longest side of a picture. text: characters of one text. texts: in one request.
    seconds: of run time. running: explanations at once; waiting: requests that may queue for one
    (more get "busy"). lost: runs past their time that may still occupy a thread. models: kept
    loaded. comparisons: under way at once.
    """

    body: int = 12 * 2**20
    pixels: int = 40_000_000
    side: int = 512
    text: int = 20_000
    texts: int = 32
    seconds: float = 20.0
    running: int = 2
    waiting: int = 32
    lost: int = 4
    models: int = 6
    comparisons: int = 4


@dataclass(frozen=True)
class Settings:
    """How a server is set up.

    host, port: where it listens; port 0 is any free one. token: a word that every request must
    show; None for none. root: the folder with data and weights, else $WHENCE_DATA. models: names or
    folders offered beside those of the package and the data folder, by the operator only. hosts:
    further names by which browsers reach the server, such as that of a proxy. prefix: the path
    below which a proxy shows the application, such as "/whence"; whether the proxy cuts it off or
    not is all the same. It must not be an address of the application, such as "/api".

    Raises `InvalidInput` for a prefix of another form.
    """

    host: str = "127.0.0.1"
    port: int = 8321
    token: str | None = None
    root: Path | None = None
    models: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    prefix: str = ""
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        first = self.prefix.split("/")[1:2]
        if self.prefix and (not _PREFIX.fullmatch(self.prefix) or first[0] in _OWN):
            raise InvalidInput(
                "A prefix must be a path such as /whence, without a slash at its end, and none of "
                f"the application's own addresses ({', '.join(_OWN)}), got {self.prefix!r}."
            )

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the server."""
        return self.host in LOOPBACK
