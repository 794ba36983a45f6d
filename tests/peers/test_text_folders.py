"""Models of transformers in local folders: the command and the runs."""

from pathlib import Path
from typing import Any

import pytest

import whence
from transforming import make, make_tokenizer

transformers = pytest.importorskip("transformers", reason="explains Hugging Face models")
tokenizers = pytest.importorskip("tokenizers", reason="builds a small tokenizer")
pytestmark = pytest.mark.filterwarnings("ignore")  # transformers' own


@pytest.fixture
def tokenizer() -> Any:
    return make_tokenizer()


@pytest.fixture
def bare() -> Any:
    return make_tokenizer(frame=False)


# The command and the runs, on local folders.


def saved(folder: Path, name: str, tokenizer: Any) -> str:
    make(name).float().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def told(folder: Path, model: str, text: str, **options: Any) -> dict[str, Any]:
    question = options.pop("question", None)
    asked = whence.runs.ask_texts(model, ["attnlrp"], **options)
    (answer,) = whence.runs.explain_texts(
        whence.runs.find_texts(text, question=question), asked, folder / "out"
    )
    assert answer.error is None
    return answer.records[0]


def test_a_folder_with_a_classifier_is_a_model(tmp_path: Path, tokenizer: Any) -> None:
    path = saved(tmp_path, "BertForSequenceClassification", tokenizer)
    found = told(tmp_path, path, "the film is good", target="LABEL_2")

    assert found["target"] == "LABEL_2"
    assert found["words"] == ["the", "film", "is", "good"]
    assert found["conserves"]


def test_a_causal_model_is_asked_for_the_next_token(tmp_path: Path, bare: Any) -> None:
    path = saved(tmp_path, "LlamaForCausalLM", bare)
    found = told(tmp_path, path, "the film is")
    contrast = told(tmp_path, path, "the film is", contrast="good,bad")
    scores = {each["class"]: each["score"] for each in found["top"]}

    assert found["position"] == 2
    assert found["score"] == pytest.approx(max(scores.values()), rel=1e-5)
    assert contrast["target"] == "good, not bad"


def test_a_masked_model_is_asked_at_the_mask(tmp_path: Path, tokenizer: Any) -> None:
    path = saved(tmp_path, "BertForMaskedLM", tokenizer)
    found = told(tmp_path, path, "the [MASK] is good", target="film")
    asked = whence.runs.ask_texts(path, ["attnlrp"])
    (answer,) = whence.runs.explain_texts(whence.runs.find_texts("no mask"), asked, tmp_path)

    assert found["position"] == 2
    assert "fills in one [MASK], but the text has 0" in str(answer.error)


def test_a_token_classifier_is_asked_at_its_surest_token(tmp_path: Path, tokenizer: Any) -> None:
    path = saved(tmp_path, "BertForTokenClassification", tokenizer)
    found = told(tmp_path, path, "the film is good")

    assert 1 <= found["position"] <= 4


def test_a_question_is_answered_from_the_text(tmp_path: Path, tokenizer: Any) -> None:
    path = saved(tmp_path, "BertForQuestionAnswering", tokenizer)
    found = told(tmp_path, path, "the film is good", question="who made it")

    assert found["top"][0]["number"] >= 5
    assert set(found["top"][0]["class"].split()) <= {"the", "film", "is", "good"}


def test_an_encoder_decoder_is_asked_for_its_first_token(tmp_path: Path, tokenizer: Any) -> None:
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    path = saved(tmp_path, "T5ForConditionalGeneration", tokenizer)
    found = told(tmp_path, path, "the film is good")

    assert found["position"] == 0
    assert found["conserves"]


def test_a_text_that_is_too_long_is_not_cut_in_silence(tmp_path: Path, tokenizer: Any) -> None:
    path = saved(tmp_path, "BertForSequenceClassification", tokenizer)
    asked = whence.runs.ask_texts(path, ["attnlrp"])
    (answer,) = whence.runs.explain_texts(whence.runs.find_texts("good " * 40), asked, tmp_path)

    assert "may have 24 tokens" in str(answer.error)
