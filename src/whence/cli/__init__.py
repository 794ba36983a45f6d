"""The command `whence`; no logic of its own, all work is done by the floors below."""

from whence.cli._main import app, main

__all__ = ["app", "main"]
