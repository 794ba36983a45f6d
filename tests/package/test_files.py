"""What a wheel and an sdist hold: all of the package, and nothing else."""

import subprocess
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import pytest

import whence

ROOT = Path(__file__).parents[2]
INFO = f"whence-{whence.__version__}.dist-info"
# What stands in the package beside its modules, by the folder that needs it.
KINDS = {
    "whence": {".typed"},
    "whence/reports": {".css", ".html"},
    "whence/serve": {".css", ".html", ".js", ".json", ".svg"},
    "whence/zoo": {".md", ".npz", ".safetensors", ".txt"},
}


def ours() -> list[str]:
    """The files that git tracks or would track, from the top of this repository."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others"]
    try:
        top = subprocess.check_output(
            ["git", "-C", str(ROOT), "rev-parse", "--show-toplevel"],
            stderr=subprocess.DEVNULL,
            text=True,
        ).strip()
        listed = subprocess.check_output([*command, "--exclude-standard"], text=True)
    except (OSError, subprocess.CalledProcessError):
        top, listed = "", ""
    if top != str(ROOT):
        pytest.skip("needs a git repository, to know which files are ours")
    names = listed.split("\0")
    return sorted({name for name in names if name and (ROOT / name).exists()})


def kinds(names: list[str]) -> dict[str, set[str]]:
    """The endings of what is no module, by folder."""
    found: dict[str, set[str]] = {}
    for path in map(Path, names):
        if path.suffix != ".py" and path.parts[0] != INFO:
            found.setdefault("/".join(path.parts[:-1][:2]), set()).add(path.suffix)
    return found


@pytest.fixture(scope="module")
def in_wheel(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return sorted(archive.namelist())


@pytest.fixture(scope="module")
def in_sdist(sdist: Path) -> dict[str, tarfile.TarInfo]:
    """The members by their name below the top folder."""
    with tarfile.open(sdist) as archive:
        return {each.name.partition("/")[2]: each for each in archive.getmembers()}


def test_the_wheel_is_the_package_and_its_description(in_wheel: list[str]) -> None:
    package = [name.removeprefix("src/") for name in ours() if name.startswith("src/whence/")]
    about = ["METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"]

    assert in_wheel == sorted([*package, *(f"{INFO}/{name}" for name in about)])


def test_the_wheel_fits_every_system(wheel: Path) -> None:
    assert wheel.name == f"whence-{whence.__version__}-py3-none-any.whl"


def test_what_is_no_module_is_of_a_known_kind(in_wheel: list[str]) -> None:
    assert kinds(in_wheel) == KINDS


def test_a_wheel_is_small(wheel: Path) -> None:
    assert wheel.stat().st_size < 4_000_000


def test_the_sdist_is_the_repository(in_sdist: dict[str, tarfile.TarInfo]) -> None:
    assert sorted(in_sdist) == sorted([*ours(), "PKG-INFO"])


def test_the_sdist_has_one_folder_with_the_name_and_version(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        tops = Counter(name.split("/")[0] for name in archive.getnames())

    assert [*tops] == [f"whence-{whence.__version__}"]


@pytest.mark.parametrize("name", ["scripts/demo", "scripts/test"])
def test_the_commands_can_be_started_in_the_sdist(
    name: str, in_sdist: dict[str, tarfile.TarInfo]
) -> None:
    assert in_sdist[name].mode & 0o111 == 0o111


@pytest.mark.parametrize(
    "name", ["README.md", "LICENSE", "mkdocs.yml", "constraints.txt", "examples/sentiment.py"]
)
def test_the_sdist_has_what_its_tests_read(name: str, in_sdist: dict[str, tarfile.TarInfo]) -> None:
    assert in_sdist[name].size == (ROOT / name).stat().st_size
