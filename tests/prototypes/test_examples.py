"""Most active and most relevant samples: against a full sort, on toys, and their patches."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import whence
from whence import rules, viz, zoo
from whence.composites import Composite, where
from whence.errors import InvalidInput
from whence.prototypes import (
    Examples,
    draw_patches,
    most_active,
    most_relevant,
    patches,
)
from whence.testing._untouched import untouched
from whence.viz._drawing import PictureItem, TextItem


class Net(nn.Module):
    """Two unpadded convolutions without biases, pooling, one dense layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 3, 3, bias=False)
        self.second = nn.Conv2d(3, 4, 3, stride=2, bias=False)
        self.dense = nn.Linear(4, 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        hidden = F.relu(self.second(F.relu(self.first(x))))
        return self.dense(hidden.mean((2, 3)))


@pytest.fixture
def net() -> Net:
    return Net().double().eval()


@pytest.fixture
def samples() -> Tensor:
    return torch.randn(23, 1, 11, 11, dtype=torch.float64)


LRP0 = Composite([(where.all, rules.Zero())])


def activations(net: Net, x: Tensor) -> Tensor:
    with torch.no_grad():
        return net.second(F.relu(net.first(x)))


@pytest.mark.parametrize("aggregate", ["max", "sum"])
def test_most_active_is_a_sort_of_all_samples(net: Net, samples: Tensor, aggregate: str) -> None:
    found = most_active(net, samples, "second", count=5, aggregate=aggregate, batch_size=4)
    maps = activations(net, samples).flatten(2)
    wanted = maps.amax(2) if aggregate == "max" else maps.sum(2)
    values, order = wanted.sort(0, descending=True)
    place = maps.argmax(2).gather(0, order[:5])

    assert found.units == (0, 1, 2, 3)
    assert torch.equal(found.samples, order[:5].T)
    torch.testing.assert_close(found.values, values[:5].T)
    assert torch.equal(found.positions, torch.stack([place.T // 4, place.T % 4], -1))


def test_most_relevant_is_a_sort_by_the_relevance_of_the_unit(net: Net, samples: Tensor) -> None:
    found = most_relevant(
        whence.LRP(net, LRP0), samples, "second", target=1, units=[2, 0], count=4, batch_size=5
    )
    # with LRP-0 and no biases relevance is activation times gradient
    a = F.relu(activations(net, samples)).requires_grad_()
    (gradient,) = torch.autograd.grad(net.dense(a.mean((2, 3)))[:, 1].sum(), a)
    relevance = (a * gradient).detach().sum((2, 3))
    values, order = relevance.sort(0, descending=True)

    assert torch.equal(found.samples, order[:4, [2, 0]].T)
    torch.testing.assert_close(found.values, values[:4, [2, 0]].T, rtol=1e-9, atol=1e-12)


def test_activity_and_relevance_differ_where_the_model_ignores_a_unit() -> None:
    net = nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU(), nn.Linear(2, 2, bias=False))
    with torch.no_grad():
        net[0].weight.copy_(torch.eye(2))
        net[2].weight.copy_(torch.tensor([[1.0, 0.0], [-1.0, 1.0]]))
    # unit 0 fires most on sample 1, but for class 0 it matters as much; for class 1 it speaks
    # against, so the sample where it fires least is the most relevant one
    x = torch.tensor([[1.0, 1.0], [3.0, 1.0], [2.0, 5.0]])
    ex = whence.LRP(net, LRP0)

    assert most_active(net, x, "0", units=[0]).samples[0, :3].tolist() == [1, 2, 0]
    assert most_relevant(ex, x, "0", target=0, units=[0]).samples[0, :3].tolist() == [1, 2, 0]
    assert most_relevant(ex, x, "0", target=1, units=[0]).samples[0, :3].tolist() == [0, 2, 1]
    assert most_relevant(ex, x, "0", target=1, units=[0]).values[0, :3].tolist() == [-1, -2, -3]


def test_of_equal_values_the_earlier_sample_and_the_first_position_win() -> None:
    net = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False))
    nn.init.ones_(net[0].weight)
    x = torch.zeros(6, 1, 3, 3)
    x[[1, 3, 5], :, 1, 2] = 1
    x[[1, 3, 5], :, 2, 0] = 1
    found = most_active(net, x, "0", count=4, batch_size=2)

    assert found.samples.tolist() == [[1, 3, 5, 0]]
    assert found.positions.tolist() == [[[1, 2], [1, 2], [1, 2], [0, 0]]]


def test_batches_and_kinds_of_data_make_no_difference(net: Net, samples: Tensor) -> None:
    labels = torch.arange(23) % 3
    whole = most_active(net, samples, "second", batch_size=23)
    pairs = list(zip(samples, labels, strict=True))
    loader = torch.utils.data.DataLoader(pairs, batch_size=7)
    again = [
        most_active(net, samples, "second", batch_size=1),
        most_active(net, (samples, labels), "second", batch_size=6),
        most_active(net, list(samples), "second", batch_size=5),
        most_active(net, torch.utils.data.TensorDataset(samples, labels), "second"),
        most_active(net, loader, "second"),
    ]

    assert all(torch.equal(each.samples, whole.samples) for each in again)
    assert all(torch.equal(each.positions, whole.positions) for each in again)


def test_only_samples_with_the_label_count(net: Net, samples: Tensor) -> None:
    labels = torch.arange(23) % 3
    ex = whence.LRP(net, LRP0)
    chosen = most_relevant(ex, (samples, labels), "second", target=1, label=2, count=9)
    alone = most_relevant(ex, samples[labels == 2], "second", target=1, count=9)
    numbers = torch.arange(23)[labels == 2]

    assert chosen.samples[:, -1].tolist() == [-1] * 4  # there are seven
    assert torch.equal(chosen.samples[:, :7], numbers[alone.samples[:, :7]])
    assert len(chosen.of(0)) == 7


def test_each_samples_own_label_can_be_explained(net: Net, samples: Tensor) -> None:
    labels = torch.arange(23) % 2
    ex = whence.LRP(net, LRP0)
    found = most_relevant(ex, (samples, labels), "second", target="label", count=23)
    relevance = ex.explain(samples, labels, taps=["second"]).at("second").sum((2, 3))

    torch.testing.assert_close(found.values, relevance.sort(0, descending=True).values.T)


def test_neurons_of_dense_layers_and_tokens_have_examples_too() -> None:
    net = nn.Sequential(nn.Linear(3, 4))
    x = torch.randn(5, 7, 3)
    tokens = most_active(net, x, "0", axis=-1, count=2)
    maps = net(x).detach()

    assert tokens.units == (0, 1, 2, 3)
    torch.testing.assert_close(tokens.values[:, 0], maps.amax((0, 1)).double())
    assert most_active(net, x[:, 0], "0").positions.shape == (4, 8, 0)


def test_the_heatmap_of_a_patch_is_complete_and_lies_in_its_field(
    net: Net, samples: Tensor
) -> None:
    ex = whence.LRP(net, LRP0)
    examples = most_relevant(ex, samples, "second", target=1, aggregate="max", count=3)
    found = patches(ex, samples, examples, 2)
    best = found[0]
    outside = best.whole.clone()
    outside[(slice(None), *best.box)] = 0

    assert [patch.sample for patch in found] == examples.samples[2].tolist()
    assert best.picture.shape == best.relevance.shape == (1, 5, 5)
    assert torch.equal(best.picture, samples[best.sample][(slice(None), *best.box)])
    assert float(outside.abs().max()) == 0
    # no biases: all that the unit got of the class arrives in its patch
    assert math.isclose(float(best.relevance.sum()), best.value, rel_tol=1e-6)


def test_the_heatmap_of_an_active_patch_explains_the_activation(net: Net, samples: Tensor) -> None:
    examples = most_active(net, samples, "second", count=2)
    best = patches(whence.LRP(net, LRP0), samples, examples, 3)[0]
    again = activations(net, best.picture[None])

    assert math.isclose(float(best.relevance.sum()), best.value, rel_tol=1e-6)
    torch.testing.assert_close(again[0, 3, 0, 0].item(), best.value)


def test_patches_from_a_loader_are_found_again(net: Net, samples: Tensor) -> None:
    loader = torch.utils.data.DataLoader(list(samples), batch_size=4)
    examples = most_active(net, loader, "second", count=2)
    ex = whence.LRP(net, LRP0)
    from_loader, from_tensor = (patches(ex, each, examples, 1) for each in (loader, samples))

    assert torch.equal(from_loader[1].picture, from_tensor[1].picture)


def test_a_patch_at_the_border_is_cut_off_there() -> None:
    net = nn.Sequential(nn.Conv2d(1, 1, 5, padding=2, bias=False))
    nn.init.ones_(net[0].weight)
    x = torch.zeros(1, 1, 8, 8)
    x[0, 0, 0, 0] = 1
    examples = most_active(net, x, "0", count=1)
    patch = patches(whence.LRP(net, LRP0), x, examples, 0)[0]

    assert patch.position == (0, 0)
    assert patch.box == (slice(0, 3), slice(0, 3))


def test_patches_are_drawn_with_their_heatmaps(net: Net, samples: Tensor) -> None:
    ex = whence.LRP(net, LRP0)
    examples = most_active(net, samples, "second", count=3)
    rows = {f"unit {unit}": patches(ex, samples, examples, unit) for unit in (0, 2)}
    drawing = draw_patches(rows, title="Patches", cell=40)
    texts = [item.text for item in drawing.items if isinstance(item, TextItem)]
    pictures = [item for item in drawing.items if isinstance(item, PictureItem)]

    assert isinstance(drawing, viz.Drawing)
    assert {"unit 0", "unit 2", "Patches"} <= set(texts)
    assert len(pictures) == 2 * 2 * 3 + 1  # and the legend


def test_the_shipped_net_has_examples_of_the_digits_it_ships_with() -> None:
    net, digits = zoo.model("digits-cnn"), zoo.dataset("digits")
    x = net.preprocess(digits.images[:60])
    found = most_active(net.module, x, "features.6", units=[5], count=3)

    assert isinstance(found, Examples)
    assert repr(found) == "Examples(most active, 'features.6', 1 units, 3 of each)"
    assert found.values[0, 0] >= found.values[0, 1] >= found.values[0, 2] > 0


def test_the_model_is_left_as_it_was(net: Net, samples: Tensor) -> None:
    ex = whence.LRP(net, LRP0)
    with untouched(net, samples):
        patches(ex, samples, most_active(net, samples, "second"), 0)
        patches(ex, samples, most_relevant(ex, samples, "second"), 0)
    with untouched(net), pytest.raises(RuntimeError):
        most_active(net, torch.zeros(2, 2, 11, 11, dtype=torch.float64), "second")


def test_errors_say_what_to_do(net: Net, samples: Tensor) -> None:
    ex = whence.LRP(net, LRP0)
    examples = most_active(net, samples, "second", units=[1])

    with pytest.raises(InvalidInput, match=r"units= must lie in 0\.\.3"):
        most_active(net, samples, "second", units=[4])
    with pytest.raises(InvalidInput, match="count must be at least 1 and aggregate one of"):
        most_active(net, samples, "second", aggregate="mean")
    with pytest.raises(InvalidInput, match="Labels are needed"):
        most_active(net, samples, "second", label=1)
    with pytest.raises(InvalidInput, match="no sample to rank"):
        most_active(net, (samples, torch.zeros(23).long()), "second", label=1)
    with pytest.raises(InvalidInput, match='must be "label" if it is a text'):
        most_relevant(ex, samples, "second", target="true")
    with pytest.raises(InvalidInput, match="is the same for all samples here"):
        most_relevant(ex, samples, "second", target=torch.zeros(23).long())
    with pytest.raises(InvalidInput, match="Occlusion does not have"):
        most_relevant(whence.explainers.Occlusion(net), samples, "second")
    with pytest.raises(InvalidInput, match="No examples for unit 0"):
        patches(ex, samples, examples, 0)
    with pytest.raises(InvalidInput, match="must be finite"):
        most_active(net, samples * float("inf"), "second")
    with pytest.raises(InvalidInput, match="Each sample needs a label"):
        most_active(net, (samples, torch.zeros(3).long()), "second")
    with pytest.raises(InvalidInput, match="tensors of one shape"):
        most_active(net, [samples[0], samples[1, :, :5]], "second")
    with pytest.raises(InvalidInput, match="no module 'secon'"):
        most_active(net, samples, "secon")
    with pytest.raises(InvalidInput, match="batch_size must be at least 1"):
        most_active(net, samples, "second", batch_size=0)
