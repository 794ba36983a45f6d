"""Why something failed, in a line of text."""

from whence.errors import WhenceError

_LONGEST = 500  # characters of an error


def reason(error: Exception) -> str:
    """An error as a line of text: those raised on purpose speak for themselves."""
    text = " ".join(str(error).split())
    if not isinstance(error, WhenceError):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " ..."
