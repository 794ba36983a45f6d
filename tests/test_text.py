"""Words of sub-words, and sentences of words."""

import pytest

from whence._text import make_text, spelled


def words(tokens: list[str], ids: list[int | None] | None = None) -> list[tuple[str, bool]]:
    text = make_text("ids", [tokens], [range(len(tokens))], None if ids is None else [ids])
    return [(unit.text, unit.special) for unit in text.units[0]]


def sentences(tokens: list[str]) -> list[str]:
    return [each.text for each in make_text("ids", [tokens], [range(len(tokens))]).sentences(0)]


def test_word_ids_merge_sub_words_and_set_special_tokens_apart() -> None:
    found = words(["[CLS]", "un", "##like", "##ly", "good", "[SEP]"], [None, 0, 0, 0, 1, None])

    assert found == [("[CLS]", True), ("unlikely", False), ("good", False), ("[SEP]", True)]


def test_word_ids_that_start_again_in_the_second_text_are_other_words() -> None:
    assert words(["a", "[SEP]", "b"], [0, None, 0]) == [("a", False), ("[SEP]", True), ("b", False)]


def test_marks_tell_words_where_word_ids_do_not() -> None:
    # tokenizers without a first split call the whole text word 0
    found = words(["<bos>", "▁un", "likely", "▁good"], [None, 0, 0, 0])

    assert found == [("<bos>", True), ("unlikely", False), ("good", False)]


@pytest.mark.parametrize(
    "tokens",
    [
        ["[CLS]", "un", "##likely", "good", "[SEP]"],
        ["<s>", "▁un", "likely", "▁good", "</s>"],
        ["<|start|>", "un", "likely", "Ġgood", "<|end|>"],
    ],
    ids=["wordpiece", "sentencepiece", "bytes"],
)
def test_without_word_ids_the_marks_of_all_kinds_are_read(tokens: list[str]) -> None:
    assert [text for text, special in words(tokens) if not special] == ["unlikely", "good"]
    assert [text for text, special in words(tokens) if special] == [tokens[0], tokens[-1]]


def test_bytes_that_are_spelled_as_letters_are_read() -> None:
    assert words(["caf", "Ã©", "Ġæ", "Ĺ", "¥"], [0, 0, 1, 1, 1]) == [("café", False), ("日", False)]


def test_what_is_no_utf8_is_replaced() -> None:
    assert spelled(["Ã"], bytes_as_letters=True) == "\ufffd"


def test_known_special_tokens_are_set_apart_and_no_others() -> None:
    text = make_text("ids", [["<a>", "[MASK]"]], [[0, 1]], specials={"[MASK]"})

    assert [unit.special for unit in text.units[0]] == [False, True]


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (["A", "film", ".", "Good", "!"], ["A film.", "Good!"]),
        (["no", "stop"], ["no stop"]),
        (["Really", "?", "!", "Yes"], ["Really?!", "Yes"]),
        (["he", "said", "no", ".", '"', "Then", "he", "left"], ['he said no. "', "Then he left"]),
        (["(", "good", ")", ",", "no"], ["(good), no"]),
        (["who", "[SEP]", "the", "actor"], ["who", "the actor"]),
        (["好", "。", "不"], ["好 。", "不"]),
        (["[CLS]", "[SEP]"], []),
    ],
    ids=str,
)
def test_sentences_end_at_stops_and_special_tokens(tokens: list[str], expected: list[str]) -> None:
    assert sentences(tokens) == expected


def test_every_word_is_in_one_sentence() -> None:
    text = make_text("ids", [["a", ".", "b", "[SEP]", "c", "!", ")", "d"]], [range(8)])
    numbers = [number for each in text.sentences(0) for number in each.words]

    assert numbers == list(range(len(text.words(0))))
