"""Finding data on this machine, and importing packages that may be absent."""

import importlib
import os
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from whence.errors import InvalidInput, NotAvailable
from whence.zoo._checksum import verify

ENVIRONMENT = "WHENCE_DATA"
_INSTALLED_AS = {"sklearn": "scikit-learn"}  # where the names differ


def data_folder(root: str | Path | None, what: str) -> Path:
    """The folder that holds data: `root`, else the environment variable WHENCE_DATA.

    Raises `NotAvailable` when neither names an existing folder.
    """
    place = root or os.environ.get(ENVIRONMENT)
    if not place:
        raise NotAvailable(
            f"{what} does not ship with Whence, and no data folder is set. "
            f'Pass root="FOLDER" or set {ENVIRONMENT}=FOLDER.'
        )
    folder = Path(place).expanduser()
    if not folder.is_dir():
        raise NotAvailable(
            f"{what} is looked for in {folder}, which is not a folder. "
            f'Pass root="FOLDER" or set {ENVIRONMENT}=FOLDER.'
        )
    return folder


def find_file(
    root: str | Path | None, names: Sequence[str], *, what: str, family: str, source: str
) -> Path:
    """The first of `names` that exists below the data folder, its checksum verified.

    `what` and `source` word the error: what is looked for, and where people get it.
    """
    folder = data_folder(root, what)
    for name in names:
        if (folder / name).is_file():
            return verify(folder / name, family)
    raise NotAvailable(
        f"{what} was not found in {folder}: looked for {', '.join(names)}. Get it from {source}, "
        f'and pass root="FOLDER" or set {ENVIRONMENT}=FOLDER.'
    )


def read_npz(path: Path, *keys: str) -> dict[str, np.ndarray]:
    """The arrays of an .npz file; raises `InvalidInput` when it lacks one of `keys`."""
    with np.load(path, allow_pickle=False) as archive:
        missing = [key for key in keys if key not in archive]
        if missing:
            raise InvalidInput(
                f"{path} must hold the arrays {', '.join(keys)}, got {', '.join(archive.files)}."
            )
        return {key: archive[key] for key in archive.files}


def read_weights(path: Path) -> dict[str, Tensor]:
    """The arrays of an .npz file as tensors, half precision widened to float32."""
    tensors = {key: torch.from_numpy(array) for key, array in read_npz(path).items()}
    return {
        key: value.float() if value.is_floating_point() else value for key, value in tensors.items()
    }


def optional(package: str, what: str) -> Any:
    """An optional package, imported now; raises `NotAvailable` with the line to install it."""
    try:
        module: ModuleType = importlib.import_module(package)
    # A torchvision built for another torch raises RuntimeError when it is imported.
    except (ImportError, RuntimeError) as error:
        top = package.partition(".")[0]
        name = _INSTALLED_AS.get(top, top)
        raise NotAvailable(
            f"{what} needs the package {name}, which cannot be imported ({error}). "
            f"Run: pip install {name}"
        ) from error
    return module
