"""Pages stand alone, escape what they are given, and say what must be said."""

import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import whence
from whence import Explanation, composites, reports, rules, targets
from whence.errors import InvalidInput
from whence.explainers import methods
from whence.reports._methods import ALWAYS, LIMITS, about, check_known, equation
from whence.reports._page import colour_key
from whence.reports._report import _code, in_python
from whence.reports._words import ledger_in_words

HOSTILE = "</title><script>alert(1)</script><img src=x onerror=alert(2)>\"' {{ 7*7 }} {% raw %}"


class Tags(HTMLParser):
    """Collects the tags of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def named(self, name: str) -> list[dict[str, str | None]]:
        return [held for tag, held in self.tags if tag == name]

    def tags_with(self, attribute: str) -> list[dict[str, str | None]]:
        return [held for _, held in self.tags if attribute in held]


def page(tmp_path: Path, found: Any, model: Any, **options: Any) -> str:
    html, record = reports.write(found, tmp_path / "r.html", model, **options)
    assert record == tmp_path / "r.json"
    return html.read_text(encoding="utf-8")


def assert_stands_alone(text: str) -> None:
    """No script, no address outside of the page, no handler of events."""
    held = Tags(text)
    assert not {"script", "iframe", "link", "object", "form"} & {tag for tag, _ in held.tags}
    addresses = [each.get("src") or "" for _, each in held.tags if "src" in each]
    assert all(each.startswith("data:image/") for each in addresses)
    assert not [key for _, each in held.tags for key in each if key.startswith(("on", "href"))]
    assert not held.tags_with("style")
    assert "url(" not in text.split("</style>")[0]
    assert "default-src 'none'" in text


def test_a_page_stands_alone(found: Explanation, net: nn.Module, tmp_path: Path) -> None:
    assert_stands_alone(page(tmp_path, found, net))


def test_every_text_from_outside_is_escaped(net: nn.Module, images: Tensor, tmp_path: Path) -> None:
    found = whence.explain(net, images[:1], 3)
    found.notes.append(HOSTILE)
    text = page(tmp_path, found, net, name=HOSTILE, classes=[HOSTILE] * 4, reproduce=HOSTILE)

    assert_stands_alone(text)
    assert len(Tags(text).named("title")) == 1
    assert "".join(Tags(text).text).count("{{ 7*7 }}") >= 4
    assert reports.read(tmp_path / "r.json").body["name"] == HOSTILE


def test_hostile_words_of_a_text_are_escaped(tmp_path: Path) -> None:
    class Sums(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rows = nn.Embedding(5, 3)

        def forward(self, ids: Tensor) -> Tensor:
            return self.rows(ids).sum(1)

    model = Sums()
    found = whence.explain(model, torch.tensor([[1, 2]]), 0, tokens=[[HOSTILE, "film"]])
    text = page(tmp_path, found, model)

    assert_stands_alone(text)
    assert "film" in Tags(text).text
    assert_stands_alone_fragment(found._repr_html_())


def assert_stands_alone_fragment(text: str) -> None:
    held = Tags(text)
    assert not {"script", "style", "link", "html", "body"} & {tag for tag, _ in held.tags}
    assert all((each.get("src") or "data:").startswith("data:") for _, each in held.tags)
    assert not [key for _, each in held.tags for key in each if key.startswith("on")]


def test_a_page_says_the_numbers_of_the_record(
    found: Explanation, net: nn.Module, tmp_path: Path
) -> None:
    text = "".join(Tags(page(tmp_path, found, net, classes=list("abcd"))).text)
    body = reports.read(tmp_path / "r.json").body

    assert body["model"]["weights_sha256"] in text
    assert body["inputs"]["sha256"] in text
    assert f"{body['score'][0]:.6g}" in text
    assert f"torch {torch.__version__}" in text
    assert body["ledger"][0]["verdict"] in text
    assert "composite = epsilon-plus" in text
    assert "Every operation's book closes" in text
    assert all(each in text for each in (*LIMITS["lrp"], *ALWAYS, *about("lrp").papers))
    assert about("lrp").equation in text


def test_a_book_that_does_not_close_is_said_first(
    net: nn.Module, images: Tensor, tmp_path: Path
) -> None:
    found = whence.explain(net, images, 3)
    found.ledger.rows[0].book(r_in=torch.tensor([1.0, 0.0], dtype=torch.float64))
    text = page(tmp_path, found, net)

    assert [each["data-holds"] for each in Tags(text).tags_with("data-holds")] == ["no"]
    assert "The books do NOT close" in unescape(text)


def test_several_targets_and_samples_are_all_there(
    net: nn.Module, images: Tensor, tmp_path: Path
) -> None:
    found = whence.explain(net, images[:1], targets.Each([1, 2]))
    text = page(tmp_path, found, net)

    assert "Target 0: Of the score" in text
    assert "Target 1: Of the score" in text


def test_what_has_no_picture_has_a_page_all_the_same(tmp_path: Path) -> None:
    model = nn.Conv3d(1, 1, 1)
    found = whence.explain(model, torch.rand(1, 1, 2, 2, 2), targets.Neuron((0, 0, 0, 0)))
    text = page(tmp_path, found, model)

    assert_stands_alone(text)
    assert not Tags(text).named("img")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (None, "the highest score ("),
        (2, "c"),
        (targets.Contrast(0, 3), "a, not d"),
        (targets.Contrast(0), "Contrast(a=0, b=None, position=None)"),
        (targets.Neuron((1,)), "Neuron("),
    ],
)
def test_what_was_explained_is_said_in_words(
    net: nn.Module, images: Tensor, target: Any, words: str
) -> None:
    found = whence.explain(net, images, target)
    record = reports.record_of(found, net, classes=list("abcd"))

    assert record.body["target"]["words"].startswith(words)


def test_the_code_on_a_page_gives_the_same_relevance(
    net: nn.Module, images: Tensor, tmp_path: Path
) -> None:
    box = composites.EpsilonGammaBox(0.0, 1.0)
    found = whence.explain(net, images, targets.Contrast(1, 2), composite=box, ledger="full")
    code = in_python(reports.record_of(found, net))
    names = vars(rules) | vars(targets) | vars(composites)
    again = eval(code, names | {"whence": whence, "model": net, "inputs": images})

    assert torch.equal(again.relevance, found.relevance)
    assert code in unescape(page(tmp_path, found, net))


@pytest.mark.parametrize(
    ("spelled", "code"),
    [
        ({"list": [1, {"tuple": [2.5, "a"]}]}, "[1, (2.5, 'a',)]"),
        ({"dict": {"a": {"number": "inf"}}}, "{'a': float('inf')}"),
        ({"array": "x"}, "..."),
        ({"opaque": "<function>"}, "..."),
    ],
)
def test_spelled_values_are_written_as_python(spelled: Any, code: str) -> None:
    assert _code(spelled) == code


def test_pictures_say_what_they_show(found: Explanation, net: nn.Module, tmp_path: Path) -> None:
    shown = Tags(page(tmp_path, found, net)).named("img")

    assert [each["alt"] for each in shown] == ["relevance by lrp"]
    assert "blue against" in colour_key(True)
    assert "blue" not in colour_key(False)


def test_a_report_is_a_page(found: Explanation, net: nn.Module, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"written as \.html, got 'r.pdf'"):
        reports.write(found, tmp_path / "r.pdf", net)


@pytest.mark.parametrize("name", methods())
def test_each_method_has_its_limits_in_words(name: str) -> None:
    check_known(name)

    assert all(each.endswith(".") for each in about(name).limits)
    assert about(name).papers


def test_a_method_of_others_is_said_to_be_one() -> None:
    assert "not one of Whence's" in about("their own").limits[0]
    with pytest.raises(InvalidInput, match="add them to LIMITS"):
        check_known("their own")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("First.\n\n    a = b\n    c = d\n\nMore.", "a = b\nc = d"),
        ("Sensitivity: R_i = (df/dx_i)^2.\n\nMore.", "R_i = (df/dx_i)^2"),
        ("No equation at all.", ""),
        ("First.\n\n```python\n    x = 1\n```", ""),
    ],
)
def test_equations_are_read_from_docstrings(text: str, found: str) -> None:
    assert equation(text) == found


@pytest.mark.parametrize(
    ("score", "arrived", "lost", "told"),
    [
        (2.0, 2.0, {"bias": 0.0}, "Of the score 2, 2 (100.0%) is in the map. Every"),
        (2.0, 1.5, {"bias": 0.5}, "1.5 (75.0%) is in the map, and 0.5 (25.0%) went to biases"),
        (2.0, 2.5, {"bias": -0.5}, "and -0.5 (-25.0%) went to biases"),
        (0.0, 1.0, {"softmax": -1.0}, "1 is in the map, and -1 went to softmax"),
        (2.0, 2.0, {"epsilon": 1e-6}, "Of the score 2, 2 (100.0%) is in the map. Every"),
    ],
)
def test_a_ledger_in_plain_words(
    score: float, arrived: float, lost: dict[str, float], told: str
) -> None:
    ledger = {"score": score, "arrived": arrived, "lost": lost, "conserves": True}

    assert told in ledger_in_words(ledger)
    assert re.search("do NOT close", ledger_in_words(ledger | {"conserves": False}))
