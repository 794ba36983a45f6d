"""The families of Hugging Face: its models as it writes them, tiny, with random weights.

The table FAMILIES states for each how many of the operations that relevance passes have a published
rule, and which pass it by the plain gradient. Adding a family is one line of the table.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from laws import rand

transformers = pytest.importorskip("transformers", reason="explains its models")

from whence._explanation import Explanation  # noqa: E402
from whence.composites import CPLRP, AttnLRP, Composite, MambaLRP  # noqa: E402
from whence.explainers import LRP, audit  # noqa: E402
from whence.targets import Weights  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning:transformers"),
]

SMALL = {
    "vocab_size": 50, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "max_position_embeddings": 32, "pad_token_id": 0,
    "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
LAYERS = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
SEEING = LAYERS | {"num_attention_heads": 4, "image_size": 16, "patch_size": 8}
BOTH_SIDES = {
    f"{side}_{name}": size
    for side in ("encoder", "decoder")
    for name, size in {"layers": 2, "attention_heads": 4, "ffn_dim": 48}.items()
}
GROUPED = {"num_key_value_heads": 2}
NARROW = GROUPED | {"head_dim": 8}
EXPERTS = {"num_experts_per_tok": 2, "moe_intermediate_size": 16}
LATENT = {
    "q_lora_rank": 16, "kv_lora_rank": 16, "qk_rope_head_dim": 4, "qk_nope_head_dim": 4,
    "v_head_dim": 8, "n_routed_experts": 4, "n_group": 2, "topk_group": 1,
    "first_k_dense_replace": 1, "num_key_value_heads": 4,
}  # fmt: skip
DISENTANGLED = {
    "relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_biased_input": False,
    "position_buckets": 4, "norm_rel_ebd": "layer_norm", "share_att_key": True,
}  # fmt: skip
HEARING = {
    "conv_dim": (8, 8), "conv_stride": (5, 2), "conv_kernel": (10, 3), "vocab_size": 50,
    "num_feat_extract_layers": 2, "num_conv_pos_embeddings": 4, "num_attention_heads": 4,
    "num_conv_pos_embedding_groups": 2,
}  # fmt: skip
LISTENING = {
    "vocab_size": 50, "d_model": 32, "num_mel_bins": 8, "max_source_positions": 8,
    "max_target_positions": 8, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
    "decoder_start_token_id": 1, "suppress_tokens": None, "begin_suppress_tokens": None,
}  # fmt: skip
T5 = {
    "d_model": 32, "d_ff": 48, "d_kv": 8, "num_layers": 2, "num_heads": 4,
    "decoder_start_token_id": 0,
}  # fmt: skip
T5_GATED = T5 | {"feed_forward_proj": "gated-gelu"}
SWIN = {
    "image_size": 16, "patch_size": 2, "embed_dim": 16, "depths": [2, 2], "num_heads": [2, 4],
    "window_size": 2, "num_labels": 3,
}  # fmt: skip
CONVNEXT = {"hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2, "patch_size": 2}
DISTIL = {"dim": 32, "hidden_dim": 48, "n_layers": 2, "n_heads": 4}
SCANS = {"state_size": 4}
GROUPED_SCANS = SCANS | {"num_heads": 4, "head_dim": 16, "n_groups": 2, "chunk_size": 4}
PAIRED = {"text_config": SMALL, "vision_config": SEEING}


def text() -> dict[str, Tensor]:
    """Two sentences of seven tokens; the second is padded at its end."""
    ids = torch.randint(3, 50, (2, 7), generator=torch.Generator().manual_seed(3))
    mask = torch.ones(2, 7, dtype=torch.int64)
    ids[1, 5:], mask[1, 5:] = 0, 0
    return {"input_ids": ids, "attention_mask": mask}


def spoken() -> dict[str, Tensor]:
    """The five tokens that a decoder has said so far."""
    generator = torch.Generator().manual_seed(4)
    return {"decoder_input_ids": torch.randint(3, 50, (2, 5), generator=generator)}


def image() -> dict[str, Tensor]:
    """Two coloured pictures of 16 x 16."""
    return {"pixel_values": rand(2, 3, 16, 16, seed=3)}


INPUTS: dict[str, Callable[[], dict[str, Tensor]]] = {
    "text": text,
    "text to text": lambda: text() | spoken(),
    "image": image,
    "image and text": lambda: text() | image(),
    # SigLIP reads its padding: it pools the last token, whatever that is
    "image and full text": lambda: {"input_ids": text()["input_ids"].clamp(min=3)} | image(),
    "sound": lambda: {"input_values": rand(2, 120, seed=3)},
    "sound to text": lambda: {"input_features": rand(2, 8, 16, seed=3)} | spoken(),
}


@dataclass(frozen=True)
class Family:
    """One row: a model's class, what differs from SMALL, what it reads, and what is known of it."""

    model: str
    config: str
    settings: dict[str, Any]
    reads: str = "text"
    share: float = 1.0  # of the operations that relevance passes, by published rules
    plain: tuple[str, ...] = ()  # the operations that it passes by the plain gradient
    rules: Callable[[], Composite] = AttnLRP


def causal(name: str, *settings: dict[str, Any], **known: Any) -> Family:
    """A language model; its name is the stem of its classes."""
    return Family(f"{name}ForCausalLM", f"{name}Config", _merged(SMALL, *settings), **known)


def encoder(name: str, *settings: dict[str, Any], **known: Any) -> Family:
    """A text classifier."""
    merged = _merged(SMALL, *settings)
    return Family(f"{name}ForSequenceClassification", f"{name}Config", merged, **known)


def seeing(name: str, settings: dict[str, Any], **known: Any) -> Family:
    """An image classifier."""
    model, config = f"{name}ForImageClassification", f"{name}Config"
    return Family(model, config, settings | {"num_labels": 3}, "image", **known)


def other(name: str, task: str, reads: str, *settings: dict[str, Any], **known: Any) -> Family:
    """A model of another task."""
    return Family(f"{name}{task}", f"{name}Config", _merged(*settings), reads, **known)


def _merged(*settings: dict[str, Any]) -> dict[str, Any]:
    return {key: value for each in settings for key, value in each.items()}


WRITING = "ForConditionalGeneration"
FAMILIES: dict[str, Family] = {
    "llama": causal("Llama", GROUPED),
    "qwen2": causal("Qwen2", GROUPED),
    "qwen3": causal("Qwen3", NARROW),
    "qwen3-moe": causal("Qwen3Moe", NARROW, EXPERTS, {"num_experts": 4}),
    "gemma2": causal("Gemma2", NARROW, {"sliding_window": 4}),
    "gemma3": other("Gemma3", "ForCausalLM", "text", SMALL, NARROW, {"sliding_window": 4}),
    "mistral": causal("Mistral", GROUPED),
    "mixtral": causal("Mixtral", GROUPED, {"num_local_experts": 4}),
    "phi3": causal("Phi3", GROUPED),
    "gpt2": other("GPT2", "LMHeadModel", "text", SMALL),
    "gpt-neox": causal("GPTNeoX"),
    "opt": causal("OPT", {"ffn_dim": 48, "word_embed_proj_dim": 32}),
    "bloom": causal("Bloom", {"n_layer": 2, "n_head": 4}),
    "falcon": causal("Falcon"),
    "falcon-alibi": causal("Falcon", {"alibi": True}),
    "gpt-oss": causal("GptOss", NARROW, {"num_local_experts": 4, "num_experts_per_tok": 2}),
    "deepseek-v3": causal("DeepseekV3", EXPERTS, LATENT),
    "bert": encoder("Bert"),
    "roberta": encoder("Roberta"),
    "distilbert": encoder("DistilBert", DISTIL),
    "deberta-v2": encoder("DebertaV2", DISENTANGLED),
    "modernbert": encoder("ModernBert", {"cls_token_id": 1, "sep_token_id": 2}),
    "electra": encoder("Electra", {"embedding_size": 16}),
    "t5": other("T5", WRITING, "text to text", SMALL, T5),
    "t5-gated": other("T5", WRITING, "text to text", SMALL, T5_GATED),
    "bart": other("Bart", WRITING, "text to text", SMALL, BOTH_SIDES, {"d_model": 32}),
    "vit": seeing("ViT", SEEING),
    "deit": seeing("DeiT", SEEING),
    "dinov2": seeing("Dinov2", SEEING),
    "swin": seeing("Swin", SWIN),
    "convnext": seeing("ConvNext", CONVNEXT),
    "siglip": other("Siglip", "Model", "image and full text", PAIRED),
    "clip": other("CLIP", "Model", "image and text", PAIRED, {"projection_dim": 16}),
    "whisper": other("Whisper", WRITING, "sound to text", LISTENING, BOTH_SIDES),
    "wav2vec2": other("Wav2Vec2", "ForCTC", "sound", LAYERS, HEARING),
    "wavlm": other("WavLM", "ForCTC", "sound", LAYERS, HEARING),
    "mamba": causal("Mamba", SCANS, rules=MambaLRP),
    "mamba2": causal("Mamba2", GROUPED_SCANS, rules=MambaLRP),
}  # fmt: skip
CONFIGS = {"gemma3": "Gemma3TextConfig"}
every_family = pytest.mark.parametrize("name", FAMILIES)
WITHOUT = {"convnext", "mamba", "mamba2"}
attending = [name for name in FAMILIES if name not in WITHOUT]


def build(name: str, dtype: torch.dtype = torch.float64, **settings: Any) -> nn.Module:
    """The model as the library makes it, with weights that no trained model would be ashamed of:
    attention that is not uniform, biases and norms that are not the identity."""
    family = FAMILIES[name]
    kind = getattr(transformers, CONFIGS.get(name, family.config))
    config = kind(**family.settings)
    if dtype == torch.float64:  # which the fused product of experts does not know
        settings = {"_experts_implementation": "eager"} | settings
    for key, value in settings.items():
        setattr(config, key, value)
    torch.manual_seed(0)
    model = getattr(transformers, family.model)(config)
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        wide = parameter.dim() > 1
        parameter.data = noise / parameter[0].numel() ** 0.5 if wide else parameter.data + noise / 9
    return model.to(dtype).eval()


def given(name: str, dtype: torch.dtype = torch.float64) -> dict[str, Tensor]:
    """What the model is called with."""
    found = INPUTS[FAMILIES[name].reads]()
    return {key: x.to(dtype) if x.is_floating_point() else x for key, x in found.items()}


def scores(output: Any) -> Tensor:
    """The scores that are explained: of language models those of the first five tokens, which no
    padding can reach."""
    if "logits_per_image" in output:
        return output["logits_per_image"]
    return output["logits"][:, :5] if output["logits"].dim() == 3 else output["logits"]


def explain(
    model: nn.Module, inputs: dict[str, Tensor], composite: Composite, ledger: str = "full"
) -> Explanation:
    with torch.no_grad():
        found = scores(model(**inputs))
    target = Weights(rand(*found.shape[1:], seed=9, dtype=found.dtype))
    ex = LRP(model, composite, output=scores).explain(inputs, target, ledger=ledger)
    # The model does what it always does, to rounding: some operations run in smaller steps.
    exact = found.dtype == torch.float64
    torch.testing.assert_close(ex.output, found, rtol=1e-5, atol=1e-12 if exact else 1e-5)
    return ex


def assert_sound(ex: Explanation, inputs: dict[str, Tensor]) -> None:
    """Finite, not zero everywhere, every row closes, and padding has exactly nothing."""
    assert all(R.isfinite().all() for R in ex.relevance.values())
    assert all(R.any() for R in ex.relevance.values())
    if "attention_mask" in inputs:
        assert not ex.relevance["input_ids"][inputs["attention_mask"] == 0].any()
    ex.ledger.check()


@every_family
def test_a_family_is_explained_and_every_operation_has_a_published_rule(name: str) -> None:
    model, inputs, family = build(name), given(name), FAMILIES[name]

    ex = explain(model, inputs, family.rules())
    found = audit(model, inputs, ex.target, composite=family.rules(), output=scores)

    assert_sound(ex, inputs)
    assert found.share == pytest.approx(family.share)
    assert found.plain == family.plain


@every_family
def test_a_family_is_explained_in_float32(name: str) -> None:
    model, inputs = build(name, torch.float32), given(name, torch.float32)

    ex = explain(model, inputs, FAMILIES[name].rules(), ledger="summary")

    assert_sound(ex, inputs)


@pytest.mark.parametrize("name", attending)
def test_with_its_patterns_held_softmax_takes_nothing(name: str) -> None:
    model, inputs = build(name), given(name)

    ex = explain(model, inputs, CPLRP(), ledger="summary")

    assert_sound(ex, inputs)
    attention = [row for row in ex.ledger if row.op == "scaled_dot_product_attention"]
    assert not any(row.softmax.any() for row in attention)


# Falcon adds its alibi twice where attention is written out: the two are different models.
@pytest.mark.parametrize("name", [name for name in attending if name != "falcon-alibi"])
def test_fused_attention_equals_attention_written_out(name: str) -> None:
    inputs = given(name)

    fused = explain(build(name), inputs, AttnLRP(), ledger="summary")
    eager = explain(build(name, _attn_implementation="eager"), inputs, AttnLRP(), ledger="summary")

    for key, R in fused.relevance.items():
        # many compute softmax in float32 where it is written out
        atol = 1e-5 * float(R.abs().max())
        torch.testing.assert_close(R, eager.relevance[key], rtol=0, atol=atol)


@pytest.mark.parametrize("name", ["llama", "gemma3", "gpt2", "bloom", "gpt-oss"])
def test_a_cache_of_keys_and_values_makes_no_difference(name: str) -> None:
    model, ids = build(name), given(name)["input_ids"]
    target = Weights(rand(50, seed=9))

    def at_once(input_ids: Tensor) -> Tensor:
        return model(input_ids=input_ids).logits[:, -1]

    def in_two_steps(input_ids: Tensor) -> Tensor:
        seen = model(input_ids=input_ids[:, :4], use_cache=True).past_key_values
        return model(input_ids=input_ids[:, 4:], past_key_values=seen).logits[:, -1]

    one, two = (LRP(call).explain(ids, target).relevance for call in (at_once, in_two_steps))

    torch.testing.assert_close(one, two, rtol=0, atol=2e-6 * float(one.abs().max()))


@pytest.mark.parametrize("name", ["llama", "gpt2", "opt", "gpt-oss", "falcon"])
def test_padding_in_front_gets_nothing_either(name: str) -> None:
    inputs = {key: each.flip(1) for key, each in given(name, torch.float32).items()}
    model = build(name, torch.float32)
    last = lambda output: output["logits"][:, -1]  # noqa: E731
    ex = LRP(model, AttnLRP(), output=last).explain(inputs, 3, ledger="full")

    assert_sound(ex, inputs)


@pytest.mark.parametrize("name", ["llama", "gemma3", "bert", "t5", "gpt-oss"])
def test_frozen_parameters_make_no_difference(name: str) -> None:
    model, inputs = build(name), given(name)
    trainable = explain(model, inputs, AttnLRP()).relevance
    frozen = explain(model.requires_grad_(False), inputs, AttnLRP()).relevance

    torch.testing.assert_close(frozen, trainable, rtol=0, atol=0)


@pytest.mark.parametrize("name", ["llama", "deberta-v2", "t5"])
def test_a_batch_is_explained_as_its_items(name: str) -> None:
    model, inputs = build(name), given(name)
    second = {key: each[1:] for key, each in inputs.items()}

    whole = explain(model, inputs, AttnLRP()).relevance
    single = explain(model, second, AttnLRP()).relevance

    for key, R in single.items():
        torch.testing.assert_close(whole[key][1:], R, rtol=0, atol=2e-6 * float(R.abs().max()))


@pytest.mark.parametrize("name", ["qwen3-moe", "mixtral", "gpt-oss", "deepseek-v3"])
def test_experts_that_run_together_equal_experts_one_by_one(name: str) -> None:
    inputs = given(name, torch.float32)
    eager = build(name, torch.float32, _experts_implementation="eager")
    together = build(name, torch.float32, _experts_implementation="grouped_mm")

    one, other = (explain(model, inputs, AttnLRP()).relevance for model in (eager, together))

    R = one["input_ids"]
    torch.testing.assert_close(R, other["input_ids"], rtol=0, atol=1e-4 * float(R.abs().max()))


def test_what_has_no_published_rule_is_named() -> None:
    class Decay(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.log(x.exp().cumsum(1)) + x

    found = audit(Decay(), rand(2, 4), Weights(torch.ones(4).double()))

    assert found.plain == ("log",)
    assert found.share < 1
    assert "by the plain gradient pass" in str(found)
