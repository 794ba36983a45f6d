"""The two small nets for digits that ship with Whence, and how they see one."""

from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor, nn

from whence.zoo._image_input import ImageInput
from whence.zoo._model import Model, image_model

WEIGHTS = Path(__file__).parent / "weights"

# 8 x 8 digits are drawn three times as large, smoothly, inside a black frame of four pixels, so
# that a heatmap has room to show strokes and nothing is cut at the border.
DIGITS_INPUT = ImageInput(channels=1, resize=(24, 24), pad=4, interpolation="bicubic")


class DigitsCNN(nn.Module):
    """Three convolutions with ReLU and average pooling, one linear layer, no biases.

    From (batch, 1, 32, 32) to 10 scores. Without biases a black picture gives nothing, so all that
    speaks for a class lies in the strokes; average pooling keeps the maps smooth.
    """

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 12, 5, padding=2, bias=False),
            nn.ReLU(),
            nn.AvgPool2d(2),
            nn.Conv2d(12, 24, 5, padding=2, bias=False),
            nn.ReLU(),
            nn.AvgPool2d(2),
            nn.Conv2d(24, 48, 3, padding=1, bias=False),
            nn.ReLU(),
            nn.AvgPool2d(2),
        )
        self.classifier = nn.Linear(48 * 4 * 4, 10, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.features(images).flatten(1))


class DigitsMLP(nn.Module):
    """Two hidden layers with ReLU and biases; from (batch, 1, 32, 32) to 10 scores."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(32 * 32, 64),
            nn.ReLU(),
            nn.Linear(64, 64),
            nn.ReLU(),
            nn.Linear(64, 10),
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


def digits_cnn(root: str | Path | None = None) -> Model:
    """The CNN that ships; 99 % of the held-out digits right. `root` is not needed."""
    return _shipped("digits-cnn", DigitsCNN())


def digits_mlp(root: str | Path | None = None) -> Model:
    """The multilayer perceptron that ships; 98 % of the held-out digits right."""
    return _shipped("digits-mlp", DigitsMLP())


def _shipped(name: str, module: nn.Module) -> Model:
    module.load_state_dict(load_file(WEIGHTS / f"{name}.safetensors"))
    return image_model(name, module, DIGITS_INPUT, tuple("0123456789"), side=32)
