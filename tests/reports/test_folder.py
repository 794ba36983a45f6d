"""Reports of folders: what lies there, what is broken, what failed."""

import json
from pathlib import Path

import pytest

from whence import reports, runs, zoo
from whence.errors import InvalidInput

ASKED = runs.ask("digits-cnn", ["lrp", "sensitivity"], composite="epsilon-gamma-box", target="3")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run with one digit explained by two methods."""
    list(runs.explain_pictures(runs.find_subjects("digits:51"), ASKED, tmp_path / "run"))
    return tmp_path / "run"


def text(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def test_a_run_has_a_page_and_a_record_that_comes_back(folder: Path) -> None:
    html, path = reports.write_run(folder, reproduce="whence explain digits:51")
    record = reports.read(path)

    assert html == folder / "report.html"
    assert [each.body["method"]["name"] for each in record.parts] == ["lrp", "sensitivity"]
    assert record == reports.read(record.save(folder / "again.json"))
    assert text(folder).count("<img") == 3
    assert "whence explain digits:51" in text(folder)


def test_the_record_of_a_run_can_be_verified(folder: Path) -> None:
    record = reports.read(reports.write_run(folder)[1])
    net = zoo.model("digits-cnn")
    inputs = net.preprocess(runs.find_subjects("digits:51")[0].load())
    seen = [reports.verify(each, net.module, inputs) for each in record.parts]

    assert [each.agrees for each in seen] == [True, True]
    assert record.parts[0].body["model"]["name"] == "digits-cnn"


def test_a_changed_file_beside_the_record_is_refused(folder: Path) -> None:
    reports.write_run(folder)
    numbers = next(folder.glob("*/sensitivity*.npz"))
    numbers.write_bytes(next(folder.glob("*/lrp*.npz")).read_bytes())

    with pytest.raises(InvalidInput, match="altered"):
        reports.read(folder / "report.json")


def test_folders_below_are_combined(folder: Path) -> None:
    texts = runs.ask_texts("sst-lstm")
    list(runs.explain_texts(runs.find_texts("good <b>film</b>", None), texts, folder / "texts"))
    reports.write_run(folder / "texts", reproduce="whence explain --text ...")
    record = reports.read(reports.write_run(folder)[1])

    assert len(record.parts) == 3
    assert record.parts[2].body["rows"][0][1] == ["good", "<", "b", ">", "film", "<", "/", "b", ">"]
    assert "Command for texts" in text(folder)
    assert ">film</span>" in text(folder)
    assert "<b>" not in text(folder)


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir()])
def test_a_folder_without_results_is_an_error(tmp_path: Path, make: object) -> None:
    make(tmp_path / "empty")  # type: ignore[operator]

    with pytest.raises(InvalidInput, match=r"holds no results|is of a folder with results"):
        reports.write_run(tmp_path / "empty")
    assert not (tmp_path / "empty" / "report.html").exists()


def test_files_of_others_are_no_results(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text("{")
    (tmp_path / "list.json").write_text("[1]")

    with pytest.raises(InvalidInput, match="holds no results"):
        reports.write_run(tmp_path)


def test_what_is_broken_is_said_and_the_rest_is_shown(folder: Path) -> None:
    next(folder.glob("*/lrp*.json")).write_text("{")
    next(folder.glob("*/sensitivity*.npz")).unlink()
    reports.write_run(folder)

    assert "What failed or is missing" in text(folder)
    assert "cannot be read: JSONDecodeError" in text(folder)
    assert "its numbers (sensitivity-for-3.npz) are missing" in text(folder)
    assert len(reports.read(folder / "report.json").body["problems"]) == 2


def test_failures_are_kept_until_they_are_made_good(folder: Path) -> None:
    reports.write_run(folder, failures={"cat.jpg": "no <picture>", "digits-288": "was slow"})
    reports.write_run(folder)

    assert "cat.jpg failed: no &lt;picture&gt;" in text(folder)
    assert "was slow" not in text(folder)


def test_an_evaluation_that_was_cut_short_is_said(folder: Path) -> None:
    (folder / "measured" / "parts").mkdir(parents=True)
    (folder / "measured" / "question.json").write_text("{}")
    reports.write_run(folder)

    assert "measured: an evaluation that was not finished, 0 batches are kept" in text(folder)


def test_results_of_earlier_versions_are_shown_without_what_they_lack(folder: Path) -> None:
    path = next(folder.glob("*/lrp*.json"))
    held = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(
        json.dumps({k: v for k, v in held.items() if k not in ("identity", "ledger_sums")})
    )
    record = reports.read(reports.write_run(folder)[1])

    assert "not recorded" in text(folder)
    assert record.parts[0].body["model"] == {"name": "digits-cnn"}
    assert record.parts[0].body["ledger"][0]["score"] == held["score"]


def test_many_explanations_are_cut_on_the_page_and_whole_in_the_record(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("whence.reports._report._SHOWN", 1)
    reports.write_run(folder)

    assert "1 more explanations, whose pictures are in their folders" in text(folder)
    assert len(reports.read(folder / "report.json").parts) == 2
