"""The project file as tests of the package read it."""

import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]


def names(requirements: list[str]) -> set[str]:
    """The packages that a list of requirements names."""
    return {re.split(r"[^\w.-]", each, maxsplit=1)[0].lower() for each in requirements}
