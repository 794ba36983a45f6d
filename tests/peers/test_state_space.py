"""Mamba and its relatives as Hugging Face writes them: unmodified, tiny, with random weights."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from laws import rand

transformers = pytest.importorskip("transformers", reason="explains its models")

from whence.composites import AttnLRP, Composite, MambaLRP, where  # noqa: E402
from whence.explainers import LRP, audit  # noqa: E402
from whence.rules import Hold  # noqa: E402
from whence.targets import Weights  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning:transformers"),
]

SMALL = {
    "vocab_size": 50, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 32,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
EXPERTS = {"num_experts_per_tok": 2}
GROUPED = {
    "mamba_n_heads": 4, "mamba_d_head": 16, "mamba_d_state": 4, "mamba_n_groups": 1,
    "mamba_chunk_size": 4, "mamba_expand": 2,
}  # fmt: skip
HYBRID = {"layers_block_type": ["mamba", "attention"], "head_dim": 8}
SHARED = {"layers_block_type": ["mamba", "hybrid", "hybrid"], "num_hidden_layers": 3}
FAMILIES: dict[str, dict[str, Any]] = {
    "Mamba": {"state_size": 4},
    "FalconMamba": {"state_size": 4},
    "Mamba2": {"state_size": 4, "num_heads": 4, "head_dim": 16, "n_groups": 2, "chunk_size": 4},
    "Jamba": EXPERTS | {
        "num_experts": 4, "expert_layer_period": 2, "expert_layer_offset": 1,
        "attn_layer_period": 2, "attn_layer_offset": 1, "mamba_d_state": 4, "mamba_dt_rank": 4,
    },
    "Bamba": GROUPED | {"attn_layer_indices": [1]},
    "FalconH1": GROUPED | {"mamba_d_ssm": 64, "head_dim": 8},
    "GraniteMoeHybrid": GROUPED | EXPERTS | {
        "layer_types": ["mamba", "attention"], "num_local_experts": 4,
        "shared_intermediate_size": 16,
    },
    "NemotronH": HYBRID | {
        "mamba_num_heads": 4, "mamba_head_dim": 16, "ssm_state_size": 4, "n_groups": 1,
        "chunk_size": 4,
    },
    "Zamba": SHARED | {"mamba_d_state": 4, "mamba_dt_rank": 4, "n_mamba_heads": 2},
    "Zamba2": {
        "mamba_d_state": 4, "mamba_ngroups": 1, "n_mamba_heads": 4, "mamba_headdim": 16,
        "chunk_size": 4, "mamba_expand": 2, "layers_block_type": ["mamba", "hybrid"],
        "hybrid_layer_ids": [1], "num_mem_blocks": 1, "adapter_rank": 4,
    },
}  # fmt: skip
UNPUBLISHED: dict[str, dict[str, Any]] = {
    "Rwkv": {"attention_hidden_size": 32, "context_length": 32},
    "Qwen3Next": EXPERTS | {
        "head_dim": 8, "layer_types": ["linear_attention", "full_attention"],
        "linear_key_head_dim": 8, "linear_value_head_dim": 8, "linear_num_key_heads": 2,
        "linear_num_value_heads": 4, "num_experts": 4, "moe_intermediate_size": 16,
        "shared_expert_intermediate_size": 16,
    },
}  # fmt: skip
every_family = pytest.mark.parametrize("name", FAMILIES)


def build(name: str, dtype: torch.dtype = torch.float64, **settings: Any) -> Any:
    """The model as the library makes it, with weights that no trained model would be ashamed of."""
    known = {**FAMILIES, **UNPUBLISHED}.get(name, {})
    config = getattr(transformers, f"{name}Config")(**(SMALL | known | settings))
    config._experts_implementation = "eager"
    torch.manual_seed(0)
    model = getattr(transformers, f"{name}ForCausalLM")(config)
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        wide = parameter.dim() > 1 and parameter.shape[-1] > 4
        parameter.data = noise / parameter[0].numel() ** 0.5 if wide else parameter.data + noise / 9
    return model.to(dtype).eval()


def text() -> dict[str, Tensor]:
    """Two sentences of seven tokens; the second is padded at its end."""
    ids = torch.randint(3, 50, (2, 7), generator=torch.Generator().manual_seed(3))
    mask = torch.ones(2, 7, dtype=torch.int64)
    ids[1, 5:], mask[1, 5:] = 0, 0
    return {"input_ids": ids, "attention_mask": mask}


def fifth(output: Any) -> Tensor:
    """The scores at a token that no padding can reach."""
    return output.logits[:, 4]


def explain(model: nn.Module, composite: Composite | None = None, **options: Any) -> Any:
    target = Weights(rand(50, seed=9, dtype=torch.float32))
    ex = LRP(model, composite, output=fifth).explain(text(), target, ledger="full", **options)
    with torch.no_grad():
        assert torch.equal(ex.output, fifth(model(**text())))
    return ex


@every_family
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_a_family_is_explained_by_mamba_lrp(name: str, dtype: torch.dtype) -> None:
    ex = explain(build(name, dtype), MambaLRP())
    R = ex.relevance["input_ids"]

    assert R.isfinite().all()
    assert R[:, :5].all()
    assert not R[:, 5:].any()  # later tokens, and padding
    ex.ledger.check()


@every_family
def test_the_parameters_of_the_scan_carry_no_relevance(name: str) -> None:
    found = audit(build(name), text(), Weights(rand(50, seed=9)), output=fifth)
    passed = {line.op for line in found.lines}

    assert not passed & {"softplus", "exp", "cumsum"}
    assert found.share == 1


@every_family
def test_a_family_is_known_without_being_told(name: str) -> None:
    model = build(name)

    assert torch.equal(
        explain(model).relevance["input_ids"], explain(model, MambaLRP()).relevance["input_ids"]
    )


# -- against the scan written out ----------------------------------------------------------------


def _norm(norm: Any, x: Tensor) -> Tensor:
    """RMS norm with its normaliser a constant."""
    scale = (x.square().mean(-1, keepdim=True) + norm.variance_epsilon).rsqrt()
    return norm.weight * x * scale.detach()


def _silu(x: Tensor) -> Tensor:
    return x * torch.sigmoid(x).detach()


def _half(x: Tensor) -> Tensor:
    return (x + x.detach()) / 2


def _convolved(mixer: Any, x: Tensor) -> Tensor:
    return _silu(mixer.conv1d(x.mT)[..., : x.shape[1]].mT)


def _filtered(x: Tensor, decay: Tensor, drive: Tensor, read: Tensor) -> Tensor:
    """y_t = sum_s C_t (prod_{s < r <= t} decay_r) drive_s x_s, everything but x constant."""
    decay, drive, read = decay.detach(), drive.detach(), read.detach()
    outputs = []
    for t in range(x.shape[1]):
        terms = [
            decay[:, s + 1 : t + 1].prod(1) * drive[:, s] * x[:, s, ..., None] for s in range(t + 1)
        ]
        outputs.append((torch.stack(terms).sum(0) * read[:, t]).sum(-1))
    return torch.stack(outputs, 1)


def _mamba(mixer: Any, x: Tensor) -> Tensor:
    signal, gate = mixer.in_proj(x).chunk(2, -1)
    signal = _convolved(mixer, signal)
    n, rank = mixer.ssm_state_size, mixer.time_step_rank
    step, B, C = mixer.x_proj(signal).split([rank, n, n], -1)
    delta = F.softplus(mixer.dt_proj(step))[..., None]
    decay = torch.exp(-delta * mixer.A_log.exp())
    y = _filtered(signal, decay, delta * B[:, :, None], C[:, :, None]) + signal * mixer.D
    return mixer.out_proj(_half(y * _silu(gate)))


def _mamba_2(mixer: Any, x: Tensor) -> Tensor:
    width, n, heads = mixer.intermediate_size, mixer.n_groups * mixer.ssm_state_size, 4
    gate, mixed, step = mixer.in_proj(x).split([width, width + 2 * n, heads], -1)
    signal, B, C = _convolved(mixer, mixed).split([width, n, n], -1)
    signal = signal.unflatten(-1, (heads, -1))
    B, C = (
        each.unflatten(-1, (mixer.n_groups, -1)).repeat_interleave(heads // mixer.n_groups, 2)
        for each in (B, C)
    )
    delta = F.softplus(step + mixer.dt_bias)[..., None, None]
    decay = torch.exp(-delta * mixer.A_log.exp()[:, None, None])
    y = _filtered(signal, decay, delta * B[:, :, :, None], C[:, :, :, None])
    y = (y + signal * mixer.D[:, None]).flatten(2)
    y = _half(y * _silu(gate)).unflatten(-1, (mixer.n_groups, -1))
    scale = (y.square().mean(-1, keepdim=True) + mixer.norm.variance_epsilon).rsqrt().detach()
    return mixer.out_proj(mixer.norm.weight * (y * scale).flatten(2))


@pytest.mark.parametrize(("name", "mix"), [("Mamba", _mamba), ("Mamba2", _mamba_2)])
def test_relevance_is_that_of_the_scan_written_out_with_constant_parameters(
    name: str, mix: Any
) -> None:
    model, given = build(name), text()
    start = model.backbone.embeddings(given["input_ids"]).detach().requires_grad_()
    kept = given["attention_mask"][..., None]
    x = start
    for block in model.backbone.layers:
        x = x + mix(block.mixer, _norm(block.norm, x) * kept)
    scores = model.lm_head(_norm(model.backbone.norm_f, x))[:, 4]
    with torch.no_grad():
        torch.testing.assert_close(scores, fifth(model(**given)).double(), rtol=1e-5, atol=1e-5)
    gradient = torch.autograd.grad((scores * rand(50, seed=9)).sum(), start)[0]
    expected = (gradient * start).sum(-1).detach()

    found = explain(model, MambaLRP()).relevance["input_ids"].double()

    # the library computes its norms and its scan in float32 whatever the model's precision
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-6 * float(expected.abs().max()))


@pytest.mark.parametrize("name", ["Mamba", "Mamba2"])
def test_a_scan_without_biases_keeps_all_relevance(name: str) -> None:
    model = build(name, use_conv_bias=False)
    ex = explain(model, MambaLRP())

    torch.testing.assert_close(
        ex.relevance["input_ids"].sum(1).double(), ex.score.double(), rtol=1e-5, atol=1e-5
    )


# -- what nobody has published rules for ---------------------------------------------------------


@pytest.mark.parametrize("name", UNPUBLISHED)
def test_recurrences_without_a_published_rule_are_named_as_plain_gradient(name: str) -> None:
    model = build(name)
    inputs = {"input_ids": text()["input_ids"].clamp(min=3)}
    target = Weights(rand(50, seed=9))
    found = audit(model, inputs, target, output=fifth)
    ex = LRP(model, output=fifth).explain(inputs, target, ledger="full")

    assert found.share < 1
    assert "exp" in found.plain
    assert ex.relevance["input_ids"].isfinite().all()
    assert "does NOT close" in ex.ledger.verdict


# -- mixtures of experts, checkpointing ----------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "router"),
    [("Qwen3Moe", "*.gate"), ("Mixtral", "*.gate"), ("GptOss", "*.router"), ("Jamba", "*.router")],
)
def test_a_held_router_takes_no_relevance(name: str, router: str) -> None:
    model = build(name, num_experts=4, num_local_experts=4, num_experts_per_tok=2)
    composite = (MambaLRP() if name == "Jamba" else AttnLRP()) + [(where.name(router), Hold())]
    ex = explain(model, composite)
    routed = [row for row in ex.ledger if row.path.endswith(router[1:])]

    assert routed == []
    ex.ledger.check()


@pytest.mark.parametrize("name", ["Llama", "Mamba"])
def test_gradient_checkpointing_makes_no_difference(name: str) -> None:
    plain = explain(build(name)).relevance["input_ids"]
    saving = build(name)
    saving.gradient_checkpointing_enable()
    saving.train()  # else the library does not checkpoint; there is no dropout

    torch.testing.assert_close(explain(saving).relevance["input_ids"], plain, rtol=0, atol=0)
