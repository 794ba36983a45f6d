"""The pieces that reports and the app are made of: one set of templates, one look."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from whence import viz
from whence.reports._page import STATIC, TEMPLATES, pieces

SHEETS = {path.name: path.read_text(encoding="utf-8") for path in STATIC.glob("*.css")}
GROUND = re.compile(r"\.r(-?\d+) \{ background: #(\w{6}); color: #(\w{6}); \}")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    file = Path(__file__).parents[2] / "scripts" / "make_colours.py"
    spec = importlib.util.spec_from_file_location("make_colours", file)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def rgb(text: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(text))


def test_the_grounds_of_words_are_those_that_the_script_writes(script: ModuleType) -> None:
    assert SHEETS["pieces.css"] == script.pieces()


@pytest.mark.parametrize(("part", "colours"), [(0, "red-blue"), (1, "hot-cold")])
def test_the_grounds_of_words_are_the_colours_of_pictures(part: int, colours: str) -> None:
    sheet = SHEETS["pieces.css"].split("@media")[part]
    steps = [(int(step), rgb(ground)) for step, ground, _ in GROUND.findall(sheet)]
    values = np.arange(-10, 11) / 10

    assert [step for step, _ in steps] == list(range(-10, 11))
    np.testing.assert_array_equal(
        [ground for _, ground in steps],
        viz.colourise(values[None], scale=1.0, colours=colours)[0],
    )


def test_letters_stand_out_on_every_ground(script: ModuleType) -> None:
    found = GROUND.findall(SHEETS["pieces.css"])

    assert len(found) == 42
    assert script.contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert min(script.contrast(rgb(ground), rgb(ink)) for _, ground, ink in found) >= 4.5


@pytest.mark.parametrize(
    ("values", "special", "scale", "steps"),
    [
        ([4.0, -2.0, 0.0], None, None, [10, -5, 0]),
        ([100.0, 2.0, -1.0], [True, False, False], None, [0, 10, -5]),
        ([1.0, 1.0, -9.0], None, 4.0, [2, 2, -10]),
        ([0.0, 0.0, 0.0], None, None, [0, 0, 0]),
    ],
)
def test_words_have_the_step_of_their_share_of_the_largest(
    values: list[float], special: list[bool] | None, scale: float | None, steps: list[int]
) -> None:
    made = pieces(["a", "b", "c"], values, special, scale)

    assert [piece.step for piece in made] == steps
    assert [piece.text for piece in made] == ["a", "b", "c"]
    assert [float(piece.value) for piece in made] == values
    assert [piece.special for piece in made] == (special or [False] * 3)


@pytest.mark.parametrize(
    "path", [*TEMPLATES.glob("*"), *STATIC.glob("*")], ids=lambda each: each.name
)
def test_nothing_has_styles_of_its_own_or_comes_from_elsewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert re.findall(r"\sstyle=|\son\w+=|@import|url\(|https?://", text) == []


def test_paper_is_light() -> None:
    dark = re.findall(r"@media ([^{]*dark[^{]*) \{", "".join(SHEETS.values()))

    assert dark == ["screen and (prefers-color-scheme: dark)"] * 2
