"""The sentiment treebank: trees are read as they are meant, and counted."""

import gzip
from pathlib import Path

import pytest

from whence import zoo
from whence.errors import InvalidInput, NotAvailable
from whence.zoo._sst import SST_CLASSES, read_tree, sst, sst_phrases

TREES = "(3 (2 A) (4 (4 fine) (2 film)))\n(1 (2 Not) (3 (2 -LRB-) (2 1\\/2)))\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train.txt").write_text(TREES)
    return tmp_path


def test_a_tree_gives_all_its_phrases() -> None:
    assert read_tree("(3 (2 A) (4 (4 fine) (2 film)))") == [
        ("A", 2),
        ("fine", 4),
        ("film", 2),
        ("fine film", 4),
        ("A fine film", 3),
    ]


@pytest.mark.parametrize("line", ["", "A fine film", "(3 (2 A) (4 fine)", "(7 (8 A))", "(3 )"])
def test_what_is_no_tree_is_refused(line: str) -> None:
    with pytest.raises(InvalidInput, match="a tree must read"):
        read_tree(line)


def test_sentences_are_the_whole_trees(folder: Path) -> None:
    found = zoo.dataset("sst", folder, split="train")

    assert found.texts == ("A fine film", "Not ( 1/2")
    assert found.labels.tolist() == [3, 1]
    assert found[-1].name == "sst-train-1"
    assert repr(found) == "Texts('sst/train', 2 texts, 5 classes)"


def test_gzipped_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "sst").mkdir()
    (tmp_path / "sst" / "val.txt.gz").write_bytes(gzip.compress(TREES.encode()))

    assert len(sst_phrases(tmp_path, "val")) == 10


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "test.txt.gz").write_bytes(gzip.compress(TREES.encode()))

    with pytest.raises(InvalidInput, match="must have the sha256 edd2fad2"):
        zoo.dataset("sst", tmp_path)


def test_absent_files_are_reported_with_their_source(tmp_path: Path) -> None:
    with pytest.raises(NotAvailable, match=r"looked for sst/test\.txt\.gz.*trainDevTestTrees"):
        zoo.dataset("sst", tmp_path)


def test_an_item_beyond_the_end_is_an_error(folder: Path) -> None:
    with pytest.raises(IndexError, match=r"items 0..1, got 2"):
        _ = sst(folder, "train")[2]


@pytest.mark.parametrize(
    ("split", "counts"),
    [
        ("train", [1092, 2218, 1624, 2322, 1288]),
        ("dev", [139, 289, 229, 279, 165]),
        ("test", [279, 633, 389, 510, 399]),
    ],
)
def test_the_treebank_has_its_published_counts(split: str, counts: list[int], data: Path) -> None:
    found = sst(data, split)

    assert found.labels.bincount().tolist() == counts
    assert found.classes == SST_CLASSES


def test_a_sentence_of_the_treebank_reads_as_written(data: Path) -> None:
    assert zoo.dataset("sst", data)[0].text == "Effective but too-tepid biopic"
