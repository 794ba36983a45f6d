import doctest
import importlib
import pkgutil
import re
from pathlib import Path
from typing import Any

import pytest

from whence import prototypes

MODULES = [f"whence.prototypes.{each.name}" for each in pkgutil.iter_modules(prototypes.__path__)]
PAGE = Path(__file__).parents[2] / "docs" / "prototypes.md"


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_the_docstrings_give_what_they_say(name: str) -> None:
    results = doctest.testmod(importlib.import_module(name))

    assert results.failed == 0


def test_the_example_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[0], names)

    found = names["found"]
    assert (found.objective > -0.1).all()
    assert (tmp_path / "prototypes.png").stat().st_size > 1000


def test_the_page_names_what_exists() -> None:
    rows = re.findall(r"^\| .*? \| (.*) \|$", PAGE.read_text(), re.MULTILINE)
    named = re.findall(r"`(\w+)(?:\(\w+\))?`", " ".join(rows))

    assert len(named) > 25
    assert set(named) - {"log_prob"} <= set(prototypes.__all__)
