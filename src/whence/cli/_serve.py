"""The command `whence serve`."""

from importlib import import_module
from typing import Annotated, Any

import typer

from whence.cli._console import remarks, results, told_plainly
from whence.cli._options import Debug, Root
from whence.errors import NotAvailable

SERVING = """\
Examples:

whence serve

whence serve --port 0 --open

whence serve --host 0.0.0.0 --token "four random words here" --model my-bert/ --model timm:resnet18
"""


def serve(
    *,
    host: Annotated[
        str, typer.Option(help="Where to listen; by default only this machine can reach it.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="Where to listen; 0 is any free port.", min=0, max=65535)
    ] = 8321,
    token: Annotated[
        str | None,
        typer.Option(help="A word that every visitor must show.", show_default=False),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="Another model to offer: a folder, or a name from `whence models`; several by "
            "repeating it.",
            show_default=False,
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            help="Another name by which browsers reach the server, such as a proxy's.",
            show_default=False,
        ),
    ] = None,
    prefix: Annotated[
        str,
        typer.Option(
            help="The path below which a proxy shows the pages, such as /whence.",
            show_default=False,
        ),
    ] = "",
    seconds: Annotated[
        float, typer.Option(help="Run time that one request may take.", min=0.1)
    ] = 20.0,
    open_browser: Annotated[
        bool, typer.Option("--open", help="Open the address in a browser.")
    ] = False,
    root: Root = None,
    debug: Debug = False,
) -> None:
    """Serve the pages to draw, upload and type, and the JSON API, until Ctrl-C.

    Needs the extra: pip install "whence[web]". Works without any network.
    """
    with told_plainly(debug):
        if token is not None and not token.strip():
            raise typer.BadParameter("--token must not be empty.")
        web = _web()
        settings = web.Settings(
            host=host,
            port=port,
            token=token,
            root=root,
            models=tuple(model or ()),
            hosts=tuple(allow_host or ()),
            prefix=prefix,
            limits=web.Limits(seconds=seconds),
        )
        web.serve(settings, say=_say, open_browser=open_browser)
        remarks().print("whence: the server has stopped.", markup=False)


def _say(line: str) -> None:
    """A line on stdout at once, also where it is read by a program."""
    console = results()
    console.print(line, markup=False, soft_wrap=True)
    console.file.flush()


def _web() -> Any:
    """The web application; its packages are an extra, so it is loaded by the one who needs it."""
    try:
        return import_module("whence.serve")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("whence"):
            raise
        raise NotAvailable(
            f"The web application needs the package {error.name}, which is not installed. "
            'Run: pip install "whence[web]"'
        ) from error
