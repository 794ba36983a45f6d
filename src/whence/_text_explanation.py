"""An explanation of text: relevance of tokens, words and sentences, and pages that show it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from whence._explanation import Explanation, named
from whence._text import Text
from whence.errors import InvalidInput

_LEVELS = ("token", "word", "sentence")


@dataclass(eq=False, repr=False)
class TextExplanation(Explanation):
    """Relevance of a text's tokens, summed to words and sentences.

    Lists hold one entry for each sample, without padding. Tensors keep a leading axis K for
    `targets.Each`. `.relevance` stays what it is for any input; `.features` is the relevance
    before the sum over the embedding axis, shape (batch, tokens, width), for document vectors.

    ```python
    ex = whence.explain(model, tokenizer(["not a good film"], return_tensors="pt"))
    ex.words[0], ex.word_relevance[0], ex.first_token_share
    ex.save("film.html")
    ```

    texts: the text of each input of tokens; `text` is the one shown, `.part(name)` another.
    labels: what the scores are called in pages, one for each target.
    """

    texts: dict[str, Text] = field(default_factory=dict)
    text: Text | None = None
    labels: tuple[str, ...] | None = None
    feature_parts: dict[str, Tensor] = field(default_factory=dict, repr=False)
    pages: Mapping[str, Callable[..., Any]] | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        counts = ", ".join(str(len(each)) for each in self._text.tokens[:4])
        more = ", ..." if len(self._text.tokens) > 4 else ""
        return f"Text{super().__repr__().removesuffix(')')}, tokens [{counts}{more}])"

    def __str__(self) -> str:
        return str(self.to_terminal()) if self.pages else repr(self)

    def _repr_html_(self) -> str:
        """How a notebook shows it: the text in colour."""
        if self.pages is None:
            return super()._repr_html_()
        rows = self.rows()
        return self._page("fragment")(self._title(), rows, [_key(rows), *self._remarks()])

    def part(self, name: str) -> "TextExplanation":
        """The same explanation seen from another input of tokens, such as decoder_input_ids."""
        if name not in self.texts:
            raise InvalidInput(f"There is no text {name!r}; there is: {', '.join(self.texts)}.")
        return replace(self, text=self.texts[name], features=self.feature_parts.get(name))

    @property
    def tokens(self) -> list[list[str]]:
        """The tokens of each sample, special ones too."""
        return [list(each) for each in self._text.tokens]

    @property
    def token_relevance(self) -> list[Tensor]:
        """The relevance of each sample's tokens, shape (tokens,)."""
        R = self._values()
        return [
            R[..., sample, torch.as_tensor(places, dtype=torch.long, device=R.device)]
            for sample, places in enumerate(self._text.places)
        ]

    @property
    def words(self) -> list[list[str]]:
        """The words of each sample; special tokens are in `specials`."""
        return [[u.text for u in self._text.words(s)] for s in self._samples]

    @property
    def word_relevance(self) -> list[Tensor]:
        """The sum over each word's tokens, shape (words,)."""
        return self._sums([[u.tokens for u in self._text.words(s)] for s in self._samples])

    @property
    def specials(self) -> list[list[str]]:
        """The special tokens of each sample."""
        return [[u.text for u in self._text.specials(s)] for s in self._samples]

    @property
    def special_relevance(self) -> list[Tensor]:
        """The relevance of the special tokens, shape (specials,)."""
        return self._sums([[u.tokens for u in self._text.specials(s)] for s in self._samples])

    @property
    def sentences(self) -> list[list[str]]:
        """The sentences of each sample: words up to a stop, or a special token."""
        return [[each.text for each in self._text.sentences(s)] for s in self._samples]

    @property
    def sentence_relevance(self) -> list[Tensor]:
        """The sum over each sentence's words, shape (sentences,)."""
        groups = []
        for sample in self._samples:
            words = self._text.words(sample)
            groups.append(
                [
                    tuple(token for word in each.words for token in words[word].tokens)
                    for each in self._text.sentences(sample)
                ]
            )
        return self._sums(groups)

    @property
    def first_token_share(self) -> Tensor:
        """|R| of the first token over the sum of |R|, for each sample; 0 where nothing arrived.

        Many language models send much of their attention to the first token, which then takes
        relevance that says little about the text (an attention sink).
        """
        shares = []
        for R in self.token_relevance:
            total = R.abs().sum(-1)
            share = R[..., 0].abs() / torch.where(total > 0, total, 1)
            shares.append(share)
        return torch.stack(shares, -1)

    def to_html(
        self, path: str | Path | None = None, *, by: str = "word", title: str | None = None
    ) -> str:
        """The text in colour as a page of its own, also written to `path` if given.

        by: "token", "word" or "sentence".
        """
        rows = self.rows(by)
        remarks = [_key(rows), *self._remarks()]
        page = self._page("html")(title or self._title(), rows, remarks)
        if path is not None:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_text(page, encoding="utf-8")
        return page

    def to_latex(self, *, by: str = "word") -> str:
        """The text in colour for LaTeX; needs the package xcolor."""
        return self._page("latex")(self.rows(by))

    def to_terminal(self, *, by: str = "word") -> Any:
        """The text in colour for `rich.print`; `print` marks it with + and - instead."""
        return self._page("terminal")(self.rows(by), self._remarks())

    def plot(self, *, by: str = "word", **options: Any) -> Any:
        """The text in colour as a picture."""
        return self._page("drawing")(self.rows(by), **options).image()

    def rows(self, by: str = "word") -> list[tuple[str, list[str], list[float], list[bool]]]:
        """What is shown: title, pieces of text, their relevance, and which are special tokens;
        one row for each sample and target."""
        if by not in _LEVELS:
            raise InvalidInput(f"by= must be one of {', '.join(_LEVELS)}, got {by!r}.")
        found = []
        for sample in self._samples:
            texts, groups, apart = self._pieces(sample, by)
            R = _sum_groups(self.token_relevance[sample], groups).reshape(-1, len(groups))
            for number, values in enumerate(R.tolist()):
                found.append((self._row_title(sample, number), texts, values, apart))
        return found

    def record(self) -> dict[str, Any]:
        """All numbers as plain lists, for JSON, with the texts."""
        plain = super().record()
        keys = (
            "tokens", "token_relevance", "words", "word_relevance", "specials",
            "special_relevance", "sentences", "sentence_relevance",
        )  # fmt: skip
        columns = {key: getattr(self, key) for key in keys}
        shares = self.first_token_share
        plain["texts"] = [
            {key: _plain(each[sample]) for key, each in columns.items()}
            | {"first_token_share": shares[..., sample].tolist()}
            for sample in self._samples
        ]
        return plain

    def save(self, path: str | Path) -> Path:
        """Write the explanation; the suffix says how: text in colour (.html, .tex, .png, .svg)
        or numbers (.json, .npz, .safetensors). Returns the path."""
        path = Path(path)
        if path.suffix == ".tex":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.to_latex(), encoding="utf-8")
            return path
        return super().save(path)

    # -- helpers --------------------------------------------------------------------------------

    @property
    def _text(self) -> Text:
        if self.text is None:
            raise InvalidInput("This explanation holds no text.")
        return self.text

    @property
    def _samples(self) -> range:
        return range(len(self._text.tokens))

    def _values(self) -> Tensor:
        """Relevance of the shown text, (..., batch, tokens)."""
        R = named(self.relevance)[self._text.name]
        given = named(self.inputs).get(self._text.name)
        embedded = given is not None and given.is_floating_point()
        return R.sum(-1) if embedded else R

    def _sums(self, groups: list[list[tuple[int, ...]]]) -> list[Tensor]:
        pairs = zip(self.token_relevance, groups, strict=True)
        return [_sum_groups(R, each) for R, each in pairs]

    def _pieces(self, sample: int, by: str) -> tuple[list[str], list[tuple[int, ...]], list[bool]]:
        text = self._text
        if by == "sentence":
            words = text.words(sample)
            found = text.sentences(sample)
            groups = [tuple(t for w in each.words for t in words[w].tokens) for each in found]
            return [each.text for each in found], groups, [False] * len(found)
        if by == "word":
            units = text.units[sample]
            return (
                [unit.text for unit in units],
                [unit.tokens for unit in units],
                [unit.special for unit in units],
            )
        special = {token for unit in text.specials(sample) for token in unit.tokens}
        count = len(text.tokens[sample])
        apart = [number in special for number in range(count)]
        return list(text.tokens[sample]), [(number,) for number in range(count)], apart

    def _row_title(self, sample: int, number: int) -> str:
        batch = len(self._text.tokens)
        score = self.score.reshape(-1, self.score.shape[-1])[number, sample % self.score.shape[-1]]
        several = f"target {number}" if self.score.dim() > 1 else ""
        label = self.labels[number % len(self.labels)] if self.labels else several
        parts = [f"text {sample}" if batch > 1 else "", label, f"score {float(score):.4g}"]
        return ", ".join(part for part in parts if part)

    def _title(self) -> str:
        return f"{self.method}, {self._text.name}"

    def _remarks(self) -> list[str]:
        share = float(self.first_token_share.mean())
        verdicts = self._verdicts()
        names = self.labels if self.labels and len(self.labels) == len(verdicts) > 1 else None
        return [
            f"first token: {share:.1%} of all |relevance|",
            *(
                f"ledger{f', {names[number]}' if names else ''}: {verdict}"
                for number, verdict in enumerate(verdicts)
            ),
            *(f"note: {note}" for note in self.notes),
        ]

    def _page(self, name: str) -> Callable[..., Any]:
        if self.pages is None:
            raise InvalidInput("This explanation came without a renderer; use whence.viz.")
        return self.pages[name]

    def _drawing(self, **options: Any) -> Any:
        return self._page("drawing")(self.rows(), **options)

    def _html(self) -> str:
        return self.to_html()


def _key(rows: list[tuple[str, list[str], list[float], list[bool]]]) -> str:
    """What the colours mean."""
    signed = any(value < 0 for row in rows for value in row[2])
    means = "Red speaks for the score, blue against it" if signed else "Dark red matters most"
    return f"{means}; each text has a scale of its own."


def _sum_groups(R: Tensor, groups: list[tuple[int, ...]]) -> Tensor:
    """Sums over groups of the last axis, (..., groups)."""
    if not groups:
        return R.new_zeros(*R.shape[:-1], 0)
    sums = [R[..., list(group)].sum(-1) for group in groups]
    return torch.stack(sums, -1)


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, Tensor) else value
