"""What is finished is kept: folders, interruptions, data that stop in the middle."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import whence
from whence.errors import InvalidInput
from whence.metrics import PixelFlipping
from whence.runs import Evaluation

X = torch.randn(10, 6, generator=torch.Generator().manual_seed(1)).double()
METHODS = {"plain": lambda m, x, t: x, "squared": lambda m, x, t: x * x}


class Counted(nn.Module):
    """Counts samples, and does something at the first that it sees after `after` of them."""

    def __init__(self, after: int = 10**9, then: Any = None) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.linear = nn.Linear(6, 3).double()
        self.asked, self.after, self.then = 0, after, then

    def forward(self, x: Tensor) -> Tensor:
        if self.asked >= self.after:
            self.then()
        self.asked += len(x)
        return self.linear(x)


def stop() -> None:
    raise KeyboardInterrupt


def run(model: Any, out: Path | None = None, data: Any = X, **options: Any) -> Evaluation:
    options.setdefault("batch_size", 4)
    return whence.evaluate(model.eval(), data, METHODS, [PixelFlipping()], out=out, **options)


def same(first: Evaluation, second: Evaluation) -> bool:
    return first.ids == second.ids and all(
        torch.equal(first.scores(method), second.scores(method))
        and torch.equal(first.curves()[method].mean, second.curves()[method].mean)
        for method in METHODS
    )


EACH = 2 + 2 * 5  # shared ends, and the points between for both methods


def test_an_interrupted_run_returns_what_is_finished(tmp_path: Path) -> None:
    found = run(Counted(after=5 * EACH, then=stop))

    assert not found.complete
    assert found.ids == (0, 1, 2, 3)
    assert "Not complete: interrupted." in str(found)
    assert "4 of 10 samples" in str(found)


@pytest.fixture
def heard() -> Iterator[None]:
    """Ctrl-C is heard also where the tests run in the background of a shell, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
def test_a_real_interrupt_is_caught(tmp_path: Path) -> None:
    found = run(Counted(after=5 * EACH, then=lambda: signal.raise_signal(signal.SIGINT)))

    assert not found.complete
    assert found.ids == (0, 1, 2, 3)


def test_an_interrupt_before_anything_is_finished_is_raised() -> None:
    with pytest.raises(KeyboardInterrupt):
        run(Counted(after=3, then=stop))


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    run(Counted(after=5 * EACH, then=stop), tmp_path / "out")
    again = Counted()
    found = run(again, tmp_path / "out")

    assert again.asked == 6 * EACH
    assert found.complete
    assert same(found, run(Counted()))


def test_a_finished_run_asks_nothing_again(tmp_path: Path) -> None:
    first = run(Counted(), tmp_path)
    again = Counted()

    assert same(run(again, tmp_path), first)
    assert again.asked == 0


def test_more_samples_are_added_to_those_that_are_done(tmp_path: Path) -> None:
    run(Counted(), tmp_path, limit=5)
    again = Counted()
    found = run(again, tmp_path, batch_size=3)

    assert again.asked == 5 * EACH
    assert found.ids == tuple(range(10))


def test_fewer_samples_than_are_done_are_complete(tmp_path: Path) -> None:
    run(Counted(), tmp_path)

    assert run(Counted(), tmp_path, limit=5).complete


def test_an_empty_batch_is_passed_over() -> None:
    found = run(Counted(), data=[X[:4], X[:0], X[4:]])

    assert found.ids == tuple(range(10))


def test_shards_in_one_folder_give_the_whole(tmp_path: Path) -> None:
    assert not run(Counted(), tmp_path, shard=(1, 2)).complete
    found = run(Counted(), tmp_path, shard=(0, 2))

    assert found.complete
    assert same(found, run(Counted()))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seed": 1}, r"seed \(0 there, 1 now\)"),
        ({"target": 1}, "target"),
    ],
)
def test_another_question_in_the_same_folder_is_refused(
    tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    run(Counted(), tmp_path)
    with pytest.raises(InvalidInput, match=f"holds another evaluation.*{words}"):
        run(Counted(), tmp_path, **options)


def test_other_weights_methods_and_knobs_are_another_question(tmp_path: Path) -> None:
    run(Counted(), tmp_path)
    other = Counted()
    with torch.no_grad():
        other.linear.weight[0, 0] += 1
    with pytest.raises(InvalidInput, match="model hash"):
        run(other, tmp_path)
    with pytest.raises(InvalidInput, match="explainers"):
        whence.evaluate(Counted().eval(), X, ["lrp"], [PixelFlipping()], out=tmp_path)
    with pytest.raises(InvalidInput, match="metrics"):
        whence.evaluate(Counted().eval(), X, METHODS, [PixelFlipping(step=2)], out=tmp_path)


def test_a_knob_that_is_a_tensor_counts_by_its_content(tmp_path: Path) -> None:
    def measured(value: Tensor) -> Evaluation:
        metric = PixelFlipping(replacement=whence.metrics.Constant(value))
        return whence.evaluate(Counted().eval(), X, METHODS, [metric], out=tmp_path)

    measured(torch.zeros(1, 6))
    measured(torch.zeros(1, 6))
    with pytest.raises(InvalidInput, match="metrics flipping"):
        measured(torch.tensor([[0.0, 0, 0, 0, 0, 1e-9]]))


def test_other_data_under_the_same_numbers_are_refused(tmp_path: Path) -> None:
    run(Counted(), tmp_path)
    with pytest.raises(InvalidInput, match="Sample 0 is not the one that was evaluated before"):
        run(Counted(), tmp_path, X.flip(0))


def test_files_hold_no_pickles_and_leave_nothing_half_written(tmp_path: Path) -> None:
    run(Counted(), tmp_path)
    files = sorted(path for path in tmp_path.rglob("*") if path.is_file())

    assert {path.suffix for path in files} == {".npz", ".json"}
    assert len(files) == 1 + 3
    assert all(len(np.load(path, allow_pickle=False).files) > 1 for path in files[:3])
    assert json.loads((tmp_path / "question.json").read_text())["seed"] == 0


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    run(Counted(), tmp_path)
    broken = next((tmp_path / "parts").glob("*.npz"))
    broken.write_bytes(b"PK no archive")
    with pytest.raises(InvalidInput, match=f"{broken.name} cannot be read.*Delete it"):
        run(Counted(), tmp_path)
    broken.unlink()

    assert same(run(Counted(), tmp_path), run(Counted()))


@pytest.mark.parametrize("part", [0, 0.3, 0.99])
def test_a_file_that_was_copied_in_part_is_named(tmp_path: Path, part: float) -> None:
    run(Counted(), tmp_path)
    path = next((tmp_path / "parts").glob("*.npz"))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])

    with pytest.raises(InvalidInput, match=f"{path.name} cannot be read.*Delete it"):
        run(Counted(), tmp_path)


def test_a_file_that_was_damaged_is_named(tmp_path: Path) -> None:
    run(Counted(), tmp_path)
    path = next((tmp_path / "parts").glob("*.npz"))
    whole = path.read_bytes()
    path.write_bytes(whole[:60] + bytes(40) + whole[100:])

    with pytest.raises(InvalidInput, match=f"{path.name} cannot be read.*Delete it"):
        run(Counted(), tmp_path)


def test_out_must_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match="out= must be a folder"):
        run(Counted(), tmp_path / "file")


def test_failures_are_kept_with_the_rest(tmp_path: Path) -> None:
    def moody(model: Any, x: Tensor, target: Any) -> Tensor:
        return x.masked_fill(x == X[2, 0], torch.nan)

    def measured() -> Evaluation:
        metrics = [PixelFlipping()]
        return whence.evaluate(Counted().eval(), X, {"moody": moody}, metrics, out=tmp_path)

    first, again = measured(), measured()

    assert [each.id for each in again.failures] == [2]
    assert again.failures == first.failures
    assert "moody failed on 1 sample (2)" in str(again)


def test_data_that_stop_in_the_middle_keep_what_is_measured() -> None:
    def broken() -> Any:
        yield X[:4]
        raise OSError("the disk is gone")

    found = run(Counted(), data=broken())

    assert found.ids == (0, 1, 2, 3)
    assert not found.complete
    assert "the data could not be read on: OSError: the disk is gone" in str(found)


def test_data_that_fail_at_once_raise_their_own_error() -> None:
    def broken() -> Any:
        raise OSError("the disk is gone")
        yield

    with pytest.raises(OSError, match="the disk is gone"):
        run(Counted(), data=broken())


def test_what_a_killed_run_left_half_written_is_passed_over(tmp_path: Path) -> None:
    first = run(Counted(), tmp_path)
    whole = next((tmp_path / "parts").glob("*.npz"))
    whole.rename(whole.with_name(f".{whole.name}.123.tmp"))
    again = Counted()

    assert same(run(again, tmp_path), first)
    assert again.asked > 0
