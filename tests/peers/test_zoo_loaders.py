"""Models of torchvision and timm by name, against these libraries themselves."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from whence import zoo
from whence.errors import InvalidInput

torchvision = pytest.importorskip("torchvision", reason="loads torchvision's models")
timm = pytest.importorskip("timm", reason="loads timm's models")
pytestmark = pytest.mark.filterwarnings("ignore")  # their own


@pytest.fixture
def picture() -> Image.Image:
    """A smooth picture, so that Pillow's rounding to bytes is the only difference."""
    down, right = np.mgrid[0:300, 0:400] / 400
    array = np.stack([down, right, 1 - right], -1)
    return Image.fromarray((array * 255).astype(np.uint8))


@pytest.mark.parametrize("name", ["resnet18", "vit_b_16", "efficientnet_b1"])
def test_preprocessing_is_that_of_torchvision(name: str, picture: Image.Image) -> None:
    net = zoo.model(f"torchvision:{name}", pretrained=False)
    theirs = torchvision.models.get_model_weights(name).DEFAULT.transforms()(picture)

    # Two roundings to a byte, divided by the smallest standard deviation.
    torch.testing.assert_close(net.preprocess(picture)[0], theirs, rtol=0, atol=2 / 255 / 0.224)
    assert net.input_shape == tuple(theirs.shape)


@pytest.mark.parametrize("name", ["resnet18", "vit_tiny_patch16_224", "efficientnet_b0"])
def test_preprocessing_is_that_of_timm(name: str, picture: Image.Image) -> None:
    net = zoo.model(f"timm:{name}", pretrained=False)
    config = timm.data.resolve_model_data_config(net.module)
    theirs = timm.data.create_transform(**config, is_training=False)(picture)

    torch.testing.assert_close(net.preprocess(picture)[0], theirs, rtol=0, atol=2 / 255 / 0.224)
    assert net.input_shape == tuple(theirs.shape)


@pytest.mark.parametrize("name", ["torchvision:resnet18", "timm:resnet18"])
def test_labels_are_those_of_imagenet(name: str) -> None:
    assert zoo.model(name, pretrained=False).classes[340].startswith("zebra")


@pytest.mark.parametrize("name", ["torchvision:squeezenet1_1", "timm:resnet10t"])
def test_weights_are_read_from_a_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    random = zoo.model(name, pretrained=False)
    torch.save(random.module.state_dict(), path)
    loaded = zoo.model(name, path)
    inputs = torch.zeros(1, *random.input_shape)

    assert torch.equal(loaded.module(inputs), random.module(inputs))


@pytest.mark.parametrize("name", ["torchvision:nonsense", "timm:nonsense"])
def test_an_unknown_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="'nonsense'"):
        zoo.model(name)
