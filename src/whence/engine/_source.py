"""Which line of the user's code an operation was called from."""

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType
from typing import Any

import torch
import torch.utils.checkpoint

from whence.engine._tape import Source

_TORCH = str(Path(torch.__path__[0])) + os.sep  # not torchvision, which starts the same
_OURS = str(Path(__file__).parents[1]) + os.sep
_CHECKPOINT = torch.utils.checkpoint.__file__
_CHECKS_TYPES = re.compile(r"[/\\\\](jaxtyping|beartype|typeguard)[/\\\\]")
_APPLY = torch.autograd.Function.apply.__func__.__code__
_inside: dict[CodeType, int] = {}


def find_source(told: Callable[[str], None]) -> Source | None:
    """The innermost line that is neither torch's nor ours; inside of torch's own modules, theirs.

    `told` hears the name of an `autograd.Function` whose forward that line stands in.
    """
    frame: Any = sys._getframe(2)
    fallback = None
    while frame is not None:
        code = frame.f_code
        where = _inside.get(code)
        if where is None:
            where = _inside[code] = _classify_file(code.co_filename)
        if where == 0:
            caller = frame.f_back
            if caller is not None and caller.f_code is _APPLY:
                told(caller.f_locals["cls"].__name__)
            return Source(code.co_filename, frame.f_lineno)
        if where == 1 and "/nn/modules/" in code.co_filename and fallback is None:
            fallback = Source(code.co_filename, frame.f_lineno)
        if where == 2 and code.co_name == "record":
            return fallback
        frame = frame.f_back
    return fallback


def in_checkpoint() -> bool:
    """Whether torch's gradient checkpointing is calling."""
    frame: Any = sys._getframe(2)
    while frame is not None and frame.f_code.co_name != "record":
        if frame.f_code.co_filename == _CHECKPOINT:
            return True
        frame = frame.f_back
    return False


def _classify_file(name: str) -> int:
    """0 for the user's code, 1 for torch and what wraps calls to check types, 2 for ours."""
    if name.startswith(_TORCH) or name.startswith("<") or _CHECKS_TYPES.search(name):
        return 1
    return 2 if name.startswith(_OURS) else 0
