"""SqueezeNet (Iandola et al. 2016), versions 1.0 and 1.1, as trained with Caffe on ImageNet."""

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from whence.zoo._files import data_folder, find_file, read_weights
from whence.zoo._image_input import ImageInput
from whence.zoo._imagenet import imagenet_classes
from whence.zoo._model import Model, image_model

# Caffe's order blue, green, red and its range 0..255 with the mean pixel subtracted.
_CAFFE_INPUT = ImageInput(
    channels=3,
    resize=256,
    crop=227,
    mean=(104 / 255, 117 / 255, 123 / 255),
    std=(1 / 255, 1 / 255, 1 / 255),
    bgr=True,
)
_SQUEEZED = {2: 16, 3: 16, 4: 32, 5: 32, 6: 48, 7: 48, 8: 64, 9: 64}  # channels by fire module


@dataclass(frozen=True)
class _Version:
    """What differs between the versions."""

    file: str
    first: tuple[int, int]  # filters and kernel size of conv1
    pooled: tuple[int, int]  # the fire modules with a max-pooling behind them
    source: str


_V1_0 = _Version(
    file="squeezenet_v1_0_deepcompressed.npz",
    first=(96, 7),
    pooled=(4, 8),
    source="github.com/songhan/SqueezeNet-Deep-Compression, decoded and saved as .npz",
)
_V1_1 = _Version(
    file="squeezenet_v1_1_fp16.npz",
    first=(64, 3),
    pooled=(3, 5),
    source="github.com/nihui/ncnn-assets, converted and saved as .npz",
)


class Fire(nn.Module):
    """A 1x1 convolution to few channels, then 1x1 and 3x3 ones side by side to many."""

    def __init__(self, inputs: int, squeezed: int) -> None:
        super().__init__()
        self.squeeze1x1 = nn.Conv2d(inputs, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, 4 * squeezed, 1)
        self.expand3x3 = nn.Conv2d(squeezed, 4 * squeezed, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        hidden = F.relu(self.squeeze1x1(images))
        return torch.cat([F.relu(self.expand1x1(hidden)), F.relu(self.expand3x3(hidden))], 1)


class SqueezeNet(nn.Module):
    """From (batch, 3, 227, 227) to 1000 scores, none negative: a ReLU ends it, no softmax."""

    def __init__(self, first: tuple[int, int], pooled: tuple[int, int]) -> None:
        super().__init__()
        self.pooled = pooled
        self.conv1 = nn.Conv2d(3, first[0], first[1], stride=2)
        inputs = first[0]
        for number, squeezed in _SQUEEZED.items():
            self.add_module(f"fire{number}", Fire(inputs, squeezed))
            inputs = 8 * squeezed
        self.conv10 = nn.Conv2d(inputs, 1000, 1, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        hidden = _pool(F.relu(self.conv1(images)))
        for number in _SQUEEZED:
            hidden = self.get_submodule(f"fire{number}")(hidden)
            if number in self.pooled:
                hidden = _pool(hidden)
        return F.relu(self.conv10(hidden)).mean((2, 3))


def squeezenet_v1_0(root: str | Path | None) -> Model:
    """Version 1.0, its weights pruned (33.6 % are not zero) and taken from 256-entry codebooks."""
    return _trained("squeezenet1_0-imagenet", _V1_0, root)


def squeezenet_v1_1(root: str | Path | None) -> Model:
    """Version 1.1, its weights rounded to half precision."""
    return _trained("squeezenet-imagenet", _V1_1, root)


def _trained(name: str, version: _Version, root: str | Path | None) -> Model:
    path = find_file(
        root,
        [f"squeezenet_imagenet/{version.file}", version.file],
        what=f"{name} ({version.file})",
        family="squeezenet",
        source=version.source,
    )
    module = SqueezeNet(version.first, version.pooled)
    weights = {key.replace("/", "."): value for key, value in read_weights(path).items()}
    module.load_state_dict(weights)
    classes = imagenet_classes(data_folder(root, name))
    return image_model(name, module, _CAFFE_INPUT, classes, side=227)


def _pool(images: Tensor) -> Tensor:
    return F.max_pool2d(images, 3, stride=2, ceil_mode=True)
