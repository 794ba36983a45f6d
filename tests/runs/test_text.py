"""Texts explained to files, with the net that ships."""

import json
from pathlib import Path

import pytest
from PIL import Image

from whence import runs
from whence.errors import InvalidInput

NET = "sst-lstm"


def lines(folder: Path, *texts: str) -> Path:
    path = folder / "docs.jsonl"
    path.write_text("\n".join(texts), encoding="utf-8")
    return path


def times(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*.*") if path.is_file()}


def record(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def test_a_text_gets_a_page_a_picture_and_numbers(tmp_path: Path) -> None:
    (answer,) = runs.explain_texts(
        runs.find_texts("Not a good film."), runs.ask_texts(NET), tmp_path
    )
    told = record(tmp_path / "text" / "lrp.json")
    with Image.open(tmp_path / "text" / "lrp.png") as picture:
        width = picture.width

    assert told["words"] == ["Not", "a", "good", "film", "."]
    assert len(told["word_relevance"]) == 5
    assert sum(told["word_relevance"]) == pytest.approx(told["sum"], rel=1e-5)
    assert told["conserves"]
    assert 0 <= told["first_token_share"] <= 1
    assert answer.records[0] == told
    page = (tmp_path / "text" / "lrp.html").read_text(encoding="utf-8")
    assert ">good</span>" in page
    assert f"<h1>{NET}: lrp for {told['target']}</h1>" in page
    assert width == 640


def test_a_contrast_alone_is_the_highest_against_the_second(tmp_path: Path) -> None:
    subjects = runs.find_texts("A wonderful film.")
    (alone,) = runs.explain_texts(subjects, runs.ask_texts(NET, contrast="top"), tmp_path)
    first, second = (each["class"] for each in alone.records[0]["top"][:2])
    question = runs.ask_texts(NET, contrast=f"{first},{second}")
    (named,) = runs.explain_texts(subjects, question, tmp_path)

    assert alone.records[0]["target"] == f"{first}, not {second}"
    assert alone.records[0]["word_relevance"] == named.records[0]["word_relevance"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [({"target": "3"}, "positive"), ({"contrast": "3, 1"}, "positive, not negative")],
)
def test_classes_that_are_asked_for_by_number_are_called_by_name(
    arguments: dict[str, str], words: str, tmp_path: Path
) -> None:
    subjects = runs.find_texts("A wonderful film.")
    (answer,) = runs.explain_texts(subjects, runs.ask_texts(NET, **arguments), tmp_path)

    assert answer.records[0]["target"] == words


def test_a_bad_line_is_reported_and_loses_nothing(tmp_path: Path) -> None:
    path = lines(
        tmp_path,
        '{"id": "one", "text": "A good film."}',
        "{not json",
        '["a list"]',
        "",
        '{"id": "empty", "text": " "}',
        '{"id": "one", "text": "Again."}',
        '{"text": "No id, but bad.", "target": "negative"}',
        '{"text": "Wrong.", "target": "blue"}',
    )
    answers = list(
        runs.explain_texts(runs.find_texts(file=path), runs.ask_texts(NET), tmp_path / "out")
    )
    errors = {answer.name: answer.error for answer in answers if answer.error}

    assert [answer.name for answer in answers if not answer.error] == ["one", "line-7"]
    assert "line 2 is not JSON" in errors["line-2"]
    assert 'line 3 must be an object with "text"' in errors["line-3"]
    assert "at least one word" in errors["empty"]
    assert "line 6: the id 'one' is taken" in errors["line-6"]
    assert "no class 'blue'" in errors["line-8"]
    assert record(tmp_path / "out" / "line-7" / "lrp.json")["target"] == "negative"


def test_a_second_run_does_only_what_is_missing(tmp_path: Path) -> None:
    path = lines(tmp_path, '{"id": "a", "text": "Good."}', '{"id": "b", "text": "Bad."}')
    question = runs.ask_texts(NET)
    list(runs.explain_texts(runs.find_texts(file=path), question, tmp_path / "out"))
    before = times(tmp_path / "out")
    (tmp_path / "out" / "b" / "lrp.html").unlink()
    answers = list(runs.explain_texts(runs.find_texts(file=path), question, tmp_path / "out"))
    after = times(tmp_path / "out")
    changed = {Path(name).parent.name for name in after if before.get(name) != after[name]}

    assert [answer.new for answer in answers] == [0, 1]
    assert changed == {"b"}


def test_a_text_that_changed_is_done_again(tmp_path: Path) -> None:
    question = runs.ask_texts(NET)
    list(runs.explain_texts(runs.find_texts("Good."), question, tmp_path))
    (answer,) = runs.explain_texts(runs.find_texts("Bad."), question, tmp_path)

    assert answer.new == 1
    assert record(tmp_path / "text" / "lrp.json")["text"] == "Bad."


def test_names_are_fit_for_folders(tmp_path: Path) -> None:
    path = lines(tmp_path, '{"id": "../../x y", "text": "Good."}', '{"id": "..", "text": "Good."}')

    assert [each.name for each in runs.find_texts(file=path)] == ["x-y", "line-2"]


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"target": "blue"}, "no class 'blue'"),
        ({"contrast": "positive"}, "two classes or tokens with a comma, such as good,bad; got"),
        ({"contrast": "positive,blue"}, "no class 'blue'"),
        ({"target": "positive", "contrast": "top"}, "a target or a contrast, not both"),
        ({"methods": ["sensitivity"], "composite": "epsilon"}, "takes a composite"),
    ],
    ids=str,
)
def test_a_wrong_question_is_an_error_before_any_work(arguments: dict, match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        runs.ask_texts(NET, **arguments)


def test_a_net_for_pictures_is_refused() -> None:
    with pytest.raises(InvalidInput, match="digits-cnn does not take texts"):
        runs.ask_texts("digits-cnn")


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ((None, None), "Give a text or a file of texts, one of the two"),
        (("a", "b.jsonl"), "Give a text or a file of texts, one of the two"),
        ((None, "none.jsonl"), "none.jsonl must be a text file in UTF-8"),
    ],
    ids=str,
)
def test_what_is_no_text_is_refused(arguments: tuple, match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        runs.find_texts(*arguments)


def test_a_file_without_lines_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="must hold lines such as"):
        runs.find_texts(file=lines(tmp_path, "", " "))
