"""The app's models of texts where transformers makes them: special tokens, folders, generation."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from whence.zoo import Model, TextInput

# What follows imports the server, which is an extra.
pytest.importorskip("fastapi", reason="needs the extra: pip install whence[web]")
transformers = pytest.importorskip("transformers", reason="explains Hugging Face models")
tokenizers = pytest.importorskip("tokenizers", reason="builds a small tokenizer")

from language import WORDS, Spaces  # noqa: E402
from serving import Client, decoded, server  # noqa: E402
from whence.serve import Settings  # noqa: E402
from whence.serve._explaining import explain_texts  # noqa: E402
from whence.serve._question import ask  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # transformers' own


class Framed(Spaces):
    """Words between two special tokens."""

    def __call__(self, texts: Sequence[str] | str, **options: Any) -> Mapping[str, Any]:
        text = texts if isinstance(texts, str) else texts[0]
        return super().__call__(f"{WORDS[0]} {text} {WORDS[0]}")

    def convert_ids_to_tokens(self, ids: Sequence[int]) -> list[str]:
        return [WORDS[each] for each in ids]


def test_special_tokens_have_their_relevance_apart() -> None:
    config = transformers.BertConfig(
        vocab_size=8, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16,
    )  # fmt: skip
    slow = Framed()
    module = transformers.BertForSequenceClassification(config).eval()
    net = Model("bert", module, TextInput(slow), ("a", "b"), (), None, None)
    asked = ask(net, "attnlrp", None, 0, None)
    item = explain_texts(net, ["the cat sat"], asked, [0]).texts[0]
    shares = [value or 0.0 for value in item.relevance]

    assert item.specials == ["<end>", "<end>"]
    assert item.ledger is not None
    assert sum(shares) + sum(item.special_relevance) == pytest.approx(
        item.score - sum(item.ledger.model_dump().values()), abs=1e-4
    )


def test_a_hugging_face_folder_goes_on_as_its_own_generate(tmp_path: Path) -> None:
    module, folder = saved(tmp_path / "tiny-gpt")
    made = module.generate(torch.tensor([[1, 2]]), max_new_tokens=5, do_sample=False)[0, 2:]
    with server(Settings(port=0, root=tmp_path, models=(str(folder),))) as address:
        client = Client(address)
        question = {"model": "tiny-gpt", "text": "the cat", "tokens": 5}
        found = client.post("api/continue", question).json
        why = client.post("api/explain/continuation", question | {"method": "attnlrp"}).json
        long = client.post("api/continue", question | {"text": "the cat " * 7})
        client.close()
    R = decoded(why["relevance"])
    lost = [sum(each.values()) for each in why["ledgers"]]

    assert [each["id"] for each in found["generated"]] == made.tolist()
    assert why["ids"] == made.tolist()
    assert R.sum(1) + lost == pytest.approx(why["scores"], abs=1e-4)
    assert long.code == "text_too_long"
    assert "with 5 more it may have 16" in long.json["error"]["message"]


def saved(folder: Path) -> tuple[Any, Path]:
    """A tiny GPT-2 with random weights and its tokenizer, as transformers saves them."""
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=8, n_positions=16, n_embd=16, n_layer=2, n_head=2, initializer_range=0.5,
        bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    module = transformers.GPT2LMHeadModel(config).eval()
    level = tokenizers.models.WordLevel({word: k for k, word in enumerate(WORDS)}, WORDS[0])
    made = tokenizers.Tokenizer(level)
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    module.save_pretrained(folder)
    transformers.PreTrainedTokenizerFast(tokenizer_object=made).save_pretrained(folder)
    return module, folder
