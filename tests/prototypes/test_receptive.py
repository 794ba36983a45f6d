"""Receptive fields: by hand, against the support of gradients, against what a NaN reaches."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models import UNet
from whence import zoo
from whence.errors import InvalidInput
from whence.prototypes import ReceptiveField, receptive_field
from whence.testing._untouched import untouched
from whence.zoo._squeezenet import SqueezeNet


class Residual(nn.Module):
    """Two blocks as in ResNet, the second with a stride and a projection."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 7, stride=2, padding=3, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.first = nn.Conv2d(4, 4, 3, padding=1)
        self.second = nn.Conv2d(4, 8, 3, stride=2, padding=1)
        self.third = nn.Conv2d(8, 8, 3, padding=1)
        self.project = nn.Conv2d(4, 8, 1, stride=2)
        self.end = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = F.avg_pool2d(F.relu_(self.norm(self.stem(x))), 3, 2, 1)
        x = x + F.relu(self.first(x))
        y = self.third(F.relu(self.second(x)))
        y += self.project(x)
        return self.end(F.relu(y))


class Odd(nn.Module):
    """Dilation, groups, transposed convolution, flipped rows, and a write through a view."""

    def __init__(self) -> None:
        super().__init__()
        self.dilated = nn.Conv2d(2, 4, (3, 2), dilation=(2, 1), groups=2)
        self.up = nn.ConvTranspose2d(4, 2, 3, stride=2, padding=1, output_padding=1)
        self.end = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        up = self.up(self.dilated(x)).flip(2)
        joined = up.new_zeros(len(x), 2, up.shape[2], up.shape[3] + 2)
        joined[..., 2:] = up
        return self.end(F.avg_pool2d(joined, 3, 2, ceil_mode=True))


SMALL = {
    "residual": (Residual, (1, 1, 33, 29)),
    "odd": (Odd, (1, 2, 12, 11)),
    "one axis": (lambda: nn.Sequential(nn.Conv1d(2, 3, 4, 3, 1), nn.AvgPool1d(2)), (1, 2, 23)),
    "volume": (lambda: nn.Sequential(nn.Conv3d(1, 2, 3, 2), nn.AvgPool3d(2, 1)), (1, 1, 9, 8, 10)),
    "adaptive": (
        lambda: nn.Sequential(nn.Conv2d(1, 1, 3), nn.AdaptiveAvgPool2d((3, 2))),
        (1, 1, 12, 11),
    ),
    "resized": (
        lambda: nn.Sequential(nn.Conv2d(1, 1, 2), nn.Upsample(scale_factor=2.0, mode="nearest")),
        (1, 1, 6, 7),
    ),
    "resized smoothly": (
        lambda: nn.Sequential(nn.Conv2d(1, 1, 2), nn.Upsample((9, 8), mode="bilinear")),
        (1, 1, 6, 7),
    ),
    "normed in groups": (
        lambda: nn.Sequential(nn.Conv2d(2, 4, 3, 2), nn.Conv2d(4, 4, 2, groups=4)),
        (1, 2, 11, 10),
    ),
    "taps between which nothing lies": (  # the first tap falls on padding, the second on value 1
        lambda: nn.Sequential(nn.Conv1d(1, 1, 2, dilation=3, padding=2)),
        (1, 1, 9),
    ),
    "flat": (
        lambda: nn.Sequential(nn.Conv2d(1, 2, 3, 2), nn.Flatten(), nn.Linear(24, 3)),
        (1, 1, 8, 9),
    ),
}
each_small = pytest.mark.parametrize("name", SMALL)


def last(net: nn.Module) -> str:
    """The name of the last module."""
    return [name for name, _ in net.named_modules()][-1]


def positive(net: nn.Module) -> nn.Module:
    """With positive weights nothing cancels and every ReLU is open."""
    with torch.no_grad():
        for each in (*net.parameters(), *net.buffers()):
            if each.is_floating_point():
                each.uniform_(0.5, 1.5)
    return net.double().eval()


def by_gradient(net: nn.Module, shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """First and last coordinate with a gradient for each unit, one backward pass for each."""
    x = torch.rand(shape, dtype=torch.float64, requires_grad=True)
    output = net(x)
    low, high = [], []
    for unit in output.flatten():
        (gradient,) = torch.autograd.grad(unit, x, retain_graph=True)
        places = gradient[0].abs().sum(0).nonzero()
        low.append(places.amin(0))
        high.append(places.amax(0))
    found = output.shape[1:]
    return torch.stack(low, 1).view(-1, *found), torch.stack(high, 1).view(-1, *found)


def by_nan(net: nn.Module, x: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """First and last place along an axis whose NaN reaches each unit, one run for each place."""
    reached = []
    for place in range(x.shape[axis]):
        spoiled = x.clone()
        spoiled.select(axis, place).fill_(float("nan"))
        reached.append(net(spoiled)[0].isnan())
    places = torch.stack(reached)  # (places, *units)
    order = torch.arange(len(places)).view(-1, *[1] * (places.dim() - 1)).expand_as(places)
    return order.where(places, len(places)).amin(0), order.where(places, -1).amax(0)


def test_a_chain_by_hand() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 5, stride=2, padding=1), nn.MaxPool2d(3, 2))
    field = receptive_field(net, torch.zeros(1, 1, 20, 20), "1")

    # pool window 1 looks at convolution outputs 2, 3, 4, which start at 2 * 2 - 1 and 4 * 2 - 1
    assert field.box((0, 1, 0)) == (slice(3, 12), slice(0, 8))
    assert field.size == (9, 9)


@each_small
def test_fields_are_the_support_of_the_gradient(name: str) -> None:
    make, shape = SMALL[name]
    net = positive(make())
    field = receptive_field(net, torch.rand(shape, dtype=torch.float64), last(net))
    low, high = by_gradient(net, shape)

    assert torch.equal(field.low, low)
    assert torch.equal(field.high, high)


def test_the_field_of_squeezenet_is_where_a_nan_comes_from() -> None:
    net = SqueezeNet((8, 3), (3, 5)).double().eval()
    net.conv10 = nn.Identity()
    x = torch.rand(1, 3, 95, 79, dtype=torch.float64)
    field = receptive_field(net, x, "conv10")
    seen = nn.Sequential()
    seen.forward = lambda spoiled: _features(net, spoiled)  # before the mean over positions
    rows, columns = by_nan(seen, x, 2), by_nan(seen, x, 3)

    assert torch.equal(field.low, torch.stack([rows[0], columns[0]]))
    assert torch.equal(field.high, torch.stack([rows[1], columns[1]]))


def _features(net: nn.Module, x: Tensor) -> Tensor:
    made: list[Tensor] = []
    handle = net.get_submodule("conv10").register_forward_hook(lambda m, i, out: made.append(out))
    with torch.no_grad():
        net(x)
    handle.remove()
    return made[0]


def test_the_field_of_a_net_that_goes_down_and_up_is_where_a_nan_comes_from() -> None:
    net = UNet().double().eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
    x = torch.rand(1, 3, 24, 24, dtype=torch.float64)
    field = receptive_field(net, x, "classify")
    with torch.no_grad():
        low, high = by_nan(net, x, 3)

    # at the border bilinear weights of zero pass NaN on, so that NaN may come from further
    assert bool((field.low[1] >= low).all() and (field.high[1] <= high).all())
    assert torch.equal(field.high[1, 0, :, 6:18], high[0, :, 6:18])


@pytest.mark.parametrize("unit", [(0, 0, 0), (3, 2, 1), (5, 4, 4)])
def test_a_crop_gives_the_unit_its_activation_again(unit: tuple[int, int, int]) -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 4, 5, stride=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 6, 3), nn.ReLU()
    ).double()
    x = torch.randn(1, 3, 33, 33, dtype=torch.float64)
    crop = receptive_field(net, x, "4").crop(x[0], unit)
    again = net(crop[None])

    assert again.shape == (1, 6, 1, 1)
    torch.testing.assert_close(again[0, unit[0], 0, 0], net(x)[(0, *unit)], rtol=0, atol=1e-13)


def test_tokens_see_those_in_their_window() -> None:
    net = nn.Sequential(nn.Embedding(9, 4), Turned(), nn.Conv1d(4, 2, 3))
    field = receptive_field(net, torch.randint(0, 9, (2, 7)), "2")

    assert field.box((1, 2)) == (slice(2, 5),)


class Turned(nn.Module):
    """(batch, tokens, features) to (batch, features, tokens)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2)


def test_attention_sees_everything() -> None:
    net = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True).eval()
    field = receptive_field(net, torch.rand(1, 5, 4), "norm2", axes=(1,))

    assert torch.equal(field.low, torch.zeros_like(field.low))
    assert torch.equal(field.high, torch.full_like(field.high, 4))


def test_a_causal_net_sees_the_past() -> None:
    net = nn.LSTM(3, 2, batch_first=True)
    field = receptive_field(Wrapped(net), torch.rand(1, 6, 3), "end", axes=(1,))

    assert torch.equal(field.low[0], torch.zeros(6, 2, dtype=torch.long))
    assert torch.equal(field.high[0], torch.arange(6)[:, None].expand(6, 2))


class Wrapped(nn.Module):
    """The outputs of a recurrent layer alone."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer, self.end = layer, nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.layer(x)[0])


def test_instance_norm_sees_the_whole_picture_and_batch_norm_a_pixel() -> None:
    x = torch.rand(1, 2, 6, 5)

    assert receptive_field(nn.Sequential(nn.InstanceNorm2d(2)), x, "0").size == (6, 5)
    assert receptive_field(nn.Sequential(nn.BatchNorm2d(2)).eval(), x, "0").size == (1, 1)
    assert receptive_field(nn.Sequential(nn.LayerNorm([5])), x, "0").size == (1, 5)
    assert receptive_field(nn.Sequential(nn.GroupNorm(2, 2)), x, "0").size == (6, 5)


def test_what_comes_from_no_input_sees_nothing() -> None:
    class Constant(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.end = nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            return self.end(torch.ones(1, 2)) + x.mean()

    field = receptive_field(Constant(), torch.rand(1, 1, 4, 4), "end")

    assert field.size == (0, 0)
    assert field.box((1,)) == (slice(0, 0), slice(0, 0))


def test_the_model_is_left_as_it_was() -> None:
    net = Residual().eval()
    x = torch.rand(1, 1, 16, 16)
    with untouched(net, x):
        receptive_field(net, x, "end")
    with untouched(net, x), pytest.raises(RuntimeError):
        receptive_field(net, torch.rand(1, 3, 16, 16), "end")

    assert torch.backends.mkldnn.enabled


def test_errors_say_what_to_do() -> None:
    net = Residual().eval()
    x = torch.rand(1, 1, 16, 16)
    field = receptive_field(net, x, "end")

    with pytest.raises(InvalidInput, match=r"no module 'ends'\. Close names: end"):
        receptive_field(net, x, "ends")
    with pytest.raises(InvalidInput, match="needs inputs with a batch axis"):
        receptive_field(net, x[0, 0, 0], "end")
    with pytest.raises(InvalidInput, match="has 3 indices, one for each axis"):
        field.box((0, 0))
    with pytest.raises(InvalidInput, match="belongs to inputs of shape"):
        field.crop(x, (0, 0, 0))
    with pytest.raises(InvalidInput, match="must be in evaluation mode"):
        receptive_field(net.train(), x, "end")


def test_it_prints_its_size() -> None:
    net = zoo.model("digits-cnn")
    field = receptive_field(net.module, torch.zeros(1, 1, 32, 32), "features.6")

    assert isinstance(field, ReceptiveField)
    assert repr(field) == "ReceptiveField('features.6', 24 x 24 of 32 x 32)"


@pytest.mark.gpu
def test_fields_are_the_same_on_a_gpu() -> None:
    net, x = UNet().eval(), torch.rand(1, 3, 24, 24)
    here = receptive_field(net, x, "classify")
    there = receptive_field(net.cuda(), x.cuda(), "classify")

    assert torch.equal(here.low, there.low)
    assert torch.equal(here.high, there.high)
