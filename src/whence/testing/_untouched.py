"""Was anything of the user's changed? A snapshot of models and tensors, compared later."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as global_module


@contextmanager
def untouched(model: nn.Module, *tensors: Tensor, what: str = "the method") -> Iterator[None]:
    """Raise AssertionError if the body leaves a trace on the model, the tensors or torch.

    Compared are parameters and buffers bit by bit, `requires_grad`, `.grad`, hooks, `training`,
    attributes of every module, torch's global hooks and grad mode; also if the body raises.
    """
    before = dict(_state(model, tensors))
    try:
        yield
    finally:
        after = dict(_state(model, tensors))
        changed = [name for name in before if not _same(before[name], after.get(name))]
        changed += [name for name in after if name not in before]
        if changed:
            raise AssertionError(f"{what} changed what is the user's: {', '.join(changed[:10])}")


def _state(model: nn.Module, tensors: tuple[Tensor, ...]) -> Iterator[tuple[str, Any]]:
    for name, module in model.named_modules():
        yield f"training of {name!r}", module.training
        yield f"attributes of {name!r}", {k: id(v) for k, v in vars(module).items()}
        for kind, found in vars(module).items():
            if "hooks" in kind and hasattr(found, "__len__"):
                yield f"{kind} of {name!r}", list(found)
        yield (
            f"tensors of {name!r}",
            {
                key: id(each)
                for key, each in (*module._parameters.items(), *module._buffers.items())
            },
        )
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        yield from _tensor(name, tensor)
    for index, tensor in enumerate(tensors):
        yield from _tensor(f"input {index}", tensor)
    for kind, found in vars(global_module).items():
        if kind.startswith("_global") and hasattr(found, "__len__"):
            yield f"torch's {kind}", list(found)
    yield "grad mode", torch.is_grad_enabled()
    yield "inference mode", torch.is_inference_mode_enabled()
    yield "default dtype", torch.get_default_dtype()


def _tensor(name: str, tensor: Tensor) -> Iterator[tuple[str, Any]]:
    yield f"values of {name}", tensor.detach().clone()
    yield f"requires_grad of {name}", tensor.requires_grad
    yield f"dtype of {name}", tensor.dtype
    yield f"hooks on {name}", len(tensor._backward_hooks or ())
    if tensor.is_leaf:
        yield f"grad of {name}", None if tensor.grad is None else tensor.grad.clone()


def _same(first: Any, second: Any) -> bool:
    if isinstance(first, Tensor) and isinstance(second, Tensor):
        return first.shape == second.shape and torch.equal(first, second)
    if isinstance(first, Tensor) or isinstance(second, Tensor):
        return False
    return first == second
