"""Whole models that take token ids, bags of them, or pictures of integers."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from laws import ZERO, assert_closes, rand, weights_for
from running import IDS, Wrapped
from whence.explainers import LRP
from whence.targets import Weights

# -- token ids and pictures of integers ----------------------------------------------------------


class _Tokens(nn.Module):
    """Token ids, moved around in `prepare`, to the mean of their embeddings."""

    def __init__(self, prepare: Callable[[Tensor], Tensor] = lambda ids: ids) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 6, dtype=torch.float64)
        self.embedding.weight.data = rand(10, 6, seed=4)
        self.prepare = prepare

    def forward(self, ids: Tensor) -> Tensor:
        return torch.relu(self.embedding(self.prepare(ids))).flatten(2).mean(1)


def _token_reference(model: _Tokens, ids: Tensor, target: Weights) -> Tensor:
    e = model.embedding(ids).detach().requires_grad_()
    target.score(torch.relu(e).mean(1)).sum().backward()
    assert e.grad is not None
    return (e * e.grad).sum(-1).detach()


def test_token_ids_get_one_value_each() -> None:
    model = _Tokens()
    target = weights_for(model, IDS)
    ex = assert_closes(model, IDS, target)

    assert ex.relevance.shape == IDS.shape
    torch.testing.assert_close(ex.relevance, _token_reference(model, IDS, target))


@pytest.mark.parametrize(
    "prepare",
    [
        lambda ids: ids.view(-1, 4),
        lambda ids: ids.long(),
        lambda ids: ids[:, [3, 2, 1, 0]],
        lambda ids: ids.flip(1),
        lambda ids: torch.cat([ids[:, :2], ids[:, 2:]], 1),
        lambda ids: ids.clone().contiguous(),
        lambda ids: ids.to(torch.int64),
    ],
)
def test_token_ids_may_be_moved_before_the_embedding(prepare: Callable[[Tensor], Tensor]) -> None:
    model = _Tokens(prepare)
    target = weights_for(_Tokens(), IDS)

    torch.testing.assert_close(
        assert_closes(model, IDS, target).relevance, _token_reference(model, IDS, target)
    )


def test_token_ids_cut_off_get_no_relevance() -> None:
    model = _Tokens(lambda ids: ids[:, :3])
    ex = assert_closes(model, IDS)

    assert (ex.relevance[:, 3] == 0).all()
    assert (ex.relevance[:, :3] != 0).any()


BAGS = [
    {"mode": "sum"},
    {"mode": "mean"},
    {"mode": "max"},
    {"mode": "sum", "padding_idx": 2},
    {"mode": "mean", "padding_idx": 2},
    {"mode": "max", "padding_idx": 2},
]


@pytest.mark.parametrize("options", BAGS, ids=str)
def test_embedding_bags_share_among_their_tokens(options: dict[str, Any]) -> None:
    bag = nn.EmbeddingBag(10, 6, dtype=torch.float64, **options)
    ex = assert_closes(bag, IDS)

    assert ex.relevance.shape == IDS.shape
    torch.testing.assert_close(ex.relevance.sum(1), ex.score)
    assert "padding_idx" not in options or (ex.relevance[IDS == 2] == 0).all()


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_bags_of_different_sizes_are_given_by_offsets(mode: str) -> None:
    bag = nn.EmbeddingBag(10, 6, mode=mode, dtype=torch.float64)
    flat, offsets = torch.tensor([1, 2, 2, 5, 0]), torch.tensor([0, 3])
    ex = LRP(lambda ids: bag(ids, offsets), ZERO).explain(flat, lambda y: y.sum(1))

    torch.testing.assert_close(ex.relevance.sum(), ex.score.sum())
    torch.testing.assert_close(ex.relevance[:3].sum(), bag(flat, offsets)[0].sum().detach())


def test_weights_of_bags_weigh() -> None:
    bag = nn.EmbeddingBag(10, 6, mode="sum", dtype=torch.float64)
    weights = rand(3, 4)
    ex = LRP(lambda ids: bag(ids, per_sample_weights=weights), ZERO).explain(
        IDS, lambda y: y.sum(1)
    )

    torch.testing.assert_close(ex.relevance, (bag.weight[IDS].sum(-1) * weights).detach())


def test_pictures_of_bytes_get_relevance_of_their_own_shape() -> None:
    pixels = (rand(3, 6).abs() * 60).to(torch.uint8)
    model = Wrapped(prepare=lambda x: x.to(torch.float64) / 255)
    ex = LRP(model, ZERO).explain(pixels, 1, ledger="full")
    expected = LRP(Wrapped(), ZERO).explain(pixels.double() / 255, 1)

    ex.ledger.check()
    torch.testing.assert_close(ex.relevance, expected.relevance)
