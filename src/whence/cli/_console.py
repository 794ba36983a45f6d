"""Where the commands write, and how they end: results to stdout, the rest to stderr."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

from whence.errors import WhenceError

FAILED, WRONG, INTERRUPTED = 1, 2, 130
STOPPED = "whence: stopped; what was written is kept."


def results() -> Console:
    """For what was asked for."""
    return Console(file=sys.stdout, highlight=False, soft_wrap=not sys.stdout.isatty())


def remarks() -> Console:
    """For progress and errors."""
    return Console(file=sys.stderr, highlight=False)


@contextmanager
def told_plainly(debug: bool) -> Iterator[None]:
    """Errors on purpose become one message without a traceback, and an exit code."""
    try:
        yield
    except WhenceError as error:
        if debug:
            raise
        remarks().print(f"whence: {error}", markup=False, soft_wrap=True)
        raise typer.Exit(WRONG) from error
    except KeyboardInterrupt as stop:
        remarks().print(STOPPED, markup=False)
        raise typer.Exit(INTERRUPTED) from stop
