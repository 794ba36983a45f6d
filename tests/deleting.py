"""Models that count words, for tests of word deleting."""

from typing import Any

import torch
from torch import Tensor, nn

from whence.metrics import WordDeleting

# The worth of each id for the second of two classes; the first one always has the score 0.
WORTH = torch.tensor([0.0, 3.0, 2.0, -1.0, -2.0, 0.5], dtype=torch.float64)
TRUE = [1, 1]


def classify(input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    score = (WORTH[input_ids] * attention_mask).sum(1)
    return torch.stack([torch.zeros_like(score), score], dim=1)


def worth(inputs: dict[str, Tensor]) -> Tensor:
    return WORTH[inputs["input_ids"]]


def curve(scores: Any) -> list[list[float]]:
    return scores.curves["word-deleting"].y.tolist()


# A slow rewrite of the protocol, on a model that knows the order of the words.


class Reads(nn.Module):
    """Later words count less, and the answer is not linear; padding makes no difference."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 5, padding_idx=0)
        self.head = nn.Linear(5, 3)
        self.double().eval()

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, position_ids: Tensor | None = None
    ) -> Tensor:
        place = attention_mask.cumsum(1) - 1 if position_ids is None else position_ids
        weight = (attention_mask * 0.8**place).unsqueeze(2)
        return self.head((self.embedding(input_ids) * weight).sum(1).tanh())


METRICS = {
    "right": WordDeleting(most=4, read="probability"),
    "removed": WordDeleting(most=4, read="log-odds", how="remove"),
    "in steps": WordDeleting(most=4, step=3, read="probability"),
    "random": WordDeleting(most=4, read="probability", order="random", runs=3),
    "near zero": WordDeleting(most=4, read="probability", order="near-zero"),
    "wrong": WordDeleting(most=4, read="probability", texts="wrong", how="remove"),
}
# Words of several tokens, special tokens, padding.

SENTENCES = ("un ##like ##ly good film", "not bad")
