"""The blocks of the documentation that need another library run where it is installed."""

from importlib.util import find_spec
from pathlib import Path

import pytest

import documented

NEEDED = [
    (page, package)
    for page in documented.pages()
    for package in documented.needed(page) - {"server"}  # tests/docs/test_server_page.py
]

pytestmark = pytest.mark.filterwarnings("ignore")  # what the others warn of is theirs to mend


@pytest.mark.parametrize(("page", "package"), sorted(NEEDED))
def test_the_blocks_of_a_page_that_need_a_package_run(
    page: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if find_spec(package) is None:
        pytest.skip(f"the page needs {package}")
    monkeypatch.chdir(tmp_path)

    ran = documented.run(page, {package})

    assert isinstance(ran, str)
