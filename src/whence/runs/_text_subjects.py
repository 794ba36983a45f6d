"""Texts to explain, as they are spelled on the command line: one, or a file with one in each line.

A line of a .jsonl file is a JSON object with "text", and if wanted "id", "target" and "question".
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from whence.errors import InvalidInput


@dataclass(frozen=True)
class TextSubject:
    """One text. name: unique among the subjects, fit for a folder. question: about the text.

    target: what to explain in place of what the run asks. error: why the line cannot be read.
    """

    name: str
    text: str = ""
    question: str | None = None
    target: str | None = None
    error: str | None = None

    @property
    def origin(self) -> str:
        """Words that change when the text does."""
        told = json.dumps([self.text, self.question, self.target])
        return hashlib.sha256(told.encode()).hexdigest()[:16]


def find_texts(
    text: str | None = None, file: str | Path | None = None, question: str | None = None
) -> list[TextSubject]:
    """The texts that are meant: one, or those of a file. Bad lines come with their error."""
    if (text is None) == (file is None):
        raise InvalidInput("Give a text or a file of texts, one of the two.")
    if text is not None:
        return [TextSubject("text", text, question)]
    path = Path(str(file)).expanduser()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} must be a text file in UTF-8: {error}.") from error
    found: list[TextSubject] = []
    taken: set[str] = set()
    for number, line in enumerate(lines, start=1):
        if line.strip():
            subject = _read(line, number, question)
            if subject.name in taken and subject.error is None:
                why = f"line {number}: the id {subject.name!r} is taken by a line above"
                subject = TextSubject(f"line-{number}", error=why)
            taken.add(subject.name)
            found.append(subject)
    if not found:
        raise InvalidInput(f'{path} must hold lines such as {{"text": "a good film"}}, got none.')
    return found


def check_one_kind(item: str | None, text: str | None, file: str | Path | None) -> None:
    """Refuse a question about nothing, or about more than one kind of thing."""
    if sum(each is not None for each in (item, text, file)) != 1:
        raise InvalidInput(
            "Give a picture (or folder, or data set), --text or --file: one of them."
        )


def _read(line: str, number: int, question: str | None) -> TextSubject:
    fallback = f"line-{number}"
    try:
        told: Any = json.loads(line)
    except ValueError as error:
        return TextSubject(fallback, error=f"line {number} is not JSON: {error}")
    if not isinstance(told, dict) or not isinstance(told.get("text"), str):
        why = f'line {number} must be an object with "text", got {line.strip()[:60]}'
        return TextSubject(fallback, error=why)
    target, own = told.get("target"), told.get("question")
    return TextSubject(
        name_of(str(told.get("id", fallback))) or fallback,
        told["text"],
        question if own is None else str(own),
        None if target is None else str(target),
    )


def name_of(text: str) -> str:
    """A name that is fit for a folder."""
    kept = "".join(each if each.isalnum() or each in "-_." else "-" for each in text)
    return "-".join(filter(None, kept.split("-"))).strip("-.")[:100]
