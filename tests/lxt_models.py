"""The models that lxt knows, tiny and with random weights, and what they are explained on.

Both sides of the comparison in `tests/lxt` build them from here: whence as they are, lxt in
processes of its own where their classes are patched.
"""

import importlib
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

import torchvision_shim  # noqa: F401

SIZE = {
    "vocab_size": 50, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "max_position_embeddings": 32, "pad_token_id": 0,
    "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
GROUPED = {"num_key_value_heads": 2, "head_dim": 12}
LOCAL = GROUPED | {"sliding_window": 4, "sliding_window_pattern": 2}  # one layer local, one not
SEEING = {
    "image_size": 16, "patch_size": 8, "num_layers": 2, "num_heads": 4, "hidden_dim": 32,
    "mlp_dim": 48, "num_classes": 3,
}  # fmt: skip


@dataclass(frozen=True)
class Family:
    """A model's class and its configuration's class in transformers, and what differs from SIZE."""

    model: str
    config: str
    settings: dict[str, Any]


FAMILIES = {
    "llama": Family("LlamaForCausalLM", "LlamaConfig", GROUPED),
    "qwen2": Family("Qwen2ForCausalLM", "Qwen2Config", {"num_key_value_heads": 2}),
    "qwen3": Family("Qwen3ForCausalLM", "Qwen3Config", GROUPED),
    "gemma3": Family("Gemma3ForCausalLM", "Gemma3TextConfig", LOCAL),
    "gpt2": Family("GPT2LMHeadModel", "GPT2Config", {}),
    "bert": Family("BertForSequenceClassification", "BertConfig", {}),
}
# Models, lxt's name of the rules, how attention is computed. lxt has no CP-LRP for BERT and no
# AttnLRP for the vision transformer.
ATTNLRP_CASES = [(name, "attnLRP", how) for name in FAMILIES for how in ("eager", "sdpa")]
CPLRP_CASES = [(name, "cp_LRP", how) for name, _, how in ATTNLRP_CASES if name != "bert"]
CPLRP_CASES += [("vit", "cp_LRP", "sdpa")]
CASES = ATTNLRP_CASES + CPLRP_CASES


def home(name: str) -> str:
    """The module whose classes lxt patches."""
    if name == "vit":
        return "torchvision.models.vision_transformer"
    return f"transformers.models.{name}.modeling_{name}"


def build(name: str, attention: str) -> nn.Module:
    """The model in float64, from the classes as they are now.

    Weights keep the variance, and biases and norms are moved away from where they start.
    """
    classes = importlib.import_module(home(name))
    torch.manual_seed(0)
    if name == "vit":
        model = classes.VisionTransformer(**SEEING)
    else:
        family = FAMILIES[name]
        kind = getattr(importlib.import_module("transformers"), family.config)
        config = kind(**SIZE | family.settings)
        config._attn_implementation = attention
        model = getattr(classes, family.model)(config)
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        wide = parameter.dim() > 1
        parameter.data = noise / parameter[0].numel() ** 0.5 if wide else parameter.data + noise / 9
    return model.double().eval()


def token_ids() -> Tensor:
    """Two texts of seven tokens."""
    return torch.randint(3, 50, (2, 7), generator=torch.Generator().manual_seed(3))


def attention_mask() -> Tensor:
    """The second text is padded at its end."""
    mask = torch.ones(2, 7, dtype=torch.int64)
    mask[1, 5:] = 0
    return mask


def images() -> Tensor:
    """Two coloured pictures of 16 x 16."""
    generator = torch.Generator().manual_seed(3)
    return torch.randn(2, 3, 16, 16, generator=generator, dtype=torch.float64)


def inputs(name: str, model: Any) -> dict[str, Tensor]:
    """What is explained, as numbers: embedded tokens (by name, with their mask), or pictures."""
    if name == "vit":
        return {"x": images()}
    embedded = model.get_input_embeddings()(token_ids()).detach()
    return {"inputs_embeds": embedded, "attention_mask": attention_mask()}


def scores(output: Any) -> Tensor:
    """What is explained: class scores, or those of the next token at each of the first five."""
    found = output if isinstance(output, Tensor) else output["logits"]
    return found[:, :5] if found.dim() == 3 else found


def weights(found: Tensor) -> Tensor:
    """The weighing of the scores that is explained; it is the same for all samples."""
    generator = torch.Generator().manual_seed(9)
    return torch.randn(found.shape[1:], generator=generator, dtype=torch.float64)
