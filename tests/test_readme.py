import importlib.util
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "docs/rules.md",
    "docs/readings.md",
    "docs/text.md",
    "docs/metrics.md",
]


TABLES = ("examples", "methods", "metrics", "operations", "papers", "rules")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """scripts/make_tables.py"""
    spec = importlib.util.spec_from_file_location(
        "make_tables", ROOT / "scripts" / "make_tables.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def python_in(page: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize(
    "code",
    python_in("README.md"),  # other pages: tests/docs
    ids="first, text, measure".split(", "),
)
def test_the_python_in_the_readme_runs(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    exec(compile(code, "page", "exec"), {})


def test_the_python_in_the_readme_has_fifteen_lines_at_most() -> None:
    assert len([line for line in python_in("README.md")[0].splitlines() if line]) <= 15


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{name}.md" for name in TABLES)])
def test_the_tables_match_the_docstrings(page: str, script: ModuleType) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")

    assert script.with_tables(text) == text, "run scripts/make_tables.py"


def test_every_table_is_on_a_page(script: ModuleType) -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in script.PAGES)

    assert set(re.findall(r"<!-- table: (\w+) -->", pages)) == set(script.tables())


def test_a_stale_table_is_noticed(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- table: rules -->\nold\n<!-- end -->\n")
    monkeypatch.setattr(script, "PAGES", (page,))
    monkeypatch.setattr(script, "ROOT", tmp_path)

    assert script.main(["--check"]) == 1
    assert "old" in page.read_text()


def test_the_picture_is_the_one_the_software_makes(script: ModuleType) -> None:
    with Image.open(script.PICTURE) as picture:
        stored = np.asarray(picture.convert("RGB"), dtype=float)
    made = np.asarray(script.readme_picture().image(), dtype=float)

    assert made.shape == stored.shape
    # Nearly: other versions of the font's renderer and of torch round differently.
    assert np.abs(made - stored).mean() < 2


@pytest.mark.parametrize("name", ["digits.png", "serve.png"])
def test_the_pictures_are_small(name: str) -> None:
    assert f"(docs/pictures/{name})" in README
    assert (ROOT / "docs" / "pictures" / name).stat().st_size < 200_000


@pytest.mark.parametrize("page", PAGES)
def test_links_to_files_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]

    assert [link for link in links if not ((ROOT / page).parent / link).exists()] == []


def test_the_folders_in_the_map_exist() -> None:
    named = re.findall(r"^\| `(\S+?)`", README.split("## Map of the repository")[1], re.MULTILINE)

    assert len(named) > 5
    assert [name for name in named if not (ROOT / name).is_dir()] == []


def test_the_architecture_fits_on_three_screens() -> None:
    assert len((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").splitlines()) <= 150
