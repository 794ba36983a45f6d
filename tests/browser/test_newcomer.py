"""The first two minutes: the demo, the server, and a digit of one's own with its heatmap."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from browsing import BLANK, Tab, draw, serving, whence

PATIENCE = 120  # seconds


def test_a_newcomer_sees_a_digits_heatmap_within_two_minutes_of_the_installation(
    tabs: Callable[..., Tab], tmp_path: Path
) -> None:
    start = time.monotonic()
    # What ./scripts/demo runs once it has installed; `whence serve` as it is, at a free port.
    shown = subprocess.run(
        [*whence(), "demo", "--out", str(tmp_path / "whence-demo")],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    with serving() as address:
        tab = tabs(at=address).open()
        before = tab.look("#map")
        draw(tab)
        tab.settle()
        needed = time.monotonic() - start
        after, title, blank = tab.look("#map"), tab.text("#map-title"), tab.page.evaluate(BLANK)
    print(f"a newcomer needed {needed:.0f} s")

    assert list((tmp_path / "whence-demo").glob("*.png")) != []
    assert "whence-demo" in shown.stdout
    assert title == "Why 7?"
    assert after != before
    assert blank == []
    assert needed < PATIENCE
