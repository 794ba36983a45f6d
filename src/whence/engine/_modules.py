"""Which module is running, and what each module returned, while a model is recorded."""

import threading
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from whence.engine._tape import Value, tensors_in


class Modules:
    """Knows which module is running, by hooks that live only during the recording."""

    def __init__(
        self,
        model: Callable[..., Any],
        value_of: Callable[[Tensor], Value | None],
        returned: dict[str, list[list[Value]]],
    ) -> None:
        self._names: dict[int, str] = {}
        if isinstance(model, torch.nn.Module):
            for name, module in model.named_modules():
                self._names.setdefault(id(module), name)
        self._stack: list[tuple[str, torch.nn.Module | None, int]] = [("", None, 0)]
        self._calls: dict[str, int] = {}
        self._value_of, self._returned = value_of, returned
        self._thread = threading.get_ident()
        self._handles: list[Any] = []

    def top(self) -> tuple[str, torch.nn.Module | None, int]:
        """The path, the module and the number of its call."""
        return self._stack[-1]

    def __enter__(self) -> "Modules":
        hooks = torch.nn.modules.module
        self._handles = [
            hooks.register_module_forward_pre_hook(self._enter),
            hooks.register_module_forward_hook(self._leave, always_call=True),
        ]
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _enter(self, module: torch.nn.Module, _: Any) -> None:
        if threading.get_ident() != self._thread:
            return
        path = self._names.get(id(module), self._stack[-1][0])
        call = self._calls.get(path, 0)
        self._calls[path] = call + 1
        self._stack.append((path, module, call))

    def _leave(self, module: torch.nn.Module, _: Any, output: Any) -> None:
        if threading.get_ident() != self._thread or self._stack[-1][1] is not module:
            return
        path, _, _ = self._stack.pop()
        if id(module) in self._names:
            made = [self._value_of(tensor) for tensor in tensors_in(output)]
            outputs = [value for value in made if value is not None]
            self._returned.setdefault(path, []).append(outputs)
