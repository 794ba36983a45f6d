"""The picture of the page in the README is what the page looks like.

pytest -m browser tests/browser/test_picture.py --keep-picture      # makes it anew
"""

import io
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from browsing import Tab, draw

PICTURE = Path(__file__).parents[2] / "docs" / "pictures" / "serve.png"
SHOWN = {"x": 0, "y": 0, "width": 1280, "height": 985}
LARGEST = 200_000  # bytes


def bow(y: float, radius: float, start: int) -> list[tuple[float, float]]:
    """An arc from the left over the right, in parts of the field's side; degrees from the right."""
    angles = [math.radians(start + 10 * step) for step in range(22)]
    return [(0.44 + radius * math.cos(a), y + radius * math.sin(a)) for a in angles]


@pytest.fixture
def shot(tab: Tab) -> bytes:
    """The page as it is after someone has drawn a three."""
    tab.open()
    draw(tab, [*bow(0.33, 0.18, -150), *bow(0.69, 0.20, -80)])
    tab.page.mouse.move(1, 1)
    tab.page.evaluate("() => scrollTo(0, 0)")
    tab.settle()
    assert tab.text("#map-title") == "Why 3?"
    return tab.page.screenshot(full_page=True, clip=SHOWN)


def test_the_picture_in_the_readme_is_the_page(shot: bytes, request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--keep-picture", default=False):
        made = Image.open(io.BytesIO(shot)).convert("RGB")
        made.save(PICTURE, optimize=True)
    with Image.open(PICTURE) as kept, Image.open(io.BytesIO(shot)) as seen:
        kept_pixels = np.asarray(kept.convert("L"), dtype=float)
        seen_pixels = np.asarray(seen.convert("L"), dtype=float)

    assert kept_pixels.shape == seen_pixels.shape
    # Nearly: fonts differ from machine to machine, and so do the last pixels of a stroke.
    assert np.abs(kept_pixels - seen_pixels).mean() < 5
    assert PICTURE.stat().st_size < LARGEST
