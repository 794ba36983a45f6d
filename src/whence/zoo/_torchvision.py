"""Models and data sets of torchvision, through its own loaders."""

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from whence.errors import InvalidInput, NotAvailable
from whence.zoo._dataset import Dataset, numbered
from whence.zoo._files import data_folder, optional
from whence.zoo._image_input import ImageInput
from whence.zoo._imagenet import unnamed
from whence.zoo._model import Model, image_model
from whence.zoo._pictures import to_tensor


def torchvision_model(name: str, root: str | Path | None, pretrained: bool) -> Model:
    """torchvision's classifier `name` with its default weights, their preprocessing and labels.

    `root`: a file of weights in place of the download.
    """
    models = optional("torchvision.models", f"torchvision:{name}")
    if name not in models.list_models(module=models):
        raise InvalidInput(
            f"torchvision has no classifier {name!r}. "
            "torchvision.models.list_models(module=torchvision.models) lists them."
        )
    weights = models.get_model_weights(name).DEFAULT
    try:
        module = models.get_model(name, weights=weights if pretrained and not root else None)
    except OSError as error:
        raise no_download(f"torchvision:{name}", error) from error
    if root:
        module.load_state_dict(read_state(root))
    recipe = weights.transforms()
    side = recipe.crop_size[0]
    preprocess = ImageInput(
        channels=3,
        resize=recipe.resize_size[0],
        crop=side,
        mean=tuple(recipe.mean),
        std=tuple(recipe.std),
        interpolation=recipe.interpolation.value,
    )
    classes = tuple(weights.meta["categories"])
    return image_model(f"torchvision:{name}", module, preprocess, classes, side)


def torchvision_dataset(name: str, root: str | Path | None, split: str) -> Dataset:
    """The pictures of a class in torchvision.datasets that knows `train=` or `split=`.

    It downloads to `root` (or WHENCE_DATA) what is not there yet.
    """
    what = f"torchvision:{name}"
    datasets = optional("torchvision.datasets", what)
    if name not in datasets.__all__:
        raise InvalidInput(f"torchvision.datasets has no class {name!r}.")
    maker = getattr(datasets, name)
    known = inspect.signature(maker).parameters
    if not {"train", "split"} & set(known):
        raise InvalidInput(
            f"torchvision's {name} has neither train= nor split=, so it cannot be read by name. "
            "Save its pictures to a folder and use folder:PATH."
        )
    part = {"train": split == "train"} if "train" in known else {"split": split}
    try:
        source = maker(data_folder(root, what), **part, download=True)
    except (OSError, RuntimeError) as error:
        raise no_download(what, error) from error
    labels = getattr(source, "targets", None)
    if labels is None:
        labels = [source[index][1] for index in range(len(source))]
    labels = torch.as_tensor(labels)
    classes = tuple(getattr(source, "classes", unnamed(int(labels.max()) + 1)))
    names = numbered(f"{name}-{split}", len(source))
    return Dataset(f"{what}/{split}", _Pairs(source), labels, classes, names)


def read_state(path: str | Path) -> dict[str, Tensor]:
    """The tensors in a file of weights, .safetensors or what torch.save wrote; no code is run."""
    place = Path(path).expanduser()
    if not place.is_file():
        raise NotAvailable(f"there is no file of weights {place}. Check root=.")
    try:
        if place.suffix == ".safetensors":
            return load_file(place)
        return torch.load(place, map_location="cpu", weights_only=True)
    except Exception as error:  # of broken bytes the readers raise whatever they meet
        raise InvalidInput(
            f"{place} must hold tensors as torch or safetensors save them, and cannot be read "
            f"({str(error)[:200]}). Fetch it again."
        ) from error


def no_download(what: str, error: Exception) -> NotAvailable:
    """The error for weights or data that could not be fetched."""
    return NotAvailable(
        f"{what} could not be fetched ({error}). Go online once, pass root= with a local copy, or "
        "pretrained=False for a model with random weights."
    )


@dataclass(frozen=True)
class _Pairs:
    """The pictures of a data set whose items are (Pillow picture, label)."""

    source: Any

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> Tensor:
        return to_tensor(self.source[index][0])
