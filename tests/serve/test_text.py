"""Texts over the API: words left out, contrasts, unknown words, special tokens, odd scripts."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch

from serving import Client
from whence import zoo
from whence.serve import Problem
from whence.serve._text_reading import read
from whence.zoo import Model, TextInput, Words

NET = zoo.model("sst-lstm")
TEXT = "this is not a good film and it knows it"
IDS = {"[CLS]": 0, "[SEP]": 1, "ana": 2, "##con": 3, "##da": 4, "bites": 5, "[UNK]": 6}


class Slow:
    """A tokenizer of sub-words that does not tell the words it made them from."""

    all_special_tokens = ("[CLS]", "[SEP]", "[UNK]")
    unk_token_id = 6

    def __call__(self, texts: Sequence[str], **options: Any) -> Mapping[str, Any]:
        tokens = ["[CLS]", *texts[0].split(), "[SEP]"]
        ids = torch.tensor([[IDS.get(token, 6) for token in tokens]])
        return {"input_ids": ids, "token_type_ids": torch.zeros_like(ids), "use_cache": False}

    def convert_ids_to_tokens(self, ids: Sequence[int]) -> list[str]:
        return [list(IDS)[each] for each in ids]


def model_with(preprocess: Any) -> Model:
    return Model("texts", torch.nn.Identity(), preprocess, ("a", "b"), (), None, None)


def explained(client: Client, **asked: Any) -> Any:
    found = client.post("api/explain/text", {"text": TEXT} | asked)
    assert found.status == 200, found.body
    return found.json["texts"][0]


def test_words_left_out_are_as_if_they_had_not_been_written(client: Client) -> None:
    without = explained(client, without=[2, 4], target=3)
    alone = explained(client, text="this is a film and it knows it", target=3)
    kept = [value for value in without["relevance"] if value is not None]

    assert kept == alone["relevance"]
    assert without["score"] == alone["score"]
    assert without["classes"] == alone["classes"]


def test_words_left_out_stay_in_the_list_without_relevance(client: Client) -> None:
    found = explained(client, without=[4, 2, 4])

    assert found["words"] == TEXT.split()
    assert found["deleted"] == [2, 4]
    assert [k for k, value in enumerate(found["relevance"]) if value is None] == [2, 4]


def test_the_score_without_a_word_is_the_models(client: Client) -> None:
    found = explained(client, without=[2], target=0)
    with torch.no_grad():
        scores = NET.module(**NET.preprocess(TEXT.replace("not ", "")))[0]

    assert found["score"] == pytest.approx(float(scores[0]), rel=1e-6)


def test_a_contrast_is_the_difference_of_two_explanations(client: Client) -> None:
    first, second = explained(client, target=1), explained(client, target=3)
    both = explained(client, target="negative", against="positive")
    pairs = zip(first["relevance"], second["relevance"], strict=True)

    assert both["relevance"] == pytest.approx([a - b for a, b in pairs], abs=1e-4)
    assert both["score"] == pytest.approx(first["score"] - second["score"], rel=1e-5)


def test_words_and_what_was_lost_make_the_score(client: Client) -> None:
    found = explained(client, without=[0])
    arrived = sum(value for value in found["relevance"] if value is not None)

    assert arrived + sum(found["ledger"].values()) == pytest.approx(found["score"], rel=1e-4)
    assert found["positive"] + found["negative"] == pytest.approx(arrived, rel=1e-6)


def test_unknown_words_are_told(client: Client) -> None:
    found = explained(client, text="a flibbertigibbet film of zzzz")

    assert found["unknown"] == [1, 4]


def test_lines_get_what_each_gets_alone(client: Client) -> None:
    lines = [TEXT, "a warm film", "\u05e1\u05e8\u05d8 \u05d8\u05d5\u05d1"]
    found = client.post("api/explain/text", {"texts": lines}).json["texts"]

    assert found == [explained(client, text=line) for line in lines]


@pytest.mark.parametrize(
    "text",
    [
        "\u05e1\u05e8\u05d8 \u05d8\u05d5\u05d1 \u0641\u064a\u0644\u0645",
        "good \U0001f468\u200d\U0001f469\u200d\U0001f467 film \U0001f3f3\ufe0f\u200d\U0001f308",
        "cafe\u0301 z" + "\u0301" * 40,
        "<b>bold</b> & \"quoted\" 'single'",
        "\u202eabc\u202c \ufeff x",
    ],
)
def test_any_script_gets_a_value_for_each_word(client: Client, text: str) -> None:
    found = explained(client, text=text)

    assert len(found["words"]) == len(found["relevance"]) > 0
    assert "".join(found["words"]) == "".join(zoo.split_words(text))


def test_ten_thousand_words_are_read(client: Client) -> None:
    found = explained(client, text="a " * 10_000)

    assert len(found["relevance"]) == 10_000
    assert found["conserves"] is True


def test_ten_thousand_long_words_are_refused_kindly(client: Client) -> None:
    found = client.post("api/explain/text", {"text": "another " * 10_000})

    assert (found.status, found.code) == (413, "text_too_long")
    assert "20,000 characters" in found.json["error"]["message"]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"without": [10]}, "bad_field"),
        ({"without": [10**30]}, "bad_field"),
        ({"without": [-1]}, "bad_field"),
        ({"without": [1.0]}, "bad_field"),
        ({"without": [True]}, "bad_field"),
        ({"without": "2"}, "bad_field"),
        ({"without": list(range(10))}, "empty_text"),
        ({"without": [0], "text": None, "texts": [TEXT]}, "bad_field"),
    ],
)
def test_wrong_words_to_leave_out_are_refused(
    client: Client, asked: dict[str, Any], code: str
) -> None:
    assert client.post("api/explain/text", {"text": TEXT} | asked).code == code


def test_all_sub_words_of_a_word_go_and_special_tokens_stay() -> None:
    net = model_with(TextInput(Slow()))
    found = read(net, "ana ##con ##da bites ana", [0])

    assert found.words == ["anaconda", "bites", "ana"]
    assert found.inputs.tokens(0) == ["[CLS]", "bites", "ana", "[SEP]"]
    assert found.inputs.word_ids(0) == [None, 1, 2, None]
    assert found.inputs["input_ids"].tolist() == [[0, 5, 2, 1]]
    assert found.inputs["token_type_ids"].shape == (1, 4)
    assert found.inputs["use_cache"] is False


def test_what_a_model_does_not_read_of_a_text_is_said() -> None:
    found = read(model_with(Words(("a", "film"), most=3)), "a film a film a")

    assert found.words == ["a", "film", "a"]
    assert found.notes == ["The model reads the first 3 of 5 words."]


def test_a_model_that_does_not_tell_its_words_is_refused() -> None:
    def numbers(text: str) -> Mapping[str, Any]:
        return {"input_ids": torch.tensor([[1, 2]])}

    with pytest.raises(Problem, match="does not tell its words"):
        read(model_with(numbers), "a film")
