"""Models of transformers on text: every task, from the tokenizer's output to words.

The nets are tiny and random, in float64.
"""

from typing import Any

import pytest
import torch

import whence
from transforming import WORDS, make, make_tokenizer
from whence._text_explanation import TextExplanation
from whence.errors import InvalidInput
from whence.targets import Contrast, Each, LogProbability, Span, Token

transformers = pytest.importorskip("transformers", reason="explains Hugging Face models")
tokenizers = pytest.importorskip("tokenizers", reason="builds a small tokenizer")
pytestmark = pytest.mark.filterwarnings("ignore")  # transformers' own
TEXTS = ["the film is not uninteresting .", "good film !"]
METHODS = ("attnlrp", "cp-lrp", "gradient-times-input")


@pytest.fixture
def tokenizer() -> Any:
    return make_tokenizer()


@pytest.fixture
def bare() -> Any:
    return make_tokenizer(frame=False)


def read(tokenizer: Any, *texts: Any) -> Any:
    return tokenizer(*texts, return_tensors="pt", padding=True)


def closes(ex: TextExplanation) -> bool:
    """The book closes, and the relevance of all inputs is what it says arrived."""
    ex.ledger.check()
    arrived = sum(float(each.sum()) for each in ex.relevance.values())
    return arrived == pytest.approx(float(ex.ledger.explained.sum()), abs=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_a_classifier_gives_words_without_padding(tokenizer: Any, method: str) -> None:
    inputs = read(tokenizer, TEXTS)
    ex = whence.explain(make("BertForSequenceClassification"), inputs, 1, method)

    assert ex.words == [["the", "film", "is", "not", "uninteresting", "."], ["good", "film", "!"]]
    assert ex.specials == [["[CLS]", "[SEP]"]] * 2
    assert list(ex.relevance) == ["input_ids"]
    assert not ex.relevance["input_ids"][1, 5:].any()
    torch.testing.assert_close(ex.features.sum(2), ex.relevance["input_ids"])


@pytest.mark.parametrize("method", METHODS)
def test_texts_in_a_batch_are_explained_as_alone(tokenizer: Any, method: str) -> None:
    model = make("BertForSequenceClassification")
    together = whence.explain(model, read(tokenizer, TEXTS), 1, method)
    alone = [whence.explain(model, read(tokenizer, [text]), 1, method) for text in TEXTS]
    parts = whence.explain(model, read(tokenizer, TEXTS), 1, method, batch_size=1)

    for number in (0, 1):
        torch.testing.assert_close(together.word_relevance[number], alone[number].word_relevance[0])
        torch.testing.assert_close(together.word_relevance[number], parts.word_relevance[number])


def test_gradient_times_input_is_that_of_autograd(tokenizer: Any) -> None:
    model, inputs = make("BertForSequenceClassification"), read(tokenizer, TEXTS)
    vectors = model.get_input_embeddings()(inputs["input_ids"]).detach().requires_grad_()
    others = {key: each for key, each in inputs.items() if key != "input_ids"}
    model(inputs_embeds=vectors, **others).logits[:, 1].sum().backward()
    ex = whence.explain(model, inputs, 1, "gradient-times-input")

    torch.testing.assert_close(ex.features, (vectors * vectors.grad).detach())


def test_a_slow_tokenizers_dict_needs_the_tokenizer(tokenizer: Any) -> None:
    inputs = dict(read(tokenizer, TEXTS))
    ex = whence.explain(
        make("BertForSequenceClassification"), inputs, 1, "attnlrp", tokenizer=tokenizer
    )

    assert ex.words[0] == ["the", "film", "is", "not", "uninteresting", "."]


def test_a_token_classifier_is_explained_at_a_token(tokenizer: Any) -> None:
    model, inputs = make("BertForTokenClassification"), read(tokenizer, TEXTS)
    ex = whence.explain(model, inputs, Token(2, [3, 1]), "attnlrp")

    torch.testing.assert_close(ex.score, model(**inputs).logits[[0, 1], [3, 1], 2].detach())
    assert closes(ex)


def test_an_answer_is_explained_by_question_and_text(tokenizer: Any) -> None:
    model, inputs = make("BertForQuestionAnswering"), read(tokenizer, "who made it", "the film .")
    ex = whence.explain(model, inputs, Span(5, 6), "attnlrp")
    out = model(**inputs)

    torch.testing.assert_close(ex.score, (out.start_logits[:, 5] + out.end_logits[:, 6]).detach())
    assert ex.sentences == [["who made it", "the film."]]
    assert closes(ex)


def test_the_best_answer_is_in_the_second_text(tokenizer: Any) -> None:
    inputs = read(tokenizer, "who made it", "the film .")
    model = make("BertForQuestionAnswering")
    ex = whence.explain(model, inputs, method="attnlrp")
    parts = whence.explain(model, inputs, method="attnlrp", batch_size=1)
    two = read(tokenizer, ["who made it"] * 2, ["the film .", "not good"])
    together = whence.explain(model, two, method="attnlrp")
    cut = whence.explain(model, two, method="attnlrp", batch_size=1)

    assert 5 <= int(ex.target.start) <= int(ex.target.end) <= 7
    torch.testing.assert_close(parts.relevance, ex.relevance)
    torch.testing.assert_close(cut.relevance, together.relevance)


def test_a_masked_word_is_a_target_by_name(tokenizer: Any) -> None:
    model, inputs = make("BertForMaskedLM"), read(tokenizer, ["the [MASK] is good"])
    asked = Contrast("film", "bad", position=2)
    ex = whence.explain(model, inputs, asked, "attnlrp", tokenizer=tokenizer)
    z = model(**inputs).logits[0, 2].detach()

    assert float(ex.score) == pytest.approx(float(z[6] - z[WORDS.index("bad")]))
    assert closes(ex)


@pytest.mark.parametrize("name", ["LlamaForCausalLM", "GPT2LMHeadModel"])
@pytest.mark.parametrize("method", METHODS)
def test_a_causal_model_is_explained_at_each_texts_last_token(
    bare: Any, name: str, method: str
) -> None:
    model, inputs = make(name), read(bare, TEXTS)
    ex = whence.explain(model, inputs, LogProbability(9), method)
    last = [len(each) - 1 for each in ex.tokens]
    logs = model(**inputs).logits[[0, 1], last].log_softmax(1)

    torch.testing.assert_close(ex.score, logs[:, 9].detach())
    assert not ex.relevance["input_ids"][1, last[1] + 1 :].any()


@pytest.mark.parametrize("name", ["LlamaForCausalLM", "GPT2LMHeadModel"])
def test_several_tokens_share_one_pass_and_equal_a_loop(bare: Any, name: str) -> None:
    model, inputs = make(name), read(bare, ["the film is good"])
    targets = [Token(9, 3), Token(6, 1), Contrast(9, 18, 3)]
    together = whence.explain(model, inputs, Each(targets), "attnlrp")
    alone = [whence.explain(model, inputs, each, "attnlrp") for each in targets]

    torch.testing.assert_close(
        together.relevance["input_ids"], torch.stack([e.relevance["input_ids"] for e in alone])
    )
    torch.testing.assert_close(together.features, torch.stack([e.features for e in alone]))


@pytest.mark.parametrize("name", ["LlamaForCausalLM", "GPT2LMHeadModel"])
@pytest.mark.parametrize("of", ["logit", "log-probability", "contrast"])
def test_a_continuation_in_one_pass_equals_prefixes_in_many(bare: Any, name: str, of: str) -> None:
    model, made = make(name), [8, 9, 14]
    together = whence.explain_continuation(
        model, "the film is", made, tokenizer=bare, of=of, method="attnlrp"
    )
    start = bare("the film is")["input_ids"]
    kinds = {"logit": Token, "log-probability": LogProbability, "contrast": Contrast}
    alone = []
    for number, token in enumerate(made):
        ids = torch.tensor([start + made[:number]])
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        target = kinds[of](token, position=-1)
        alone.append(whence.explain(model, inputs, target, "attnlrp").relevance["input_ids"][0])

    torch.testing.assert_close(together.matrix, torch.stack([each[:3] for each in alone]))
    torch.testing.assert_close(together.onto_generated[2, :2], alone[2][3:])
    assert together.generated == ["not", "good", "!"]


def test_a_model_writes_its_own_continuation(bare: Any) -> None:
    model = make("LlamaForCausalLM")
    ex = whence.explain_continuation(
        model, "the film is", tokenizer=bare, length=3, method="attnlrp"
    )
    z = model(torch.tensor([bare("the film is")["input_ids"]])).logits[0, -1]

    assert ex.matrix.shape == (3, 3)
    assert ex.ids[0] == int(z.argmax())


@pytest.mark.parametrize("name", ["T5ForConditionalGeneration", "BartForConditionalGeneration"])
def test_an_encoder_decoder_is_explained_on_both_sides(tokenizer: Any, name: str) -> None:
    model, inputs = make(name), read(tokenizer, TEXTS)
    inputs.pop("token_type_ids", None)
    inputs["decoder_input_ids"] = torch.tensor([[0, 5, 6], [0, 9, 6]])
    ex = whence.explain(model, inputs, Token(9), "attnlrp", tokenizer=tokenizer)
    decoder = ex.part("decoder_input_ids")

    assert set(ex.relevance) == {"input_ids", "decoder_input_ids"}
    assert ex.words[1] == ["good", "film", "!"]
    assert decoder.words == [["the", "film"], ["good", "film"]]
    torch.testing.assert_close(ex.features.sum(2), ex.relevance["input_ids"])
    torch.testing.assert_close(decoder.features.sum(2), ex.relevance["decoder_input_ids"])
    assert closes(ex)


@pytest.mark.parametrize("name", ["T5ForConditionalGeneration", "BartForConditionalGeneration"])
def test_an_encoder_decoders_continuation(tokenizer: Any, name: str) -> None:
    model, made = make(name), [5, 6, 9]
    ex = whence.explain_continuation(
        model, "who made it", made, tokenizer=tokenizer, method="attnlrp"
    )
    start = model.config.decoder_start_token_id
    ids = torch.tensor([tokenizer("who made it")["input_ids"]])
    one = whence.explain(
        model,
        {"input_ids": ids, "attention_mask": torch.ones_like(ids),
         "decoder_input_ids": torch.tensor([[start, 5, 6]])},
        Token(9),
        "attnlrp",
    )  # fmt: skip

    torch.testing.assert_close(ex.matrix[2], one.relevance["input_ids"][0])
    torch.testing.assert_close(ex.onto_generated[2, :2], one.relevance["decoder_input_ids"][0, 1:])


def test_a_pair_of_picture_and_text_is_explained_on_both_sides(tokenizer: Any) -> None:
    model, inputs = make("CLIPModel"), read(tokenizer, TEXTS)
    inputs.pop("token_type_ids", None)
    inputs["pixel_values"] = torch.rand(2, 3, 16, 16, dtype=torch.float64)
    ex = whence.explain(model, inputs, [0, 1], "attnlrp", output="logits_per_image")

    assert ex.relevance["pixel_values"].shape == (2, 3, 16, 16)
    assert ex.words[1] == ["good", "film", "!"]
    torch.testing.assert_close(ex.score, model(**inputs).logits_per_image.diagonal().detach())
    assert closes(ex)


def test_a_text_longer_than_the_positions_is_refused(tokenizer: Any) -> None:
    with pytest.raises(InvalidInput, match=r"may have 24 tokens.* got 32.*max_length=24"):
        whence.explain(make("BertForMaskedLM"), read(tokenizer, ["good " * 30]), method="attnlrp")


@pytest.mark.parametrize("name", ["BertForSequenceClassification", "GPT2LMHeadModel"])
def test_ids_of_another_tokenizer_are_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match=r"input_ids must lie between 0 and 18.* got 500"):
        whence.explain(make(name), {"input_ids": torch.tensor([[2, 500, 3]])}, 0, "attnlrp")
