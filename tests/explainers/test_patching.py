"""Patching scores: what the score would change if a part of the net came from another input."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from laws import rand
from whence.composites import Composite, RelP, where
from whence.errors import InvalidInput
from whence.explainers import Patching
from whence.rules import Flat, Gradient
from whence.targets import Contrast, Each, Logit, Weights

TARGET = Contrast(0, 2)
HERE, THERE = rand(3, 4), rand(3, 4, seed=1)


def _net(*active: nn.Module) -> nn.Sequential:
    net = nn.Sequential(nn.Linear(4, 6), *active, nn.Linear(6, 5), nn.Linear(5, 3)).double()
    for number, each in enumerate(net.parameters()):
        each.data = rand(*each.shape, seed=10 + number)
    return net


def _run(model: nn.Module, inputs: Any, change: dict[str, Callable[[Tensor], Tensor]]) -> Tensor:
    """The output with the outputs of modules exchanged: true activation patching."""

    def exchange(name: str) -> Any:
        return lambda module, args, output: change[name](output)

    handles = [model.get_submodule(n).register_forward_hook(exchange(n)) for n in change]
    with torch.no_grad():
        output = model(inputs)
    for handle in handles:
        handle.remove()
    return output


def _kept(model: nn.Module, inputs: Any, name: str) -> Tensor:
    kept: list[Tensor] = []

    def keep(output: Tensor) -> Tensor:
        kept.append(output.clone())
        return output

    _run(model, inputs, {name: keep})
    return kept[0]


def _effect(model: nn.Module, name: str, index: tuple[Any, ...] = (...,)) -> Tensor:
    """How much the contrast changes if (a part of) a module's output comes from the patch."""
    patched = _kept(model, THERE, name)

    def put(output: Tensor) -> Tensor:
        changed = output.clone()
        changed[:, *index] = patched[:, *index]
        return changed

    before, after = model(HERE), _run(model, HERE, {name: put})
    return ((after - before) @ torch.tensor([1.0, 0.0, -1.0], dtype=after.dtype)).detach()


@pytest.mark.parametrize("name", ["0", "1", "2"])
def test_on_a_linear_net_the_score_is_the_effect_of_true_patching(name: str) -> None:
    net = _net()
    found = Patching(net).explain(HERE, THERE, TARGET, modules=["0", "1", "2"])

    torch.testing.assert_close(found.sums[name], _effect(net, name))
    assert found.sums[name].abs().min() > 0.1


@pytest.mark.parametrize("neuron", range(6))
def test_the_score_of_one_neuron_is_the_effect_of_patching_it_alone(neuron: int) -> None:
    net = _net()
    scores = Patching(net).explain(HERE, THERE, TARGET, modules=["0"])["0"]

    assert isinstance(scores, Tensor)
    torch.testing.assert_close(scores[:, neuron], _effect(net, "0", (neuron,)))


@pytest.mark.parametrize("name", ["0", "2"])
def test_where_no_relu_changes_its_state_the_score_is_exact(name: str) -> None:
    net = _net(nn.ReLU())
    net[0].bias.data = torch.tensor([20.0, -20.0, 20.0, 20.0, -20.0, 20.0]).double()
    found = Patching(net).explain(HERE, THERE, TARGET, modules=[name])

    torch.testing.assert_close(found.sums[name], _effect(net, name))
    assert found.sums[name].abs().min() > 0.01


class _Attention(nn.Module):
    """softmax(Q K^T) V with a residual path; `frozen` puts patterns of another run in its place."""

    def __init__(self, fused: bool) -> None:
        super().__init__()
        self.project, self.out = nn.Linear(4, 12), nn.Linear(4, 4)
        self.fused, self.frozen = fused, None

    def forward(self, x: Tensor) -> Tensor:
        Q, K, V = self.project(x).chunk(3, -1)
        if self.fused and self.frozen is None:
            return x + self.out(F.scaled_dot_product_attention(Q, K, V))
        self.pattern = (Q @ K.mT / 2).softmax(-1) if self.frozen is None else self.frozen
        return x + self.out(self.pattern @ V)


class _Transformer(nn.Module):
    def __init__(self, fused: bool) -> None:
        super().__init__()
        self.first, self.second = _Attention(fused), _Attention(fused)
        self.head = nn.Linear(4, 3)
        self.double()
        for number, each in enumerate(self.parameters()):
            each.data = rand(*each.shape, seed=20 + number) / 2

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.second(self.first(x))[:, -1])


@pytest.mark.parametrize("fused", [False, True], ids=["written out", "fused"])
@pytest.mark.parametrize("name", ["first", "second", "first.out", "second.project"])
def test_attention_nets_with_their_patterns_held_are_exact(name: str, fused: bool) -> None:
    net, here, there = _Transformer(fused), rand(2, 5, 4), rand(2, 5, 4, seed=1)
    found = Patching(net).explain(here, there, TARGET, modules=[name])

    patched = _kept(net, there, name)
    oracle = _Transformer(fused=False)
    oracle(here)
    for each in (oracle.first, oracle.second):
        each.frozen = each.pattern.detach()  # the patterns of the run that is patched
    after = _run(oracle, here, {name: lambda output: patched})
    effect = (after - net(here)) @ torch.tensor([1.0, 0.0, -1.0]).double()

    torch.testing.assert_close(found.sums[name], effect.detach())
    assert effect.abs().min() > 0.01


def test_the_gradient_rule_gives_attribution_patching() -> None:
    net = _net(nn.Tanh())
    composite = Composite([(where.all, Gradient())])
    found = Patching(net, composite).explain(HERE, THERE, Logit(1), modules=["0"])
    a = _kept(net, HERE, "0").requires_grad_()
    gradient = torch.autograd.grad(net[1:](a)[:, 1].sum(), a)[0]

    torch.testing.assert_close(found["0"], (_kept(net, THERE, "0") - a.detach()) * gradient)


def test_a_gate_takes_half_and_an_activation_passes_on() -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gate, self.up = (nn.Linear(4, 3).double() for _ in range(2))

        def forward(self, x: Tensor) -> Tensor:
            return F.silu(self.gate(x)) * self.up(x)

    net = Gated()
    found = Patching(net).explain(HERE, THERE, Logit(0), modules=["gate", "up"])
    with torch.no_grad():
        gate, up = net.gate(HERE), net.up(HERE)
        from_gate = (net.gate(THERE) - gate) * torch.sigmoid(gate) * up / 2
        from_up = (net.up(THERE) - up) * F.silu(gate) / 2

    torch.testing.assert_close(found.sums["gate"], from_gate[:, 0])
    torch.testing.assert_close(found.sums["up"], from_up[:, 0])


def test_targets_share_the_runs_forward() -> None:
    net = _net()
    runs = []
    net.register_forward_hook(lambda *_: runs.append(1))
    targets = [Logit(0), TARGET, Weights(torch.tensor([1.0, 2.0, 3.0]).double())]
    found = Patching(net).explain(HERE, THERE, Each(targets), modules=["0"])

    assert len(runs) == 2
    each = [Patching(net).explain(HERE, THERE, t, modules=["0"])["0"] for t in targets]
    torch.testing.assert_close(found["0"], torch.stack(each))
    assert found.sums["0"].shape == (3, 3)


def test_a_batch_equals_its_items() -> None:
    patching = Patching(_net(nn.GELU()))
    whole = patching.explain(HERE, THERE, TARGET, modules=["0"])["0"]
    parts = [
        patching.explain(HERE[i : i + 1], THERE[i : i + 1], TARGET, modules=["0"])["0"]
        for i in range(3)
    ]

    torch.testing.assert_close(whole, torch.cat(parts))


def test_the_same_input_as_patch_changes_nothing() -> None:
    found = Patching(_net(nn.ReLU())).explain(HERE, HERE, TARGET, modules=["0", "3"])

    assert not any(each.any() for each in found.sums.values())


def test_a_module_without_way_to_the_target_scores_zero() -> None:
    class Aside(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.aside = nn.Linear(4, 3), nn.Linear(4, 3)
            self.double()

        def forward(self, x: Tensor) -> Tensor:
            self.aside(x)
            return self.used(x)

    found = Patching(Aside()).explain(HERE, THERE, TARGET, modules=["aside", "used"])

    assert not found.sums["aside"].any()
    assert found.sums["used"].all()


def test_token_ids_are_patched_by_other_ids() -> None:
    net = nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 3), nn.Flatten(), nn.Linear(15, 3))
    net.double()
    here, there = torch.randint(10, (2, 5)), torch.randint(10, (2, 5))
    found = Patching(net).explain(here, there, TARGET, modules=["0"])
    effect = (net(there) - net(here)) @ torch.tensor([1.0, 0.0, -1.0]).double()

    torch.testing.assert_close(found.sums["0"], effect.detach())


def test_the_largest_scores_come_first_with_their_places() -> None:
    net = _net()
    found = Patching(net).explain(HERE, THERE, TARGET, modules=["0", "1"])
    top = found.top(4)
    means = {name: found[name].mean(0) for name in found}

    assert [abs(score) for *_, score in top] == sorted(
        torch.cat([each.abs() for each in means.values()]).tolist(), reverse=True
    )[:4]
    name, index, score = top[0]
    assert float(means[name][index]) == score


def test_a_module_called_twice_gives_a_list() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.map, self.head = nn.Linear(4, 4), nn.Linear(4, 3)
            self.double()

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.map(self.map(x)))

    found = Patching(Twice()).explain(HERE, THERE, TARGET, modules=["map"])
    scores = found["map"]

    assert isinstance(scores, list)
    assert len(scores) == 2
    torch.testing.assert_close(found.sums["map"], scores[0].sum(1) + scores[1].sum(1))
    assert {index[0] for _, index, _ in found.top(8)} == {0, 1}


# -- errors --------------------------------------------------------------------------------------


def test_inputs_of_other_shapes_cannot_patch() -> None:
    with pytest.raises(InvalidInput, match=r"same shapes, got \[\(3, 4\)\] and \[\(2, 4\)\]. Cut"):
        Patching(_net()).explain(HERE, THERE[:2], TARGET, modules=["0"])


@pytest.mark.parametrize("modules", [[], "0"])
def test_modules_are_a_list_of_names(modules: Any) -> None:
    with pytest.raises(InvalidInput, match="modules= must be a list of module names"):
        Patching(_net()).explain(HERE, THERE, TARGET, modules=modules)


def test_an_unknown_module_is_named_with_close_ones() -> None:
    with pytest.raises(InvalidInput, match=r"No module '00' .* Close names: 0"):
        Patching(_net()).explain(HERE, THERE, TARGET, modules=["00"])


def test_rules_that_give_no_coefficient_cannot_patch() -> None:
    flat = RelP() + [(where.name("1"), Flat())]

    with pytest.raises(InvalidInput, match=r"of the form R = a c.*Try RelP\(\)"):
        Patching(_net(), flat).explain(HERE, THERE, TARGET, modules=["0"])


def test_relp_prints_as_the_code_that_builds_it() -> None:
    assert "Attention(pattern='held')" in repr(RelP())
    assert repr(Patching(_net())).startswith("Patching(Sequential, Composite([")
