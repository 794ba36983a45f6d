"""The first two minutes: the demo, the server, and a digit of one's own with its heatmap."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from browsing import BLANK, Tab, draw, serving

ROOT = Path(__file__).parents[2]
DEMO, WHENCE = ROOT / "scripts" / "demo", ROOT / ".venv" / "bin" / "whence"  # as the README has it
PATIENCE = 120  # seconds


def test_a_newcomer_sees_a_digits_heatmap_within_two_minutes_of_the_installation(
    tabs: Callable[..., Tab], tmp_path: Path
) -> None:
    subprocess.run([DEMO, "--help"], check=True, stdout=subprocess.DEVNULL)  # installs, if need be
    start = time.monotonic()
    shown = subprocess.run(
        [DEMO, "--out", str(tmp_path / "whence-demo")],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    with serving(program=WHENCE) as address:
        tab = tabs(at=address).open()
        before = tab.look("#map")
        draw(tab)
        tab.settle()
        needed = time.monotonic() - start
        after, title, blank = tab.look("#map"), tab.text("#map-title"), tab.page.evaluate(BLANK)
    print(f"a newcomer needed {needed:.0f} s")

    assert list((tmp_path / "whence-demo").glob("*.png")) != []
    assert "whence-demo" in shown.stdout
    assert ".venv/bin/whence serve" in shown.stderr
    assert title == "Why 7?"
    assert after != before
    assert blank == []
    assert needed < PATIENCE
