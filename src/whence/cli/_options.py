"""Options that several commands take."""

from pathlib import Path
from typing import Annotated

import typer

Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Root = Annotated[
    Path | None,
    typer.Option(help="Folder with data and weights; by default $WHENCE_DATA.", show_default=False),
]
