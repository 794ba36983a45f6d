"""Wheel and sdist in an empty environment, used from outside the repository.

One environment goes through three states, in the order of this file: the package alone, with the
extra `web`, and made again from the sdist. ./scripts/test --all runs it in one process.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import whence
from packaged import EXTRAS, names

pytestmark = pytest.mark.package
ROOT = Path(__file__).parents[2]

MODULES = """
import importlib, json, pkgutil, sys, whence
failed = {}
for each in pkgutil.walk_packages(whence.__path__, "whence."):
    if each.name.split(".")[-1] == "__main__" or each.name.startswith(tuple(sys.argv[1:])):
        continue
    try:
        importlib.import_module(each.name)
    except Exception as error:
        failed[each.name] = repr(error)
print(json.dumps([whence.__version__, whence.__file__, failed]))
"""
INSTALLED = "from importlib.metadata import distributions as d\nfor e in d(): print(e.name)"
RIGHT = "import whence\nverdict: str = whence.explain(lambda x: x, None).ledger.verdict\n"
WRONG = "import whence\nwhence.explain(lambda x: x, None, method=3)\n"


@dataclass(frozen=True)
class Environment:
    """An environment with nothing in it but what is put there, and a folder to work in."""

    folder: Path
    work: Path

    def run(self, *words: str, code: int = 0) -> str:
        """Run a program of the environment; what it printed, both streams."""
        done = subprocess.run(
            [str(self.folder / "bin" / words[0]), *words[1:]],
            cwd=self.work,
            env=self.variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout
        return done.stdout

    @property
    def variables(self) -> dict[str, str]:
        """Those of the caller, without what leads to other Python packages or to data."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTHON", "WHENCE_", "VIRTUAL_ENV", "CONDA", "PYTEST"))
        }
        return kept | {
            "PATH": f"{self.folder / 'bin'}:{kept.get('PATH', '')}",
            "PIP_CONSTRAINT": str(ROOT / "constraints.txt"),
            "PYTHONNOUSERSITE": "1",
            "MPLCONFIGDIR": str(self.work / "matplotlib"),
            "COLUMNS": "100",
        }

    def packages(self) -> set[str]:
        """The names of what is installed."""
        return set(self.run("python", "-c", INSTALLED).lower().split())

    def files(self) -> dict[str, str]:
        """The installed files of whence with their hashes, as the installer wrote them down."""
        [record] = self.folder.glob("lib/python*/site-packages/whence-*.dist-info/RECORD")
        lines = [line.split(",") for line in record.read_text("utf-8").splitlines()]
        return {name: sha for name, sha, _ in lines if name.startswith("whence/") and sha}


PIP = ("python", "-m", "pip", "--disable-pip-version-check")


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """Python alone, then the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("empty")
    made = Environment(folder / "environment", folder)
    base = Path(sys.base_prefix) / "bin" / "python3"
    subprocess.run([base, "-m", "venv", made.folder], env=made.variables, check=True)
    assert made.packages() <= {"pip", "setuptools"}
    made.run(*PIP, "install", "-q", str(wheel))
    yield made
    shutil.rmtree(made.folder)  # a gigabyte


def test_nothing_that_it_needs_is_missing(environment: Environment) -> None:
    assert environment.run(*PIP, "check").endswith("No broken requirements found.\n")


def test_no_extra_comes_uninvited(environment: Environment) -> None:
    extras = {name for each in EXTRAS.values() for name in names(each)} - {"whence", "jinja2"}

    assert environment.packages() & extras == set()


def test_every_module_loads_without_any_extra(environment: Environment) -> None:
    version, place, failed = json.loads(environment.run("python", "-c", MODULES, "whence.serve"))

    assert version == whence.__version__
    assert Path(place).is_relative_to(environment.folder)
    assert failed == {}


def test_the_demo_leaves_its_pictures(environment: Environment) -> None:
    printed = environment.run("whence", "demo", "--out", "demo")
    pictures = sorted((environment.work / "demo").glob("*.png"))

    assert "Pictures:" in printed
    assert len(pictures) == 4
    assert all(colours(path) > 50 for path in pictures)


@pytest.mark.parametrize(
    ("line", "written"),
    [
        ("explain digits:100 --model digits-cnn --contrast 3,9 --out maps", "maps/report.html"),
        ("explain --text Good. --model sst-lstm --out words", "words/report.html"),
        (
            "maximize --model digits-cnn --target 3 --prior generator --steps 3 --out three",
            "three/report.json",
        ),
        (
            "evaluate --model digits-mlp --data digits --methods lrp,random "
            "--metrics flipping:step=64 --limit 4 --out measured",
            "measured/report.html",
        ),
        ("report measured", "measured/report.html"),
    ],
    ids=lambda each: each.split(" ")[0],
)
def test_a_command_works_on_what_is_packaged(
    line: str, written: str, environment: Environment
) -> None:
    environment.run("whence", *line.split(" "))

    assert (environment.work / written).stat().st_size > 1000


@pytest.mark.parametrize("line", ["--help", "methods", "models"])
def test_a_list_is_printed(line: str, environment: Environment) -> None:
    assert len(environment.run("whence", line).splitlines()) > 10


def test_the_server_says_what_it_lacks(environment: Environment) -> None:
    assert 'Run: pip install "whence[web]"' in environment.run("whence", "serve", code=2)


def test_a_user_of_types_gets_ours(environment: Environment) -> None:
    assert type_errors(environment, RIGHT) == []
    assert ["reportArgumentType", "reportCallIssue"] >= type_errors(environment, WRONG) != []


def test_the_extra_for_the_web_can_be_added_and_brings_nothing_else(
    environment: Environment,
) -> None:
    environment.run(*PIP, "install", "-q", "whence[web]")
    found = environment.packages()
    others = {name for extra, each in EXTRAS.items() if extra != "web" for name in names(each)}

    assert names(EXTRAS["web"]) <= found
    assert found & others - names(EXTRAS["web"]) - {"whence"} == set()


def test_every_module_loads_with_the_extra(environment: Environment) -> None:
    assert json.loads(environment.run("python", "-c", MODULES, "-"))[2] == {}


def test_no_public_type_is_unknown(environment: Environment) -> None:
    words = ["--verifytypes", "whence", "--ignoreexternal", "--outputjson"]
    found = json.loads(pyright(environment, *words))["typeCompleteness"]
    unknown = [each["name"] for each in found["symbols"] if unknown_type(each)]

    assert found["pyTypedPath"].endswith("whence/py.typed")
    assert found["exportedSymbolCounts"]["withKnownType"] > 200
    assert unknown == []


@pytest.fixture(scope="module")
def address(environment: Environment) -> Iterator[str]:
    """Where `whence serve` answers."""
    command = [str(environment.folder / "bin" / "whence"), "serve", "--port", "0"]
    with subprocess.Popen(
        command, cwd=environment.work, env=environment.variables, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines = process.stdout.readline(), process.stdout.readline()
        yield lines[1].removeprefix("Whence is at ").partition(" (")[0].strip()
        process.terminate()


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("", "<canvas"),
        ("static/style.css", "{"),
        ("static/digit.js", "import"),
        ("about", "Whence"),
    ],
    ids=["page", "style", "script", "about"],
)
def test_the_server_serves_its_files(path: str, word: str, address: str) -> None:
    with urllib.request.urlopen(address + path) as answer:
        assert word in answer.read().decode()


def test_the_server_explains_a_drawing(address: str) -> None:
    drawn = base64.b64encode(bytes(range(256)) * 4).decode()  # 32 x 32, darker to the right
    asked = urllib.request.Request(
        address + "api/explain/digit",
        json.dumps({"pixels": drawn, "target": 3}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(asked) as answer:
        found = json.load(answer)

    assert found["target"]["index"] == 3
    assert found["relevance"]["shape"][-2:] == found["picture"]["shape"][-2:]


def test_pip_makes_the_same_package_of_the_sdist(environment: Environment, sdist: Path) -> None:
    before = environment.files()
    environment.run(*PIP, "uninstall", "-q", "-y", "whence")
    environment.run(*PIP, "install", "-q", "--no-deps", str(sdist))

    assert environment.files() == before
    assert "digits-cnn" in environment.run("whence", "models")


def colours(path: Path) -> int:
    """How many colours a picture has."""
    with Image.open(path) as picture:
        return len(picture.convert("RGB").getcolors(1 << 24) or [])


def type_errors(environment: Environment, text: str) -> list[str]:
    """The rules that a file of a user breaks."""
    (environment.work / "user.py").write_text(text)
    found = json.loads(pyright(environment, "user.py", "--outputjson"))["generalDiagnostics"]
    return sorted(each["rule"] for each in found if each["severity"] == "error")


def unknown_type(symbol: dict[str, Any]) -> bool:
    return not symbol["isTypeKnown"] and not symbol["isTypeAmbiguous"]


def pyright(environment: Environment, *words: str) -> str:
    """What this environment's pyright says of the other, where whence is installed."""
    pytest.importorskip("pyright", reason="needs pyright: pip install 'whence[dev]'")
    return subprocess.run(
        [sys.executable, "-m", "pyright", *words],
        cwd=environment.work,
        env=environment.variables,
        capture_output=True,
        text=True,
        check=False,
    ).stdout
