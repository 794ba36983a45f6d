"""Batch norms, joined into their linear neighbours where that is exact."""

import copy
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from norming import PLUS, ZERO, assert_same, everywhere
from whence._explanation import Explanation
from whence.composites import Composite, where
from whence.errors import WhenceError
from whence.explainers import LRP
from whence.rules import Flat, Rule, Zero, ZPlus
from whence.targets import Given

# -- batch norm -----------------------------------------------------------------------------------


class _Parts(nn.Module):
    """Two layers and a batch norm, and a forward of one's own."""

    def __init__(self, forward: Callable, conv: nn.Module, norm: nn.Module) -> None:
        super().__init__()
        self.conv, self.norm, self._forward = conv, norm, forward

    def forward(self, x: Tensor):
        return self._forward(self, x)


def _norm(channels: int, kind: type[nn.Module] = nn.BatchNorm2d) -> nn.Module:
    norm = kind(channels)
    for tensor in (norm.weight, norm.bias, norm.running_mean):
        nn.init.normal_(tensor)
    nn.init.uniform_(norm.running_var, 0.5, 2.0)
    return norm


def _functional(self, x: Tensor) -> Tensor:
    n = self.norm
    return F.batch_norm(self.conv(x), n.running_mean, n.running_var, n.weight, n.bias)


AFTER = {
    "linear": (nn.Linear(4, 3), nn.BatchNorm1d, (4,)),
    "conv1d": (nn.Conv1d(4, 3, 2), nn.BatchNorm1d, (4, 5)),
    "conv2d": (nn.Conv2d(4, 3, 3, padding=1, bias=False), nn.BatchNorm2d, (4, 4, 3)),
    "grouped conv2d": (nn.Conv2d(4, 6, 2, groups=2), nn.BatchNorm2d, (4, 3, 3)),
    "transposed conv2d": (nn.ConvTranspose2d(4, 6, 2, 2, groups=2), nn.BatchNorm2d, (4, 2, 2)),
    "conv3d": (nn.Conv3d(4, 2, 2), nn.BatchNorm3d, (4, 2, 3, 2)),
}
both_forwards = pytest.mark.parametrize(
    "forward", [lambda self, x: self.norm(self.conv(x)), _functional], ids=["module", "functional"]
)


@pytest.mark.parametrize("rule", [Zero(), ZPlus(), Flat()], ids=repr)
@pytest.mark.parametrize("name", AFTER)
@both_forwards
def test_a_norm_after_a_layer_is_joined_and_equals_the_folded_layer(
    name: str, rule: Rule, forward
) -> None:
    layer, kind, shape = AFTER[name]
    channels = getattr(layer, "out_channels", None) or layer.out_features
    model = _Parts(forward, layer, _norm(channels, kind)).double().eval()
    x = torch.randn(2, *shape).double()
    joined = _explain(model, x, everywhere(rule))
    folded = _explain(_folded(model.conv, model.norm), x, everywhere(rule))

    assert _joined(model, x)
    torch.testing.assert_close(joined.output, folded.output)
    torch.testing.assert_close(joined.relevance, folded.relevance, rtol=1e-9, atol=1e-11)


def test_both_names_of_a_joined_pair_answer() -> None:
    model = _Parts(lambda self, x: self.norm(self.conv(x)), nn.Conv2d(2, 3, 2), _norm(3))
    x = torch.randn(2, 2, 4, 4)
    found = LRP(model.eval(), PLUS).explain(x, _ones, taps=["conv", "norm"])
    by_norm = Composite([(where.name("norm"), Flat())])
    by_conv = Composite([(where.name("conv"), Flat())])

    torch.testing.assert_close(found.at("conv"), found.at("norm"))
    assert torch.equal(_explain(model, x, by_norm).relevance, _explain(model, x, by_conv).relevance)


BEFORE = {
    "linear": (nn.Linear(4, 3), nn.BatchNorm1d, (4,)),
    "conv1d": (nn.Conv1d(4, 3, 2, stride=2), nn.BatchNorm1d, (4, 5)),
    "conv2d": (nn.Conv2d(4, 3, 2, dilation=2), nn.BatchNorm2d, (4, 4, 4)),
}


@pytest.mark.parametrize("rule", [Zero(), ZPlus()], ids=repr)
@pytest.mark.parametrize("name", BEFORE)
def test_a_norm_before_an_unpadded_layer_is_joined_and_equals_hand_computing(
    name: str, rule: Rule
) -> None:
    layer, kind, shape = BEFORE[name]
    model = _Parts(lambda self, x: self.conv(self.norm(x)), layer, _norm(4, kind)).double().eval()
    x = torch.randn(2, *shape).double()
    scale, shift = _affine(model.norm)
    folded = _copy_of(layer)
    per_input = (1, -1, *[1] * (layer.weight.dim() - 2))
    folded.weight.data = layer.weight * scale.view(per_input)
    constant = shift.view(1, -1, *[1] * (x.dim() - 2)).expand_as(x[:1])
    full = layer(constant)  # b + W shift, the same everywhere
    folded.bias.data = full.flatten(2)[0, :, 0] if full.dim() > 2 else full[0]

    assert _joined(model, x)
    torch.testing.assert_close(
        _explain(model, x, everywhere(rule)).relevance,
        _explain(folded, x, everywhere(rule)).relevance,
        rtol=1e-9,
        atol=1e-11,
    )


def _two_readers(self, x: Tensor) -> Tensor:
    h = self.conv(x)
    return self.norm(h) + h


def _returned(self, x: Tensor) -> tuple[Tensor, Tensor]:
    h = self.conv(x)
    return self.norm(h), h


def test_two_readers_keep_conv_and_norm_apart() -> None:
    model = _Parts(_two_readers, nn.Conv2d(2, 3, 2), _norm(3)).double().eval()
    x = torch.randn(2, 2, 4, 4).double()
    scale, _ = _affine(model.norm)
    R = model.conv(x).detach() * (scale.view(-1, 1, 1) + 1)

    assert not _joined(model, x)
    assert_same(_explain(model, x, PLUS), LRP(model.conv, PLUS).explain(x, Given(R)))


def test_an_output_before_the_norm_is_explained_as_it_is() -> None:
    model = _Parts(_returned, nn.Conv2d(2, 3, 2), _norm(3)).double().eval()
    x = torch.randn(2, 2, 4, 4).double()
    found = LRP(model, PLUS, output=1).explain(x, _ones)

    assert_same(found, LRP(model.conv, PLUS).explain(x, _ones))


def test_an_output_made_of_both_keeps_conv_and_norm_apart() -> None:
    model = _Parts(_returned, nn.Conv2d(2, 3, 2), _norm(3)).double().eval()
    x = torch.randn(2, 2, 4, 4).double()
    scale, _ = _affine(model.norm)
    R = model.conv(x).detach() * (scale.view(-1, 1, 1) + 1)
    found = LRP(model, PLUS, output=lambda both: both[0] + both[1]).explain(x, _ones)

    assert_same(found, LRP(model.conv, PLUS).explain(x, Given(R)))


APART = {
    "padded": (nn.Conv2d(4, 3, 3, padding=1), lambda self, x: self.conv(self.norm(x))),
    "padded like the input": (
        nn.Conv2d(4, 3, 3, padding="same"),
        lambda self, x: self.conv(self.norm(x)),
    ),
    "grouped": (nn.Conv2d(4, 4, 2, groups=2), lambda self, x: self.conv(self.norm(x))),
    "transposed": (nn.ConvTranspose2d(4, 3, 2), lambda self, x: self.conv(self.norm(x))),
    "behind a ReLU": (nn.Conv2d(4, 3, 2), lambda self, x: self.conv(F.relu(self.norm(x)))),
}


@pytest.mark.parametrize("name", APART)
@pytest.mark.parametrize("rule", [Zero(), ZPlus()], ids=repr)
def test_a_norm_before_a_layer_stays_apart(name: str, rule: Rule) -> None:
    layer, forward = APART[name]
    model = _Parts(forward, layer, _norm(4)).double().eval()
    x = torch.randn(2, 4, 4, 4).double()
    scale, _ = _affine(model.norm)
    middle = model.norm(x).detach()
    read = {"behind a ReLU": middle.clamp(min=0)}.get(name, middle)
    R = LRP(layer, everywhere(rule)).explain(read, _ones).relevance
    found = _explain(model, x, everywhere(rule))

    assert not _joined(model, x)
    torch.testing.assert_close(found.relevance, x * scale.view(-1, 1, 1) * R / middle)


def test_a_norm_after_an_activation_is_a_diagonal_map() -> None:
    norm = _norm(3).double().eval()
    x = torch.randn(2, 3, 2, 2).double()
    scale, shift = _affine(norm)
    found = LRP(nn.Sequential(nn.ReLU(), norm)).explain(x, _ones, ledger="full")

    torch.testing.assert_close(found.relevance, x.clamp(min=0) * scale.view(-1, 1, 1))
    assert found.ledger.check().total("bias") == pytest.approx(float(shift.sum() * 8))


def test_a_norm_without_weights_and_one_with_its_own_eps_are_joined_exactly() -> None:
    norm = nn.BatchNorm2d(3, eps=0.7, affine=False)
    nn.init.normal_(norm.running_mean)
    model = _Parts(lambda self, x: self.norm(self.conv(x)), nn.Conv2d(2, 3, 2), norm)
    model, x = model.double().eval(), torch.randn(2, 2, 4, 4).double()

    assert _joined(model, x)
    assert_same(_explain(model, x, PLUS), _explain(_folded(model.conv, norm), x, PLUS))


def test_two_norms_in_a_row_join_once_and_stay_exact() -> None:
    first, second = _norm(3), _norm(3)
    model = nn.Sequential(nn.Conv2d(2, 3, 2), first, second).double().eval()
    x = torch.randn(2, 2, 4, 4).double().requires_grad_()
    (gradient,) = torch.autograd.grad(model(x).sum(), x)

    torch.testing.assert_close(_explain(model, x, ZERO).relevance, (x * gradient).detach())


def test_a_norm_that_uses_the_batchs_own_statistics_is_an_error() -> None:
    model = nn.Sequential(nn.Conv2d(2, 3, 2), nn.BatchNorm2d(3)).train()

    with pytest.raises(WhenceError, match=r"batch_norm.*eval"):
        LRP(model).explain(torch.randn(2, 2, 4, 4), _ones)


@pytest.mark.parametrize("rule", [Zero(), ZPlus(), Flat()], ids=repr)
def test_a_shared_norm_serves_both_of_its_layers(rule: Rule) -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two, self.norm = nn.Conv2d(2, 2, 2), nn.Conv2d(2, 2, 2), _norm(2)

        def forward(self, x: Tensor) -> Tensor:
            return self.norm(self.two(self.norm(self.one(x)).relu()))

    model, x = Shared().double().eval(), torch.randn(2, 2, 4, 4).double()
    unrolled = nn.Sequential(
        _folded(model.one, model.norm), nn.ReLU(), _folded(model.two, model.norm)
    )

    assert_same(_explain(model, x, everywhere(rule)), _explain(unrolled, x, everywhere(rule)))


def _ones(output: Tensor) -> Tensor:
    return output.flatten(1).sum(1)


def _explain(model, x: Tensor, composite: Composite) -> Explanation:
    """The explanation of the sum of all outputs, each row of its ledger closed."""
    found = LRP(model, composite).explain(x, _ones, ledger="full")
    found.ledger.check()
    return found


def _joined(model, x: Tensor) -> bool:
    """Whether the printed assignment shows a joined operation."""
    return "+ batch_norm" in str(LRP(model, ZERO).assignment(x, _ones))


def _affine(norm) -> tuple[Tensor, Tensor]:
    weight = torch.ones(()) if norm.weight is None else norm.weight.detach()
    bias = torch.zeros(()) if norm.bias is None else norm.bias.detach()
    scale = weight / (norm.running_var + norm.eps).sqrt()
    return scale, bias - norm.running_mean * scale


def _copy_of(layer: nn.Module) -> nn.Module:
    return copy.deepcopy(layer).requires_grad_(False)


def _folded(layer, norm) -> nn.Module:
    """The layer with the norm behind it multiplied in, each output channel by itself."""
    scale, shift = _affine(norm)
    folded = _copy_of(layer)
    groups = getattr(layer, "groups", 1)
    axis = 1 if "Transpose" in type(layer).__name__ else 0
    per_group = scale.view(groups, -1)
    weights = folded.weight.chunk(groups, 0)
    tail = [1] * (folded.weight.dim() - 2)
    shape = (1, -1, *tail) if axis else (-1, 1, *tail)
    parts = [w * s.view(shape) for w, s in zip(weights, per_group, strict=True)]
    bias = 0 if layer.bias is None else layer.bias.detach()
    folded.weight = nn.Parameter(torch.cat(parts))
    folded.bias = nn.Parameter(bias * scale + shift)
    return folded
