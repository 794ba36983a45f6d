"""What mkdocs does besides: keys of papers, as in [bach2015, eq. 60], link to their entry."""

import re
from typing import Any

from whence._references import REFERENCES

PAPERS = "papers.md"
_KEY = re.compile(rf"\[({'|'.join(REFERENCES)})((?:, [^\]<]*)?)\]")
_ENTRY = re.compile(rf"<code>({'|'.join(REFERENCES)})</code>")


def on_page_content(html: str, page: Any, **rest: Any) -> str:
    """The page with its links; the page of papers gets what they point at."""
    if page.file.src_uri == PAPERS:
        return _ENTRY.sub(r'<code id="\1">\1</code>', html)
    up = "../" * page.file.src_uri.count("/")
    return _KEY.sub(rf'[<a href="{up}papers.html#\1">\1</a>\2]', html)
