"""The command `whence serve`, as a process: it says where it is, answers, and stops cleanly."""

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from importlib import util

import pytest
from typer.testing import CliRunner

from whence.cli import _serve as command
from whence.cli import app

needs_web = pytest.mark.skipif(
    util.find_spec("fastapi") is None, reason="needs the extra: pip install whence[web]"
)
Running = subprocess.Popen[str]


@pytest.fixture
def running() -> Iterator[Running]:
    """The server as a process of its own, at any free port."""
    started = [sys.executable, "-m", "whence", "serve", "--port", "0", "--token", "a b"]
    pipe = subprocess.PIPE
    with subprocess.Popen(started, stdout=pipe, stderr=pipe, text=True) as process:
        yield process
        process.kill()


@needs_web
@pytest.mark.skipif(os.name == "nt", reason="signals differ on Windows")
def test_it_prints_its_address_and_stops_cleanly(running: Running) -> None:
    address = address_in(running)
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())  # a token is kept
    with browser.open(address) as page:
        text = page.read().decode()
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=20)

    assert "Whence" in text
    assert running.returncode == 0
    assert err == "whence: the server has stopped.\n"
    assert out == ""


@needs_web
@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--port", "70000"], "65535"),
        (["--port", "0", "--host", "no.such.host.invalid"], "cannot listen"),
        (["--port", "0", "--model", "no-such-model"], "there is no model"),
        (["--port", "0", "--token", " "], "must not be empty"),
        (["--port", "0", "--prefix", "whence"], "A prefix must be a path"),
        (["--port", "0", "--root", "no-such-folder", "--model", "xor"], "not a folder"),
    ],
)
def test_a_wrong_option_ends_it_with_a_reason(options: list[str], reason: str) -> None:
    found = CliRunner().invoke(app, ["serve", *options])

    assert found.exit_code == 2
    assert reason in found.output
    assert "Traceback" not in found.output


def test_without_its_packages_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name="fastapi")

    monkeypatch.setattr(command, "import_module", absent)
    found = CliRunner().invoke(app, ["serve"])

    assert found.exit_code == 2
    assert 'pip install "whence[web]"' in found.output


def test_the_command_line_needs_no_package_of_the_web() -> None:
    lines = "import sys, whence.cli; print([n for n in ('fastapi', 'uvicorn') if n in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-c", lines], capture_output=True, text=True, check=True
    )

    assert found.stdout == "[]\n"


def address_in(running: Running) -> str:
    """What the process says on its second line; the first lists the models."""
    assert running.stdout is not None
    models, place = running.stdout.readline(), running.stdout.readline()
    assert "digits-cnn" in models
    return place.removeprefix("Whence is at ").split(" (")[0]
