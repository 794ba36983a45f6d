"""What the package asks for is what it imports, each optional package only where it is needed."""

import ast
import sys
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from pathlib import Path

import pytest

from packaged import EXTRAS, PROJECT, ROOT, names

SOURCE = ROOT / "src" / "whence"
# The package that an import comes with: of another name, or one that always brings it.
COMES_WITH = {
    "PIL": "pillow",
    "markupsafe": "jinja2",
    "pydantic": "fastapi",
    "python_multipart": "python-multipart",
    "scipy": "scikit-learn",
    "sklearn": "scikit-learn",
    "starlette": "fastapi",
}
# The parts of whence that may import what an extra brings.
ALLOWED = {
    "data": {"scikit-learn": ["prototypes", "zoo"]},
    "frames": {"pandas": ["engine", "runs"]},
    "image": {"timm": ["zoo"], "torchvision": ["zoo"]},
    "text": {"transformers": ["zoo"]},
    "web": {"fastapi": ["serve"], "python-multipart": ["serve"], "uvicorn": ["serve"]},
}
# Never imported by name: others load them when they are asked to.
LOADED_BY_OTHERS = {
    "jinja2": "starlette, for templates",
    "pyarrow": "pandas, for Parquet files",
}


def imports() -> Iterator[tuple[str, str]]:
    """(package, part of whence) for each import of somebody else's package."""
    for path in sorted(SOURCE.rglob("*.py")):
        part = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            for name in imported(node):
                top = name.split(".")[0]
                if top not in sys.stdlib_module_names and top != "whence":
                    yield COMES_WITH.get(top, top), part


def imported(node: ast.AST) -> list[str]:
    """The modules that a statement imports, or a call of `optional`."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module] if node.module and not node.level else []
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "optional":
        return [each.value for each in node.args[:1] if isinstance(each, ast.Constant)]
    return []


FOUND = sorted(set(imports()))
CORE = names(PROJECT["dependencies"])


def test_the_core_imports_all_that_it_asks_for_and_nothing_else() -> None:
    optional = {name for packages in ALLOWED.values() for name in packages}

    assert {name for name, _ in FOUND if name not in optional} == CORE


def test_optional_packages_are_imported_only_where_they_are_needed() -> None:
    allowed = {
        (name, part)
        for packages in ALLOWED.values()
        for name, parts in packages.items()
        for part in parts
    }

    assert {(name, part) for name, part in FOUND if name not in CORE} == allowed


@pytest.mark.parametrize("extra", sorted(ALLOWED))
def test_an_extra_names_only_what_is_used(extra: str) -> None:
    used = {*ALLOWED[extra], *LOADED_BY_OTHERS}

    assert names(EXTRAS[extra]) - used == set()


def test_no_user_extra_brings_torchvision() -> None:
    # Its builds fit one torch only; whoever has one keeps it.
    assert "torchvision" not in {name for extra in ALLOWED for name in names(EXTRAS[extra])}


def test_the_wheel_says_what_the_project_file_says(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        [place] = [name for name in archive.namelist() if name.endswith("/METADATA")]
        about = Parser().parsestr(archive.read(place).decode())
    asked = about.get_all("Requires-Dist") or []

    assert set(about.get_all("Provides-Extra") or []) == set(EXTRAS)
    assert names([each for each in asked if "extra ==" not in each]) == CORE
    assert {extra: in_extra(asked, extra) for extra in ALLOWED} == {
        extra: names(EXTRAS[extra]) for extra in ALLOWED
    }
    assert about["Name"] == "whence"
    assert about["Requires-Python"] == PROJECT["requires-python"]
    assert about["License-Expression"] == "BSD-3-Clause"
    assert about.get_all("License-File") == ["LICENSE"]


def test_no_dependency_of_users_is_pinned_to_one_version() -> None:
    asked = [*PROJECT["dependencies"], *(each for extra in ALLOWED for each in EXTRAS[extra])]

    assert [each for each in asked if "==" in each or ">=" not in each] == []


def test_what_was_tested_is_pinned_for_every_package() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pinned = {line.partition("==")[0].lower() for line in lines if "==" in line}
    asked = {name for extra in EXTRAS for name in names(EXTRAS[extra])} | CORE

    assert asked - pinned - {"whence"} == set()


def in_extra(asked: list[str], extra: str) -> set[str]:
    """The packages that the wheel's description lists under an extra."""
    return names([each for each in asked if f"extra == '{extra}'" in each])
