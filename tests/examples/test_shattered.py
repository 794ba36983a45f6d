import math

import pytest
import torch
from shattering import LAG, measure
from theory.shattered import (
    LineNet,
    autocorrelation,
    cosine,
    kinks,
    line,
    slopes,
    theory,
    with_crossings,
)
from torch import Tensor

SEEDS = range(4)


def patterns(net: LineNet, x: Tensor) -> Tensor:
    """Which neurons are on, (places, neurons), layer by layer."""
    h = torch.stack([x, torch.ones_like(x)], 1) @ net.first.T
    states = [h > 0]
    for weight in net.deeper:
        h = net.after(h, h.relu(), weight)
        states.append(h > 0)
    return torch.cat(states, 1)


def test_a_row_is_added_where_a_neuron_crosses_zero() -> None:
    h = torch.tensor([[1.0, -1.0], [-3.0, 1.0]]).double()
    expected = torch.tensor([[1.0, -1.0], [0.0, -0.5], [-1.0, 0.0], [-3.0, 1.0]]).double()

    assert torch.equal(with_crossings(h), expected)


def test_a_neuron_that_touches_zero_is_not_counted_twice() -> None:
    h = torch.tensor([[1.0], [0.0], [-1.0]]).double()

    assert torch.equal(with_crossings(h), h)


@pytest.mark.parametrize("skips", [False, True])
def test_kinks_are_the_switches_on_a_fine_grid(skips: bool) -> None:
    net = LineNet(4, skips, seed=1, width=8)
    on = patterns(net, line(400_001))
    switches = (on[1:] != on[:-1]).sum()

    assert kinks(net) == int(switches) >= 10


def test_slopes_are_differences_where_nothing_switches() -> None:
    net = LineNet(3, False, seed=0)
    x = torch.tensor([0.123, -1.4]).double()
    step = 1e-7

    torch.testing.assert_close(
        slopes(net, x), (net(x + step) - net(x - step)) / (2 * step), rtol=1e-6, atol=1e-6
    )


def test_the_autocorrelation_is_its_sum_over_pairs() -> None:
    g = torch.randn(9, 2).double()
    centred = g - g.mean(0)
    by_hand = [(centred[t:] * centred[: 9 - t]).sum(0) / centred.square().sum(0) for t in range(9)]

    torch.testing.assert_close(autocorrelation(g), torch.stack(by_hand).mean(1))


def test_constant_slopes_are_left_out_of_the_autocorrelation() -> None:
    g = torch.stack([torch.arange(5.0), torch.ones(5)], 1)

    assert torch.equal(autocorrelation(g), autocorrelation(g[:, :1]))


def test_the_theory_of_one_layer_in_closed_form() -> None:
    x, other = torch.tensor([1.0, 2.0]).double(), torch.tensor([-1.0, 1.0]).double()
    angle = x.atan() - other.atan()
    by_hand = 1 - (angle + x / (1 + x**2) - other / (1 + other**2)) / math.pi
    said = theory(1, False, x, other, width=200)

    torch.testing.assert_close(said.cosine, by_hand)
    assert said.cosine[0].item() == pytest.approx(1 / 2 - 1 / math.pi)  # angle pi / 2
    assert said.kinks == pytest.approx(400 / math.pi * math.atan(2))


@pytest.mark.parametrize("depth", [1, 7])
def test_places_next_to_each_other_have_nearly_the_same_slope(depth: int) -> None:
    x = line(9)

    torch.testing.assert_close(
        theory(depth, True, x, x + 1e-5).cosine, torch.ones(9).double(), rtol=0, atol=1e-3
    )


@pytest.mark.parametrize("skips", [False, True])
@pytest.mark.parametrize("depth", [1, 3])
def test_wide_nets_do_what_theory_says(depth: int, skips: bool) -> None:
    x = line()
    found = [slopes(LineNet(depth, skips, seed, width=800), x) for seed in range(3)]
    measured = sum(cosine(g, apart=64) for g in found) / 3
    said = theory(depth, skips, x[64:], x[:-64]).cosine.mean()

    assert measured == pytest.approx(said.item(), abs=0.05)


def test_the_first_layer_switches_as_often_as_theory_says() -> None:
    counts = [kinks(LineNet(1, False, seed)) for seed in range(10)]
    share = 2 / math.pi * math.atan(2)
    error = math.sqrt(200 * share * (1 - share) / 10)

    assert abs(sum(counts) / 10 - 200 * share) < 4 * error


def test_gradients_shatter_with_depth_and_less_with_skips() -> None:
    plain, deep, deepest, skipping = (
        [measure(depth, skips, seed) for seed in SEEDS]
        for depth, skips in ((1, False), (10, False), (24, False), (24, True))
    )
    lag, near, kink = (
        [sum(read(each) for each in rows) / len(SEEDS) for rows in (plain, deep, deepest, skipping)]
        for read in (lambda m: m.autocorrelation[LAG], lambda m: m.cosine, lambda m: m.kinks)
    )

    assert lag[0] > lag[1] > lag[2]
    assert lag[3] > lag[2]
    assert near[0] > near[1] > near[2]
    assert near[3] > near[2]
    assert kink[0] < kink[1] < kink[2]
