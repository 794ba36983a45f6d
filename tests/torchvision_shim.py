"""Lets torchvision be imported beside a CPU build of torch. Import this file before torchvision."""

from importlib.util import find_spec
from pathlib import Path

import torch
from torch import library


def _let_torchvision_import() -> library.Library | None:
    """Declares the two operators that torchvision needs declared in order to be imported.

    The ordinary torchvision wheel cannot load its compiled part beside a CPU build of torch, and
    then stops at the missing `torchvision::nms`. Declared without an implementation, they let all
    that is plain Python work: models, transforms, data sets. What works is left alone.
    """
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None or _extension_loads(Path(spec.origin).parent):
        return None
    declared = library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        declared.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return declared


def _extension_loads(folder: Path) -> bool:
    try:
        torch.ops.load_library(next(folder.glob("_C*")))  # torchvision does the same on import
    except (OSError, StopIteration):
        return False
    return True


TORCHVISION = _let_torchvision_import()  # kept: the declaration ends with the object
