"""Targets that go back over one tape share ratios, and find what each finds alone."""

import pytest
import torch
from torch import nn

from whence import rules, targets
from whence.composites import Composite, where
from whence.explainers import LRP
from whence.targets import Each

RULES = [rules.ZPlus(), rules.ZPlus(bias="zero"), rules.AlphaBeta(2, 1), rules.Epsilon(0.1)]


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_targets_together_equal_each_alone(rule: rules.Rule) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        *(nn.Conv2d(2, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.Conv2d(5, 4, 3), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(16, 6), nn.ReLU(), nn.Linear(6, 3)),
    )
    explainer = LRP(model.double().eval(), Composite([(where.nature("linear"), rule)]))
    x = torch.randn(2, 2, 6, 6, dtype=torch.float64)

    together = explainer.explain(x, Each([2, 0, 1]))
    alone = torch.stack([explainer.explain(x, target).relevance for target in (2, 0, 1)])

    torch.testing.assert_close(together.relevance, alone, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_the_books_of_targets_together_equal_those_of_each_alone(rule: rules.Rule) -> None:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 5), nn.Linear(5, 3)).double()
    with torch.no_grad():
        model[0].weight[:2].neg_().clamp_(max=0)  # two neurons that nothing raises
        model[2].weight[3].clamp_(max=0)
    explainer = LRP(model, Composite([(where.nature("linear"), rule)]))
    x = torch.rand(2, 4, dtype=torch.float64)

    together = explainer.explain(x, Each([2, 0]), ledger="full").ledger
    alone = [explainer.explain(x, target, ledger="full").ledger for target in (2, 0)]

    for book, other in zip(together, alone, strict=True):
        assert [row["op"] for row in book.check().to_rows()] == [row.op for row in other]
        for mine, its in zip(book.to_rows(), other.to_rows(), strict=True):
            assert mine["dropped"] == pytest.approx(its["dropped"], abs=1e-14)
            assert mine["r_in"] == pytest.approx(its["r_in"], abs=1e-14)


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_a_target_at_a_layer_and_one_above_its_relu_do_not_mix(rule: rules.Rule) -> None:
    torch.manual_seed(2)
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)).double()
    explainer = LRP(model, Composite([(where.nature("linear"), rule)]))
    x = torch.rand(2, 4, dtype=torch.float64)
    low = int(model[0](x)[0].argmin())
    asked = [1, targets.Neuron(low, at="0"), 2]

    together = explainer.explain(x, Each(asked))
    alone = torch.stack([explainer.explain(x, each).relevance for each in asked])

    torch.testing.assert_close(together.relevance, alone, rtol=1e-12, atol=1e-14)
