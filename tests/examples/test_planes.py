import pytest
import torch
from theory.planes import active_nets, explainers, measure, plane, random_net, relevance

NETS = active_nets(2)


def test_a_plane_has_its_first_input_fastest() -> None:
    assert plane(2, 1.0).tolist() == [[-1, -1], [1, -1], [-1, 1], [1, 1]]


def test_a_net_without_biases_scales_with_its_input() -> None:
    net, x = random_net(0), plane(8)

    torch.testing.assert_close(net(3 * x), 3 * net(x), rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", ["simple Taylor", "LRP, epsilon", "LRP, z+"])
@pytest.mark.parametrize("net", NETS.values(), ids=NETS.keys())
def test_both_relevances_add_up_to_the_score(name: str, net: torch.nn.Sequential) -> None:
    x = plane(32)
    total = relevance(explainers(net)[name])(x).sum(1)
    tolerance = 1e-5 if "epsilon" in name else 1e-12  # of epsilon 1e-6 at each of four layers

    assert (total - net(x)[:, 0]).abs().max() <= tolerance * net(x).max()


def test_sensitivity_adds_up_to_the_squared_slope() -> None:
    net = NETS[min(NETS)]
    x = plane(32).requires_grad_()
    (slope,) = torch.autograd.grad(net(x).sum(), x)
    total = relevance(explainers(net)["sensitivity"])(x.detach()).sum(1)

    torch.testing.assert_close(total, slope.square().sum(1))


@pytest.mark.parametrize("net", NETS.values(), ids=NETS.keys())
def test_simple_taylor_jumps_where_neurons_switch_and_z_plus_does_not(
    net: torch.nn.Sequential,
) -> None:
    found = {name: measure(net, each) for name, each in explainers(net).items()}

    assert found["simple Taylor"].jumps > 5
    assert found["sensitivity"].jumps > 5
    assert found["simple Taylor"].at_switches == found["sensitivity"].at_switches == 1.0
    assert found["LRP, z+"].jumps == 0


@pytest.mark.parametrize("net", NETS.values(), ids=NETS.keys())
def test_simple_taylor_has_negative_scores_and_z_plus_none(net: torch.nn.Sequential) -> None:
    found = {name: measure(net, each) for name, each in explainers(net).items()}

    assert found["simple Taylor"].negative > 0.05
    assert found["LRP, z+"].negative == found["sensitivity"].negative == 0.0
