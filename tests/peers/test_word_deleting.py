"""Word deleting on models of transformers: the tokenizer's own output, sub-words, both paddings."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import whence
from whence.metrics import WordDeleting

transformers = pytest.importorskip("transformers", reason="explains Hugging Face models")
tokenizers = pytest.importorskip("tokenizers", reason="builds a small tokenizer")
pytestmark = pytest.mark.filterwarnings("ignore")  # transformers' own

WORDS = "[PAD] [UNK] [CLS] [SEP] the film is not good un ##inter ##esting . ! who made it".split()
TEXTS = ["the film is not uninteresting .", "good film !", "who made it ? it is good ."]


def tokenizer(side: str) -> Any:
    vocabulary = {word: number for number, word in enumerate(WORDS)}
    inner = tokenizers.Tokenizer(tokenizers.models.WordPiece(vocabulary, unk_token="[UNK]"))
    inner.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    inner.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
        sep_token="[SEP]", padding_side=side,
    )  # fmt: skip


def model(kind: str) -> nn.Module:
    torch.manual_seed(0)
    size = {"vocab_size": len(WORDS), "num_labels": 3, "pad_token_id": 0}
    if kind == "Bert":
        config = transformers.BertConfig(
            **size, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
            intermediate_size=32, initializer_range=0.5,
        )  # fmt: skip
        return transformers.BertForSequenceClassification(config).double().eval()
    config = transformers.LlamaConfig(
        **size, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, intermediate_size=32, initializer_range=0.5,
    )  # fmt: skip
    return transformers.LlamaForSequenceClassification(config).double().eval()


def slowly(net: Any, spell: Any, text: str, R: Tensor, how: str, k: int) -> list[float]:
    """The probability of class k as words go one by one from one text, which is told to the model
    anew each time."""
    inputs = spell([text], return_tensors="pt")
    ids, words = inputs["input_ids"][0].tolist(), inputs.word_ids(0)
    worth = {w: float(sum(r for r, each in zip(R, words, strict=True) if each == w)) for w in words}
    order = sorted((word for word in worth if word is not None), key=lambda word: -worth[word])
    found = []
    for count in range(4):
        gone = set(order[:count])
        if how == "remove":
            left = [i for i, word in zip(ids, words, strict=True) if word not in gone]
        else:
            left = [0 if word in gone else i for i, word in zip(ids, words, strict=True)]
        mask = torch.ones(1, len(left), dtype=torch.int64)
        with torch.no_grad():
            scores = net(input_ids=torch.tensor([left]), attention_mask=mask).logits
        found.append(float(scores.softmax(1)[0, k]))
    return found


@pytest.mark.parametrize("how", ["blank", "remove"])
# Padding on the left shifts positions, and Llama's rotary angles are of single precision: the model
# itself answers a text and the same text behind padding with differences of about 1e-6.
@pytest.mark.parametrize(
    ("kind", "side", "near"), [("Bert", "right", 1e-9), ("Llama", "left", 1e-5)]
)
def test_words_go_as_if_each_text_were_written_anew(
    kind: str, side: str, near: float, how: str
) -> None:
    net, spell = model(kind), tokenizer(side)
    inputs = spell(TEXTS, return_tensors="pt", padding=True)
    inputs.pop("token_type_ids", None)
    ex = whence.explain(net, inputs, 1, "gradient-times-input")
    found = WordDeleting(most=3, how=how, read="probability", texts="all")(
        net, inputs, ex.relevance, 1
    )
    R = [r[m > 0] for r, m in zip(ex.relevance["input_ids"], inputs["attention_mask"], strict=True)]
    expected = [slowly(net, spell, text, r, how, 1) for text, r in zip(TEXTS, R, strict=True)]

    assert found.details["words"].tolist() == [6, 3, 8]
    torch.testing.assert_close(
        found.curves["word-deleting"].y,
        torch.tensor(expected, dtype=torch.float64),
        rtol=near,
        atol=0,
    )
