"""The rules of PatternNet and PatternAttribution, on patterns that are known."""

import pytest
import torch
from torch import nn

from whence.composites import Composite, where
from whence.errors import InvalidInput
from whence.explainers import LRP
from whence.rules import InverseScale, PatternShare, PatternSignal, ReLUMask
from whence.targets import Given
from whence.testing import check_rule


def test_shares_keep_the_contract() -> None:
    # a = w / 2 on every layer: shares w^2 / 2
    check_rule(
        PatternShare(lambda linear: linear.weight / 2),
        lambda a, W, b, z, R, connected: (W.square() / 2).T @ R,
    )


def given(*entries: tuple) -> Composite:
    return Composite([*entries])


def relevance(net: nn.Module, x: torch.Tensor, R: torch.Tensor, *entries: tuple) -> list[float]:
    return LRP(net, given(*entries)).explain(x, Given(R), ledger=None).relevance[0].tolist()


def test_signals_go_along_patterns_by_hand() -> None:
    net = nn.Linear(2, 2).double()
    pattern = torch.tensor([[1.0, 2.0], [3.0, -4.0]])
    found = relevance(
        net,
        torch.zeros(1, 2).double(),
        torch.tensor([[10.0, 1.0]]).double(),
        (where.nature("linear"), PatternSignal(lambda linear: pattern)),
    )

    assert found == [10 + 3, 20 - 4]


def test_a_closed_relu_stops_what_an_open_one_passes() -> None:
    x, R = torch.tensor([[2.0, -1.0, 0.0]]), torch.tensor([[5.0, 7.0, 9.0]])

    assert relevance(nn.ReLU(), x, R, (where.kind("relu"), ReLUMask())) == [5, 0, 0]


@pytest.mark.parametrize(
    ("net", "expected"), [(nn.Hardtanh(0, 1), [5, 0, 0]), (nn.Hardtanh(-1, 1), [5, 7, 9])]
)
def test_a_clamp_is_a_relu_where_nothing_below_zero_comes_out(
    net: nn.Module, expected: list[float]
) -> None:
    x, R = torch.tensor([[2.0, -0.5, 0.0]]), torch.tensor([[5.0, 7.0, 9.0]])

    assert relevance(net, x, R, (where.kind("hardtanh"), ReLUMask())) == expected


def test_what_a_closed_relu_stops_is_booked() -> None:
    x, R = torch.tensor([[2.0, -1.0]]), torch.tensor([[5.0, 7.0]])
    found = LRP(nn.ReLU(), given((where.kind("relu"), ReLUMask()))).explain(x, Given(R))

    assert found.ledger.rows[0].dropped.tolist() == [7]
    found.ledger.check()


class Scale(nn.Module):
    def __init__(self, by: torch.Tensor) -> None:
        super().__init__()
        self.by = nn.Buffer(by)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.by


def test_a_scale_is_undone_and_zero_hides() -> None:
    net = Scale(torch.tensor([2.0, -4.0, 0.0]))
    x, R = torch.ones(1, 3), torch.tensor([[6.0, 6.0, 6.0]])

    assert relevance(net, x, R, (where.nature("scale"), InverseScale())) == [3, -1.5, 0]


def test_a_scale_that_copies_is_refused() -> None:
    net = Scale(torch.ones(1, 3))

    with pytest.raises(InvalidInput, match="a scale that keeps the shape"):
        relevance(net, torch.ones(1, 1), torch.ones(1, 3), (where.nature("scale"), InverseScale()))


@pytest.mark.parametrize("rule", [PatternSignal, PatternShare])
def test_a_pattern_of_another_shape_is_refused(rule: type) -> None:
    entry = (where.nature("linear"), rule(lambda linear: torch.ones(3, 3)))

    with pytest.raises(InvalidInput, match=r"weights, \(2, 2\), got \(3, 3\)"):
        relevance(nn.Linear(2, 2), torch.ones(1, 2), torch.ones(1, 2), entry)
