"""Explanations of text as pages, pictures and numbers."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

import whence
from texts import Spoken, SumOfWords
from whence._explanation import Explanation
from whence._text_explanation import TextExplanation
from whence.errors import InvalidInput
from whence.targets import Each

SAVED = ["x.html", "x.json", "x.tex", "x.png", "x.svg", "x.npz", "x.safetensors"]


@pytest.fixture
def ex() -> TextExplanation:
    found = whence.explain(SumOfWords(), Spoken("not un ##like ##ly good .", "good film"), 0)
    assert isinstance(found, TextExplanation)
    return found


def sly() -> TextExplanation:
    """Tokens that would break a page if they were not escaped."""
    tokens = ["<script>alert(1)</script>", '"&', r"50%_$#{}\~^", "\x00\ud800"]
    inputs = {"input_ids": torch.tensor([[3, 4, 5, 6]]), "attention_mask": torch.ones(1, 4).long()}
    found = whence.explain(SumOfWords(), inputs, 0, tokens=tokens)
    assert isinstance(found, TextExplanation)
    return found


@pytest.mark.parametrize("name", SAVED)
def test_it_is_saved_in_every_form(ex: TextExplanation, tmp_path: Path, name: str) -> None:
    path = ex.save(tmp_path / "new" / name)

    assert path.stat().st_size > 100


def test_another_form_is_refused(ex: TextExplanation, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"save needs a suffix of .*got 'x.doc'"):
        ex.save(tmp_path / "x.doc")


def test_a_page_holds_all_words_and_needs_nothing_else(ex: TextExplanation) -> None:
    page = ex.to_html()

    assert all(f">{word}</span>" in page for words in ex.words for word in words)
    assert "http" not in page
    assert "<script" not in page


def test_a_page_is_written_where_it_is_asked_for(ex: TextExplanation, tmp_path: Path) -> None:
    page = ex.to_html(tmp_path / "deep" / "page.html", by="token")

    assert (tmp_path / "deep" / "page.html").read_text(encoding="utf-8") == page
    assert ">##like</span>" in page


def test_html_is_escaped() -> None:
    page = sly().to_html()

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "&quot;&amp;" in page
    assert "\x00" not in page


def test_latex_is_escaped() -> None:
    text = sly().to_latex()

    assert r"50\%\_\$\#\{\}\textbackslash{}\textasciitilde{}\textasciicircum{}" in text
    assert r"\textless{}script\textgreater{}" in text


def test_titles_and_remarks_are_escaped(ex: TextExplanation) -> None:
    ex.notes.append("<b>bold</b>")
    ex.labels = ("<i>",)

    assert "&lt;b&gt;bold" in ex.to_html()
    assert "&lt;i&gt;, score" in ex.to_html()


def test_the_terminal_shows_strength_and_sign(ex: TextExplanation) -> None:
    ex.relevance["input_ids"] = torch.tensor(
        [[0.0, -3, 1, 0.5, 0.5, 0, 0, 0], [9.0, 1, -1, 0] + [0] * 4]
    )

    assert "not[---] unlikely[++] good ." in str(ex)
    assert "[CLS][+++] good[+++] film[---]" in str(ex)


def test_the_share_of_the_first_token_is_reported(ex: TextExplanation) -> None:
    ex.relevance["input_ids"] = torch.tensor([[1.0, -3, 0, 0, 0, 0, 0, 0]] * 2)

    assert "first token: 25.0% of all |relevance|" in str(ex)
    assert "first token: 25.0%" in ex.to_html()
    assert ex.record()["texts"][0]["first_token_share"] == 0.25


def test_json_holds_texts_and_numbers(ex: TextExplanation, tmp_path: Path) -> None:
    told = json.loads(ex.save(tmp_path / "x.json").read_text())

    assert told["texts"][1]["words"] == ["good", "film"]
    assert told["texts"][1]["word_relevance"] == ex.word_relevance[1].tolist()
    assert told["texts"][0]["sentences"] == ["not unlikely good."]
    assert told["verdict"] == ex.ledger.verdict


def test_a_picture_has_every_text(ex: TextExplanation) -> None:
    assert isinstance(ex.plot(), Image.Image)
    assert ex.plot().height > ex.plot(by="sentence").height - 60


@pytest.mark.parametrize("by", ["token", "word", "sentence"])
def test_rows_sum_to_what_they_show(ex: TextExplanation, by: str) -> None:
    title, pieces, values, apart = ex.rows(by)[0]
    shown = ex.token_relevance[0] if by != "sentence" else ex.word_relevance[0]

    assert len(pieces) == len(values) == len(apart)
    assert sum(values) == pytest.approx(float(shown.sum()))
    assert title == f"text 0, score {float(ex.score[0]):.4g}"


def test_another_level_is_refused(ex: TextExplanation) -> None:
    with pytest.raises(InvalidInput, match="one of token, word, sentence, got 'letter'"):
        ex.to_html(by="letter")


def test_several_targets_have_rows_of_their_own() -> None:
    ex = whence.explain(SumOfWords(), Spoken("good", "bad"), Each([0, 1, 2]))

    assert len(ex.rows()) == 6
    assert [row[0].split(", score")[0] for row in ex.rows()[:2]] == [
        "text 0, target 0",
        "text 0, target 1",
    ]
    assert ex.to_html().count("<h2>") == 6


def test_each_target_has_a_ledger_on_the_page_and_in_json(tmp_path: Path) -> None:
    ex = whence.explain(SumOfWords(), Spoken("good"), Each([0, 2]), ledger="full")
    told = json.loads(ex.save(tmp_path / "x.json").read_text(encoding="utf-8"))

    assert told["verdict"] == [each.verdict for each in ex.ledger]
    assert [len(rows) for rows in told["ledger"]] == [len(each.to_rows()) for each in ex.ledger]
    assert ex.to_html().count("ledger: score") == 2


def test_a_page_says_what_the_colours_mean(ex: TextExplanation) -> None:
    slope = whence.explain(SumOfWords(), Spoken("good"), 0, "sensitivity")

    assert "Red speaks for the score, blue against it" in ex.to_html()
    assert "Dark red matters most" in slope.to_html()
    assert "<h1>a &lt;title&gt;</h1>" in ex.to_html(title="a <title>")


def test_a_text_that_is_not_there_is_refused(ex: TextExplanation) -> None:
    with pytest.raises(InvalidInput, match="no text 'decoder_input_ids'; there is: input_ids"):
        ex.part("decoder_input_ids")


def test_without_text_or_renderer_it_says_so(ex: TextExplanation) -> None:
    ex.pages, text, ex.text = None, ex.text, None
    with pytest.raises(InvalidInput, match="holds no text"):
        _ = ex.words
    ex.text = text
    with pytest.raises(InvalidInput, match="without a renderer"):
        ex.to_html()


def test_it_is_an_explanation(ex: TextExplanation) -> None:
    assert isinstance(ex, Explanation)
    assert repr(ex).startswith("TextExplanation(lrp, relevance {'input_ids': (2, 8)}")
    assert repr(ex).endswith("tokens [8, 4])")
