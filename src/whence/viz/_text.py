"""Text in pictures: the font, how wide a line is, and lines broken to a width."""

import functools
import unicodedata
from pathlib import Path

import matplotlib
from PIL import ImageFont


@functools.lru_cache(maxsize=32)
def load_font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Load DejaVu Sans, which comes with matplotlib and covers more scripts than PIL's own font."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(matplotlib.get_data_path(), "fonts", "ttf", name)), size)


def clean(text: str) -> str:
    """Replace what neither a font nor XML can hold: control characters and lone surrogates."""
    marks = (" " if unicodedata.category(mark) == "Cc" else mark for mark in str(text))
    whole = "".join(marks).encode("utf-8", "replace").decode("utf-8")
    return whole.replace("\ufffe", "?").replace("\uffff", "?")


def text_width(text: str, size: int, bold: bool = False) -> int:
    """Width of one line of text in pixels."""
    return -int(-load_font(size, bold).getlength(clean(text)) // 1)


def shorten(text: str, width: int, size: int, bold: bool = False) -> str:
    """Cut a line that is wider than `width` pixels, and mark the cut with an ellipsis."""
    text = clean(text)
    if text_width(text, size, bold) <= width:
        return text
    while text and text_width(text + "…", size, bold) > width:
        text = text[:-1]
    return text.rstrip() + "…"


def wrap(text: str, width: int, size: int, bold: bool = False, most: int = 2) -> list[str]:
    """Break text at spaces into at most `most` lines of `width` pixels; the rest is cut."""
    lines: list[str] = []
    current = ""
    for word in clean(text).split():
        longer = f"{current} {word}" if current else word
        if current and text_width(longer, size, bold) > width:
            lines.append(current)
            current = word
        else:
            current = longer
    lines.append(current)
    if len(lines) > most:
        lines[most - 1 :] = [" ".join(lines[most - 1 :])]
    return [shorten(line, width, size, bold) for line in lines]
