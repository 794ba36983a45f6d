import doctest
import importlib
import pkgutil

import pytest

from whence import reports

MODULES = [f"whence.reports.{module.name}" for module in pkgutil.iter_modules(reports.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_the_docstrings_give_what_they_say(name: str) -> None:
    results = doctest.testmod(importlib.import_module(name))

    assert results.failed == 0
