"""Texts in the colours of their relevance as files: an HTML page, and LaTeX."""

from collections.abc import Sequence
from html import escape

from whence._html import fragment, paragraph
from whence.viz._drawing import hex_colour
from whence.viz._text import clean
from whence.viz._text_rows import Row, row_colours
from whence.viz._tokens import _ink

_STYLE = (
    "body{font:16px/1.9 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem;"
    "color:#1e1e1e;background:#fff}h1{font-size:1.2rem}h2{font-size:1rem;margin:1.2rem 0 .2rem}"
    "p{margin:.2rem 0}span{padding:.1rem .2rem;border-radius:.2rem}"
    ".remark{color:#696969;font-size:.9rem}"
)
_APART = "color:#696969;background:#fff;border:1px solid #d7d7d7"  # of special tokens


def text_page(
    title: str, rows: Sequence[Row], remarks: Sequence[str] = (), *, colours: str = "red-blue"
) -> str:
    """Write texts as an HTML page that needs nothing else: no script, no style sheet, no network.

    A value is shown when the pointer rests on a word. All text is escaped.
    """
    body = [f"<h1>{_safe(title)}</h1>"]
    for row in rows:
        body += [f"<h2>{_safe(row[0])}</h2>", f"<p>{_spans(row, colours)}</p>"]
    body += [f'<p class="remark">{_safe(each)}</p>' for each in remarks]
    return (
        '<!doctype html>\n<html><head><meta charset="utf-8">'
        f"<title>{_safe(title)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def text_fragment(
    title: str, rows: Sequence[Row], remarks: Sequence[str] = (), *, colours: str = "red-blue"
) -> str:
    """Write texts as a piece of HTML for a page of others, such as a notebook.

    >>> text_fragment("a film", []).startswith("<div")
    True
    """
    body = []
    for row in rows:
        words = f'<div style="line-height:1.9">{_spans(row, colours)}</div>'
        body += [paragraph(clean(row[0])), words]
    return fragment(clean(title), *body, *(paragraph(clean(each)) for each in remarks))


def text_latex(rows: Sequence[Row], *, colours: str = "red-blue") -> str:
    """Write texts as LaTeX paragraphs of coloured boxes; needs xcolor in the preamble.

    >>> print(text_latex([("score 1", ["50%"], [1.0], [False])]))
    % needs \\usepackage{xcolor}
    \\noindent\\textbf{score 1}\\par
    \\noindent\\fboxsep=1pt
    \\colorbox[RGB]{182,4,19}{\\color[RGB]{255,255,255}\\strut 50\\%}
    \\par
    """
    lines = ["% needs \\usepackage{xcolor}"]
    for row in rows:
        lines += [f"\\noindent\\textbf{{{_tex(row[0])}}}\\par", "\\noindent\\fboxsep=1pt"]
        for piece, ground, apart in zip(row[1], row_colours(row, colours), row[3], strict=True):
            if apart:
                lines.append(f"{{\\color{{gray}}\\strut {_tex(piece)}}}")
                continue
            back, front = (",".join(map(str, each)) for each in (ground, _ink(ground)))
            lines.append(
                f"\\colorbox[RGB]{{{back}}}{{\\color[RGB]{{{front}}}\\strut {_tex(piece)}}}"
            )
        lines.append("\\par")
    return "\n".join(lines)


def _spans(row: Row, colours: str) -> str:
    spans = []
    for piece, value, ground, apart in zip(
        row[1], row[2], row_colours(row, colours), row[3], strict=True
    ):
        look = f'style="background:{hex_colour(ground)};color:{hex_colour(_ink(ground))}"'
        look = f'class="apart" style="{_APART}"' if apart else look
        spans.append(f'<span title="{value:.4g}" {look}>{_safe(piece)}</span>')
    return " ".join(spans)


def _safe(text: str) -> str:
    return escape(clean(text))


def _tex(text: str) -> str:
    return "".join(_TEX.get(letter, letter) for letter in clean(text))


_TEX = {
    **{letter: "\\" + letter for letter in "{}$&#%_"},
    "\\": "\\textbackslash{}",
    "^": "\\textasciicircum{}",
    "~": "\\textasciitilde{}",
    "<": "\\textless{}",
    ">": "\\textgreater{}",
    "|": "\\textbar{}",
}
