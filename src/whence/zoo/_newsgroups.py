"""20 Newsgroups: messages to twenty discussion groups, without headers, quotes and signatures."""

import json
import lzma
import re
from functools import lru_cache
from pathlib import Path

import torch

from whence.errors import InvalidInput
from whence.zoo._dataset import numbered
from whence.zoo._files import find_file
from whence.zoo._texts import Texts

# Lines that repeat what others wrote, or say that they did: "In article <...> x@y writes:".
_QUOTED = re.compile(
    r"^[ \t]*(?:[\w-]{0,4}>|[|:}])"  # > text, JS> text, | text
    r"|^[^\n]*\b(?:writes|wrote|says|said)[^\n\w]{0,3}$"
    r"|^[ \t]*(?:in|on) (?:article|message|re)\b"
    r"|^quoted from\b",
    re.IGNORECASE,
)
_RULE = re.compile(r"^\s*[-_=*~#]*\s*$")  # an empty line, or one drawn of dashes


def newsgroups20(root: str | Path | None, split: str) -> Texts:
    """The messages and their groups, in the split by date.

    11,314 messages to train on and 7,532 to test, less those of which nothing is left. Headers name
    the group almost outright, quotes repeat others and signatures name the author, so all three are
    removed; what is found this way is about the subject. From 20news-bydate.jsonl.xz, one object
    {split, label, text} on each line.
    """
    path = find_file(
        root,
        ["newsgroups20/20news-bydate.jsonl.xz", "20news-bydate.jsonl.xz"],
        what="newsgroups20",
        family="newsgroups20",
        source="people.csail.mit.edu/jrennie/20Newsgroups, as one JSON object per message",
    )
    rows = _read(path)
    classes = tuple(sorted({str(row["label"]) for row in rows}))
    numbers = {name: number for number, name in enumerate(classes)}
    cleaned = [(strip(row["text"]), numbers[row["label"]]) for row in rows if row["split"] == split]
    kept = [(text, label) for text, label in cleaned if re.search(r"\w", text)]
    if not kept:
        raise InvalidInput(f'{path} must hold messages of the split "{split}", got none.')
    return Texts(
        name=f"newsgroups20/{split}",
        texts=tuple(text for text, _ in kept),
        labels=torch.tensor([label for _, label in kept]),
        classes=classes,
        names=numbered(f"newsgroups20-{split}", len(kept)),
    )


def strip(message: str) -> str:
    """The message without its header, the lines it quotes, and its signature."""
    # A common copy of the data has its training messages on one line, with tabs as line ends.
    lines = message if "\n" in message.rstrip() else message.replace("\t", "\n")
    return without_signature(without_quotes(without_header(lines)))


def without_header(message: str) -> str:
    """What follows the first empty line."""
    return message.partition("\n\n")[2]


def without_quotes(message: str) -> str:
    """The lines that neither quote nor announce a quotation."""
    return "\n".join(line for line in message.split("\n") if not _QUOTED.search(line))


def without_signature(message: str) -> str:
    """All but the last block, where blocks are parted by empty lines or lines drawn of dashes.

    A text of one block stays whole. Where someone does not sign, the last paragraph is lost; this
    is how the data are commonly prepared, so that accuracies can be compared.
    """
    lines = message.strip().split("\n")
    cut = next((n for n in range(len(lines) - 1, 0, -1) if _RULE.match(lines[n])), len(lines))
    return "\n".join(lines[:cut])


@lru_cache(maxsize=1)
def _read(path: Path) -> tuple[dict[str, str], ...]:
    with lzma.open(path, "rt", encoding="utf-8") as file:
        return tuple(json.loads(line) for line in file)
