"""The comparison with lxt, run in an environment of its own: ./scripts/test --all.

lxt needs an old transformers and patches classes for the whole process. So it computes in other
processes, and no test imports it.
"""

import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # pytest hands over all tests of the session, not only those below this folder.
    left_out = not _installed() and os.environ.get("WHENCE_PEERS") != "required"
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.lxt)
            item.add_marker(pytest.mark.skipif(left_out, reason="compares with lxt"))


def _installed() -> bool:
    try:
        return bool(version("lxt"))
    except PackageNotFoundError:
        return False


@pytest.fixture(scope="session")
def patched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with what lxt computed for all models; see patched.py."""
    folder = tmp_path_factory.mktemp("lxt")
    command = [sys.executable, str(HERE / "patched.py"), str(folder)]
    environment = os.environ | {"PYTHONPATH": str(HERE.parent)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder
