"""The loop: how it ends early, and what it tells."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import whence
from climbing import ORIGIN, climb
from whence.errors import Diverged
from whence.prototypes import (
    L2,
)

# What ends it early.


def cliff(x: Tensor) -> Tensor:
    """10 x + log(1 - x): not a number beyond 1."""
    return (10 * x + (1 - x).log()).sum(1)


def test_a_nan_is_an_error_that_keeps_the_best() -> None:
    # Slope 9 at 0; with rate 0.1 the second place is 0.9 and the slope there 0. With rate 0.2
    # the second place is 1.8, beyond the cliff.
    with pytest.raises(Diverged, match="at step 1 those of prototype 0 are not") as caught:
        climb(cliff, rate=0.2, steps=5)

    assert caught.value.found.inputs.item() == 0.0
    assert caught.value.found.history.tolist() == [[0.0]]
    assert climb(cliff, rate=0.1, steps=5).inputs.item() == pytest.approx(0.9)


def test_a_nan_names_the_class_and_keeps_finished_groups() -> None:
    model = lambda x: torch.stack([x.sum(1), (1 - x).log().sum(1) - 9 * x.sum(1)], 1)  # noqa: E731
    goal = whence.prototypes.Logit([0, 1])
    start = torch.tensor([[0.0], [2.0]]).double()

    with pytest.raises(Diverged, match=r"at step 0 those of prototype 1 \(class 1\)") as caught:
        whence.maximize(model, goal, start=start, optimiser="sgd", steps=2, batch_size=1)

    assert caught.value.found.names == ["0"]
    assert len(caught.value.found) == 1


def test_a_nan_at_the_start_has_nothing_to_keep() -> None:
    with pytest.raises(Diverged) as caught:
        climb(cliff, start=2 + ORIGIN)

    assert caught.value.found is None


def test_an_infinite_slope_is_an_error_too() -> None:
    with pytest.raises(Diverged, match="gradient must be finite, but at step 0"):
        climb(lambda x: x.sqrt().sum(1))


def test_a_prototype_at_rest_cannot_diverge_any_more() -> None:
    # The first has no slope, rests, and would be 0 / 0 two steps later; the second climbs.
    def model(x: Tensor) -> Tensor:
        return torch.stack([x[0, 0] * 0 / (x[0, 1] < 2.5), x[1, 0]])

    start = torch.zeros(2, 2).double()
    found = climb(
        model, start=start, patience=1, steps=6, operations=[Drift()], rate=0.1, keep="last"
    )

    assert found.steps.tolist() == [1, 6]
    assert found.inputs[0].tolist() == [0.0, 1.0]


class Drift(whence.prototypes.Operation):
    """The second number counts the steps."""

    every = 1

    def change(self, parameter: Tensor, generator: torch.Generator) -> Tensor:
        return parameter + torch.tensor([0.0, 1.0], dtype=parameter.dtype)


def interrupt(at: int) -> Callable[[int, Tensor, Tensor], None]:
    def told(step: int, objective: Tensor, prior: Tensor) -> None:
        if step == at:
            raise KeyboardInterrupt

    return told


def test_stopping_by_hand_keeps_what_was_reached() -> None:
    found = climb(steps=100, progress=interrupt(3))

    assert found.history.shape == (4, 1)
    assert found.inputs.item() == 1 - 1 / 8
    assert found.notes == ["Stopped by hand after step 3 of 100."]


def test_stopping_by_hand_says_what_was_not_begun() -> None:
    start = torch.zeros(5, 1).double()
    found = climb(start=start, steps=9, batch_size=2, progress=interrupt(0))

    assert len(found) == 2
    assert found.notes == ["Stopped by hand after step 0 of 9. 2 of 5 prototypes were begun."]


def test_stopping_before_anything_was_seen_stops() -> None:
    def model(x: Tensor) -> Tensor:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        climb(model)


# What is told.


def test_a_function_is_told_of_each_step() -> None:
    told: list[tuple[int, float, float]] = []
    climb(steps=2, prior=L2(1.0), progress=lambda *now: told.append((now[0], *map(float, now[1:]))))

    # x = 0, then 0 + 0.25 * 2 = 0.5, where both slopes cancel.
    assert told == [(0, -1.0, 0.0), (1, -0.25, -0.25), (2, -0.25, -0.25)]


def test_nothing_is_printed_unless_asked(capsys: pytest.CaptureFixture[str]) -> None:
    climb(steps=2)

    assert capsys.readouterr() == ("", "")


def test_a_bar_goes_to_standard_error_only(capsys: pytest.CaptureFixture[str]) -> None:
    climb(steps=2, progress=True)

    assert capsys.readouterr().out == ""
