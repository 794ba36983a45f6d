"""The four steps of deep Taylor decomposition: by hand, against a slow rewrite, and its limits."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from whence.composites import Composite, EpsilonPlus, where
from whence.errors import InvalidInput
from whence.explainers import LRP, DeepTaylor, DeepTaylorSteps
from whence.rules import BoxDirection, TaylorRule, WSquare, ZBox, Zero, ZPlus
from whence.targets import Neuron
from whence.testing import untouched

f64 = torch.float64
X = torch.tensor([[1.0, 2.0, 0.5]], dtype=f64)  # the neuron of SPEC section 8: R = z = 1/2
RULES = {
    "w2": (WSquare(), [5 / 6, 25 / 12, 5 / 12], [1 / 3, 1 / 12, 1 / 12]),
    "z+": (ZPlus(bias="zero"), [4 / 5, 2, 2 / 5], [2 / 5, 0, 1 / 10]),
    "z-box": (ZBox(-1.0, 3.0), [11 / 13, 27 / 13, 5 / 13], [4 / 13, 1 / 13, 3 / 26]),
}


def _everywhere(rule) -> Composite:
    return Composite([(where.nature("linear"), rule)])


def _one_neuron() -> nn.Module:
    net = nn.Sequential(nn.Linear(3, 1, bias=False), nn.ReLU()).double()
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[2.0, -1.0, 1.0]]))
    return net


def _mlp() -> nn.Sequential:
    torch.manual_seed(1)
    layers = [nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 10), nn.ReLU(), nn.Linear(10, 3)]
    return nn.Sequential(*layers).double().eval()


def _cnn() -> nn.Sequential:
    """A convolution with a norm joined after it, strides, groups, padding, and pooling."""
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(4)
    nn.init.uniform_(norm.running_var, 0.5, 1.5)
    nn.init.normal_(norm.bias)
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), norm, nn.ReLU(), nn.AvgPool2d(2),
        nn.Conv2d(4, 6, 2, stride=2, groups=2), nn.ReLU(), nn.Flatten(), nn.Linear(6, 3),
    ).double().eval()  # fmt: skip
    with torch.no_grad():  # so that some neurons are on, and some off
        net[4].bias.copy_(torch.tensor([0.5, -0.1, 0.6, 0.4, 0.5, -0.2]))
        net[7].bias.fill_(0.7)
    return net


@pytest.mark.parametrize("name", RULES)
def test_the_steps_of_one_neuron_by_hand(name: str) -> None:
    rule, root, terms = RULES[name]
    steps = DeepTaylorSteps(LRP(_one_neuron(), _everywhere(rule))).trace(X, 0).neuron("0", 0)

    assert (steps.z, steps.c, steps.relevance) == (0.5, 1.0, 0.5)
    torch.testing.assert_close(steps.root, torch.tensor(root, dtype=f64))
    torch.testing.assert_close(steps.expanded, torch.tensor(terms, dtype=f64))
    torch.testing.assert_close(steps.ruled, torch.tensor(terms, dtype=f64))
    torch.testing.assert_close(steps.pooled, torch.tensor(terms, dtype=f64))
    assert abs(steps.root_z) < 1e-15
    assert abs(steps.zeroth) < 1e-15
    assert abs(steps.residual) < 1e-15
    assert steps.in_domain


def _by_hand(weight: Tensor, bias: Tensor, a: Tensor, R: Tensor, d: Tensor) -> Tensor:
    """Deep Taylor decomposition of max(0, W a + b) as the paper has it, neuron by neuron."""
    R_in = torch.zeros_like(a)
    for j in range(len(R)):
        z = weight[j] @ a + bias[j]
        if z <= 0 or R[j] == 0:
            continue
        c = R[j] / z
        t = z / (weight[j] @ d[j])
        root = a - t * d[j]
        assert abs(weight[j] @ root + bias[j]) < 1e-12
        R_in += (a - root) * weight[j] * c
    return R_in


def test_the_trace_of_a_net_is_the_decomposition_written_out() -> None:
    net, x = _mlp(), torch.rand(2, 6, dtype=f64)
    trace = DeepTaylorSteps(net).trace(x, 1)
    first, second, last = net[0], net[2], net[4]
    a1 = net[1](first(x))[1].detach()
    a2 = net[3](second(net[1](first(x))))[1].detach()
    with torch.no_grad():
        R3 = torch.zeros(3, dtype=f64)
        R3[1] = last(a2)[1]
        sign = torch.sign(R3[1])  # the paper has positive scores only; a negative one mirrors it
        W3 = sign * last.weight
        R2 = sign * _by_hand(W3, sign * last.bias, a2, R3.abs(), a2 * (W3 > 0))
        R1 = _by_hand(second.weight, second.bias, a1, R2, a1 * (second.weight > 0))
        R0 = _by_hand(first.weight, first.bias, x[1], R1, first.weight)

    torch.testing.assert_close(trace.neuron("4", sample=1).pooled, R2, rtol=1e-10, atol=1e-14)
    torch.testing.assert_close(trace.neuron("2", sample=1).pooled, R1, rtol=1e-10, atol=1e-14)
    torch.testing.assert_close(trace.neuron("0", sample=1).pooled, R0, rtol=1e-10, atol=1e-14)
    torch.testing.assert_close(DeepTaylor(net).explain(x, 1).relevance[1], R0)


@pytest.mark.parametrize("sample", [0, 2])
@pytest.mark.parametrize("layer", ["0", "4", "7"])
@pytest.mark.parametrize("box", [(), (0.0, 1.0)], ids=["w2", "z-box"])
def test_the_rules_of_a_convolutional_net_equal_autograd(box, layer: str, sample: int) -> None:
    x = torch.rand(3, 2, 4, 4, dtype=f64)
    trace = DeepTaylorSteps(_cnn(), *box).trace(x, 2)
    steps = trace.neuron(layer, sample=sample)

    assert steps.relevance != 0
    assert trace.verify(layer, sample=sample) < 1e-10
    assert steps.error < 1e-10
    assert abs(steps.root_z) < 1e-12
    assert abs(steps.residual) < 1e-10 * abs(steps.relevance)
    torch.testing.assert_close(steps.ruled.sum(), torch.tensor(steps.relevance, dtype=f64))


def test_a_norm_before_its_convolution_is_part_of_the_neuron() -> None:
    # the convolution's output is computed again, as only a ReLU reads it
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(2)
    nn.init.uniform_(norm.running_var, 0.5, 2.0)
    nn.init.normal_(norm.running_mean)
    head = nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Linear(12, 2))
    net = nn.Sequential(norm, nn.Conv2d(2, 3, 3), head).double().eval()
    x = torch.rand(2, 2, 4, 4, dtype=f64)
    trace = DeepTaylorSteps(net).trace(x, 0)
    steps = trace.neuron("1")

    assert steps.relevance != 0
    assert steps.z == pytest.approx(net[:2](x)[0][steps.index].item())
    assert trace.verify("1") < 1e-10
    # the same tensor is what a target inside the model means
    inside = LRP(net).explain(x, Neuron(steps.index, at="1"))
    torch.testing.assert_close(inside.score, net[:2](x)[(slice(None), *steps.index)].detach())


@pytest.mark.parametrize(
    "rule",
    [
        WSquare(),
        ZBox(-0.2, 1.7),
        ZBox(torch.zeros(2, 4, 4), torch.ones(2, 1, 1)),
        TaylorRule("activation"),
        TaylorRule("positive"),
        TaylorRule(BoxDirection(-1.0, 1.0)),
        TaylorRule(lambda a, W: W.sign()),
    ],
    ids=["w2", "z-box", "z-box of tensors", "origin", "z+", "direction of a box", "any direction"],
)
def test_every_direction_equals_autograd(rule) -> None:
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 2)).double()
    x = torch.rand(2, 2, 4, 4, dtype=f64)
    rules = _everywhere(ZPlus(bias="zero")) + [(where.first, rule)]

    assert DeepTaylorSteps(LRP(net, rules)).trace(x, 0).verify("0", sample=1) < 1e-10


def test_a_rule_that_is_no_expansion_would_be_found() -> None:
    # epsilon in the denominator is no root: claimed to be one, it differs from autograd
    class Wrong(WSquare):
        def send(self, node):
            sent = super().send(node)
            sent[0].R = sent[0].R * 1.001
            return sent

    trace = DeepTaylorSteps(LRP(_mlp(), _everywhere(Wrong()))).trace(torch.rand(1, 6, dtype=f64))

    assert trace.verify("2") == pytest.approx(1e-3)
    assert trace.neuron("2").error == pytest.approx(1e-3)


def test_the_module_may_be_the_relu_behind_the_layer() -> None:
    trace = DeepTaylorSteps(_cnn()).trace(torch.rand(1, 2, 4, 4, dtype=f64), 0)

    assert trace.neuron("2", (1, 2, 3)).z == trace.neuron("0", (1, 2, 3)).z
    assert trace.layers == ["1", "4", "7"]  # the norm is joined to its convolution


def test_a_silent_neuron_has_nothing_to_expand() -> None:
    net, x = _mlp(), torch.rand(1, 6, dtype=f64)
    silent = int(net[0](x)[0].argmin())
    steps = DeepTaylorSteps(net).trace(x).neuron("0", silent)

    assert steps.relevance == 0
    assert not steps.expanded.any()
    assert "carries no relevance" in str(steps)


def test_a_positive_bias_can_push_the_root_out_of_its_domain() -> None:
    # z = a1 - a2 + 1 at (1, 0.5): along a1 alone the root is (-0.5, 0.5), which no ReLU gives
    net = nn.Sequential(nn.ReLU(), nn.Linear(2, 1), nn.ReLU()).double()
    with torch.no_grad():
        net[1].weight.copy_(torch.tensor([[1.0, -1.0]]))
        net[1].bias.fill_(1.0)
    x = torch.tensor([[1.0, 0.5]], dtype=f64)
    trace = DeepTaylorSteps(LRP(net, _everywhere(ZPlus(bias="zero")))).trace(x)
    steps = trace.neuron("1")

    assert steps.root.tolist() == [-0.5, 0.5]
    assert not steps.in_domain
    assert trace.roots("1").in_domain == 0
    assert "in its domain (a >= 0): no" in str(steps)


def test_a_relu_that_switches_on_the_way_to_the_root_is_counted() -> None:
    # hidden h1 = a, h2 = a - 1 at a = 2, both on; the root of h1 is a = 0, where h2 is off
    net = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 1, bias=False)).double()
    with torch.no_grad():
        net[0].weight.fill_(1.0)
        net[0].bias.copy_(torch.tensor([0.0, -1.0]))
        net[2].weight.fill_(1.0)
    trace = DeepTaylorSteps(net).trace(torch.full((1, 1), 2.0, dtype=f64))

    assert trace.neuron("0", 0).switched == (1, 1)  # root 0: the other one is off
    assert trace.neuron("0", 1).switched == (0, 1)  # root 1: the other one is still on
    assert trace.roots("0") == type(trace.roots("0"))(neurons=2, in_domain=2, same_region=1)


def test_the_net_comes_to_a_root_it_can_make_and_not_to_one_it_cannot() -> None:
    # h = (relu(x), relu(2 x)) can only move on a ray. Along a w > 0 with w = (1, 1) the root is the
    # origin, which x = 0 makes; with w = (1, -0.25) it is (0.5, 2) at x = 1: from (1, 2) the ray
    # comes as near as (0.9, 1.8), at sqrt(0.2) of sqrt(0.25)
    def net(w: list[float]) -> nn.Module:
        model = nn.Sequential(nn.Linear(1, 2, bias=False), nn.ReLU(), nn.Linear(2, 1, bias=False))
        with torch.no_grad():
            model[0].weight.copy_(torch.tensor([[1.0], [2.0]]))
            model[2].weight.copy_(torch.tensor([w]))
        return model.double()

    x = torch.ones(2, 1, dtype=f64) * torch.tensor([[1.0], [0.5]])
    reached = DeepTaylorSteps(net([1.0, 1.0])).trace(x)
    missed = DeepTaylorSteps(net([1.0, -0.25])).trace(x)

    assert reached.reach(reached.neuron("2")) < 0.05
    assert missed.neuron("2").root.tolist() == [0.5, 2.0]
    assert missed.reach(missed.neuron("2")) == pytest.approx((0.2 / 0.25) ** 0.5, rel=1e-3)


def test_c_is_relevance_over_activation() -> None:
    net, x = _mlp(), torch.rand(2, 6, dtype=f64)
    trace = DeepTaylorSteps(net).trace(x, 1)
    a = torch.relu(net[0](x)).detach()
    R = DeepTaylor(net).explain(x, 1, taps=["1"]).at("1")
    c = trace.effective_c("1")

    torch.testing.assert_close(torch.where(a > 0, c * a, 0), R)
    assert bool(c[a == 0].isnan().all())


def test_c_of_the_last_hidden_layer_is_its_share_of_the_weights() -> None:
    # R_j = a_j w_j+ f / sum a w+, so c_j = w_j+ f / sum a w+
    net, x = _mlp(), torch.rand(1, 6, dtype=f64)
    a = net[:4](x)[0].detach()
    f, k = net(x)[0].detach().max(0)
    w = net[4].weight[k].detach().clamp(min=0)
    expected = torch.where(a > 0, w * f / (a @ w), torch.nan)
    trace = DeepTaylorSteps(net).trace(x, int(k))

    assert float(f) > 0
    torch.testing.assert_close(trace.effective_c("3")[0], expected, equal_nan=True)


def test_constancy_measures_c_beside_the_gradient() -> None:
    # one hidden layer: while no ReLU switches the gradient w is constant; c = f w+ / (a w+) is not,
    # unless all weights are positive, where it equals w as well
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1, bias=False)).double()
    with torch.no_grad():
        net[0].bias.fill_(5.0)
        net[2].weight.copy_(torch.tensor([[1.0, 2.0, 1.0, 0.5]]))
    x = torch.rand(2, 3, dtype=f64)
    positive = DeepTaylorSteps(net).trace(x).constancy("1", draws=3)
    with torch.no_grad():
        net[2].weight[0, 1] = -0.5
    mixed = DeepTaylorSteps(net).trace(x).constancy("1", draws=3)

    assert positive.c.shape == (3, 2)
    assert float(positive.c.max()) < 1e-12
    assert float(positive.gradient.max()) < 1e-12
    assert float(mixed.gradient.max()) < 1e-12
    assert float(mixed.c.min()) > 1e-6


def test_the_same_steps_on_another_model() -> None:
    one, other, x = _mlp(), _mlp(), torch.rand(1, 6, dtype=f64)
    with torch.no_grad():
        other[0].weight.add_(0.1)
    steps = DeepTaylorSteps(one, 0.0, 1.0)
    moved = steps.on(other).trace(x, 0).neuron("0", 1)

    assert torch.equal(
        moved.expanded, DeepTaylorSteps(other, 0.0, 1.0).trace(x, 0).neuron("0", 1).expanded
    )
    assert steps.explainer.model is one


def test_the_model_is_left_alone_while_it_is_traced() -> None:
    net, x = _cnn(), torch.rand(2, 2, 4, 4, dtype=f64)

    with untouched(net, x):
        trace = DeepTaylorSteps(net, 0.0, 1.0).trace(x)
        trace.reach(trace.neuron("4"), tries=3)
        trace.verify("0")
        trace.roots("7")
        trace.constancy("2", draws=1)


def test_the_steps_are_told_and_drawn(tmp_path: Path) -> None:
    trace = DeepTaylorSteps(_cnn(), 0.0, 1.0).trace(torch.rand(1, 2, 4, 4, dtype=f64))
    steps = trace.neuron("0")
    lines = str(steps).splitlines()
    picture = steps.plot(cell=80)

    assert [line.split()[:2] for line in lines if line[2:3].isdigit()] == [
        ["1", "relevance"], ["2", "root"], ["3", "expansion"], ["4", "pooling"],
    ]  # fmt: skip
    assert "4: ZPlus(bias='zero')" in repr(trace)
    assert picture.width > 6 * 80
    assert steps.save(tmp_path / "steps.svg").read_text().count("<text") >= 12


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda trace: trace.neuron("6"), "Those are: '1', '4', '7'"),
        (lambda trace: trace.neuron("4", 3), "index into .6, 1, 1., got .3,"),
        (lambda trace: trace.neuron("4", (6, 0, 0)), "index into"),
        (lambda trace: trace.neuron("4", sample=1), "Samples run from 0 to 0, got 1"),
        (lambda trace: trace.neuron("4", call=1), "called 1 times; there is no 1"),
        (lambda trace: trace.constancy("2", size=0.0), "size > 0 and draws >= 1"),
    ],
)
def test_wrong_places_are_answered_in_words(ask, message: str) -> None:
    trace = DeepTaylorSteps(_cnn()).trace(torch.rand(1, 2, 4, 4, dtype=f64))

    with pytest.raises(InvalidInput, match=message):
        ask(trace)


@pytest.mark.parametrize("composite", [EpsilonPlus(), _everywhere(Zero())])
def test_rules_without_a_root_are_refused(composite: Composite) -> None:
    trace = DeepTaylorSteps(LRP(_mlp(), composite)).trace(torch.rand(1, 6, dtype=f64))

    with pytest.raises(InvalidInput, match="has no root along one direction, at linear in '2'"):
        trace.neuron("2")
