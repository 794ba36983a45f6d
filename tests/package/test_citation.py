"""CITATION.cff is valid, and says what the package says.

`cffconvert --validate` checks the whole schema; here is what can drift or be mistyped.
"""

import tomllib
from pathlib import Path
from typing import Any

import pytest

import whence

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# The keys of version 1.2.0 of the format that mean something for software, and their types.
KEYS = {
    "abstract": str,
    "authors": list,
    "cff-version": str,
    "date-released": str,
    "doi": str,
    "identifiers": list,
    "keywords": list,
    "license": str,
    "message": str,
    "preferred-citation": dict,
    "references": list,
    "repository-code": str,
    "title": str,
    "type": str,
    "url": str,
    "version": str,
}


@pytest.fixture(scope="module")
def cited() -> dict[str, Any]:
    yaml = pytest.importorskip("yaml", reason="needs PyYAML: pip install 'whence[docs]'")
    # As text: a version such as 1.10 is no number.
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    return yaml.load(text, Loader=yaml.BaseLoader)


def test_every_key_is_one_of_the_format_and_of_its_type(cited: dict[str, Any]) -> None:
    assert {key: type(value) for key, value in cited.items()} == {key: KEYS[key] for key in cited}


def test_what_the_format_asks_for_is_there(cited: dict[str, Any]) -> None:
    assert cited["cff-version"] == "1.2.0"
    assert cited["message"]
    assert cited["type"] == "software"
    assert [set(each) for each in cited["authors"]] == [{"name"}]


def test_it_says_what_the_package_says(cited: dict[str, Any]) -> None:
    assert cited["version"] == PROJECT["version"] == whence.__version__
    assert cited["license"] == PROJECT["license"]
    assert [each["name"] for each in cited["authors"]] == [
        each["name"] for each in PROJECT["authors"]
    ]
    assert cited["title"].lower() == PROJECT["name"]
