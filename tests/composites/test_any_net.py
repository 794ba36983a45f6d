"""Presets and methods meet nets that their papers did not have: attention, recurrence, both."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from laws import rand
from whence.composites import CPLRP, AttnLRP, MambaLRP, Recurrent, RelP
from whence.explainers import LRP, ExcitationBackprop
from whence.targets import Each


class Encoder(nn.Module):
    """A transformer over five tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layer(x).mean(1))


class WrittenOut(nn.Module):
    """Attention in single operations, which hands on its pattern."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.attention(x, x, x)[0].mean(1))


class Recurrence(nn.Module):
    """A recurrent net, and attention over what it said."""

    def __init__(self, kind: Callable[..., nn.Module]) -> None:
        super().__init__()
        self.cells = kind(8, 4, 2, batch_first=True, bidirectional=True)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        said = self.cells(x)[0]
        return self.head((said + self.attention(said, said, said)[0])[:, -1])


NETS: dict[str, Callable[[], nn.Module]] = {
    "transformer": Encoder,
    "written out": WrittenOut,
    "lstm": lambda: Recurrence(nn.LSTM),
    "gru": lambda: Recurrence(nn.GRU),
    "rnn": lambda: Recurrence(nn.RNN),
}
PRESETS = {each.__name__: each for each in (AttnLRP, CPLRP, MambaLRP, Recurrent, RelP)}


def build(name: str) -> nn.Module:
    torch.manual_seed(0)
    return NETS[name]().double().eval()


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_closes_its_book_on_every_net(preset: str, net: str) -> None:
    ex = LRP(build(net), PRESETS[preset]()).explain(rand(2, 5, 8), 1, ledger="full")

    assert ex.relevance.any()
    ex.ledger.check()


@pytest.mark.parametrize("net", NETS)
def test_excitation_backprop_walks_through_attention_and_recurrence(net: str) -> None:
    model, x = build(net), rand(2, 5, 8)
    ex = ExcitationBackprop(model).explain(x, 1, ledger="full")
    contrast = ExcitationBackprop(model, contrastive=True).explain(x, 1).relevance

    assert ex.relevance.any()
    assert contrast.any()
    assert (contrast >= 0).all()
    ex.ledger.check()


@pytest.mark.parametrize("net", NETS)
def test_a_frozen_explanation_holds_for_other_inputs(net: str) -> None:
    lrp = LRP(build(net))
    frozen = lrp.compile(rand(2, 5, 8), optimise=False)
    x = rand(2, 5, 8, seed=1)

    torch.testing.assert_close(frozen(x, 2), lrp.explain(x, 2).relevance)


@pytest.mark.parametrize("net", NETS)
def test_several_targets_at_once_equal_one_after_the_other(net: str) -> None:
    lrp, x = LRP(build(net)), rand(2, 5, 8)
    single = [lrp.explain(x, k).relevance for k in (0, 2)]

    torch.testing.assert_close(lrp.explain(x, Each([0, 2])).relevance, torch.stack(single))


@pytest.mark.parametrize("net", NETS)
def test_relevance_has_the_derivative_that_differences_show(net: str) -> None:
    lrp, x, step, weights = LRP(build(net)), rand(2, 5, 8), 1e-6, rand(2, 5, 8, seed=1)
    direction = rand(2, 5, 8, seed=2)
    leaf = x.clone().requires_grad_()
    R = lrp.explain(leaf, 1, create_graph=True).relevance
    (gradient,) = torch.autograd.grad((R * weights).sum(), leaf)

    ahead, behind = (lrp.explain(x + d * direction, 1).relevance for d in (step, -step))
    slope = ((ahead - behind) * weights).sum() / (2 * step)
    torch.testing.assert_close((gradient * direction).sum(), slope, rtol=1e-5, atol=1e-8)
