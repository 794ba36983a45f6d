"""The house stands: imports point down only, and each file keeps to the form of its kind."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

# Where each part of whence lives. A part imports from lower floors only. The single files of the
# ground floor are one part; so are the files of one folder.
FLOORS = {
    "_draws": 0,
    "errors": 0,
    "_explanation": 0,
    "_flow": 0,
    "_html": 0,
    "_identity": 0,
    "_multiply_adds": 0,
    "_numerics": 0,
    "_reach": 0,
    "_reach_rules": 0,
    "_reach_windows": 0,
    "_references": 0,
    "_text": 0,
    "_text_explanation": 0,
    "_types": 0,
    "targets": 0,
    "engine": 1,
    "viz": 1,
    "zoo": 1,
    "rules": 2,
    "composites": 3,
    "convert": 3,
    "explainers": 4,
    "prototypes": 4,
    "analysis": 5,
    "metrics": 5,
    "testing": 6,  # the contract of metrics needs them
    "runs": 6,
    "reports": 7,
    "serve": 8,
    "cli": 9,
    "__main__": 10,
    "__init__": 11,  # the table of contents, above all
}
# Large, or built for one version of torch only: loaded by the functions that need them.
OPTIONAL = {"sklearn", "timm", "torchaudio", "torchvision", "transformers"}
LATE = {Path("cli/_serve.py")}
LONGEST = 500

SOURCE = Path(__file__).parents[1] / "src" / "whence"


@dataclass(frozen=True)
class File:
    """A source file: its path below src/whence, and its text."""

    path: Path
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, filename=str(self.path))

    @property
    def part(self) -> str:
        return self.path.parts[0].removesuffix(".py")

    @property
    def is_top(self) -> bool:
        return self.path == Path("__init__.py")

    def imports(self) -> Iterator[tuple[int, str]]:
        """Each imported name in full, as (line, "whence.rules.Gamma")."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield from ((node.lineno, name) for name in _names(node, self.path))


FILES = [File(path.relative_to(SOURCE), path.read_text()) for path in sorted(SOURCE.rglob("*.py"))]
every_file = pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.path))
every_package = pytest.mark.parametrize(
    "file", [f for f in FILES if f.path.name == "__init__.py"], ids=lambda file: str(file.path)
)


@every_file
def test_every_part_has_a_floor(file: File) -> None:
    assert file.part in FLOORS


@every_file
def test_imports_point_down(file: File) -> None:
    assert upward_imports(file) == []


@every_file
def test_no_function_imports_whence(file: File) -> None:
    assert hidden_imports(file) == []


@every_file
def test_optional_packages_load_late(file: File) -> None:
    assert early_imports(file) == []


@every_file
def test_annotations_are_not_postponed(file: File) -> None:
    # Postponed annotations are strings, which the shape checker of the tests cannot see through.
    assert "__future__.annotations" not in {name for _, name in file.imports()}


@every_file
def test_no_file_is_too_long(file: File) -> None:
    assert len(file.text.splitlines()) <= LONGEST


@every_package
def test_a_package_only_imports(file: File) -> None:
    assert other_statements(file) == []


@every_package
def test_a_package_lists_what_it_imports_sorted(file: File) -> None:
    assert listed_names(file) == public_names(file)


# The checks themselves, on small files that break one rule each.


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("engine/_a.py", "from whence.rules import Gamma"),
        ("engine/_a.py", "import whence.rules._gamma"),
        ("engine/_a.py", "from ..rules import Gamma"),
        ("engine/_a.py", "from whence import rules"),
        ("viz/_a.py", "from whence.zoo import load"),
        ("metrics/deep/_a.py", "from ...analysis import clusters"),
        ("rules/_a.py", "import whence"),
        ("rules/_a.py", "from whence import LRP"),
        ("targets.py", "def f():\n    from .engine import Tape"),
    ],
)
def test_an_import_that_does_not_point_down_is_found(path: str, text: str) -> None:
    assert len(upward_imports(File(Path(path), text))) == 1


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("rules/_a.py", "from whence.engine import LinearMap\nfrom .. import _types"),
        ("rules/_a.py", "from ._b import Zero\nfrom . import _b\nimport whence.rules._b"),
        ("rules/__init__.py", "from ._b import Zero"),
        ("_explanation.py", "from .errors import WhenceError\nimport torch"),
        ("__init__.py", "from .cli import main\nfrom . import rules"),
    ],
)
def test_an_import_that_points_down_is_allowed(path: str, text: str) -> None:
    assert upward_imports(File(Path(path), text)) == []


@pytest.mark.parametrize(
    "line",
    [
        "from whence.engine import Tape",
        "from . import _b",
        "import whence.engine as engine",
        "import_module('whence.engine')",
        "importlib.import_module('.engine', 'whence')",
    ],
)
def test_an_import_of_whence_in_a_function_is_found(line: str) -> None:
    assert len(hidden_imports(File(Path("rules/_a.py"), f"def f():\n    {line}"))) == 1


@pytest.mark.parametrize("text", ["import timm", "if fast:\n    from sklearn import svm"])
def test_an_early_import_of_an_optional_package_is_found(text: str) -> None:
    assert len(early_imports(File(Path("zoo/_a.py"), text))) == 1


@pytest.mark.parametrize(
    "text", ["def f():\n    import timm", "if TYPE_CHECKING:\n    import sklearn"]
)
def test_a_late_import_of_an_optional_package_is_allowed(text: str) -> None:
    assert early_imports(File(Path("zoo/_a.py"), text)) == []


@pytest.mark.parametrize("text", ["x = 1", "def f(): ...", "if True:\n    import a"])
def test_code_in_a_package_is_found(text: str) -> None:
    assert len(other_statements(File(Path("rules/__init__.py"), f'"""Doc."""\n{text}'))) == 1


def test_the_top_may_load_its_parts_late() -> None:
    text = '"""Doc."""\n_LATE = {"LRP": "explainers"}\ndef __getattr__(name): ...'

    assert other_statements(File(Path("__init__.py"), text)) == []


@pytest.mark.parametrize(
    "names", ["('B', 'A')", "('A',)", "('A', 'B', 'C')", "('A', 'A', 'B')", "()"]
)
def test_a_wrong_list_of_names_is_found(names: str) -> None:
    file = File(Path("rules/__init__.py"), f"from ._a import A, B\n__all__ = {names}")

    assert listed_names(file) != public_names(file)


def upward_imports(file: File) -> list[str]:
    """The imports from the same floor or a higher one."""
    return [
        f"line {line}: {name}"
        for line, name in file.imports()
        if name.split(".")[0] == "whence" and not _points_down(file.part, _part(name))
    ]


def hidden_imports(file: File) -> list[str]:
    """The imports of whence inside functions, also by import_module."""
    found: dict[int, str] = {}
    for function in _functions(file.tree):
        for node in ast.walk(function):
            names = _names(node, file.path) if isinstance(node, ast.Import | ast.ImportFrom) else []
            if any(name.split(".")[0] == "whence" for name in names) or _loads_whence(node):
                found[node.lineno] = ast.unparse(node)
    # Only the top may load its own parts by name, on first use; and the command that serves, since
    # the web application imports packages of an extra.
    may = file.is_top or file.path in LATE
    return [] if may else [f"line {line}: {text}" for line, text in found.items()]


def early_imports(file: File) -> list[str]:
    """The imports of optional packages that run when the file is loaded."""
    late = {
        id(node)
        for block in [*_functions(file.tree), *_type_checking_blocks(file.tree)]
        for node in ast.walk(block)
    }
    return [
        f"line {node.lineno}: {name}"
        for node in ast.walk(file.tree)
        if isinstance(node, ast.Import | ast.ImportFrom) and id(node) not in late
        for name in _names(node, file.path)
        if name.split(".")[0] in OPTIONAL
    ]


def other_statements(file: File) -> list[str]:
    """What an __init__ holds besides a docstring, imports and __all__."""
    body = file.tree.body[1:] if ast.get_docstring(file.tree) else file.tree.body
    found = [node for node in body if not isinstance(node, ast.Import | ast.ImportFrom)]
    found = [node for node in found if _assigned(node) != "__all__"]
    if file.is_top:
        # A table of the parts that load on first use, and the functions that read it.
        found = [n for n in found if not _assigned(n) and not isinstance(n, ast.FunctionDef)]
        found = [n for n in found if n not in _type_checking_blocks(file.tree)]
    return [f"line {node.lineno}: {ast.unparse(node)}" for node in found]


def listed_names(file: File) -> list[str]:
    """The names in __all__, in their order."""
    lists = [node.value for node in file.tree.body if _assigned(node) == "__all__"]
    return [name for value in lists for name in ast.literal_eval(value)]


def public_names(file: File) -> list[str]:
    """What __all__ should hold: the imported public names, sorted."""
    if file.is_top:
        return sorted(set(listed_names(file)))  # names that load late are not among its imports
    imported = [
        alias.asname or alias.name
        for node in file.tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    ]
    return sorted({name for name in imported if not name.startswith("_")})


def _points_down(importer: str, imported: str) -> bool:
    floor, below = FLOORS.get(importer, -1), FLOORS.get(imported, len(FLOORS))
    return importer == imported or below < floor or below == floor == 0


def _part(name: str) -> str:
    """The part of the house that a full name comes from; what is no part comes from the top."""
    first = [*name.split("."), ""][1]
    return first if first in FLOORS else "__init__"


def _names(node: ast.Import | ast.ImportFrom, path: Path) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    start: list[str] = []
    if node.level:
        package = ["whence", *path.parent.parts]
        start = package[: len(package) - node.level + 1]
    return [".".join([*start, *filter(None, [node.module]), alias.name]) for alias in node.names]


def _functions(tree: ast.AST) -> list[ast.AST]:
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


def _type_checking_blocks(tree: ast.AST) -> list[ast.AST]:
    conditions = ("TYPE_CHECKING", "typing.TYPE_CHECKING")
    blocks = [node for node in ast.walk(tree) if isinstance(node, ast.If)]
    return [node for node in blocks if ast.unparse(node.test) in conditions]


def _loads_whence(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    function = ast.unparse(node.func).split(".")[-1]
    return function in ("import_module", "__import__") and "'whence" in ast.unparse(node)


def _assigned(node: ast.stmt) -> str | None:
    """The name that a plain assignment binds."""
    target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
    return target.id if isinstance(target, ast.Name) else None
