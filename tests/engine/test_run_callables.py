"""Callables of all kinds, and tensors that existed before the call."""

import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from laws import ZERO, assert_closes, assert_gradient_times_input, rand
from running import IDS, Wrapped
from whence import rules
from whence.composites import Composite, where
from whence.explainers import LRP

SCALE = torch.full((6,), 2.0, dtype=torch.float64)  # a global that no module owns


# -- callables and tensors that existed before ---------------------------------------------------


def _closure() -> Callable[[Tensor], Tensor]:
    net = Wrapped()
    return lambda x: net(x)


class _Holder:
    def __init__(self) -> None:
        self.net = Wrapped()
        self.list = [Wrapped()]

    def score(self, x: Tensor) -> Tensor:
        return self.net(x)

    def __call__(self, x: Tensor) -> Tensor:
        return self.list[0](x)


def _scaled(net: nn.Module, x: Tensor, *, by: Tensor) -> Tensor:
    return net(x * by)


CALLABLES: dict[str, Callable[[], Callable[..., Any]]] = {
    "a closure": _closure,
    "a bound method": lambda: _Holder().score,
    "a callable object": _Holder,
    "a partial": lambda: functools.partial(_scaled, Wrapped(), by=torch.ones(6).double()),
    "a method of a module": lambda: Wrapped().forward,
    "a module in a list": lambda: nn.ModuleList([Wrapped()])[0],
}


@pytest.mark.parametrize("name", CALLABLES)
def test_callables_are_explained_like_the_module_inside(name: str) -> None:
    x = rand(3, 6)
    ex = LRP(CALLABLES[name](), ZERO).explain(x, 1, ledger="full")

    ex.ledger.check()
    assert torch.equal(ex.relevance, LRP(Wrapped(), ZERO).explain(x, 1).relevance)


def test_plain_tensors_on_modules_and_globals_are_constants() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = {"shift": rand(6, seed=8)}
            self.gate = rand(6, seed=9)

        def forward(self, x: Tensor) -> Tensor:
            return x * SCALE * self.gate + self.table["shift"]

    assert_gradient_times_input(Model(), rand(3, 6))


def test_a_constant_that_is_cached_in_the_first_call_is_accepted() -> None:
    class Model(nn.Module):
        table: Tensor | None = None

        def forward(self, x: Tensor) -> Tensor:
            if self.table is None:
                self.table = torch.arange(6, dtype=x.dtype)
            return x * self.table

    model = Model()

    assert_gradient_times_input(model, rand(3, 6))
    assert_gradient_times_input(model, rand(3, 6))


def test_a_data_dependent_branch_is_followed_as_it_runs() -> None:
    net = Wrapped()

    def model(x: Tensor) -> Tensor:
        h = net.net[0](x)
        if h.sum() > 0:
            return F.relu(h)
        return -2 * h

    assert_gradient_times_input(model, rand(3, 6))
    assert_gradient_times_input(model, -rand(3, 6))


def test_a_data_dependent_loop_is_followed_as_it_runs() -> None:
    def model(x: Tensor) -> Tensor:
        h = x
        while h.detach().abs().max() < 100:
            h = h + 2 * h.flip(1)
        return h

    assert_gradient_times_input(model, rand(3, 6))


def test_two_explanations_of_one_explainer_are_equal() -> None:
    explainer = LRP(Wrapped(), ZERO)

    first, second = explainer.explain(rand(3, 6), 1), explainer.explain(rand(3, 6), 1)

    assert torch.equal(first.relevance, second.relevance)


def test_parameters_gradients_and_versions_stay_as_they_are() -> None:
    model = Wrapped()
    model.net(rand(3, 6)).sum().backward()
    before = [(p.clone(), p.grad.clone(), p._version) for p in model.parameters()]  # type: ignore[union-attr]
    assert_closes(model, rand(3, 6))

    after = [(p, p.grad, p._version) for p in model.parameters()]
    torch.testing.assert_close([*map(list, after)], [*map(list, before)], rtol=0, atol=0)


def test_relevance_of_any_form_enters_a_bag() -> None:
    net = nn.Sequential(nn.EmbeddingBag(10, 6, mode="sum"), nn.Linear(6, 2, bias=False)).double()
    flat = Composite([(where.nature("linear"), rules.Flat())])
    ex = LRP(net, flat).explain(IDS, 1, ledger="full")

    tokens = net[0].weight[IDS]  # (samples, tokens, dimensions)
    shares = tokens / tokens.sum(1, keepdim=True) * (ex.score / 6)[:, None, None]
    ex.ledger.check()
    torch.testing.assert_close(ex.relevance, shares.sum(-1).detach())
