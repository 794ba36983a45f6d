"""Texts of a padded batch are measured as if they stood alone."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from whence.explainers import LRP, GradientTimesInput
from whence.metrics import (
    EffectiveSize,
    Entropy,
    FileSize,
    Gini,
    InputInvariance,
    LabelRandomisation,
    Metric,
    ParameterRandomisation,
)


class Reader(nn.Module):
    """A small net on token ids or their vectors that ignores padding."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.hidden, self.head = nn.Embedding(9, 4), nn.Linear(4, 6), nn.Linear(6, 2)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
    ) -> Tensor:
        x = self.table(input_ids) if inputs_embeds is None else inputs_embeds
        hidden = self.hidden(x).relu() * attention_mask[..., None]  # type: ignore[index]
        return self.head(hidden.sum(1))


@pytest.fixture
def reader() -> Reader:
    return Reader().double().eval()


IDS = torch.tensor([[1, 2, 3, 4, 5, 6], [7, 8, 1, 0, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0]])
OF_MAPS = [Entropy(), Gini(), EffectiveSize(), FileSize("zlib")]
OF_MODELS = [
    ParameterRandomisation(),
    LabelRandomisation(lambda: Reader().double().eval()),
]


def values(metric: Metric, model: nn.Module, inputs: dict[str, Tensor], ids: list[str]) -> Any:
    explainer = LRP(model)
    relevance = explainer.explain(inputs, 1).relevance
    return metric(model, inputs, relevance, 1, explainer=explainer, ids=ids).values


def of_ids(reader: Reader) -> Callable[..., dict[str, Tensor]]:
    return lambda rows, length: {
        "input_ids": IDS[rows, :length],
        "attention_mask": MASK[rows, :length],
    }


def of_vectors(reader: Reader) -> Callable[..., dict[str, Tensor]]:
    return lambda rows, length: {
        "inputs_embeds": reader.table(IDS[rows, :length]).detach(),
        "attention_mask": MASK[rows, :length],
    }


@pytest.mark.parametrize("metric", [*OF_MAPS, *OF_MODELS])
@pytest.mark.parametrize("form", [of_ids, of_vectors])
def test_padding_makes_no_difference(reader: Reader, metric: Metric, form: Any) -> None:
    take = form(reader)
    together = values(metric, reader, take([0, 1], 6), ["a", "b"])
    alone = values(metric, reader, take([1], 3), ["b"])

    assert together[1:].tolist() == pytest.approx(alone.tolist(), abs=1e-12)


def test_vectors_of_tokens_can_be_shifted(reader: Reader) -> None:
    inputs = of_vectors(reader)([0, 1], 6)
    explainer = GradientTimesInput(reader)
    relevance = explainer.explain(inputs, 1).relevance
    scores = InputInvariance(2.0)(reader, inputs, relevance, 1, explainer=explainer)
    slopes = relevance["inputs_embeds"] / inputs["inputs_embeds"]
    moved, before = (2 * slopes).sum(2).abs(), relevance["inputs_embeds"].sum(2).abs()

    assert scores.values.tolist() == pytest.approx((moved.sum(1) / before.sum(1)).tolist())
