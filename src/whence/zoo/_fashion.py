"""A small residual CNN for Fashion-MNIST."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from whence.zoo._files import find_file, read_weights
from whence.zoo._image_input import ImageInput
from whence.zoo._mnist import FASHION_CLASSES
from whence.zoo._model import Model, image_model


class FashionCNN(nn.Module):
    """One residual block, pooling, two linear layers; from (batch, 1, 28, 28) to 10 scores."""

    def __init__(self) -> None:
        super().__init__()
        self.parallel = nn.Sequential(
            nn.Conv2d(1, 16, 5, stride=2, bias=False),
            nn.BatchNorm2d(16),
        )
        self.conv1 = nn.Conv2d(1, 16, 3)
        self.conv2 = nn.Conv2d(16, 16, 3, stride=2)
        self.bn1 = nn.BatchNorm2d(16)
        self.bn2 = nn.BatchNorm2d(16)
        self.linear1 = nn.Linear(16 * 6 * 6, 120)
        self.linear2 = nn.Linear(120, 10)

    def forward(self, images: Tensor) -> Tensor:
        hidden = F.relu(self.bn1(self.conv1(images)))
        hidden = self.bn2(self.conv2(hidden))
        hidden = F.relu(self.parallel(images) + hidden)
        hidden = torch.flatten(F.max_pool2d(hidden, 2), 1)
        return self.linear2(F.relu(self.linear1(hidden)))


def fashion_cnn(root: str | Path | None) -> Model:
    """The trained net; 89.6 % of 5,000 test items right."""
    name = "fashion_cnn_weights.npz"
    path = find_file(
        root,
        [f"fashion_mnist/{name}", name],
        what=f"fashion-cnn ({name})",
        family="fashion-cnn",
        source="github.com/rachtibat/zennit-crp, tests/data, saved as .npz with its own names",
    )
    module = FashionCNN()
    module.load_state_dict(read_weights(path))
    preprocess = ImageInput(channels=1, resize=(28, 28))
    return image_model("fashion-cnn", module, preprocess, FASHION_CLASSES, side=28)
