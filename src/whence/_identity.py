"""Who answered, and to what: hashes of models and inputs, and the versions at work.

A hash is SHA-256 over a stream in which every part is preceded by its length, so that no two
different models or inputs make the same stream.
"""

import hashlib
import platform
from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy
import torch
from torch import Tensor, nn

from whence._explanation import named
from whence.errors import InvalidInput


def model_identity(model: Callable[..., Any]) -> dict[str, Any]:
    """What tells one model from another, in plain values.

    class: its full name. parameters: how many numbers. weights_sha256: over all parameters and
    buffers. structure_sha256: over the printed modules, since equal weights may be wired
    differently. Of a plain function only the name is known, and both hashes are None.
    """
    kind = model if isinstance(model, type) or not isinstance(model, nn.Module) else type(model)
    name = getattr(kind, "__qualname__", type(model).__qualname__)
    found: dict[str, Any] = {"class": f"{getattr(kind, '__module__', '')}.{name}"}
    if not isinstance(model, nn.Module):
        return found | {"parameters": None, "weights_sha256": None, "structure_sha256": None}
    held = dict(model.named_parameters(remove_duplicate=False))
    count = sum(each.numel() for each in model.parameters())
    held |= dict(model.named_buffers(remove_duplicate=False))
    structure = hashlib.sha256(str(model).encode()).hexdigest()
    return found | {
        "parameters": count,
        "weights_sha256": _digest(held.items()),
        "structure_sha256": structure,
    }


def inputs_sha256(inputs: Any) -> str:
    """The hash of all tensors among the inputs, by their names: "0", "1", ... or the keys."""
    found = named(inputs)
    if not found:
        raise InvalidInput(f"inputs must hold a tensor, got {type(inputs).__name__}.")
    return _digest(found.items())


def described_inputs(inputs: Any) -> dict[str, Any]:
    """Hash, shapes and types of the inputs, in plain values."""
    tensors = {
        key: {"shape": list(each.shape), "dtype": str(each.dtype).removeprefix("torch.")}
        for key, each in named(inputs).items()
    }
    return {"sha256": inputs_sha256(inputs), "tensors": tensors}


def versions() -> dict[str, str]:
    """The versions of whence, torch, numpy and Python."""
    try:
        own = version("whence")
    except PackageNotFoundError:
        own = "source"
    return {
        "whence": own,
        "torch": str(torch.__version__),
        "numpy": numpy.__version__,
        "python": platform.python_version(),
    }


def _digest(tensors: Iterable[tuple[str, Tensor]]) -> str:
    found = hashlib.sha256()
    for name, each in sorted(tensors, key=lambda pair: pair[0]):
        if each.is_meta:
            raise InvalidInput(f"{name} is on the device meta and holds no values to hash.")
        plain = each.detach().cpu().contiguous().resolve_conj().resolve_neg()
        # As bytes: numpy has no bfloat16.
        raw = plain.reshape(-1).view(torch.uint8) if plain.numel() else torch.zeros(0).byte()
        for part in (name, str(tuple(plain.shape)), str(plain.dtype)):
            _add(found, part.encode())
        _add(found, raw.numpy().tobytes())
    return found.hexdigest()


def _add(digest: Any, part: bytes) -> None:
    digest.update(len(part).to_bytes(8, "little"))
    digest.update(part)
