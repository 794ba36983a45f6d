"""The result of an evaluation: tables, rankings, tests, pictures, files."""

import csv
import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from matplotlib.figure import Figure

from whence.errors import InvalidInput, NotAvailable
from whence.metrics import Curve, Failure, Scores, Tally, mean_interval, paired_difference
from whence.runs import Evaluation, failure_lines
from whence.runs._evaluation_pages import score_table

GOOD = torch.linspace(0.6, 0.9, 20).double()
FAIR = GOOD - 0.1 - 0.01 * torch.arange(20).double().cos()
POOR = FAIR + 0.001 * torch.tensor([1.1, -1.0] * 10).double()
METRICS = {
    "up": {"direction": 1, "metric": "up"},
    "down": {"direction": -1, "metric": "down"},
    "flat": {"direction": 0, "metric": "flat"},
}


@pytest.fixture
def found() -> Evaluation:
    tally = Tally()
    x = torch.tensor([0.0, 0.5, 1.0]).double()
    for metric in METRICS:
        for method, values in {"fair": FAIR, "good": GOOD, "poor": POOR}.items():
            rows = torch.stack([values, values / 2, values / 4], 1)
            curves = {"curve": Curve(x, rows, "share", "probability")} if metric == "up" else {}
            scores = Scores(values, curves, {"twice": 2 * values})
            tally.update(scores, range(20), method=method, metric=metric)
    return Evaluation(tally, ("fair", "good", "poor"), METRICS, {"samples": 20, "seed": 0})


def test_scores_and_intervals_are_those_of_the_statistics(found: Evaluation) -> None:
    assert torch.equal(found.scores("good", "up"), GOOD)
    assert found.interval("good", "up") == mean_interval(GOOD)
    assert found.compare("good", "fair", "up") == paired_difference(GOOD, FAIR)


def test_the_best_method_comes_first(found: Evaluation) -> None:
    up, down = found.ranking("up"), found.ranking("down")

    assert up[0].method == "good"
    assert set(up[0].beats) == {"fair", "poor"}
    assert down[-1].method == "good"
    assert [each.place for each in up] == [1, 2, 3]
    assert down[-1].beats == ()


def test_methods_that_do_not_differ_beat_each_other_not(found: Evaluation) -> None:
    (pair,) = (p for p in found.comparisons("up") if {p.first, p.second} == {"fair", "poor"})

    assert pair.better is None
    assert pair.difference.p > 0.05


def test_the_p_of_several_pairs_is_adjusted(found: Evaluation) -> None:
    alone = found.compare("fair", "good", "up").p
    (pair,) = (p for p in found.comparisons("up") if (p.first, p.second) == ("fair", "good"))

    assert pair.difference.p == 3 * alone
    assert pair.better == "good"


def test_a_metric_without_direction_ranks_nothing(found: Evaluation) -> None:
    with pytest.raises(InvalidInput, match="flat ranks nothing"):
        found.ranking("flat")


def test_names_are_checked(found: Evaluation) -> None:
    with pytest.raises(InvalidInput, match=r"no method 'god'\. Did you mean 'good'"):
        found.scores("god", "up")
    with pytest.raises(InvalidInput, match=r"Name one of the metrics: up, down, flat; got None\."):
        found.scores("good")


def test_curves_are_means_over_samples(found: Evaluation) -> None:
    curve = found.curves("up")["good"]

    assert curve.x.tolist() == [0, 0.5, 1]
    assert curve.mean.tolist() == pytest.approx([0.75, 0.375, 0.1875])
    assert bool((curve.low < curve.mean).all() & (curve.mean < curve.high).all())
    assert found.curves("down") == {}


def test_the_table_reads_well(found: Evaluation) -> None:
    lines = str(found).splitlines()

    assert lines[0] == "20 samples, mean [95% interval]  place"
    assert lines[1].split() == ["up", "down", "flat"]
    assert lines[2].split("  ")[-1].strip() == "neither is better"
    assert lines[4].split()[:2] == ["good", "0.750"]
    assert lines[4].split()[4] == "1."


def test_what_went_wrong_and_what_was_left_out_is_said_by_kind(found: Evaluation) -> None:
    for each in range(5):
        found.tally.fail(Failure("good", "up", each, "ValueError: no"))
    found.tally.fail(Failure("fair", "flat", 7, "a constant map", left_out=True))
    lines = str(found).splitlines()

    assert lines[-2] == "good, up failed on 5 samples (0, 1, 2, ...): ValueError: no"
    assert lines[-1] == "fair, flat left out 1 sample (7): a constant map"
    assert len(found.failures) == 5
    assert len(found.left_out) == 1


def test_what_strikes_several_methods_is_one_line(found: Evaluation) -> None:
    reasons = [Failure(each, "", "a.png", "no picture") for each in ("good", "fair")]
    everyone = ("fair", "good", "poor", "odd")
    reasons += [Failure(each, "", "b.png", "no picture") for each in everyone]
    lines = failure_lines([*reasons, Failure("odd", "", "a.png", "RuntimeError: odd")])

    assert lines == [
        "good and fair failed on 1 sample (a.png): no picture",
        "4 methods failed on 1 sample (b.png): no picture",
        "odd failed on 1 sample (a.png): RuntimeError: odd",
    ]


def test_a_frame_has_a_row_for_each_sample_method_and_metric(found: Evaluation) -> None:
    pandas = pytest.importorskip("pandas")
    frame = found.to_frame()

    assert isinstance(frame, pandas.DataFrame)
    assert len(frame) == 20 * 3 * 3
    assert list(frame.columns) == ["sample", "method", "metric", "score", "error", "twice"]


def test_without_pandas_the_line_that_helps_is_said(
    found: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(NotAvailable, match="pip install pandas"):
        found.to_frame()


def test_scores_are_written_as_csv(found: Evaluation, tmp_path: Path) -> None:
    with found.save(tmp_path / "new" / "x.csv").open() as file:
        rows = list(csv.DictReader(file))

    assert len(rows) == 180
    assert float(rows[25]["score"]) == float(GOOD[5])
    assert rows[25]["method"] == "good"


def test_everything_is_written_as_json(found: Evaluation, tmp_path: Path) -> None:
    found.tally.fail(Failure("good", "up", 3, "ValueError: no"))
    record: Any = json.loads(found.save(tmp_path / "x.json").read_text())

    assert record["metrics"]["up"]["scores"]["good"] == GOOD.tolist()
    assert record["metrics"]["up"]["ranking"][0]["method"] == "good"
    assert record["metrics"]["flat"]["ranking"] == []
    assert len(record["metrics"]["up"]["curves"]["good"]["mean"]) == 3
    assert record["failures"][0]["error"] == "ValueError: no"
    assert record["protocol"] == {"samples": 20, "seed": 0, "confidence": 0.95}


def test_scores_are_written_as_parquet(found: Evaluation, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pandas.read_parquet(found.save(tmp_path / "x.parquet"))

    assert frame["score"].tolist() == found.to_frame()["score"].tolist()


def test_pictures_are_drawn(found: Evaluation, tmp_path: Path) -> None:
    figure = found.plot()

    assert isinstance(figure, Figure)
    assert len([each for each in figure.axes if each.axison]) == 4
    assert [line.get_color() for line in figure.axes[0].lines] == ["#1f3b73", "#c4472b", "#2f8f6b"]
    assert found.save(tmp_path / "x.png").stat().st_size > 0
    assert "good" in found.save(tmp_path / "x.svg").read_text()


def test_a_picture_says_which_of_several_curves_it_shows() -> None:
    x, rows = torch.tensor([0.0, 1.0]), torch.rand(3, 2)
    curves = {"lerf": Curve(x, rows, "", ""), "morf": Curve(x, rows / 2, "", "")}
    tally = Tally()
    tally.update(Scores(torch.rand(3), curves), range(3), method="a", metric="up")
    found = Evaluation(tally, ("a",), {"up": METRICS["up"]}, {"samples": 3})

    assert found.plot().axes[0].get_title(loc="left") == "up, the curve lerf"
    assert found.curves("up", "morf")["a"].mean.tolist() == pytest.approx(
        (rows.double() / 2).mean(0).tolist()
    )


def test_another_suffix_is_refused(found: Evaluation, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"\.parquet; got 'x.pkl'"):
        found.save(tmp_path / "x.pkl")


def test_a_method_without_scores_is_last_and_drawn(found: Evaluation, tmp_path: Path) -> None:
    tally = Tally()
    nothing = Scores(torch.full((20,), math.nan))
    tally.update(Scores(GOOD), range(20), method="good", metric="up")
    tally.update(nothing, range(20), method="none", metric="up")
    part = Evaluation(tally, ("none", "good"), {"up": METRICS["up"]}, {"samples": 20})

    assert [each.method for each in part.ranking()] == ["good", "none"]
    assert part.ranking()[0].beats == ()
    assert part.save(tmp_path / "x.png").exists()
    assert (
        json.loads(part.save(tmp_path / "x.json").read_text())["metrics"]["up"]["intervals"][
            "none"
        ]["mean"]
        is None
    )


def test_equal_means_share_a_place() -> None:
    tally = Tally()
    for method, values in {"a": GOOD, "b": FAIR, "c": GOOD}.items():
        tally.update(Scores(values), range(20), method=method, metric="up")
    found = Evaluation(tally, ("a", "b", "c"), {"up": METRICS["up"]}, {"samples": 20})

    assert [(each.place, each.method) for each in found.ranking()] == [(1, "a"), (1, "c"), (3, "b")]


def test_a_table_wider_than_a_page_goes_on_below() -> None:
    names = ["a metric with a long name", "another of them", "and a third one"]
    cells = {"lrp": "0.123 [0.100, 0.150]  1."}
    table = score_table(["lrp"], dict.fromkeys(names, (1, cells)) | {"last": (0, cells)})
    blocks = table.split("\n\n")

    assert [block.splitlines()[2].split()[0] for block in blocks] == ["lrp", "lrp"]
    assert max(len(line) for line in table.splitlines()) <= 100
    assert blocks[1].split()[0] == "last"
