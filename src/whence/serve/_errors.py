"""Whatever goes wrong, answered: JSON for programs, a page for people, never a traceback."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.templating import Jinja2Templates

from whence.serve._problem import Problem

_SHOWN = 3  # wrong fields that are named


class Errors:
    """Makes the response of a problem; `install` makes an application answer every error so."""

    def __init__(self, templates: Jinja2Templates, menu: Sequence[tuple[str, str, str]]) -> None:
        self._templates, self._menu = templates, menu

    def install(self, app: FastAPI) -> None:
        """Answer the errors of the framework in the same form as ours."""
        app.add_exception_handler(HTTPException, self._http)
        app.add_exception_handler(RequestValidationError, self._fields)

    def answer(self, request: Request, problem: Problem) -> Response:
        """JSON below api/ and for programs; a page where a browser asks for one."""
        record = problem.record()
        if not wants_page(request):
            return JSONResponse(record, problem.status_code, headers=problem.headers)
        context = {**record["error"], "status": problem.status_code, "page": ""}
        context |= {"up": up_from(request), "pages": self._menu}
        return self._templates.TemplateResponse(
            request, "error.html", context, problem.status_code, headers=problem.headers
        )

    async def _http(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return self.answer(request, error if isinstance(error, Problem) else _framework(error))

    async def _fields(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        wrong = error.errors()
        told = "; ".join(_told(each) for each in wrong[:_SHOWN])
        return self.answer(request, Problem("bad_field", told or "The body is missing."))


def wants_page(request: Request) -> bool:
    """Whether a person's browser waits for a page."""
    path = path_of(request)
    is_api = path.startswith("/api/") and path != "/api/docs"
    return not is_api and "text/html" in request.headers.get("accept", "")


def up_from(request: Request) -> str:
    """The way from a page's folder to the root, so that links work below any prefix of a proxy."""
    return "../" * max(path_of(request).count("/") - 1, 0)


def path_of(request: Request) -> str:
    """The path below the prefix that a proxy gives the application."""
    root = request.scope.get("app_root_path", request.scope.get("root_path", ""))
    return request.scope["path"].removeprefix(root)


def _framework(error: HTTPException) -> Problem:
    """An error that the framework raised, as one of ours."""
    if error.status_code == 404:
        return Problem("not_found", "There is nothing at this address.")
    if error.status_code == 405:
        return Problem("wrong_verb", "This address does not take such a request.")
    if error.status_code == 400:
        return Problem("bad_form", f"The form cannot be read: {str(error.detail)[:200]}.")
    return Problem("bad_request", str(error.detail)[:200])


def _told(wrong: Any) -> str:
    place = ".".join(str(part)[:40] for part in wrong["loc"] if part not in ("body", "query"))
    return f"{place or 'the body'}: {str(wrong['msg'])[:200]}"
