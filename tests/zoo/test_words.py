"""The word tokenizer: what is a word, which id it gets, and what a model is given."""

import pytest
import torch

from whence.errors import InvalidInput
from whence.zoo import Words, split_words
from whence.zoo._words import count_words, pad

WORDS = Words(("a", "film", "good", "n't"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("I don't like it.", "I|do|n't|like|it|."),
        ("can't, cannot", "ca|n't|,|can|not"),
        ("It's the '80s: they're O'Brien's.", "It|'s|the|'80s|:|they|'re|O'Brien|'s|."),
        ("well-drawn -- too slow...", "well-drawn|--|too|slow|..."),
        ("9/11, 2,500 and 3.5%!!!", "9/11|,|2,500|and|3.5|%|!!!"),
        ("Mr. Smith of the U.S. said: (so)", "Mr.|Smith|of|the|U.S.|said|:|(|so|)"),
        ("mail x.y@z.org, see http://a.b/c?d", "mail|x.y@z.org|,|see|http://a.b/c?d"),
        ("naïve café 数", "naïve|café|数"),
        ("don’t say “yes” — never…", 'do|n\'t|say|"|yes|"|--|never|...'),
        ("", ""),
    ],
)
def test_raw_english_falls_into_words(text: str, words: str) -> None:
    assert split_words(text) == [word for word in words.split("|") if word]


@pytest.mark.parametrize(
    "sentence",
    [
        "do n't waste your money .",
        "neither funny nor suspenseful nor particularly well-drawn .",
        "it 's not horrible , just horribly mediocre .",
        "... too slow , too boring , and occasionally annoying .",
        "it 's a good film -- not a classic , but odd , entertaining and authentic .",
    ],
)
def test_tokenised_english_stays_as_it_is(sentence: str) -> None:
    assert split_words(sentence) == sentence.split()


def test_the_codes_of_the_treebank_are_plain_marks() -> None:
    assert split_words("-LRB- and\\/or -RRB- `` so ''") == ["(", "and/or", ")", '"', "so", '"']


def test_ids_do_not_depend_on_case_and_unknown_words_share_one() -> None:
    inputs = WORDS("A good, Good THING")

    assert inputs["input_ids"].tolist() == [[2, 4, 1, 4, 1]]
    assert inputs["input_ids"].dtype == torch.int64
    assert WORDS.size == 6


def test_shorter_texts_are_padded() -> None:
    inputs = WORDS(["a good film", "Film"])

    assert inputs["input_ids"].tolist() == [[2, 4, 3], [3, 0, 0]]
    assert inputs["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert inputs.tokens(1) == ["Film", "[PAD]", "[PAD]"]
    assert inputs.word_ids(1) == [0, None, None]


def test_tokens_are_the_words_of_the_text_also_unknown_ones() -> None:
    assert WORDS("A dreadful film").tokens() == ["A", "dreadful", "film"]
    assert WORDS("A dreadful film").word_ids() == [0, 1, 2]


def test_inputs_are_a_mapping_of_two_tensors() -> None:
    inputs = WORDS("a film")

    assert list(inputs) == ["input_ids", "attention_mask"]
    assert len(inputs) == 2
    assert repr(inputs) == "WordInput(1 texts, 2 tokens)"


def test_inputs_go_to_a_device_with_their_words() -> None:
    moved = WORDS(["a film", "good"]).to("meta")

    assert moved["input_ids"].device.type == "meta"
    assert moved.tokens(1) == ["good", "[PAD]"]


def test_long_texts_are_cut() -> None:
    inputs = Words(WORDS.vocabulary, most=2)("a good film")

    assert inputs.tokens() == ["a", "good"]


@pytest.mark.parametrize("text", ["", "  \n", ["a film", ""]])
def test_a_text_without_words_is_refused(text: str | list[str]) -> None:
    with pytest.raises(InvalidInput, match="at least one word, got"):
        WORDS(text)


def test_no_text_is_refused() -> None:
    with pytest.raises(InvalidInput, match="at least one text, got an empty list"):
        WORDS([])


def test_words_are_counted_once_for_each_text() -> None:
    texts = [["The", "film", "film"], ["the", "end"]]

    assert count_words(texts, least=2) == ("the",)
    assert count_words(texts, least=1) == ("end", "film", "the")


def test_lists_of_ids_become_tensors() -> None:
    padded = pad([[5], [7, 8]])

    assert padded["input_ids"].tolist() == [[5, 0], [7, 8]]
    assert padded["attention_mask"].tolist() == [[1, 0], [1, 1]]
