"""Hugging Face classifiers from a local folder, tiny and with random weights."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from whence import zoo
from whence.errors import InvalidInput, NotAvailable

transformers = pytest.importorskip("transformers", reason="loads Hugging Face models")
pytestmark = pytest.mark.filterwarnings("ignore")  # transformers' own

TINY = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
}


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture
def vit(tmp_path: Path) -> str:
    config = transformers.ViTConfig(
        **TINY, image_size=32, patch_size=8, id2label={0: "ant", 1: "bee"}
    )
    transformers.ViTForImageClassification(config).save_pretrained(tmp_path)
    transformers.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(tmp_path)
    return f"hf:{tmp_path}"


@pytest.fixture
def bert(tmp_path: Path) -> str:
    words = tmp_path / "vocab.txt"
    words.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "film"]))
    config = transformers.BertConfig(**TINY, vocab_size=7)
    transformers.BertForSequenceClassification(config).save_pretrained(tmp_path)
    transformers.BertTokenizer(str(words)).save_pretrained(tmp_path)
    return f"hf:{tmp_path}"


def test_an_image_classifier_loads_with_its_processor_and_labels(vit: str) -> None:
    net = zoo.model(vit)

    assert net.classes == ("ant", "bee")
    assert net.input_shape == (3, 32, 32)
    assert (net.low.flatten().tolist(), net.high.flatten().tolist()) == ([-1] * 3, [1] * 3)
    assert net.module(net.preprocess(torch.rand(2, 3, 50, 60))).logits.shape == (2, 2)


def test_a_processor_sees_a_picture_as_it_sees_its_pixels(vit: str) -> None:
    preprocess = zoo.model(vit).preprocess
    array = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    pixels = torch.from_numpy(array).permute(2, 0, 1) / 255

    torch.testing.assert_close(preprocess(Image.fromarray(array)), preprocess(pixels))


def test_a_text_classifier_loads_with_its_tokenizer(bert: str) -> None:
    net = zoo.model(bert)
    inputs = net.preprocess(["good film", "film"])

    assert inputs["input_ids"].tolist() == [[2, 5, 6, 3], [2, 6, 3, 0]]
    assert net.module(**inputs).logits.shape == (2, 2)
    assert (net.low, net.input_shape) == (None, ())


def test_random_weights_differ_from_the_saved_ones(bert: str) -> None:
    saved, random = zoo.model(bert), zoo.model(bert, pretrained=False)

    assert not torch.equal(saved.module.classifier.weight, random.module.classifier.weight)


def test_a_model_that_is_no_classifier_is_refused(tmp_path: Path) -> None:
    transformers.BertModel(transformers.BertConfig(**TINY, vocab_size=7)).save_pretrained(tmp_path)

    with pytest.raises(InvalidInput, match=r"or a language model, got \['BertModel'\]"):
        zoo.model(f"hf:{tmp_path}")


@pytest.mark.usefixtures("offline")
def test_a_model_that_is_not_here_is_reported(tmp_path: Path) -> None:
    with pytest.raises(NotAvailable, match="hf:no/such could not be fetched"):
        zoo.model("hf:no/such", tmp_path)
