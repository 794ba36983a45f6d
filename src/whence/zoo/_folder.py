"""Your own pictures: a folder with one sub-folder per class, or just pictures."""

import csv
from pathlib import Path

import torch
from PIL import Image

from whence.errors import InvalidInput, NotAvailable
from whence.zoo._dataset import Dataset, InFiles
from whence.zoo._files import data_folder
from whence.zoo._imagenet import imagenet_classes


def folder(path: str | Path) -> Dataset:
    """The pictures below `path`, in alphabetical order.

    With sub-folders each is a class (nested pictures count to the top one); without, labels are
    unknown. Raises `NotAvailable` when there is no such folder, `InvalidInput` when it is empty.
    """
    place = Path(path).expanduser()
    if not place.is_dir():
        raise NotAvailable(f"there is no picture folder {place}. Check the path.")
    classes = tuple(sorted(entry.name for entry in place.iterdir() if _is_class(entry)))
    paths = pictures_in(place)
    if classes:
        paths = [found for found in paths if found.parent != place]
    if not paths:
        raise InvalidInput(
            f"{place} must hold pictures, or sub-folders with pictures (one per class), got none."
        )
    parts = [found.relative_to(place).parts for found in paths]
    labels = [classes.index(part[0]) if classes else -1 for part in parts]
    names = tuple(
        "-".join((*part[:-1], found.name)) for part, found in zip(parts, paths, strict=True)
    )
    return Dataset(place.name, InFiles(paths), torch.tensor(labels), classes, names)


def imagenet_samples(root: str | Path | None) -> Dataset:
    """The ImageNet pictures listed in imagenet_samples/labels.csv (columns file and label)."""
    place = data_folder(root, "imagenet-samples") / "imagenet_samples"
    table = place / "labels.csv"
    if not table.is_file():
        raise NotAvailable(
            f"imagenet-samples was not found: looked for {table}. It needs a table with the "
            "columns file and label, and the pictures in images/ beside it."
        )
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return Dataset(
        name="imagenet-samples",
        pictures=InFiles([place / "images" / row["file"] for row in rows]),
        labels=torch.tensor([int(row["label"]) for row in rows]),
        classes=imagenet_classes(place.parent),
        names=tuple(Path(row["file"]).stem for row in rows),
    )


def _is_class(entry: Path) -> bool:
    return entry.is_dir() and not entry.name.startswith(".") and bool(pictures_in(entry))


def pictures_in(place: Path) -> list[Path]:
    """The picture files below a folder, in alphabetical order; nothing in hidden folders."""
    endings = Image.registered_extensions()
    found = (
        each for each in place.rglob("*") if each.suffix.lower() in endings and not each.is_dir()
    )
    return sorted(each for each in found if not _is_hidden(each.relative_to(place)))


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
