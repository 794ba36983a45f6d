"""The web application of `whence serve`: pages to draw, upload and type, and a JSON API.

    create_app(Settings())     an ASGI application
    serve(Settings())          run it until Ctrl-C

Needs the extra: pip install whence[web]. Everything is served from the package; nothing is fetched
from elsewhere, by the server or by its pages.
"""

from whence.serve._app import create_app
from whence.serve._problem import CODES, Problem
from whence.serve._run import serve
from whence.serve._settings import Limits, Settings

__all__ = ["CODES", "Limits", "Problem", "Settings", "create_app", "serve"]
