"""Selectors, the order of entries, depth control, and what composites print."""

import pytest
import torch
from torch import nn

from whence import composites, rules
from whence.composites import Composite, where
from whence.errors import InvalidInput
from whence.explainers import LRP
from whence.rules import Epsilon, Flat, Zero, ZPlus


@pytest.fixture
def net() -> nn.Module:
    layers = [nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Conv2d(3, 3, 3), nn.ReLU(), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(48, 5), nn.ReLU(), nn.Linear(5, 2)).double()


@pytest.fixture
def x() -> torch.Tensor:
    return torch.rand(2, 1, 8, 8).double()


def _chosen(net: nn.Module, x: torch.Tensor, entries: Composite) -> dict[str, str]:
    rows = LRP(net, entries).assignment(x)
    return {path: rule for _, path, rule, _ in rows if "=" in rule or "Flat" in rule}


SELECTORS = [
    (where.first, ["0"]),
    (where.last, ["7"]),
    (where.kind("conv2d"), ["0", "2"]),
    (where.module(nn.Linear), ["5", "7"]),
    (where.name("[25]"), ["2", "5"]),
    (where.between("2", "5"), ["2", "5"]),
    (where.before("5"), ["0", "2"]),
    (where.kind("conv2d") & ~where.first, ["2"]),
    (where.first | where.last, ["0", "7"]),
    (where.nature("linear"), ["0", "2", "5", "7"]),
]


@pytest.mark.parametrize(("selector", "paths"), SELECTORS, ids=lambda value: str(value))
def test_a_selector_picks_its_operations(
    net: nn.Module, x: torch.Tensor, selector: composites.Selector, paths: list[str]
) -> None:
    chosen = _chosen(net, x, Composite([(where.all, Zero()), (selector, Flat())]))

    assert sorted(path for path, rule in chosen.items() if rule == "Flat()") == paths


def test_the_last_match_wins(net: nn.Module, x: torch.Tensor) -> None:
    entries = [(where.all, Zero()), (where.first, Flat()), (where.first, Zero())]

    assert (
        LRP(net, Composite(entries))
        .explain(x)
        .relevance.equal(LRP(net, Composite(entries[:1])).explain(x).relevance)
    )


def test_flat_below_a_layer_sets_the_depth(net: nn.Module, x: torch.Tensor) -> None:
    deep = Composite([(where.nature("linear"), Epsilon())])
    by_hand = deep + [(where.kind("conv2d"), Flat())]

    assert (
        LRP(net, deep.below("5", Flat()))
        .explain(x)
        .relevance.equal(LRP(net, by_hand).explain(x).relevance)
    )


def test_a_composite_prints_as_the_code_that_builds_it() -> None:
    built = Composite([(where.nature("linear") & ~where.first, Epsilon()), (where.first, Flat())])
    names = {"Composite": Composite, "where": where, **vars(rules)}

    assert eval(repr(built), names) == built


def test_printing_an_explainer_shows_its_rules(net: nn.Module) -> None:
    assert "where.nature('linear')" in repr(LRP(net, composites.EpsilonPlus()))


def test_an_unknown_nature_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no nature 'lineal'"):
        where.nature("lineal")


def test_a_module_that_did_not_run_is_refused(net: nn.Module, x: torch.Tensor) -> None:
    with pytest.raises(InvalidInput, match="no operation in module '99'"):
        LRP(net, Composite([(where.before("99"), ZPlus())])).explain(x)


def test_the_default_is_chosen_from_the_operations(net: nn.Module, x: torch.Tensor) -> None:
    dense = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)).double()
    rows = [rule for _, _, rule, _ in LRP(dense).assignment(torch.rand(2, 4).double())]

    assert _chosen(net, x, composites.EpsilonPlusFlat()) == {
        path: rule for _, path, rule, _ in LRP(net).assignment(x) if "=" in rule or "Flat" in rule
    }
    assert rows[0].startswith("Epsilon")
