"""The Stanford Sentiment Treebank: sentences of film reviews whose every phrase is judged."""

import gzip
import re
from pathlib import Path

import torch

from whence.errors import InvalidInput
from whence.zoo._dataset import numbered
from whence.zoo._files import find_file
from whence.zoo._texts import Texts
from whence.zoo._words import plain_spelling

SST_CLASSES = ("very negative", "negative", "neutral", "positive", "very positive")

_MARK = re.compile(r"\(([0-4]) |([^\s()]+)|(\))")


def sst(root: str | Path | None, split: str) -> Texts:
    """The sentences and their labels, 0 (very negative) to 4 (very positive).

    8,544 to train on and 2,210 to test; `split` "dev" gives the 1,101 others. From the files
    train.txt, dev.txt and test.txt with one bracketed tree on each line, gzipped or not. The words
    stay apart as in the trees; brackets and slashes are written plainly.

    References: [socher2013].
    """
    found = [read_tree(line)[-1] for line in _lines(root, split)]
    return Texts(
        name=f"sst/{split}",
        texts=tuple(text for text, _ in found),
        labels=torch.tensor([label for _, label in found]),
        classes=SST_CLASSES,
        names=numbered(f"sst-{split}", len(found)),
    )


def sst_phrases(root: str | Path | None, split: str) -> list[tuple[str, int]]:
    """Every judged phrase of a split with its label, words and whole sentences among them."""
    return [phrase for line in _lines(root, split) for phrase in read_tree(line)]


def read_tree(line: str) -> list[tuple[str, int]]:
    """The phrases of a tree and their labels, smaller ones first, the sentence last.

    >>> read_tree("(3 (2 a) (4 (4 fine) (2 film)))")[-2:]
    [('fine film', 4), ('a fine film', 3)]
    """
    words: list[str] = []
    open_phrases: list[tuple[int, int]] = []  # label, number of the first word
    phrases: list[tuple[str, int]] = []
    for label, word, close in _MARK.findall(line):
        if label:
            open_phrases.append((int(label), len(words)))
        elif word:
            words.append(plain_spelling(word))
        elif close and open_phrases:
            number, start = open_phrases.pop()
            phrases.append((" ".join(words[start:]), number))
    if open_phrases or not phrases or not words:
        raise InvalidInput(
            f'a tree must read "(3 (2 a) (4 film))" with labels from 0 to 4, got {line[:60]!r}.'
        )
    return phrases


def _lines(root: str | Path | None, split: str) -> list[str]:
    name = f"{split}.txt"
    path = find_file(
        root,
        [f"{place}{name}{end}" for place in ("sst/", "trees/", "") for end in (".gz", "")],
        what=f"sst ({split})",
        family="sst",
        source="nlp.stanford.edu/sentiment, trainDevTestTrees_PTB.zip",
    )
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")
    return text.strip().split("\n")
