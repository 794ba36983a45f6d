"""What failed is tried again when a run goes on; what did not stays as it is."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import whence
from evaluating import Linear, Total, X
from whence.errors import InvalidInput
from whence.metrics import Case, Scores
from whence.runs import Evaluation


@dataclass(frozen=True)
class Weak(Total):
    """The sum of relevance; out of memory for the samples whose first values are in `SHORT`."""

    def measure(self, case: Case) -> Scores:
        if any(float(each) in SHORT for each in case.batch.x[:, 0]):
            raise MemoryError("too large")
        return super().measure(case)


SHORT: set[float] = set()
ASKED: list[tuple[str, int]] = []  # each sample that was explained, by whom


def plain(model: Any, x: Tensor, target: Any) -> Tensor:
    ASKED.extend(("plain", row) for row in rows_of(x))
    return x


def moody(model: Any, x: Tensor, target: Any) -> Tensor:
    ASKED.extend(("moody", row) for row in rows_of(x))
    if any(float(each) in SHORT for each in x[:, 0]):
        raise MemoryError("no room")
    return x * x


def rows_of(x: Tensor) -> list[int]:
    return [int((each == X).all(1).nonzero()) for each in x]


@pytest.fixture(autouse=True)
def forgotten() -> None:
    """Nothing is short of memory, and nobody was asked."""
    SHORT.clear()
    ASKED.clear()


def short_of(*rows: int) -> None:
    SHORT.update(float(X[row, 0]) for row in rows)


def run(out: Path | None, metrics: Mapping[str, Any] | None = None, **options: Any) -> Evaluation:
    asked = {"plain": plain, "moody": moody}
    options.setdefault("batch_size", 4)
    metrics = {"total": Total()} if metrics is None else metrics
    return whence.evaluate(
        Linear().eval(), options.pop("data", X), asked, metrics, out=out, **options
    )


def test_what_failed_is_tried_again_and_nothing_else(tmp_path: Path) -> None:
    short_of(2, 7)
    first = run(tmp_path)
    SHORT.clear()
    ASKED.clear()
    found = run(tmp_path)

    assert {each.id for each in first.failures} == {2, 7}
    assert ASKED == [("moody", 2), ("moody", 7)]
    assert found.failures == ()
    assert found.complete
    assert torch.equal(found.scores("moody"), run(None).scores("moody"))
    assert torch.equal(found.scores("plain"), first.scores("plain"))


def test_only_the_metric_that_failed_is_measured_again(tmp_path: Path) -> None:
    both = {"total": Total(), "weak": Weak()}
    short_of(3)
    first = run(tmp_path, both)
    SHORT.clear()
    ASKED.clear()
    found = run(tmp_path, both)

    assert {(each.metric, each.id) for each in first.failures if each.method == "plain"} == {
        ("weak", 3)
    }
    assert ASKED == [("plain", 3), ("moody", 3)]
    assert found.failures == ()
    assert torch.equal(found.scores("plain", "weak"), found.scores("plain", "total"))


def test_what_succeeded_later_stays(tmp_path: Path) -> None:
    short_of(2)
    run(tmp_path)
    SHORT.clear()
    second = run(tmp_path)
    ASKED.clear()
    third = run(tmp_path)

    assert ASKED == []
    assert torch.equal(third.scores("moody"), second.scores("moody"))


def test_what_fails_again_is_told_again_and_costs_nothing(tmp_path: Path) -> None:
    short_of(2, 3)
    run(tmp_path)
    SHORT.discard(float(X[3, 0]))
    found = run(tmp_path)

    assert [(each.method, each.id) for each in found.failures] == [("moody", 2)]
    assert found.interval("moody").count == 9
    assert found.complete


def test_an_explanation_that_fails_later_keeps_the_numbers_that_were_measured(
    tmp_path: Path,
) -> None:
    both = {"total": Total(), "bad": Total(bad=float(X[5, 0]))}
    first = run(tmp_path, both)
    short_of(5)
    found = run(tmp_path, both)
    again = run(tmp_path, both)

    assert {each.error for each in found.failures if each.method == "moody"} == {
        "MemoryError: no room"
    }
    assert {(each.metric, each.id) for each in found.failures} == {("bad", 5)}
    assert again.failures == found.failures
    assert torch.equal(found.scores("moody", "total"), first.scores("moody", "total"))


def test_shards_try_their_own_again(tmp_path: Path) -> None:
    short_of(1, 5)
    run(tmp_path)
    SHORT.clear()
    ASKED.clear()
    found = run(tmp_path, shard=(1, 2))

    assert ASKED == [("moody", 5)]
    assert [each.id for each in found.failures] == [1]


def test_it_is_said_that_they_are_tried_again(tmp_path: Path) -> None:
    said: list[str] = []
    short_of(1, 5)
    run(tmp_path)
    run(tmp_path, say=said.append)

    assert said[0] == "2 samples that failed before are tried again."


def test_an_interrupt_keeps_what_is_not_yet_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(self: Any, case: Case) -> Scores:
        raise KeyboardInterrupt

    short_of(1, 5)
    first = run(tmp_path)
    monkeypatch.setattr(Total, "measure", stop)
    SHORT.clear()
    found = run(tmp_path)

    assert found.stopped == "interrupted"
    assert found.failures == first.failures
    assert found.ids == tuple(range(10))


def test_a_sample_that_failed_altogether_may_be_mended(tmp_path: Path) -> None:
    data = X.clone()
    data[6, 0] = math.nan
    first = run(tmp_path, data=data)
    found = run(tmp_path)

    assert {each.id for each in first.failures} == {6}
    assert found.failures == ()


def test_a_sample_with_a_number_may_not_be_another_one(tmp_path: Path) -> None:
    short_of(6)
    run(tmp_path)
    data = X.clone()
    data[6, 0] = 0

    with pytest.raises(InvalidInput, match="Sample 6 is not the one that was evaluated before"):
        run(tmp_path, data=data)
