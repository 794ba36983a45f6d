"""Trained nets on real data, where the data folder is present: they load, conserve and agree."""

from pathlib import Path

import pytest
import torch
from torch import nn

from whence import zoo
from whence.composites import Composite, EpsilonPlus, EpsilonPlusFlat, where
from whence.explainers import LRP, DeepTaylor, GradientTimesInput
from whence.rules import Flat, Zero


def test_lenet_of_the_toolbox_conserves(data: Path) -> None:
    net = zoo.model("lenet5-mnist", data)
    images, labels = zoo.dataset("mnist", data).batch(list(range(16)))
    x = net.preprocess(images).double()
    ex = LRP(net.module.double(), EpsilonPlus()).explain(x, labels, ledger="full")

    ex.ledger.check()
    lost = sum(ex.ledger.total(column) for column in ("bias", "epsilon", "dropped", "softmax"))
    assert float(ex.relevance.sum()) + lost == pytest.approx(float(ex.score.sum()), rel=1e-9)


def test_the_xor_net_of_the_toolbox_conserves(data: Path) -> None:
    net = zoo.model("xor", data)
    x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]).double()
    ex = LRP(net.module.double(), Composite([(where.all, Zero())])).explain(x, ledger="full")

    ex.ledger.check()
    assert "softmax" in " ".join(ex.notes)


def test_deep_taylor_of_a_digit_is_positive(data: Path) -> None:
    net = zoo.model("lenet5-mnist", data)
    images, labels = zoo.dataset("mnist", data).batch(list(range(8)))
    x = net.preprocess(images)
    ex = DeepTaylor(net.module, -1.0, 1.0).explain(x, labels)

    assert float(ex.score.min()) > 0
    assert float(ex.relevance.min()) >= -1e-6 * float(ex.relevance.max())


def test_squeezenet_on_photographs_closes_its_books(data: Path) -> None:
    net = zoo.model("squeezenet-imagenet", data)
    pictures = zoo.dataset("imagenet-samples", data)
    x = torch.cat([net.preprocess(pictures[i].image) for i in range(2)])
    ex = LRP(net.module, EpsilonPlusFlat()).explain(x, ledger="full")

    ex.ledger.check()
    assert ex.relevance.shape == x.shape


def test_a_residual_net_conserves_and_lrp0_is_gradient_times_input(data: Path) -> None:
    net = zoo.model("resnet20-cifar10", data)
    images, _ = zoo.dataset("cifar10", data).batch([0, 1, 2])
    x = net.preprocess(images).double()
    module = net.module.double()
    ex = LRP(module, Composite([(where.all, Zero())])).explain(x, 3, ledger="full")

    ex.ledger.check()
    torch.testing.assert_close(ex.relevance, GradientTimesInput(module).explain(x, 3).relevance)


def test_flat_through_a_built_in_normalisation_equals_flat_behind_it() -> None:
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 2)).double()
    mean, deviation = torch.rand(2, 1, 1).double(), torch.rand(2, 1, 1).double() + 0.5
    x = torch.rand(2, 2, 6, 6).double()
    rules = Composite([(where.all, Zero()), (where.first, Flat())])
    inside = LRP(lambda x: net((x - mean) / deviation), rules).explain(x, 1)
    behind = LRP(net, rules).explain((x - mean) / deviation, 1)

    torch.testing.assert_close(inside.relevance, behind.relevance, rtol=0, atol=1e-14)
