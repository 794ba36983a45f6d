"""The program on the page about the web app talks to a real server."""

import re

import pytest

import documented

pytest.importorskip("fastapi", reason="needs the extra: pip install whence[web]")

from serving import server
from whence.serve import Limits
from whence.serve._compare_schemas import MOST_METHODS, MOST_SAMPLES, MOST_SECONDS
from whence.serve._compare_work import MOST_CELLS


def test_the_program_on_the_page_gets_its_answers() -> None:
    with server() as address:
        printed = documented.run(
            "app.md", {"server"}, {"http://127.0.0.1:8321/": address.rstrip("/") + "/"}
        )

    assert "digits-cnn" in printed
    assert "'index': 1" in printed


def test_the_limits_on_the_page_are_those_of_the_server() -> None:
    text = (documented.DOCS / "app.md").read_text(encoding="utf-8")
    rows = text.partition("| what | limit |")[2].partition("\n\n")[0]
    found = [int(each.replace(",", "")) for each in re.findall(r"\d[\d,]*", rows)]
    limits = Limits()

    assert found[:8] == [
        limits.body // 2**20,
        limits.pixels // 10**6,
        limits.text,
        limits.texts,
        int(limits.seconds),
        limits.running,
        limits.waiting,
        limits.models,
    ]
    assert found[8:11] == [MOST_METHODS, MOST_SAMPLES, MOST_SECONDS]
    assert found[11:13] == [MOST_CELLS, limits.comparisons]
