"""The code on the pages of the documentation runs, and its commands exist."""

import re
from pathlib import Path

import pytest
import typer.main

import documented
from documented import DOCS, ROOT
from whence.cli._main import app

PAGES = documented.pages()
WITH_PYTHON = [page for page in PAGES if documented.python(page)]
COMMANDS = sorted({tuple(words) for page in PAGES for words in documented.commands(page)})
OURS = [words for words in COMMANDS if words[0] == "whence" and len(words) > 1]
SCRIPTS = [words for words in COMMANDS if words[0] == "python" and words[1].endswith(".py")]

# Blocks that are shown and never run, and why; nothing else may be left out.
LEFT_OUT = {
    "downloads weights",
    "downloads a model",
    "lxt 2.1 needs transformers 4.52 and patches classes for the whole process; the comparison "
    "runs in an environment of its own",
    "the same model, which is a download",
}


@pytest.mark.parametrize("page", WITH_PYTHON)
def test_the_python_of_a_page_runs_and_prints_what_it_says(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    printed = documented.run(page, set())

    assert [words for words in documented.printed(page) if words not in printed] == []


def test_what_is_never_run_is_on_the_list_and_everything_on_the_list_is_used() -> None:
    marked = {block.left_out for page in PAGES for block in documented.blocks(page)}

    assert marked - {""} == LEFT_OUT


def test_every_fence_says_its_language_and_every_mark_is_known() -> None:
    found = [block for page in PAGES for block in documented.blocks(page)]
    known = re.compile(r"needs: \w+|not run: .+|printed|")

    assert {block.kind for block in found} <= {"python", "text", ""}
    assert [block.mark for block in found if not known.fullmatch(block.mark)] == []
    assert len([block for block in found if block.kind == "python"]) > 50


def test_python_that_is_not_fenced_as_python_is_noticed() -> None:
    others = [block.code for page in PAGES for block in documented.blocks(page) if not block.kind]

    assert [code for code in others if "import " in code] == []


@pytest.mark.parametrize("words", OURS, ids=" ".join)
def test_a_command_exists_and_has_the_options_that_a_page_gives_it(words: tuple[str, ...]) -> None:
    command = typer.main.get_group(app).commands.get(words[1])

    assert command is not None, f"there is no command whence {words[1]}"
    known = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
    given = {word.split("=")[0] for word in words[2:] if re.match(r"--?[a-z]", word)}
    assert given - known - {"--help"} == set()


@pytest.mark.parametrize("words", SCRIPTS, ids=" ".join)
def test_a_program_exists_and_has_the_options_that_a_page_gives_it(words: tuple[str, ...]) -> None:
    program = ROOT / words[1]
    given = [word.split("=")[0] for word in words[2:] if re.match("--(?!help)", word)]

    text = program.read_text(encoding="utf-8")
    beside = "".join(each.read_text(encoding="utf-8") for each in program.parent.glob("*/*.py"))
    assert [option for option in given if f'"{option}"' not in text + beside] == []


def test_the_commands_are_found() -> None:
    assert len(OURS) > 8
    assert len(SCRIPTS) > 8


def test_the_pages_tell_no_links_to_the_network() -> None:
    texts = {page: (DOCS / page).read_text(encoding="utf-8") for page in PAGES}

    assert [
        page for page, text in texts.items() if re.search(r"(src=|!\[.*?\]\()[\"']?https?:", text)
    ] == []
