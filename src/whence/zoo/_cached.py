"""Models of torchvision and timm whose weights are on this machine already."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch

from whence.errors import NotAvailable
from whence.zoo._files import optional

_WEIGHTS = ("model.safetensors", "pytorch_model.bin")


def cached_models() -> dict[str, Path]:
    """Names for `model`, each with its file of weights, which is `root` there: nothing is fetched.

    Of torchvision those classifiers whose default weights lie in torch's cache (TORCH_HOME), of
    timm what lies in the cache of Hugging Face (HF_HUB_CACHE, HF_HOME). Without these packages, or
    where they cannot be imported, there are none.

    >>> from whence import zoo
    >>> models = [zoo.model(name, file) for name, file in cached_models().items()]
    """
    return _torchvision() | _timm()


def _torchvision() -> dict[str, Path]:
    folder = Path(torch.hub.get_dir(), "checkpoints")
    there = {file.name: file for file in _listed(folder) if file.is_file()}
    models = _imported("torchvision.models") if there else None
    if models is None:
        return {}
    found = {}
    for name in models.list_models(module=models):
        address = models.get_model_weights(name).DEFAULT.url
        file = there.get(Path(urlsplit(address).path).name)
        if file is not None:
            found[f"torchvision:{name}"] = file
    return found


def _timm() -> dict[str, Path]:
    places = {}
    for folder in _listed(_hugging_face()):
        name, file = folder.name.removeprefix("models--timm--"), _weights(folder)
        if name != folder.name and file is not None:
            places[name] = file
    timm = _imported("timm") if places else None
    if timm is None:
        return {}
    return {f"timm:{name}": file for name, file in places.items() if timm.is_model(name)}


def _weights(folder: Path) -> Path | None:
    """The weights of the newest state of a model in the cache of Hugging Face."""
    main = folder / "refs" / "main"
    if not main.is_file():
        return None
    newest = folder / "snapshots" / main.read_text(encoding="utf-8").strip()
    return next((newest / name for name in _WEIGHTS if (newest / name).is_file()), None)


def _hugging_face() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")
    home = os.environ.get("HF_HOME", Path(cache, "huggingface"))
    return Path(os.environ.get("HF_HUB_CACHE", Path(home, "hub"))).expanduser()


def _listed(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _imported(package: str) -> Any:
    if find_spec(package.partition(".")[0]) is None:
        return None
    try:
        return optional(package, package)
    except NotAvailable:  # it is there, but built for another torch
        return None
