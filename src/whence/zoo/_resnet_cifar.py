"""The residual nets for CIFAR-10 (He et al. 2016, section 4.2), with the shortcuts of option A."""

from pathlib import Path

import torch.nn.functional as F
from torch import Tensor, nn

from whence.zoo._cifar import CIFAR_CLASSES
from whence.zoo._files import find_file, read_weights
from whence.zoo._image_input import ImageInput
from whence.zoo._model import Model, image_model

_CIFAR_INPUT = ImageInput(
    channels=3, resize=(32, 32), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)
)


class CifarBlock(nn.Module):
    """Two convolutions beside a shortcut without weights: every other pixel, channels of zeros."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.stride = 2 if outputs != inputs else 1
        self.added = (outputs - inputs) // 2  # zero channels on each side of the shortcut's
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=self.stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)

    def forward(self, images: Tensor) -> Tensor:
        hidden = F.relu(self.bn1(self.conv1(images)))
        hidden = self.bn2(self.conv2(hidden))
        kept = images[:, :, :: self.stride, :: self.stride]
        return F.relu(hidden + F.pad(kept, (0, 0, 0, 0, self.added, self.added)))


class CifarResNet(nn.Module):
    """A convolution, three stages of `blocks` residual blocks, mean and linear layer.

    From (batch, 3, 32, 32) to 10 scores; 6 * blocks + 2 layers.
    """

    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = _stage(16, 16, blocks)
        self.layer2 = _stage(16, 32, blocks)
        self.layer3 = _stage(32, 64, blocks)
        self.linear = nn.Linear(64, 10)

    def forward(self, images: Tensor) -> Tensor:
        hidden = F.relu(self.bn1(self.conv1(images)))
        hidden = self.layer3(self.layer2(self.layer1(hidden)))
        return self.linear(hidden.mean((2, 3)))


def resnet20(root: str | Path | None) -> Model:
    """ResNet-20; stored accuracy on the original test set 91.8 %."""
    return _trained(root, 20)


def resnet56(root: str | Path | None) -> Model:
    """ResNet-56; stored accuracy on the original test set 93.6 %."""
    return _trained(root, 56)


def _trained(root: str | Path | None, depth: int) -> Model:
    name = f"resnet{depth}_weights.npz"
    path = find_file(
        root,
        [f"cifar10/{name}", name],
        what=f"resnet{depth}-cifar10 ({name})",
        family="resnet",
        source="github.com/akamaster/pytorch_resnet_cifar10, saved as .npz with its own names",
    )
    module = CifarResNet((depth - 2) // 6)
    module.load_state_dict(read_weights(path))
    return image_model(f"resnet{depth}-cifar10", module, _CIFAR_INPUT, CIFAR_CLASSES, side=32)


def _stage(inputs: int, outputs: int, blocks: int) -> nn.Sequential:
    rest = [CifarBlock(outputs, outputs) for _ in range(blocks - 1)]
    return nn.Sequential(CifarBlock(inputs, outputs), *rest)
