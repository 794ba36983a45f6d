"""Targets that go back over one tape share ratios, and find what each finds alone."""

import pytest
import torch
from torch import nn

from whence import rules
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
