"""The documentation's pictures: made by scripts that exist, shown where they lie, and small."""

import io
import re
import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "make_pictures.py"))
PAGE = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
SHOWN = sorted(set(re.findall(r"\]\(pictures/([\w-]+\.png)\)", PAGE)))
MADE = {file for made in SCRIPT["MADE"].values() for file in made.files.values()}
SCRIPTS = sorted({made.script for made in SCRIPT["MADE"].values()})


@pytest.mark.parametrize("name", SHOWN)
def test_a_picture_of_the_tutorial_is_there_and_small(name: str) -> None:
    assert (ROOT / "docs" / "pictures" / name).stat().st_size <= SCRIPT["LARGEST"]


def test_all_pictures_of_the_tutorial_are_made_by_the_script() -> None:
    assert len(SHOWN) >= 5
    assert set(SHOWN) <= MADE


@pytest.mark.parametrize("name", SCRIPTS)
def test_an_example_that_makes_pictures_is_there_and_in_the_tutorial(name: str) -> None:
    assert (ROOT / "examples" / name).is_file()
    assert f"examples/{name}" in PAGE


def test_a_large_picture_gets_smaller_and_a_small_one_stays() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (300, 300, 3), np.uint8))
    plain = Image.new("RGB", (300, 300), (182, 4, 19))

    assert len(SCRIPT["small"](noise)) <= SCRIPT["LARGEST"] < noise.width * noise.height * 3
    assert plain.tobytes() == opened(SCRIPT["small"](plain)).tobytes()


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content)).convert("RGB")
