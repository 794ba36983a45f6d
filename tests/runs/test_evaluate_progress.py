"""The budget in words, and the bar on a terminal."""

import io

import pytest
import torch
from rich.console import Console
from torch import nn

import whence
from whence.metrics import PixelFlipping
from whence.runs import _evaluate_progress as progress


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (999, "999"),
        (76_620, "76,620"),
        (999_949, "999,949"),
        (999_950, "1.0 million"),
        (2_100_000, "2.1 million"),
        (1.25e9, "1.2 billion"),
    ],
)
def test_large_numbers_are_said_in_words(number: float, words: str) -> None:
    assert progress.large(number) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "a second"),
        (44, "44 seconds"),
        (59, "1 minute"),
        (420, "7 minutes"),
        (5400, "2 hours"),
        (200_000, "2 days"),
    ],
)
def test_times_are_said_in_their_unit(seconds: float, words: str) -> None:
    assert progress.duration(seconds) == words


def test_a_budget_counts_everything() -> None:
    budget = progress.Budget(forwards=2100, explanations=3, seconds=0.42)

    assert budget.line(1000, 3, 2) == (
        "1,000 samples x 3 methods x 2 metrics: 2.1 million forward passes and "
        "3,000 explanations, about 7 minutes"
    )
    assert budget.line(None, 1, 1) == (
        "1 method x 1 metric, for each sample: 2,100 forward passes and 3 explanations, "
        "about a second"
    )


def test_a_terminal_sees_the_budget_and_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, width=120)
    monkeypatch.setattr(progress, "Console", lambda stderr: console)
    monkeypatch.setattr("whence.runs._evaluate.is_watched", lambda: True)
    model = nn.Linear(6, 3).eval()
    whence.evaluate(model, torch.rand(5, 6), ["lrp"], [PixelFlipping()], batch_size=2)

    assert "5 samples x 1 method x 1 metric: 35 forward passes" in shown.getvalue()
    assert "35/35" in shown.getvalue()


def test_a_terminal_may_be_left_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("whence.runs._evaluate.is_watched", lambda: True)
    model = nn.Linear(6, 3).eval()
    whence.evaluate(model, torch.rand(5, 6), ["lrp"], [PixelFlipping()], progress=False)

    assert capsys.readouterr() == ("", "")
