"""Comparisons with other libraries, run in an environment of their own: ./scripts/test --all.

A test file here starts with `zennit = pytest.importorskip("zennit", reason="compares with zennit")`
for each peer it needs, so that it is skipped, and listed with its reason, where the peer is absent.
"""

import os
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import library

PEERS = ("captum", "timm", "torchvision", "zennit")
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # pytest hands over all tests of the session, not only those below this folder.
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.peers)


def _check_that_none_is_missing() -> None:
    missing = [name for name in PEERS if find_spec(name) is None]
    if missing and os.environ.get("WHENCE_PEERS") == "required":
        raise pytest.UsageError(f"Not installed here: {', '.join(missing)}. See scripts/test.")


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


_check_that_none_is_missing()
TORCHVISION = _let_torchvision_import()  # kept: the declaration ends with the object
