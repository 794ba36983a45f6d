"""The program on the page about the web app talks to a real server."""

import pytest

import documented

pytest.importorskip("fastapi", reason="needs the extra: pip install whence[web]")

from serving import server


def test_the_program_on_the_page_gets_its_answers() -> None:
    with server() as address:
        printed = documented.run(
            "app.md", {"server"}, {"http://127.0.0.1:8321/": address.rstrip("/") + "/"}
        )

    assert "digits-cnn" in printed
    assert "'index': 1" in printed
