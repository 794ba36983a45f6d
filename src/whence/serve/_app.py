"""The application: pages, API and guard put together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from whence._identity import versions
from whence.reports._page import STATIC, TEMPLATES
from whence.serve._api_routes import router as what_there_is
from whence.serve._compare_jobs import Jobs
from whence.serve._compare_page import compare_page
from whence.serve._compare_routes import compare_api
from whence.serve._desk import Desk
from whence.serve._errors import Errors
from whence.serve._explain_routes import router as explaining
from whence.serve._guard import Guard
from whence.serve._image_page import image_page
from whence.serve._inside_page import inside_page
from whence.serve._inside_routes import router as looking_inside
from whence.serve._pages import MENU, pages
from whence.serve._prototype_routes import prototype_routes
from whence.serve._settings import Settings
from whence.serve._text_page import text_page
from whence.serve._text_routes import router as language

_HERE = Path(__file__).parent


def create_app(settings: Settings | None = None) -> FastAPI:
    """The web application; any ASGI server can run it. No model is loaded yet.

    ```python
    app = create_app(Settings(token="a long word"))
    ```
    """
    settings = Settings() if settings is None else settings
    desk = Desk.of(settings)

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        yield
        desk.pool.close()

    # The framework's own pages of documentation load scripts from elsewhere; ours do not.
    app = FastAPI(
        title="Whence",
        summary="Where does this prediction come from?",
        version=versions()["whence"],
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=life,
        redirect_slashes=False,
    )
    app.state.desk = desk
    templates = Jinja2Templates(directory=[_HERE / "templates", TEMPLATES])
    errors = Errors(templates, MENU)
    errors.install(app)
    jobs = Jobs(desk)
    drawn_here = (image_page(templates), text_page(templates), compare_page(templates, jobs))
    asked = (what_there_is, explaining, language, compare_api(jobs))
    looks = (looking_inside, inside_page(templates))
    for router in (*asked, *looks, *drawn_here, prototype_routes(templates), pages(templates)):
        app.include_router(router)
    shared: list[str | tuple[str, str]] = [("whence.reports", STATIC.name)]
    files = StaticFiles(directory=_HERE / "static", packages=shared)
    app.mount("/static", files, name="static")
    app.add_middleware(Guard, settings=settings, answer=errors.answer)
    return app
