"""Tiny models of transformers with random weights."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

transformers = pytest.importorskip("transformers", reason="explains Hugging Face models")
tokenizers = pytest.importorskip("tokenizers", reason="builds a small tokenizer")
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
