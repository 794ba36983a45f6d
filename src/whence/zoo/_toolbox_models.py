"""The two trained nets of the LRP toolbox that are used here."""

from pathlib import Path

import torch

from whence.zoo._files import find_file
from whence.zoo._image_input import ImageInput
from whence.zoo._model import Model, as_vectors, image_model
from whence.zoo._toolbox import read_toolbox

_SOURCE = "github.com/sebastian-lapuschkin/lrp_toolbox, folder models"

# Pixels in -1..1, and a frame of black ones: 28 x 28 digits become 32 x 32.
_LENET_INPUT = ImageInput(channels=1, resize=(28, 28), pad=2, mean=(0.5,), std=(0.5,))


def lenet5(root: str | Path | None) -> Model:
    """LeNet-5 with ReLU and sum pooling, trained on MNIST; from (batch, 1, 32, 32) to 10 scores."""
    name = "LeNet-5.txt"
    path = find_file(
        root,
        [f"lrp_toolbox/models_MNIST/{name}", f"MNIST/{name}", name],
        what=f"lenet5-mnist ({name})",
        family="toolbox",
        source=_SOURCE,
    )
    classes = tuple("0123456789")
    return image_model("lenet5-mnist", read_toolbox(path), _LENET_INPUT, classes, side=32)


def xor(root: str | Path | None) -> Model:
    """Three linear layers with tanh and a softmax; from two numbers, each 0 or 1, to (0, 1)."""
    name = "xor_net_small.txt"
    path = find_file(
        root,
        [f"lrp_toolbox/models_XOR/{name}", f"XOR/{name}", name],
        what=f"xor ({name})",
        family="toolbox",
        source=_SOURCE,
    )
    return Model(
        name="xor",
        module=read_toolbox(path),
        preprocess=as_vectors,
        classes=("equal", "different"),
        input_shape=(2,),
        low=torch.zeros(2),
        high=torch.ones(2),
    )
