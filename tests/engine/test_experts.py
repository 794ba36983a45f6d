"""Mixtures of experts: routing, one expert after the other, and all experts in one grouped call."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from laws import ZERO, assert_closes, assert_gradient_times_input, rand
from whence.composites import AttnLRP, Composite, where
from whence.explainers import LRP
from whence.rules import AlphaBeta, Epsilon, Flat, Gamma, Hold, Rule, Zero, ZPlus
from whence.targets import Given, Weights

EXPERTS, CHOSEN, WIDTH, HIDDEN = 4, 2, 8, 4  # rows of 16 bytes, as the grouped call needs


class _Experts(nn.Module):
    """A router that takes the two best of four experts; each expert is two maps and a ReLU."""

    def __init__(self, grouped: bool) -> None:
        super().__init__()
        self.router = nn.Linear(WIDTH, EXPERTS, bias=False)
        self.up = nn.Parameter(rand(EXPERTS, HIDDEN, WIDTH, seed=1))
        self.down = nn.Parameter(rand(EXPERTS, WIDTH, HIDDEN, seed=2))
        self.router.weight.data = rand(EXPERTS, WIDTH, seed=3)
        self.call = self.all_at_once if grouped else self.one_by_one

    def forward(self, x: Tensor) -> Tensor:
        weights, chosen = F.softmax(self.router(x), -1).topk(CHOSEN, -1)
        return self.call(x, weights, chosen)

    def one_by_one(self, x: Tensor, weights: Tensor, chosen: Tensor) -> Tensor:
        y = torch.zeros_like(x)
        mask = F.one_hot(chosen, EXPERTS).permute(2, 0, 1)
        for expert in (mask.sum((1, 2)) > 0).nonzero()[:, 0]:
            token, place = torch.where(mask[expert])
            h = F.relu(F.linear(x[token], self.up[expert]))
            h = F.linear(h, self.down[expert]) * weights[token, place, None]
            y.index_add_(0, token, h)
        return y

    def all_at_once(self, x: Tensor, weights: Tensor, chosen: Tensor) -> Tensor:
        order = chosen.flatten().argsort()
        ends = torch.bincount(chosen.flatten(), minlength=EXPERTS).cumsum(0).to(torch.int32)
        h = x.repeat_interleave(CHOSEN, 0)[order]
        h = F.relu(F.grouped_mm(h, self.up.mT, offs=ends))
        h = F.grouped_mm(h, self.down.mT, offs=ends) * weights.flatten()[order][:, None]
        return h[order.argsort()].view(-1, CHOSEN, WIDTH).sum(1)


def _oracle(model: _Experts, x: Tensor, target: Weights, *, held: bool) -> Tensor:
    """Gradient times input of a net in which half of each product is a constant, or the router."""
    leaf = x.clone().requires_grad_()
    probabilities = F.softmax(model.router(leaf), -1)
    weights, chosen = probabilities.topk(CHOSEN, -1)
    weights = weights.detach() if held else weights
    y = torch.zeros_like(x)
    for token in range(len(x)):
        for place in range(CHOSEN):
            expert = int(chosen[token, place])
            made = model.down[expert] @ F.relu(model.up[expert] @ leaf[token])
            product = made * weights[token, place]
            product = product if held else (product + product.detach()) / 2
            y = y + F.one_hot(torch.tensor(token), len(x))[:, None] * product
    return torch.autograd.grad((y * target.weights).sum(), leaf)[0] * x


TARGET = Weights(rand(WIDTH, seed=9))
HELD_ROUTER = ZERO + [(where.name("router"), Hold())]


@pytest.mark.parametrize("held", [False, True], ids=["half each", "router held"])
def test_routing_shares_half_or_nothing_element_by_element(held: bool) -> None:
    model, x = _Experts(grouped=False).double(), rand(7, WIDTH)
    ex = LRP(model, HELD_ROUTER if held else ZERO).explain(x, TARGET, ledger="full")

    torch.testing.assert_close(ex.relevance, _oracle(model, x, TARGET, held=held))
    ex.ledger.check()


def test_with_the_router_held_a_net_without_biases_keeps_all_relevance() -> None:
    model, x = _Experts(grouped=False).double(), rand(7, WIDTH)
    ex = LRP(model, HELD_ROUTER).explain(x, TARGET)

    torch.testing.assert_close(ex.relevance.sum(1), ex.score, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("held", [False, True], ids=["half each", "router held"])
def test_a_grouped_call_equals_one_expert_after_the_other(held: bool) -> None:
    x, composite = rand(7, WIDTH).float(), HELD_ROUTER if held else ZERO
    one = LRP(_Experts(grouped=False).float(), composite).explain(x, TARGET, ledger="full")
    all_ = LRP(_Experts(grouped=True).float(), composite).explain(x, TARGET, ledger="full")

    torch.testing.assert_close(all_.relevance, one.relevance, rtol=1e-5, atol=1e-6)
    all_.ledger.check()


RULES = [Zero(), Epsilon(0.1), ZPlus(), AlphaBeta(2, 1), Gamma(0.25), Flat()]
ENDS = torch.tensor([2, 2, 5], dtype=torch.int32)
GROUPED = torch.nn.functional.grouped_mm
WEIGHT = rand(3, 4, 8, seed=1).float()


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_a_grouped_product_is_one_linear_map_for_each_group_under_every_rule(rule: Rule) -> None:
    composite, x = Composite([(where.nature("linear"), rule)]), rand(5, 4).float()
    target = Weights(rand(8, seed=2).float())
    found = LRP(lambda x: GROUPED(x, WEIGHT, offs=ENDS), composite)
    ex = found.explain(x, target, ledger="full")
    first = LRP(lambda x: x @ WEIGHT[0], composite).explain(x[:2], target).relevance
    last = LRP(lambda x: x @ WEIGHT[2], composite).explain(x[2:], target).relevance

    torch.testing.assert_close(ex.relevance, torch.cat([first, last]), rtol=1e-5, atol=1e-5)
    ex.ledger.check()


def test_the_private_spelling_of_the_grouped_product_is_the_same() -> None:
    x, target = rand(5, 4).float(), Weights(rand(8, seed=2).float())
    public = LRP(lambda x: GROUPED(x, WEIGHT, offs=ENDS), ZERO).explain(x, target)
    private = LRP(lambda x: torch._grouped_mm(x, WEIGHT, offs=ENDS), ZERO).explain(x, target)

    assert torch.equal(private.relevance, public.relevance)


INDEX = torch.tensor([0, 2, 2])
ONTO: dict[str, Callable[[Tensor], Tensor]] = {
    "zeros": lambda x: torch.zeros(3, 4, dtype=x.dtype).index_add(0, INDEX, x),
    "constants": lambda x: rand(3, 4, seed=4).index_add(0, INDEX, x),
    "in place": lambda x: torch.zeros_like(x).index_add_(0, INDEX, F.relu(x)),
    "values": lambda x: F.relu(x).index_add(0, INDEX, x),
    "scattered": lambda x: rand(3, 4, seed=4).scatter_add(0, INDEX[:, None].expand(3, 4), x),
}


@pytest.mark.parametrize("name", ONTO)
def test_adding_onto_what_was_there_is_linear(name: str) -> None:
    assert_gradient_times_input(lambda x: ONTO[name](x.view(3, 4)).view(1, 12), rand(1, 12))


@pytest.mark.parametrize("name", ONTO)
def test_relevance_of_any_form_is_shared_in_proportion_where_values_are_added(name: str) -> None:
    composite = ZERO + [(where.nature("linear"), Flat())]
    weight = rand(12, 5, seed=6)
    ex = assert_closes(
        lambda x: ONTO[name](x.view(3, 4)).view(1, 12) @ weight, rand(1, 12), None, composite
    )
    z = ONTO[name](rand(1, 12).view(3, 4)).view(1, 12)

    assert ex.relevance.abs().max() > 0
    assert (ex.relevance == 0).all() == bool((z == 0).all())


def test_a_given_relevance_is_split_between_the_two_values_that_were_added() -> None:
    x, y = rand(3, 4).abs(), rand(3, 4, seed=1).abs()
    R = rand(3, 4, seed=2)
    found = LRP(lambda x, y: x.index_add(0, torch.arange(3), y), ZERO).explain((x, y), Given(R))

    torch.testing.assert_close(found.relevance, (x / (x + y) * R, y / (x + y) * R))


def test_attn_lrp_takes_a_mixture_of_experts_as_it_is() -> None:
    ex = LRP(_Experts(grouped=False).double(), AttnLRP()).explain(rand(7, WIDTH), TARGET)

    assert ex.relevance.abs().max() > 0
    ex.ledger.check()
