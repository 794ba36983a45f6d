"""Comparisons with other libraries, run in an environment of their own: ./scripts/test --all.

A test file here starts with `zennit = pytest.importorskip("zennit", reason="compares with zennit")`
for each peer it needs, so that it is skipped, and listed with its reason, where the peer is absent.
"""

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

import torchvision_shim  # noqa: F401

PEERS = ("captum", "quantus", "timm", "torchvision", "transformers", "zennit")
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


_check_that_none_is_missing()
