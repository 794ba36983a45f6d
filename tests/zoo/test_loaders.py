"""The loaders of other libraries, without these libraries: errors, and files of weights."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from whence import prototypes, zoo
from whence.errors import InvalidInput, NotAvailable
from whence.zoo._torchvision import read_state


@pytest.mark.parametrize(
    ("name", "package"),
    [("torchvision:resnet18", "torchvision"), ("timm:resnet18", "timm"), ("hf:x", "transformers")],
)
def test_an_absent_package_is_reported_with_the_line_to_install_it(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(NotAvailable, match=f"{name} needs the package.*pip install {package}$"):
        zoo.model(name)


def test_a_package_is_named_as_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.mixture", None)

    with pytest.raises(NotAvailable, match=r"needs the package scikit-learn.*scikit-learn$"):
        prototypes.Mixture.fit(torch.randn(20, 2), 2)


class Colours:
    """A data set as torchvision has them: pairs of picture and label."""

    classes = ("black", "white")
    targets = (1, 0)

    def __init__(self, root: Path, train: bool = True, download: bool = False) -> None:
        self.asked = (root, train, download)

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        return Image.new("L", (3, 2), 255 * self.targets[index]), self.targets[index]


def offline(root: Path, split: str, download: bool = False) -> None:
    raise OSError("no route to host")


def unsplit(root: Path) -> None:
    """A data set that torchvision offers in one piece."""


@pytest.fixture
def torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    """A torchvision with three data sets."""
    datasets = ModuleType("torchvision.datasets")
    vars(datasets).update(
        Colours=Colours, Offline=offline, Whole=unsplit, __all__=("Colours", "Offline", "Whole")
    )
    monkeypatch.setitem(sys.modules, "torchvision", ModuleType("torchvision"))
    monkeypatch.setitem(sys.modules, "torchvision.datasets", datasets)


@pytest.mark.usefixtures("torchvision")
def test_a_data_set_of_torchvision_is_read_by_name(tmp_path: Path) -> None:
    colours = zoo.dataset("torchvision:Colours", tmp_path)

    assert colours.classes == ("black", "white")
    assert torch.equal(
        colours.images, torch.tensor([1.0, 0.0]).reshape(2, 1, 1, 1).expand(2, 1, 2, 3)
    )
    assert colours.labels.tolist() == [1, 0]


@pytest.mark.usefixtures("torchvision")
@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("Offline", NotAvailable, "could not be fetched .*no route to host"),
        ("Whole", InvalidInput, "neither train= nor split="),
        ("Other", InvalidInput, "has no class 'Other'"),
    ],
)
def test_a_data_set_that_torchvision_cannot_give_is_reported(
    name: str, error: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        zoo.dataset(f"torchvision:{name}", tmp_path)


@pytest.mark.parametrize(
    ("ending", "save"),
    [("safetensors", save_file), ("pth", torch.save)],
    ids=["safetensors", "pth"],
)
def test_a_file_of_weights_is_read(
    ending: str, save: Callable[[dict, Path], None], tmp_path: Path
) -> None:
    path = tmp_path / f"net.{ending}"
    save({"weight": torch.ones(2)}, path)

    assert torch.equal(read_state(path)["weight"], torch.ones(2))


def test_a_file_of_weights_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    with pytest.raises(NotAvailable, match="no file of weights"):
        read_state(tmp_path / "none.pth")


@pytest.fixture
def timm(monkeypatch: pytest.MonkeyPatch) -> None:
    """A timm with one model, whose weights cannot be fetched."""

    def create(name: str, pretrained: bool) -> torch.nn.Module:
        raise OSError("no route to host")

    module = ModuleType("timm")
    vars(module).update(is_model=lambda name: name == "known", create_model=create)
    vars(module).update(data=SimpleNamespace())
    monkeypatch.setitem(sys.modules, "timm", module)


@pytest.mark.usefixtures("timm")
def test_weights_that_cannot_be_fetched_are_reported() -> None:
    with pytest.raises(NotAvailable, match=r"timm:known could not be fetched.*pretrained=False"):
        zoo.model("timm:known")


@pytest.mark.usefixtures("timm")
def test_a_model_that_timm_does_not_have_is_refused() -> None:
    with pytest.raises(InvalidInput, match="timm has no model 'unknown'"):
        zoo.model("timm:unknown")
