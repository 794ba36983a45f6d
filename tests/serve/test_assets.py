"""What the pages are made of: small, complete, and from nowhere else."""

import base64
import importlib.util
import json
import re
from pathlib import Path

import jinja2
import numpy as np
import pytest

import whence
from serving import Client, form
from whence import viz, zoo
from whence.reports._page import STATIC as SHARED_STATIC

SERVE = Path(whence.__file__).parent / "serve"
STATIC, TEMPLATES = SERVE / "static", SERVE / "templates"
SCRIPT = Path(__file__).parents[2] / "scripts" / "make_colours.py"
PAGES = {path.name: path.read_text(encoding="utf-8") for path in TEMPLATES.glob("*.html")}
SCRIPTS = {path.name: path.read_text(encoding="utf-8") for path in STATIC.glob("*.js")}
SHARED = {path.name: path.read_text(encoding="utf-8") for path in SHARED_STATIC.glob("*.css")}
SHEETS = SHARED | {path.name: path.read_text(encoding="utf-8") for path in STATIC.glob("*.css")}
MOST_LINES = 2600  # six pages of about 250 each, and 900 that they share


def test_the_colours_are_those_that_the_script_writes() -> None:
    spec = importlib.util.spec_from_file_location("make_colours", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)

    assert (STATIC / "colours.json").read_text(encoding="utf-8") == made.colours()


def test_pages_and_reports_have_one_look(client: Client) -> None:
    page = client.get("").body.decode()
    found = {name: client.get(f"static/{name}").body.decode() for name in SHARED}

    assert found == SHARED
    assert page.index("static/shared.css") < page.index("static/style.css")
    assert "--accent:" in SHARED["shared.css"]
    assert re.findall(r"--\w[\w-]*: #", SHEETS["style.css"]) == []  # no colours of its own


def test_pages_and_reports_have_one_set_of_pieces(client: Client) -> None:
    fields = {"model": "digits-cnn", "sample": zoo.dataset("digits")[0].name}
    body, kind = form(fields)
    page = client.post("image", body, {"Content-Type": kind, "Accept": "text/html"}).body.decode()
    parts = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES.parents[1] / "reports"))
    made = parts.get_template("templates/parts.html").module
    notes = re.findall(r'<p class="verdict" data-holds="yes">(.*)</p>', page)

    assert "parts.html" not in PAGES
    assert 'import "parts.html" as parts' in PAGES["image.html"]
    assert len(notes) == 1
    assert str(vars(made)["verdict"](notes[0], "yes")) in page


@pytest.mark.parametrize("name", viz.colour_names())
def test_the_colours_of_the_canvas_are_those_of_pictures(name: str) -> None:
    held = json.loads((STATIC / "colours.json").read_text(encoding="utf-8"))[name]["table"]
    table = np.frombuffer(base64.b64decode(held), np.uint8).reshape(513, 3)
    values = np.random.default_rng(0).uniform(-1, 1, (40, 50))

    found = table[np.rint(values * 256).astype(int) + 256]

    np.testing.assert_array_equal(found, viz.colourise(values, scale=1.0, colours=name))


@pytest.mark.parametrize("page", PAGES)
def test_no_page_has_scripts_styles_or_handlers_of_its_own(page: str) -> None:
    inline = re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", PAGES[page])

    assert inline == []


@pytest.mark.parametrize("text", [*PAGES.values(), *SCRIPTS.values(), *SHEETS.values()])
def test_nothing_is_asked_from_elsewhere(text: str) -> None:
    assert re.findall(r"(?:https?:)?//(?!www\.w3\.org/2000/svg)[a-z0-9-]+\.[a-z]{2,}", text) == []
    assert re.findall(r"""(?:src|href|action)=["']/""", text) == []


@pytest.mark.parametrize("name", ["digit", "image", "text", "compare", "prototypes", "inside"])
def test_a_script_uses_what_its_page_has(client: Client, name: str) -> None:
    used = set(re.findall(r'\$\("([\w-]+)"\)', SCRIPTS[f"{name}.js"]))
    there = re.findall(r'\sid="([\w-]+)"', _page(client, name))

    assert used - {"plain"} <= set(there)  # "plain" is there after a form was sent
    assert len(there) == len(set(there))
    assert len(used) > 10


@pytest.mark.parametrize("name", ["digit", "image", "text", "compare", "prototypes", "inside"])
def test_every_field_has_a_label(client: Client, name: str) -> None:
    page = _page(client, name)
    fields = re.findall(r'<(?:select|input(?! type="(?:radio|range)"))[^>]*\sid="([\w-]+)"', page)
    labels = re.findall(r'<label[^>]*\sfor="([\w-]+)"', page)

    assert set(fields) <= set(labels)
    assert fields


def test_scripts_and_styles_stay_small() -> None:
    written = SCRIPTS | {name: text for name, text in SHEETS.items() if name != "pieces.css"}
    lines = [len(text.splitlines()) for text in written.values()]  # that one a script writes

    assert sum(lines) <= MOST_LINES


def _page(client: Client, name: str) -> str:
    """A page as a visitor gets it."""
    return client.get("" if name == "digit" else name, accept="text/html").body.decode()
