"""Simple Taylor decomposition: closed forms, roots against slow searches, and what it says."""

import itertools
import json
import math
from pathlib import Path

import numpy
import pytest
import torch
from torch import Tensor, nn

import whence
from whence import targets
from whence.errors import InvalidInput
from whence.explainers import Taylor
from whence.testing import check_explainer, untouched

f64 = torch.float64


def _tensor(values: list) -> Tensor:
    return torch.tensor(values, dtype=f64)


def _net(*widths: int, bias: bool = True, seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(widths):
        layers += [nn.Linear(before, after, bias=bias), nn.ReLU()]
    return nn.Sequential(*layers[:-1]).double().eval()


class _Formula(nn.Module):
    """A model that is a formula of the input."""

    def __init__(self, formula) -> None:
        super().__init__()
        self.formula = formula

    def forward(self, x: Tensor) -> Tensor:
        return self.formula(x)[:, None]


def _larger() -> nn.Module:
    """max(x1, x2) for x >= 0, as half the sum of three ReLUs."""
    first, last = nn.Linear(2, 3, bias=False), nn.Linear(3, 1, bias=False)
    with torch.no_grad():
        first.weight.copy_(torch.tensor([[1.0, -1], [-1, 1], [1, 1]]))
        last.weight.fill_(0.5)
    return nn.Sequential(first, nn.ReLU(), last).double()


def _slope_at(model: nn.Module, point: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """f and its gradient by autograd, of class k."""
    point = point.clone().requires_grad_()
    value = model(point)[:, k]
    return value.detach(), torch.autograd.grad(value.sum(), point)[0]


# -- the limit --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "expected"), [([2, 1], [2, 0]), ([1, 2], [0, 2]), ([3, 0.5], [3, 0])]
)
def test_the_maximum_of_two_is_given_to_the_larger(x: list, expected: list) -> None:
    found = Taylor(_larger()).explain(_tensor([x]), 0)

    assert torch.equal(found.relevance, _tensor([expected]))
    assert found.facts["residual"].tolist() == [0.0]
    assert found.facts["distance"].tolist() == [1.0]


def test_without_biases_relevance_sums_to_the_score() -> None:
    x, net = torch.randn(8, 6, dtype=f64), _net(6, 20, 20, 3, bias=False)
    found = Taylor(net).explain(x, 2)

    torch.testing.assert_close(found.relevance.sum(1), net(x)[:, 2], rtol=1e-12, atol=1e-14)
    assert float(found.facts["residual"].abs().max()) < 1e-14
    assert found.facts["found"].all()


@pytest.mark.parametrize("epsilon", [0.5, 1e-2, 1e-5])
def test_without_biases_every_small_root_gives_the_same_but_for_what_it_keeps(
    epsilon: float,
) -> None:
    x, net = torch.randn(8, 6, dtype=f64), _net(6, 20, 20, 3, bias=False)
    limit = Taylor(net).explain(x, 2)
    near = Taylor(net, root=epsilon * x).explain(x, 2)

    torch.testing.assert_close(near.relevance, (1 - epsilon) * limit.relevance)
    torch.testing.assert_close(near.facts["root_score"], epsilon * net(x)[:, 2])


def test_with_biases_the_limit_is_the_slope_that_is_seen_at_the_origin() -> None:
    # f = max(0, x + 1) + 2 max(0, x): at 0 from above the slope is 3, from below 1; f(0) = 1
    net = _Formula(lambda x: (torch.relu(x + 1) + 2 * torch.relu(x)).sum(1))
    found = Taylor(net).explain(_tensor([[2], [-0.5], [-3]]), 0)

    assert found.relevance.tolist() == [[6], [-0.5], [-3]]
    assert found.facts["root_score"].tolist() == [1, 1, 1]
    assert found.facts["residual"].tolist() == [0, 0, 2]  # f = 7, 0.5, 0
    assert found.facts["found"].tolist() == [False] * 3
    assert "sample 1 has no root at the origin: f is 1 there" in found.notes


# -- a given point ----------------------------------------------------------------------------


@pytest.mark.parametrize("root", [0.0, 0.7, "per sample"])
def test_sums_equal_the_difference_of_scores_less_the_residual(root) -> None:
    x, net = torch.randn(5, 4, dtype=f64), _net(4, 16, 16, 3)
    root = torch.randn(5, 4, dtype=f64) if root == "per sample" else root
    found = Taylor(net, root=root).explain(x, 1)
    point = torch.as_tensor(root, dtype=f64).expand_as(x)
    value, slope = _slope_at(net, point, 1)
    gap = net(x)[:, 1].detach() - value - ((x - point) * slope).sum(1)

    torch.testing.assert_close(found.relevance, (x - point) * slope)
    torch.testing.assert_close(found.facts["root_score"], value)
    torch.testing.assert_close(found.facts["residual"], gap, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(
        found.facts["distance"], (x - point).norm(dim=1) / x.norm(dim=1), rtol=1e-12, atol=0
    )


def test_a_linear_model_is_decomposed_exactly_at_any_point() -> None:
    net, x, root = nn.Linear(4, 3).double(), torch.randn(5, 4, dtype=f64), torch.randn(4, dtype=f64)
    found = Taylor(net, root=root).explain(x, 0)

    torch.testing.assert_close(found.relevance, (x - root) * net.weight[0])
    assert float(found.facts["residual"].abs().max()) < 1e-14


def test_the_negative_share_is_that_of_absolute_relevance() -> None:
    net = _Formula(lambda x: x @ _tensor([3, -1]))
    found = Taylor(net, root=0.0).explain(_tensor([[1, 1], [1, 0], [0, 1], [0, 0]]), 0)

    assert found.facts["negative"].tolist() == [0.25, 0, 1, 0]


# -- along a line -----------------------------------------------------------------------------


def test_the_root_of_a_line_on_a_segment() -> None:
    # f = 2 x1 + x2 - 1 at (2, 1): 4. On the way to the origin f falls from 4 to -1: t = 4/5
    net = _Formula(lambda x: x @ _tensor([2, 1]) - 1)
    found = Taylor(net, "segment").explain(_tensor([[2, 1]]), 0)

    torch.testing.assert_close(found.facts["root"], _tensor([[2 / 5, 1 / 5]]))
    torch.testing.assert_close(found.relevance, _tensor([[16 / 5, 4 / 5]]))
    torch.testing.assert_close(found.facts["distance"], _tensor([4 / 5]))


def test_the_first_of_several_roots_is_taken() -> None:
    # cos has roots at pi/2, 3 pi/2, ...: from 7 to 0 the first is 3 pi/2
    found = Taylor(_Formula(lambda x: x.cos().sum(1)), "segment").explain(_tensor([[7]]), 0)

    torch.testing.assert_close(found.facts["root"], _tensor([[3 * math.pi / 2]]))
    torch.testing.assert_close(found.relevance, _tensor([[7 - 3 * math.pi / 2]]))  # slope 1


def test_without_biases_the_root_on_the_way_to_the_origin_is_the_origin() -> None:
    x, net = torch.randn(8, 6, dtype=f64), _net(6, 20, 20, 3, bias=False)
    segment, limit = (Taylor(net, root).explain(x, 2) for root in ("segment", "limit"))

    torch.testing.assert_close(segment.relevance, limit.relevance, rtol=1e-10, atol=1e-12)
    assert segment.facts["found"].all()


def test_a_ray_goes_on_where_a_segment_ends() -> None:
    net = _Formula(lambda x: x.sum(1) + 1)
    x = _tensor([[1, 2]])
    segment, ray = (Taylor(net, root).explain(x, 0) for root in ("segment", "ray"))

    assert not segment.facts["found"][0]
    torch.testing.assert_close(ray.facts["root"], _tensor([[-1 / 3, -2 / 3]]))
    torch.testing.assert_close(ray.relevance, _tensor([[4 / 3, 8 / 3]]))


def test_a_sample_without_a_root_is_expanded_where_the_score_is_smallest_and_told() -> None:
    # x^2 + 1 on the way from 2 to -2 is smallest at 0; x^2 - 1 has a root at 1
    net = _Formula(lambda x: x[:, 0].square() + x[:, 1])
    x = _tensor([[2, 1], [2, -1]])
    found = Taylor(net, "segment", toward=_tensor([[-2, 1], [-2, -1]])).explain(x, 0)

    assert found.facts["found"].tolist() == [False, True]
    torch.testing.assert_close(found.facts["root"], _tensor([[0, 1], [1, -1]]))
    assert found.facts["residual"].tolist() == pytest.approx([4, 1])
    assert [note for note in found.notes if "sample" in note] == [
        "sample 0 has no root on the segment to `toward`, and is expanded where |f| was smallest "
        "on the way: f is 1 there"
    ]


def test_an_input_that_is_a_root_gets_no_relevance() -> None:
    net = _Formula(lambda x: x[:, 0] - x[:, 1])
    x = _tensor([[2, 2]])
    found = [Taylor(net, root).explain(x, 0) for root in ("segment", "ray", "nearest")]

    assert [each.relevance.tolist() for each in found] == [[[0, 0]]] * 3
    assert [each.facts["distance"].tolist() for each in found] == [[0]] * 3
    assert all(each.facts["found"].all() for each in found)


# -- the nearest ------------------------------------------------------------------------------


def test_the_nearest_root_of_a_linear_model_is_the_projection() -> None:
    net, x = nn.Linear(5, 3).double(), torch.randn(6, 5, dtype=f64)
    w, b = net.weight[1].detach(), net.bias[1].detach()
    root = x - ((x @ w + b) / (w @ w))[:, None] * w
    found = Taylor(net, "nearest").explain(x, 1)

    torch.testing.assert_close(found.facts["root"], root, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(found.relevance, (x - root) * w, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(found.relevance.sum(1), x @ w + b)


def test_the_nearest_root_in_a_box_is_the_projection_onto_what_the_box_leaves() -> None:
    # f = x1 + x2 - 1 at (2, 0.5) in [0.25, 2]^2: the plane's nearest point (1.25, -0.25) lies
    # outside; on the edge x2 = 0.25 it is (0.75, 0.25)
    net = _Formula(lambda x: x.sum(1) - 1)
    x = _tensor([[2, 0.5]])
    free = Taylor(net, "nearest").explain(x, 0)
    boxed = Taylor(net, "nearest", box=(0.25, 2.0)).explain(x, 0)

    torch.testing.assert_close(free.facts["root"], _tensor([[1.25, -0.25]]))
    near = {"rtol": 0, "atol": 1e-6}  # where steps count as too small to go on
    torch.testing.assert_close(boxed.facts["root"], _tensor([[0.75, 0.25]]), **near)
    torch.testing.assert_close(boxed.relevance, _tensor([[1.25, 0.25]]), **near)


def test_the_nearest_root_of_a_sphere() -> None:
    net, x = _Formula(lambda x: 1 - x.square().sum(1)), torch.randn(6, 3, dtype=f64)
    found = Taylor(net, "nearest", starts=2).explain(x, 0)

    torch.testing.assert_close(
        found.facts["root"], x / x.norm(dim=1, keepdim=True), rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize("seed", [0, 2])
def test_the_nearest_root_in_the_plane_is_that_of_a_fine_grid(seed: int) -> None:
    net = _net(2, 16, 16, 1, seed=seed)
    x, step = 2 * torch.randn(5, 2, dtype=f64), 0.02
    line = torch.arange(-8, 8, step, dtype=f64)
    grid = torch.cartesian_prod(line, line)
    with torch.no_grad():
        changed = (net(grid) * net(x)[:, 0]) <= 0  # (points, samples)
    away = torch.cdist(grid, x).masked_fill(~changed, torch.inf)
    found = Taylor(net, "nearest", starts=8).explain(x, 0)
    distance = (found.facts["root"] - x).norm(dim=1)

    assert found.facts["found"].all()
    assert float(found.facts["root_score"].abs().max()) < 1e-12
    # The grid's own error is half a diagonal; the search may miss the best by a few percent.
    assert (distance > away.amin(0) - step).all()
    assert (distance < 1.03 * away.amin(0) + step).all()


def test_the_nearest_root_beats_the_origin() -> None:
    x, net = torch.randn(6, 10, dtype=f64), _net(10, 30, 30, 4, bias=False)
    nearest = Taylor(net, "nearest", steps=5, starts=0).explain(x, 1)
    origin = Taylor(net, "segment").explain(x, 1)

    assert nearest.facts["found"].all()
    assert (nearest.facts["distance"] <= origin.facts["distance"] * (1 + 1e-12)).all()
    assert float(nearest.facts["distance"].median()) < 0.9


def test_the_nearest_root_of_a_net_stays_in_its_box() -> None:
    x, net = torch.rand(4, 10, dtype=f64), _net(10, 30, 30, 4)
    found = Taylor(net, "nearest", box=(0.0, 1.0), steps=5).explain(x, targets.Contrast(0, 1))
    root = found.facts["root"]

    assert float(root.min()) >= 0
    assert float(root.max()) <= 1


# -- what belongs to every method -------------------------------------------------------------


def test_the_nearest_roots_of_a_batch_are_those_of_its_items() -> None:
    x, net = torch.randn(3, 4, dtype=f64), _net(4, 8, 3)
    method = Taylor(net, "nearest", steps=4, starts=0)
    batch, item = method.explain(x, [0, 2, 1]), method.explain(x[1:2], 2)

    torch.testing.assert_close(batch.relevance[1:2], item.relevance, rtol=1e-9, atol=1e-12)
    assert bool(batch.facts["found"].any())


@pytest.mark.slow
def test_the_search_for_the_nearest_root_keeps_the_contract() -> None:
    net, x = _net(4, 8, 3), torch.randn(2, 4)

    check_explainer(lambda model: Taylor(model, "nearest", steps=3, starts=0), net, x)


def test_a_softmax_head_is_explained_by_its_scores() -> None:
    x, net = torch.randn(3, 4, dtype=f64), _net(4, 16, 3)
    plain = Taylor(net, "nearest", steps=3, starts=0).explain(x, 1)
    headed = Taylor(nn.Sequential(net, nn.Softmax(1)), "nearest", steps=3, starts=0).explain(x, 1)

    assert torch.equal(plain.relevance, headed.relevance)
    assert torch.equal(plain.score, headed.score)
    assert "scores before it are explained" in headed.notes[0]


def test_many_targets_get_a_leading_axis_also_in_the_facts() -> None:
    x, net = torch.randn(3, 4, dtype=f64), _net(4, 16, 3)
    found = Taylor(net, "segment").explain(x, targets.Each([0, 2]))
    last = Taylor(net, "segment").explain(x, 2)

    assert found.relevance.shape == (2, 3, 4)
    assert torch.equal(found.relevance[1], last.relevance)
    assert torch.equal(found.facts["residual"][1], last.facts["residual"])


def test_the_winning_class_is_fixed_at_the_input() -> None:
    x, net = torch.randn(6, 4, dtype=f64), _net(4, 16, 3)
    found = Taylor(net, root=-3.0).explain(x)
    asked = Taylor(net, root=-3.0).explain(x, net(x).argmax(1))

    assert torch.equal(found.relevance, asked.relevance)


def test_several_inputs_share_one_root() -> None:
    # f = x . (1, 2) + y (3) - 2: one hyperplane through both
    def model(x: Tensor, y: Tensor) -> Tensor:
        return (x @ _tensor([1, 2]) + 3 * y[:, 0] - 2)[:, None]

    x, y = torch.randn(4, 2, dtype=f64), torch.randn(4, 1, dtype=f64)
    found = Taylor(model, "nearest").explain((x, y), 0)
    t = model(x, y) / 14

    torch.testing.assert_close(found.relevance[0], t * _tensor([1, 4]))
    torch.testing.assert_close(found.relevance[1], t * _tensor([9]))
    torch.testing.assert_close(found.facts["root"][1], y - 3 * t)


def test_the_same_method_on_another_model() -> None:
    x, one, other = torch.randn(3, 4, dtype=f64), _net(4, 8, 2), _net(4, 8, 2, seed=1)
    method = Taylor(one, "segment", points=9)
    moved = method.on(other)

    assert torch.equal(
        moved.explain(x, 0).relevance, Taylor(other, "segment", points=9).explain(x, 0).relevance
    )
    assert method.model is one


def test_the_model_is_left_alone_while_roots_are_searched() -> None:
    x, net = torch.randn(3, 4, dtype=f64), _net(4, 8, 2)

    with untouched(net, x):
        Taylor(net, "nearest", steps=3, starts=0).explain(x, 0)


def test_explain_knows_the_method_and_files_hold_its_facts(tmp_path: Path) -> None:
    x, net = torch.randn(2, 4, dtype=f64), _net(4, 8, 2)
    found = whence.explain(net, x, 1, method="taylor", root="segment")
    record = json.loads(found.save(tmp_path / "x.json").read_text())
    arrays = numpy.load(found.save(tmp_path / "x.npz"))

    assert record["facts"]["residual"] == found.facts["residual"].tolist()
    assert arrays["fact.root"].shape == (2, 4)
    assert record["notes"][0].startswith("root: segment; ||x - root|| / ||x||")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda net: Taylor(net, "origin"), "root= one of limit, nearest, segment, ray, a number"),
        (lambda net: Taylor(net, box=(0, 1)), 'box= belongs to root="nearest"'),
        (lambda net: Taylor(net, "ray", reach=0), "reach > 0"),
        (lambda net: Taylor(net, torch.ones(7)).explain(torch.ones(2, 4)), "must broadcast"),
        (lambda net: Taylor(net, (1.0, 2.0)).explain(torch.ones(2, 4)), "one value for each of 1"),
        (
            lambda net: Taylor(net, "nearest", box=(2.0, 3.0)).explain(torch.ones(2, 4)),
            "box must hold the inputs",
        ),
    ],
)
def test_wrong_questions_are_answered_in_words(make, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        make(nn.Linear(4, 2))


def test_there_is_no_root_between_words() -> None:
    model = nn.Sequential(nn.Embedding(9, 3), nn.Flatten(), nn.Linear(6, 2))

    with pytest.raises(InvalidInput, match="no root between token ids"):
        Taylor(model).explain(torch.tensor([[1, 2]]), 0)
