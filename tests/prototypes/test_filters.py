"""Filter grids: a bank of Gabor filters whose waves are known, colours, dense layers."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from whence import zoo
from whence.errors import InvalidInput
from whence.prototypes import filters
from whence.viz._drawing import PictureItem

WAVES = [(0.125, angle) for angle in (-67.5, -45.0, -22.5, 0.0, 22.5, 45.0, 67.5, 90.0)]
WAVES += [(0.25, angle) for angle in (-45.0, 0.0, 45.0, 90.0)]


def gabor(frequency: float, angle: float, side: int = 31) -> Tensor:
    """A wave of so many cycles per pixel towards an angle (0: to the right), under a Gaussian."""
    down, right = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    down, right = down - side // 2, right - side // 2
    turn = math.radians(angle)
    along = right * math.cos(turn) + down * math.sin(turn)
    return (2 * math.pi * frequency * along).cos() * (-(down**2 + right**2) / 72).exp()


@pytest.fixture
def bank() -> nn.Module:
    net = nn.Sequential(nn.Conv2d(1, len(WAVES), 31))
    with torch.no_grad():
        net[0].weight.copy_(torch.stack([gabor(*wave) for wave in WAVES])[:, None])
    return net


def test_a_bank_of_gabor_filters_is_read_back(bank: nn.Module) -> None:
    found = filters(bank)
    wanted = torch.tensor([frequency for frequency, _ in WAVES], dtype=torch.float64)
    apart = (found.orientations() - torch.tensor([angle for _, angle in WAVES])) % 180
    apart = torch.minimum(apart, 180 - apart)

    # the spectrum has 64 places, 1/64 of a cycle apart
    assert float((found.frequencies().norm(dim=1) - wanted).abs().max()) <= 1 / 64
    assert float(apart.max()) <= 5


def test_the_grid_shows_the_filters_themselves_in_their_order(bank: nn.Module) -> None:
    found = filters(bank)
    drawing = found.drawing(columns=4, cell=31)
    cells = [item for item in drawing.items if isinstance(item, PictureItem)]
    places = [(cell.y, cell.x) for cell in cells]
    shown = np.array(cells[5].image, dtype=float)[..., 0]
    wanted = gabor(*WAVES[5])

    assert len(cells) == 12
    assert places == sorted(places)
    assert len({y for y, _ in places}) == 3
    # 0.5 + w / (2 max |w|) in 255 steps
    assert (
        np.abs(shown / 255 - (0.5 + wanted / (2 * wanted.abs().max())).numpy()).max() <= 0.5 / 255
    )


def test_colours_are_the_filters_own() -> None:
    net = nn.Sequential(nn.Identity(), nn.Conv2d(3, 2, 1))
    weights = torch.tensor([[2.0, -1.0, 0.0], [0.0, 0.0, -3.0]])
    with torch.no_grad():
        net[1].weight.copy_(weights[:, :, None, None])
    pictures = filters(net).pictures()[:, :, 0, 0]

    torch.testing.assert_close(pictures, torch.tensor([[1.0, 0.25, 0.5], [0.5, 0.5, 0.0]]))
    torch.testing.assert_close(filters(net, bgr=True).pictures()[:, :, 0, 0], pictures.flip(1))


def test_other_numbers_of_channels_are_averaged_and_a_filter_of_zeros_is_grey() -> None:
    net = nn.Conv2d(2, 2, 1)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[1.0, 3.0], [0.0, 0.0]])[:, :, None, None])
    found = filters(net)

    assert not found.colour
    assert found.pictures()[:, :, 0, 0].tolist() == [[1.0] * 3, [0.5] * 3]


def test_a_dense_layer_has_filters_of_the_images_shape() -> None:
    net = zoo.model("digits-mlp")
    found = filters(net)

    assert found.weights.shape == (64, 1, 32, 32)
    assert torch.equal(found.weights.flatten(1), net.module.get_parameter("layers.1.weight"))


def test_the_filters_of_squeezenet_are_in_colour(data: Path, tmp_path: Path) -> None:
    net = zoo.model("squeezenet-imagenet", data)
    found = filters(net)

    assert repr(found) == "Filters('conv1', 64 of (3, 3, 3), colour)"
    assert torch.equal(found.weights, net.module.get_parameter("conv1.weight").flip(1))
    assert found.save(tmp_path / "filters.png").is_file()


def test_errors_say_what_to_do() -> None:
    with pytest.raises(InvalidInput, match="neither a convolution nor a dense layer"):
        filters(nn.Sequential(nn.ReLU()))
    with pytest.raises(InvalidInput, match=r"shape=\(channels, height, width\), got None"):
        filters(nn.Linear(12, 3))
    with pytest.raises(InvalidInput, match="must be a convolution or a dense layer"):
        filters(nn.Sequential(nn.ReLU()), "0")
    with pytest.raises(InvalidInput, match="Filters are drawn for images"):
        filters(nn.Conv1d(1, 2, 3))
