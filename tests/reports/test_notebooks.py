"""In notebooks results show themselves as HTML, in terminals as text."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import whence
from whence import Explanation, reports
from whence._html import fixed, fragment, paragraph, table
from whence.prototypes import Logit


@pytest.fixture
def results(net: nn.Module, images: Tensor, found: Explanation) -> dict[str, Any]:
    """One result of each kind."""
    net.eval()
    start = torch.zeros(1, 1, 6, 6, dtype=torch.float64)
    model, ids = nn.Sequential(nn.Embedding(5, 3), nn.Flatten()), torch.tensor([[1, 2]])
    return {
        "explanation": found,
        "text": whence.explain(model, ids, 0, tokens=[["good", "film"]]),
        "ledger": found.ledger,
        "evaluation": whence.evaluate(net, images, ["lrp"], ["flipping"], progress=False),
        "prototypes": whence.maximize(net, Logit([1]), start=start, steps=2),
        "verification": reports.verify(reports.record_of(found, net), net, images),
    }


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("explanation", "ledger: score"),
        ("text", "film"),
        ("ledger", "<th"),
        ("evaluation", "flipping"),
        ("prototypes", "<img"),
        ("verification", "The record holds."),
    ],
)
def test_each_result_shows_itself_as_a_piece_of_a_page(
    results: dict[str, Any], name: str, told: str
) -> None:
    shown = results[name]._repr_html_()

    assert shown.startswith("<div style=")
    assert shown.count("<div") == shown.count("</div>")
    assert told in shown
    assert "<style" not in shown
    assert "<script" not in shown


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("explanation", "ledger: score"),
        ("text", "good"),
        ("ledger", "every row closes"),
        ("evaluation", "flipping"),
        ("prototypes", "Prototypes(1 of shape"),
        ("verification", "weights: agrees"),
    ],
)
def test_each_result_prints_itself_as_text(results: dict[str, Any], name: str, told: str) -> None:
    assert told in str(results[name])
    assert "<div" not in str(results[name])


def test_a_ledger_is_short_where_it_stands_among_others(found: Explanation) -> None:
    assert repr(found.ledger).startswith(f"Ledger({len(found.ledger)} rows: score ")


def test_a_shape_without_a_picture_shows_the_rest() -> None:
    target = whence.targets.Neuron((0, 0, 0, 0))
    found = whence.explain(nn.Conv3d(1, 1, 1), torch.rand(1, 1, 2, 2, 2), target)
    shown = found._repr_html_()

    assert "<img" not in shown
    assert "ledger: score" in shown


def test_pieces_escape_their_text() -> None:
    text = "<b onclick='x'>"

    assert "<b" not in fragment(text, paragraph(text), fixed(text), table([text], [[text, 1.5]]))
    assert ">1.5<" in table(["a"], [[1.5]])
