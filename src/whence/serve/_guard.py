"""What stands before every request: host, origin, token and size; and the headers after it."""

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Callable
from contextlib import suppress
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from whence.serve._problem import Problem
from whence.serve._settings import LOOPBACK, Settings

COOKIE = "whence-token"
POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Nobody else is told. With "no-referrer" browsers would send forms with no origin.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
_LOG = logging.getLogger("whence.serve")
_FORGOTTEN = 8  # times the limit of a body
_PATIENCE = 5.0  # seconds
_SAFE = ("GET", "HEAD", "OPTIONS")

Answering = Callable[[Request, Problem], Response]


class Guard:
    """ASGI middleware. `answer` makes the response of a problem.

    On loopback only known names are taken as host, so that no foreign page can reach the server by
    a name of its own that it points here. Whatever changes nothing may come from anywhere; all else
    must come from the server's own pages, or from programs, which send no Origin.
    """

    def __init__(self, app: ASGIApp, settings: Settings, answer: Answering) -> None:
        self._app, self._settings, self._answer = app, settings, answer
        token = settings.token
        self._token = None if token is None else token.encode()
        self._cookie = "" if token is None else _fingerprint(token)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # there are no web sockets here
            await send({"type": "websocket.close", "code": 1008})
            return
        scope = placed(scope, self._settings.prefix)
        out = _Outgoing(send, scope["path"])
        request = Request(scope)
        try:
            self._check(request)
            moved = _moved(request) or self._opened(request)
            if moved is not None:
                await moved(scope, receive, out)
                return
            await self._app(scope, self._counted(receive), out)
        except Problem as problem:
            await self._end(problem, request, receive, out)
        except Exception:
            _LOG.exception("an unexpected error at %s", scope["path"])
            problem = Problem("internal", "Something unexpected happened on the server.")
            await self._end(problem, request, receive, out)

    async def _end(
        self, problem: Problem, request: Request, receive: Receive, out: "_Outgoing"
    ) -> None:
        if out.began:
            return
        if problem.code == "too_large":
            await self._let_pass(request, receive)
        await self._answer(request, problem)(request.scope, receive, out)

    async def _let_pass(self, request: Request, receive: Receive) -> None:
        """Read on and forget, within bounds: browsers show no answer before they have sent all."""
        most = _FORGOTTEN * self._settings.limits.body
        if int(request.headers.get("content-length", "0")) > most:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                more = True
                while more and most > 0:
                    message = await receive()
                    most -= len(message.get("body", b""))
                    more = message.get("more_body", False)

    def _check(self, request: Request) -> None:
        headers = request.headers
        if self._settings.is_local and _hostname(headers.get("host", "")) not in self._hosts:
            raise Problem("wrong_host", f"This server is not {headers.get('host', '')[:80]!r}.")
        if request.method not in _SAFE:
            self._check_origin(headers)
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()) or len(length) > 18:
            raise Problem("bad_request", "Content-Length must be a number.")
        if int(length) > self._settings.limits.body:
            raise self._too_large()
        if self._token is not None and not self._knows_token(request):
            raise Problem("token_needed", "This server asks for its token.")

    @property
    def _hosts(self) -> tuple[str, ...]:
        return (*LOOPBACK, *self._settings.hosts)

    def _check_origin(self, headers: Headers) -> None:
        origin = headers.get("origin")
        if origin is not None:
            place = _place(origin)
            same = place == headers.get("host", "").lower()
            if not same and _hostname(place) not in self._settings.hosts:
                raise Problem("wrong_origin", f"A page of {origin[:80]!r} may not ask this server.")
        elif headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            raise Problem("wrong_origin", "A page of another site may not ask this server.")

    def _knows_token(self, request: Request) -> bool:
        assert self._token is not None
        given = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        asked = request.query_params.get("token", "")
        found = hmac.compare_digest(given.encode("utf-8", "replace"), self._token)
        found |= hmac.compare_digest(asked.encode("utf-8", "replace"), self._token)
        return found | hmac.compare_digest(_cookie_of(request).encode(), self._cookie.encode())

    def _opened(self, request: Request) -> Response | None:
        """For a page asked for with ?token=: the same address without it, and a cookie."""
        if self._token is None or request.method != "GET" or "token" not in request.query_params:
            return None
        rest = [
            (key, value)
            for key, value in parse_qsl(request.url.query, keep_blank_values=True)
            if key != "token"
        ]
        last = request.url.path.rsplit("/", 1)[-1] or "."
        response = RedirectResponse(last + ("?" + urlencode(rest) if rest else ""), 303)
        path = request.scope.get("root_path", "") + "/"
        response.set_cookie(COOKIE, self._cookie, httponly=True, samesite="strict", path=path)
        return response

    def _counted(self, receive: Receive) -> Receive:
        """`receive` that ends a body which grows beyond the limit, whatever its header said."""
        total = 0

        async def counted() -> Message:
            nonlocal total
            message = await receive()
            total += len(message.get("body", b""))
            if total > self._settings.limits.body:
                raise self._too_large()
            return message

        return counted

    def _too_large(self) -> Problem:
        limit = self._settings.limits.body
        return Problem("too_large", f"One request may have {limit:,} bytes.")


class _Outgoing:
    """`send` with the security headers; knows whether an answer has begun."""

    def __init__(self, send: Send, path: str) -> None:
        self._send, self._path, self.began = send, path, False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.began = True
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
            # Files are asked about again each time, so that a new version shows at once.
            headers.setdefault(
                "Cache-Control", "no-cache" if "/static/" in self._path else "no-store"
            )
        await self._send(message)


def placed(scope: Scope, prefix: str) -> Scope:
    """The scope with the path as ASGI has it: the prefix in it once.

    A proxy may have cut the prefix off or not, and the ASGI server may have put it in again.
    """
    root = scope.get("root_path", "").rstrip("/") or prefix
    if not root:
        return scope
    path = scope["path"]
    for _ in range(2):
        if path == root or path.startswith(root + "/"):
            path = path[len(root) :]
    return {**scope, "root_path": root, "path": root + path}


def _moved(request: Request) -> Response | None:
    """For the prefix without a slash behind it: the way to the page below it."""
    root, query = request.scope.get("root_path", ""), request.url.query
    if not root or request.scope["path"] != root or request.method not in _SAFE:
        return None
    return RedirectResponse(root.rsplit("/", 1)[-1] + "/" + (f"?{query}" if query else ""), 307)


def _fingerprint(token: str) -> str:
    return hashlib.sha256(b"whence cookie:" + token.encode()).hexdigest()


def _cookie_of(request: Request) -> str:
    try:
        found = SimpleCookie(request.headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return "" if found is None else found.value


def _place(origin: str) -> str:
    """Name and port in an Origin header; empty for "null" and for what is no address."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _hostname(host: str) -> str:
    """The name in a Host header, without its port; IPv6 without brackets."""
    if host.startswith("["):
        return host[1:].split("]")[0].lower()
    return host.split(":")[0].lower()
