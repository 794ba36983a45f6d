"""Request bodies without surprises: the right type, one meaning, a bounded depth."""

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi.routing import APIRoute
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from whence.serve._problem import Problem

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
FORM = "multipart/form-data"
_ECHO = 60
_ENDING = 300  # bytes: a boundary has 70 at most


class StrictRoute(APIRoute):
    """A route whose JSON body is read by `StrictRequest`, and whose form is a multipart form."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()
        wanted = _wanted(self)

        async def strict(request: Request) -> Response:
            given = request.headers.get("content-type", "").split(";")[0].strip().lower()
            if wanted is not None and given != wanted:
                raise Problem("wrong_type", f"The body must be {wanted}, got {given[:80]!r}.")
            return await handle(StrictRequest(request.scope, request.receive))

        return strict


class StrictRequest(Request):
    """A request whose JSON has each key once, no NaN or Infinity, and little nesting.

    A form is whole, and has each field once.
    """

    async def json(self) -> Any:
        body = await self.body()
        try:
            return json.loads(
                body.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant
            )
        except RecursionError as error:
            raise Problem("bad_json", "The JSON is nested too deeply.") from error
        except ValueError as error:
            raise Problem("bad_json", f"The JSON cannot be read: {str(error)[:200]}.") from error

    async def form(self, **limits: Any) -> FormData:  # pyright: ignore[reportIncompatibleMethodOverride]
        boundary = parse_options_header(self.headers.get("content-type"))[1].get(b"boundary", b"")
        if not boundary or b"--" + boundary + b"--" not in (await self.body())[-_ENDING:]:
            raise Problem("bad_form", "The form is not complete, or its boundary is another one.")
        found = await super().form(**limits)
        names = [name for name, _ in found.multi_items()]
        if len(set(names)) != len(names):
            await found.close()
            twice = next(name for name in names if names.count(name) > 1)
            raise Problem("bad_form", f"The field {twice[:_ECHO]!r} is there twice.")
        return found


def _wanted(route: APIRoute) -> str | None:
    if route.body_field is None:
        return None
    return FORM if type(route.body_field.field_info).__name__ == "Form" else "application/json"


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice[:_ECHO]!r} is there twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number in JSON")
