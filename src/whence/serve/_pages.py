"""The pages: each a template and a few scripts; they ask the API for all they show."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.templating import Jinja2Templates

from whence._identity import versions
from whence.serve._errors import up_from
from whence.serve._problem import CODES
from whence.serve._schemas import IN_WORDS
from whence.serve._strict import FORM


@dataclass(frozen=True)
class Page:
    """A page: its name (the template is NAME.html), its address below the root, its menu entry."""

    name: str
    path: str
    title: str


# The menu, in its order; what is not in it is reached from the foot of every page.
PAGES = (
    Page("digit", "", "Draw a digit"),
    Page("image", "image", "Image"),
    Page("text", "text", "Text"),
    Page("compare", "compare", "Compare"),
    Page("prototypes", "prototypes", "Prototypes"),
    Page("inside", "inside", "Inside"),
)
ABOUT = Page("about", "about", "About")
DOCS = Page("docs", "api/docs", "The JSON API")
MENU = [(page.name, page.path or "./", page.title) for page in PAGES]


def pages(templates: Jinja2Templates) -> APIRouter:
    """The routes of all pages."""
    router = APIRouter(include_in_schema=False)
    for page in (*PAGES, ABOUT):
        router.add_api_route("/" + page.path, _shows(templates, page), response_class=Response)

    async def docs(request: Request) -> Response:
        context = _context(request, DOCS) | {"routes": described(request.app), "codes": CODES}
        return templates.TemplateResponse(request, "docs.html", context)

    router.add_api_route("/" + DOCS.path, docs, response_class=Response)
    return router


def described(app: FastAPI) -> list[dict[str, Any]]:
    """The routes of the API in words, read from its OpenAPI description."""
    whole = app.openapi()
    found = []
    for path, verbs in whole["paths"].items():
        for verb, about in verbs.items():
            kind, schema = _body(about, whole)
            found.append(
                {
                    "verb": verb.upper(),
                    "path": path.removeprefix("/"),
                    "text": about.get("description", ""),
                    "fields": [*_parameters(about), *_fields(schema)],
                    "answer": _answer(about, whole),
                    "example": _example(verb, path, kind),
                }
            )
    return found


def _shows(templates: Jinja2Templates, page: Page) -> Callable[..., Any]:
    async def show(request: Request) -> Response:
        return templates.TemplateResponse(request, f"{page.name}.html", _context(request, page))

    return show


def _context(request: Request, page: Page) -> dict[str, Any]:
    return {
        "page": page.name,
        "pages": MENU,
        "up": up_from(request),
        "version": versions()["whence"],
    }


def _body(about: dict[str, Any], whole: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
    content = about.get("requestBody", {}).get("content", {})
    kind = next(iter(content), None)
    return kind, {} if kind is None else _resolved(content[kind]["schema"], whole)


def _resolved(schema: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rsplit("/", 1)[-1]
    return whole["components"]["schemas"][name] if name else schema


def _parameters(about: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (
            each["name"],
            _type(each["schema"]),
            each.get("description", IN_WORDS.get(each["name"], "")),
        )
        for each in about.get("parameters", [])
    ]


def _answer(about: dict[str, Any], whole: dict[str, Any]) -> str:
    """The fields of the answer in a line."""
    content = about["responses"]["200"].get("content", {}).get("application/json", {})
    schema = content.get("schema", {})
    items = _resolved(schema.get("items", schema), whole)
    fields = ", ".join(items.get("properties", {}))
    return f"a list, each with {fields}" if "items" in schema else fields


def _fields(schema: dict[str, Any]) -> list[tuple[str, str, str]]:
    needed = schema.get("required", [])
    return [
        (name, _type(each) + (", needed" if name in needed else ""), each.get("description", ""))
        for name, each in schema.get("properties", {}).items()
    ]


def _type(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if "contentMediaType" in schema or schema.get("format") == "binary":
        return "file"
    return str(schema.get("type", schema.get("$ref", "any").rsplit("/", 1)[-1]))


_EXAMPLES: dict[str, dict[str, Any]] = {
    "/api/explain/digit": {"pixels": "BASE64", "target": 3, "against": 9},
    "/api/explain/text": {"text": "A warm and clever film."},
    "/api/inside": {"sample": "digits-36", "target": 3},
    "/api/continue": {"model": "MODEL", "text": "The capital of France is"},
    "/api/prototypes": {"classes": [3], "prior": "generator", "ticket": "my-search"},
    "/api/prototypes/stop": {"ticket": "my-search"},
    "/api/explain/input": {
        "model": "digits-cnn",
        "input": {"shape": [1, 32, 32], "data": "BASE64"},
    },
    "/api/explain/continuation": {"model": "MODEL", "text": "The capital of France is"},
}
_ASKED = {
    "/api/methods": "?model=digits-cnn",
    "/api/samples": "?model=digits-cnn",
    "/api/prototypes/choices": "?model=digits-cnn",
    "/api/prototypes/progress": "?ticket=my-search",
}


def _example(verb: str, path: str, kind: str | None) -> str:
    """A line for a shell; ADDRESS is where the server answers."""
    address = f"ADDRESS{path}"
    if kind == FORM:
        return f"curl {address} -F model=digits-cnn -F picture=@three.png"
    if verb == "post":
        body = json.dumps(_EXAMPLES.get(path, {}))
        return f"curl {address} -H 'Content-Type: application/json' -d '{body}'"
    return f"curl {address}".replace("{model}/{name}", "digits-cnn/digits-36") + _ASKED.get(
        path, ""
    )
