"""Hashes of models and inputs."""

import hashlib
from typing import Any

import pytest
import torch
from torch import nn

from whence._identity import described_inputs, inputs_sha256, model_identity, versions
from whence.errors import InvalidInput


def by_hand(*tensors: tuple[str, str, str, bytes]) -> str:
    """The hash of (name, shape, dtype, bytes), each part preceded by its length."""
    parts = [each.encode() if isinstance(each, str) else each for row in tensors for each in row]
    return hashlib.sha256(b"".join(len(p).to_bytes(8, "little") + p for p in parts)).hexdigest()


def test_inputs_are_hashed_by_name_shape_type_and_bytes() -> None:
    inputs = {"b": torch.tensor([1, 2], dtype=torch.int32), "a": torch.tensor([[1.0]])}

    expected = by_hand(
        ("a", "(1, 1)", "torch.float32", b"\x00\x00\x80?"),
        ("b", "(2,)", "torch.int32", b"\x01\x00\x00\x00\x02\x00\x00\x00"),
    )
    assert inputs_sha256(inputs) == expected


def test_weights_are_hashed_in_the_order_of_their_names() -> None:
    net = nn.Linear(1, 1)
    net.load_state_dict({"weight": torch.tensor([[1.0]]), "bias": torch.tensor([0.0])})

    expected = by_hand(
        ("bias", "(1,)", "torch.float32", b"\x00\x00\x00\x00"),
        ("weight", "(1, 1)", "torch.float32", b"\x00\x00\x80?"),
    )
    assert model_identity(net)["weights_sha256"] == expected
    assert model_identity(net)["parameters"] == 2
    assert model_identity(net)["class"] == "torch.nn.modules.linear.Linear"


@pytest.mark.parametrize(
    "other",
    [
        torch.tensor([[1.0, 2.0]]),  # another shape
        torch.tensor([1.0, 2.0], dtype=torch.float64),
        torch.tensor([2.0, 1.0]),
        torch.tensor([1.0, 2.0000002]),
        {"x": torch.tensor([1.0, 2.0])},  # another name
        (torch.tensor([1.0]), torch.tensor([2.0])),  # the same bytes in two tensors
    ],
    ids=["shape", "type", "order", "last bit", "name", "split"],
)
def test_other_inputs_have_another_hash(other: Any) -> None:
    assert inputs_sha256(other) != inputs_sha256(torch.tensor([1.0, 2.0]))


def test_how_a_tensor_lies_in_memory_does_not_matter() -> None:
    x = torch.randn(3, 4)

    assert inputs_sha256(x.T.contiguous().T) == inputs_sha256(x)
    assert inputs_sha256(x.clone().requires_grad_()) == inputs_sha256(x)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.bool, torch.int64])
def test_any_type_has_a_hash(dtype: torch.dtype) -> None:
    assert len(inputs_sha256(torch.ones(2, dtype=dtype))) == 64


def test_buffers_that_are_not_saved_count_too() -> None:
    net = nn.Module()
    net.register_buffer("scale", torch.tensor(1.0), persistent=False)
    before = model_identity(net)["weights_sha256"]
    net.scale.mul_(2)

    assert model_identity(net)["weights_sha256"] != before


def test_equal_weights_in_another_structure_are_told_apart() -> None:
    one, other = (
        nn.Sequential(nn.Linear(2, 2), nn.ReLU()),
        nn.Sequential(nn.Linear(2, 2), nn.GELU()),
    )
    other.load_state_dict(one.state_dict())
    first, second = model_identity(one), model_identity(other)

    assert first["weights_sha256"] == second["weights_sha256"]
    assert first["structure_sha256"] != second["structure_sha256"]


def test_a_function_has_a_name_only() -> None:
    found = model_identity(torch.relu)

    assert found["class"].endswith("relu")
    assert found["weights_sha256"] is None


def test_hashing_leaves_the_model_alone() -> None:
    net = nn.Linear(2, 2)
    net.weight.requires_grad_(False)
    before = {name: each.clone() for name, each in net.state_dict().items()}
    model_identity(net)

    assert all(torch.equal(before[name], each) for name, each in net.state_dict().items())
    assert net.training
    assert not net.weight.requires_grad
    assert net.bias.requires_grad


def test_what_has_no_values_is_an_error() -> None:
    with pytest.raises(InvalidInput, match=r"weight is on the device meta|bias is on the device"):
        model_identity(nn.Linear(2, 2, device="meta"))
    with pytest.raises(InvalidInput, match="inputs must hold a tensor, got str"):
        inputs_sha256("text")


def test_inputs_are_described() -> None:
    found = described_inputs({"x": torch.zeros(2, 3)})

    assert found["tensors"] == {"x": {"shape": [2, 3], "dtype": "float32"}}


def test_versions_are_of_what_computes() -> None:
    assert versions()["torch"] == torch.__version__
    assert set(versions()) == {"whence", "torch", "numpy", "python"}
