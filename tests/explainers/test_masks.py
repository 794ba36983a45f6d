"""Conditions by channel, neuron and head, where the axis follows from what made the values."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from laws import ZERO, rand
from whence.errors import InvalidInput
from whence.explainers import LRP
from whence.targets import Weights


class _Model(nn.Module):
    """One named module, and a weighted sum of all that it returns."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.part = part.double()

    def forward(self, x: Tensor) -> Tensor:
        return self.part(x).flatten(1)


class _Do(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def _passed(part: nn.Module, x: Tensor, condition: Any) -> Tensor:
    """Which elements of the module's output let relevance pass."""
    model = _Model(part)
    target = Weights(torch.ones(model(x).shape[1]).double())
    ex = LRP(model, ZERO).explain(x, target, conditions={"part": condition}, taps=["part"])
    full = LRP(model, ZERO).explain(x, target, taps=["part"])
    return (ex.at("part") != 0) & (full.at("part") != 0)


TEXT, SOUND, IMAGE = rand(2, 5, 4), rand(2, 4, 5), rand(2, 3, 4, 4)
WIDTH_4 = {
    "linear": nn.Linear(4, 5),
    "norm behind it": nn.Sequential(nn.Linear(4, 5), nn.LayerNorm(5)),
    "activation behind it": nn.Sequential(nn.Linear(4, 5), nn.GELU()),
    "residual sum": _Do(lambda x: x + F.linear(x, rand(4, 4))),
    "matrix product": _Do(lambda x: x @ rand(4, 5)),
    "matrix product and sum of all tokens": _Do(
        lambda x: torch.addmm(rand(5), x.view(-1, 4), rand(4, 5)).view(*x.shape[:2], 5).tanh()
    ),
    "scaled": _Do(lambda x: F.linear(x, rand(5, 4)) * 2),
}


@pytest.mark.parametrize("name", WIDTH_4)
def test_neurons_of_a_layer_on_tokens_are_on_the_last_axis(name: str) -> None:
    passed = _passed(WIDTH_4[name], TEXT, [1, 2])

    assert passed[..., 1:3].all()
    assert not passed[..., 0].any()
    assert not passed[..., 3:].any()


@pytest.mark.parametrize("name", WIDTH_4)
def test_a_mask_over_neurons_is_on_the_last_axis_also_with_as_many_tokens(name: str) -> None:
    part = WIDTH_4[name]
    width = _Model(part)(TEXT).shape[1] // 5
    x = rand(2, width, 4)
    mask = torch.arange(width) < 2
    passed = _passed(part, x, mask)

    assert passed[..., :2].all()
    assert not passed[..., 2:].any()


SPATIAL = {
    "convolution": nn.Conv1d(4, 5, 1),
    "pooling": nn.Sequential(nn.Conv1d(4, 5, 1), nn.AvgPool1d(1)),
    "activation": nn.Sequential(nn.Conv1d(4, 5, 1), nn.Softplus()),
}


@pytest.mark.parametrize("name", SPATIAL)
@pytest.mark.parametrize("condition", [[1, 2], torch.tensor([0, 1, 1, 0, 0])], ids=["list", "mask"])
def test_channels_of_a_convolution_come_before_its_time_steps(name: str, condition: Any) -> None:
    passed = _passed(SPATIAL[name], SOUND, condition)

    assert passed[:, 1:3].all()
    assert not passed[:, 0].any()
    assert not passed[:, 3:].any()


def test_channels_of_an_image_come_first() -> None:
    passed = _passed(nn.Conv2d(3, 4, 1), IMAGE, 2)

    assert passed[:, 2].all()
    assert not passed[:, [0, 1, 3]].any()


def test_channels_of_an_image_come_last_behind_a_linear_layer() -> None:
    passed = _passed(nn.Linear(4, 6), IMAGE, 2)

    assert passed[..., 2].all()
    assert not passed[..., [0, 1, 3, 4, 5]].any()


def test_heads_are_the_first_axis_of_what_they_give() -> None:
    heads = _Do(lambda x: (x.view(2, 5, 2, 2).transpose(1, 2) * 3).exp())
    passed = _passed(heads, TEXT, 1)

    assert passed[:, 1].all()
    assert not passed[:, 0].any()


def test_a_head_is_a_part_of_the_width_of_its_projection() -> None:
    head = torch.zeros(2, 3)
    head[1] = 1
    passed = _passed(nn.Linear(4, 6), TEXT, head.flatten())

    assert passed[..., 3:].all()
    assert not passed[..., :3].any()


def test_relevance_of_neurons_adds_up_to_that_of_the_layer() -> None:
    model = nn.Sequential(nn.Linear(4, 6), nn.GELU(), nn.Flatten(), nn.Linear(30, 3)).double()
    explainer = LRP(model, ZERO)
    whole = explainer.explain(TEXT, 1).relevance
    parts = [explainer.explain(TEXT, 1, conditions={"1": i}).relevance for i in range(6)]

    torch.testing.assert_close(sum(parts), whole)


@pytest.mark.parametrize("condition", [0, [1, 2], torch.ones(4)], ids=["one", "some", "mask"])
def test_where_nothing_tells_the_axis_it_is_asked_for(condition: Any) -> None:
    turned = _Do(lambda x: x.transpose(1, 2).transpose(1, 2))

    with pytest.raises(InvalidInput, match=r"which axis of its output, .*Give a mask of two axes"):
        _passed(turned, rand(2, 4, 4), condition)


@pytest.mark.parametrize(("shape", "axis"), [((1, 4), 2), ((4, 1), 1)])
def test_a_mask_of_two_axes_says_which(shape: tuple[int, int], axis: int) -> None:
    turned = _Do(lambda x: x.transpose(1, 2).transpose(1, 2))
    mask = torch.tensor([1, 0, 0, 0]).view(shape)
    passed = _passed(turned, rand(2, 4, 4), mask).movedim(axis, 0)

    assert passed[0].all()
    assert not passed[1:].any()
