"""Pictures of scenes from the copy that you have: SUN397 and MIT Places (205 classes)."""

from collections.abc import Sequence
from pathlib import Path

import torch

from whence.errors import InvalidInput, NotAvailable
from whence.zoo._dataset import Dataset, InFiles
from whence.zoo._files import data_folder
from whence.zoo._folder import pictures_in

_SUN = ("SUN397", "sun397", ".")
_PLACES = ("places205", "Places205", "Places", ".")
_SUN_LISTS = {"train": "Training_01.txt", "test": "Testing_01.txt"}
_PLACES_LISTS = {"train": "train_places205.csv", "test": "val_places205.csv"}
_PLACES_PICTURES = ("data/vision/torralba/deeplearning/images256", "images256", ".")


def sun397(root: str | Path | None, split: str) -> Dataset:
    """SUN397, 397 kinds of scenes: class folders as deep as a/apartment_building/outdoor, and
    ClassName.txt, whose order the labels have.

    The split is the first of the official ten, Partitions/Training_01.txt and Testing_01.txt.
    Without these files it is all pictures, and the data set is called "sun397/all".
    """
    folder = data_folder(root, "sun397")
    near = [folder / each / rest for each in _SUN for rest in (".", "Partitions")]
    table = _find(near, ["ClassName.txt"], "sun397")
    classes = [line.strip().strip("/") for line in table.read_text().splitlines() if line.strip()]
    home = table.parent.parent if table.parent.name == "Partitions" else table.parent
    pictures = next(
        (each for each in (home, home / "SUN397") if (each / classes[0]).is_dir()), home
    )
    lists = [each / _SUN_LISTS[split] for each in near if (each / _SUN_LISTS[split]).is_file()]
    if lists:
        lines = [line.strip().strip("/") for line in lists[0].read_text().splitlines()]
        paths = [pictures / line for line in lines if line]
    else:
        # A class folder may lie in another one.
        found = [
            (pictures / name, path) for name in classes for path in pictures_in(pictures / name)
        ]
        paths = [path for place, path in found if path.parent == place]
    numbers = {name: number for number, name in enumerate(classes)}
    labels = [_label(numbers, path.parent.relative_to(pictures).as_posix()) for path in paths]
    return _scenes(f"sun397/{split if lists else 'all'}", pictures, paths, labels, classes)


def places205(root: str | Path | None, split: str) -> Dataset:
    """MIT Places, 205 kinds of scenes: images256/ with trainvalsplit_places205/*.csv.

    Lines of the lists are "a/abbey/gsun_0003.jpg 0". "test" is the validation list, as the labels
    of the test pictures are not public. Names come from categoryIndex_places205.csv where present,
    else from the folders.
    """
    folder = data_folder(root, "places205")
    bases = [folder / each for each in _PLACES]
    near = [base / rest for base in bases for rest in ("trainvalsplit_places205", ".")]
    table = _find(near, [_PLACES_LISTS[split]], "places205")
    rows = [line.rsplit(maxsplit=1) for line in table.read_text().splitlines() if line.strip()]
    labels = [int(label) for _, label in rows]
    parts = [name.strip("/") for name, _ in rows]
    homes = [base / rest for base in bases for rest in _PLACES_PICTURES]
    home = next((each for each in homes if (each / parts[0]).is_file()), None)
    if home is None:
        raise NotAvailable(f"places205 lists {parts[0]}, which is in none of {_named(homes)}.")
    named = {label: Path(part).parent.as_posix() for part, label in zip(parts, labels, strict=True)}
    index = [each / "categoryIndex_places205.csv" for each in near]
    for path in [each for each in index if each.is_file()][:1]:
        pairs = [line.split() for line in path.read_text().splitlines() if line.strip()]
        named |= {int(label): name.strip("/") for name, label in pairs if label.isdecimal()}
    classes = [named.get(number, f"class {number}") for number in range(max(named) + 1)]
    return _scenes(f"places205/{split}", home, [home / part for part in parts], labels, classes)


def _scenes(
    name: str, home: Path, paths: Sequence[Path], labels: list[int], classes: list[str]
) -> Dataset:
    """The data set; "a/apartment_building/outdoor" is called "apartment building, outdoor"."""
    if not paths:
        raise InvalidInput(f"{home} must hold pictures, got none.")
    return Dataset(
        name=name,
        pictures=InFiles(paths),
        labels=torch.tensor(labels),
        classes=tuple(_spoken(each) for each in classes),
        names=tuple("-".join(path.relative_to(home).with_suffix("").parts) for path in paths),
    )


def _spoken(name: str) -> str:
    parts = name.split("/")
    return ", ".join(parts[1:] if len(parts[0]) == 1 else parts).replace("_", " ")


def _label(numbers: dict[str, int], name: str) -> int:
    if name not in numbers:
        raise InvalidInput(f"ClassName.txt must list every class, got none for {name}.")
    return numbers[name]


def _find(folders: Sequence[Path], names: Sequence[str], what: str) -> Path:
    tried = [folder / name for folder in folders for name in names]
    for path in tried:
        if path.is_file():
            return path
    raise NotAvailable(
        f"{what} was not found: looked for {_named(tried)}. Pass root= or set WHENCE_DATA."
    )


def _named(paths: Sequence[Path]) -> str:
    return ", ".join(str(path) for path in paths)
