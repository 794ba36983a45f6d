"""ILSVRC2012 (ImageNet, 1,000 classes) from the copy that you have, in any of the usual layouts."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import torch

from whence.errors import InvalidInput, NotAvailable
from whence.zoo._dataset import Dataset, InFiles
from whence.zoo._files import data_folder, optional
from whence.zoo._folder import pictures_in

_PLACES = ("ilsvrc2012", "ILSVRC2012", "imagenet", "ILSVRC/Data/CLS-LOC", ".")
_PARTS = {"train": "train", "test": "val"}
_DEVKIT = "ILSVRC2012_devkit_t12/data"
Synsets = list[tuple[str, str]]
"""Number and name of each class, in the order of the labels."""


def ilsvrc2012(root: str | Path | None, split: str) -> Dataset:
    """ILSVRC2012: the folder `val` for "test", `train` for "train", below ilsvrc2012 or imagenet.

    Labels follow the list of synsets, as trained nets have them: synset_words.txt, synsets.txt,
    LOC_synset_mapping.txt, imagenet_class_index.json, or meta.mat of the development kit (which
    needs scipy); without one, all 1,000 class folders in alphabetical order. Pictures lie in class
    folders (n01440764/...), or flat with their labels in val.txt (Caffe), LOC_val_solution.csv
    (Kaggle) or the development kit, whose own numbering of classes is another one.
    """
    place, pictures = _find(data_folder(root, "ilsvrc2012"), split)
    folders = sorted(each.name for each in pictures.iterdir() if _is_synset(each.name))
    near = _near(place)
    synsets = _synsets(near, folders)
    numbers = {synset: number for number, (synset, _) in enumerate(synsets)}
    if folders:
        paths = [path for name in folders for path in pictures_in(pictures / name)]
        labels = [_number(numbers, path.relative_to(pictures).parts[0]) for path in paths]
    else:
        paths, labels = _flat(near, pictures, numbers)
    if not paths:
        raise InvalidInput(f"{pictures} must hold pictures, got none.")
    return Dataset(
        name=f"ilsvrc2012/{split}",
        pictures=InFiles(paths),
        labels=torch.tensor(labels),
        classes=tuple(name for _, name in synsets),
        names=tuple(path.stem for path in paths),
    )


def _find(folder: Path, split: str) -> tuple[Path, Path]:
    """Where everything lies, and where the pictures of the split do."""
    tried = [folder / place / _PARTS[split] for place in _PLACES]
    for pictures in tried:
        if pictures.is_dir():
            return pictures.parent, pictures
    raise NotAvailable(
        f"ilsvrc2012 ({split}) was not found: looked for {', '.join(map(str, tried))}. Get it from "
        "image-net.org or from Kaggle, and pass root= or set WHENCE_DATA."
    )


def _near(place: Path) -> list[Path]:
    """Folders that may hold the lists: beside the pictures, Kaggle's top, and the samples'."""
    above = [place.parents[2]] if place.parts[-3:] == ("ILSVRC", "Data", "CLS-LOC") else []
    return [place, *above, place.parent / "imagenet_samples", place / "imagenet_samples"]


def _first(folders: list[Path], name: str) -> Path | None:
    return next((each / name for each in folders if (each / name).is_file()), None)


def _synsets(near: list[Path], folders: list[str]) -> Synsets:
    for name in ("synset_words.txt", "LOC_synset_mapping.txt", "synsets.txt"):
        if path := _first(near, name):
            lines = [line.split(" ", 1) for line in path.read_text().splitlines() if line.strip()]
            return [(line[0], _short(line[-1])) for line in lines]
    if path := _first(near, "imagenet_class_index.json"):
        index = json.loads(path.read_text())
        pairs = [index[str(number)] for number in range(len(index))]
        return [(synset, name.replace("_", " ")) for synset, name in pairs]
    if path := _first(near, f"{_DEVKIT}/meta.mat"):
        return sorted((synset, _short(words)) for _, synset, words in _meta(path))
    if len(folders) == 1000:
        return [(name, name) for name in folders]
    raise NotAvailable(
        f"ilsvrc2012 has {len(folders)} class folders and no list of synsets, so the labels are "
        f"unknown. Put synset_words.txt or synsets.txt into {near[0]}, one synset a line in the "
        "order of the labels."
    )


def _flat(
    near: list[Path], pictures: Path, numbers: dict[str, int]
) -> tuple[list[Path], list[int]]:
    """Pictures without class folders, and the labels of the first list that is there."""
    readers: dict[str, Callable[[Path], dict[str, int]]] = {
        "val.txt": _caffe,
        "LOC_val_solution.csv": lambda path: _kaggle(path, numbers),
        f"{_DEVKIT}/ILSVRC2012_validation_ground_truth.txt": lambda path: _devkit(path, numbers),
    }
    paths = pictures_in(pictures)
    for name, read in readers.items():
        if path := _first(near, name):
            labels = read(path)
            missing = [each.name for each in paths if each.stem not in labels]
            if missing:
                raise InvalidInput(f"{path} must list all pictures, got none for {missing[:3]}.")
            return paths, [labels[each.stem] for each in paths]
    raise NotAvailable(
        f"The pictures in {pictures} lie in no class folders, and there is no list of labels: "
        f"looked for {', '.join(readers)} in {', '.join(map(str, near))}."
    )


def _caffe(path: Path) -> dict[str, int]:
    """Lines "ILSVRC2012_val_00000001.JPEG 65"; the labels are those of trained nets."""
    lines = [line.split() for line in path.read_text().splitlines() if line.strip()]
    return {Path(name).stem: int(label) for name, label in lines}


def _kaggle(path: Path, numbers: dict[str, int]) -> dict[str, int]:
    """Rows of picture and "n03995372 85 1 499 272", a synset and its box."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {row["ImageId"]: _number(numbers, row["PredictionString"].split()[0]) for row in rows}


def _devkit(path: Path, numbers: dict[str, int]) -> dict[str, int]:
    """A line for each picture in order: ILSVRC2012_ID, from 1, which meta.mat gives a synset."""
    synsets = {number: synset for number, synset, _ in _meta(path.parent / "meta.mat")}
    found = [int(line) for line in path.read_text().split()]
    return {
        f"ILSVRC2012_val_{place:08d}": _number(numbers, synsets[number])
        for place, number in enumerate(found, 1)
    }


def _meta(path: Path) -> list[tuple[int, str, str]]:
    """ILSVRC2012_ID, synset and words of the classes without children in meta.mat."""
    if not path.is_file():
        raise NotAvailable(f"The development kit's {path} is needed to read its labels.")
    table = optional("scipy.io", f"reading {path}").loadmat(path, squeeze_me=True)["synsets"]
    rows = [table] if table.shape == () else table
    return [
        (int(row["ILSVRC2012_ID"]), str(row["WNID"]), str(row["words"]))
        for row in rows
        if int(row["num_children"]) == 0
    ]


def _number(numbers: dict[str, int], synset: str) -> int:
    if synset not in numbers:
        raise InvalidInput(f"The list of synsets must hold every class, got none for {synset}.")
    return numbers[synset]


def _short(words: str) -> str:
    """The first of several names."""
    return words.split(",")[0].strip()


def _is_synset(name: str) -> bool:
    return len(name) == 9 and name[0] == "n" and name[1:].isdecimal()
