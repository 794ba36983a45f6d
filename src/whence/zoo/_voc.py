"""PASCAL VOC: photographs with boxes around the things in them."""

from pathlib import Path
from xml.etree import ElementTree

import torch

from whence.errors import InvalidInput, NotAvailable
from whence.zoo._dataset import Box, Dataset, InFiles
from whence.zoo._files import data_folder

VOC_CLASSES: tuple[str, ...] = tuple(
    (
        "aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike "
        "person pottedplant sheep sofa train tvmonitor"
    ).split()
)
_PLACES = ("voc2007_subset", "VOCdevkit/VOC2007", "VOC2007", ".")
_LISTS = {"train": "trainval.txt", "test": "test.txt"}


def voc2007(root: str | Path | None, split: str) -> Dataset:
    """PASCAL VOC 2007: JPEGImages/ and Annotations/, with `boxes`; the label is the largest box's.

    The split is ImageSets/Main/test.txt or trainval.txt; without these files, all annotated
    pictures, and the data set is called "voc2007/all".
    """
    folder = data_folder(root, "voc2007")
    homes = [folder / place for place in _PLACES if (folder / place / "Annotations").is_dir()]
    if not homes:
        raise NotAvailable(
            f"voc2007 was not found in {folder}: looked for Annotations/ and JPEGImages/ in "
            f"{', '.join(_PLACES)}. Pass root= or set WHENCE_DATA."
        )
    home = homes[0]
    listed = home / "ImageSets" / "Main" / _LISTS[split]
    if listed.is_file():
        names = [line.split()[0] for line in listed.read_text().splitlines() if line.strip()]
    else:
        names = sorted(path.stem for path in (home / "Annotations").glob("*.xml"))
    if not names:
        raise InvalidInput(f"{home / 'Annotations'} must hold annotations (.xml), got none.")
    boxes = tuple(_boxes(home / "Annotations" / f"{name}.xml") for name in names)
    return Dataset(
        name=f"voc2007/{split if listed.is_file() else 'all'}",
        pictures=InFiles([home / "JPEGImages" / f"{name}.jpg" for name in names]),
        labels=torch.tensor([_largest(each) for each in boxes]),
        classes=VOC_CLASSES,
        names=tuple(names),
        boxes=boxes,
    )


def _boxes(path: Path) -> tuple[Box, ...]:
    try:
        things = ElementTree.parse(path).getroot().findall("object")
        return tuple(_box(thing) for thing in things)
    except (ElementTree.ParseError, ValueError, OSError) as error:
        raise InvalidInput(f"{path} must be an annotation of VOC, got: {error}.") from error


def _box(thing: ElementTree.Element) -> Box:
    """VOC counts pixels from 1 and includes the last one."""
    ends = [thing.findtext(f"bndbox/{name}", "") for name in ("xmin", "ymin", "xmax", "ymax")]
    left, top, right, bottom = (round(float(end)) for end in ends)
    name = thing.findtext("name", "")
    difficult = thing.findtext("difficult", "0").strip() == "1"
    return Box(name, left - 1, top - 1, right, bottom, difficult)


def _largest(boxes: tuple[Box, ...]) -> int:
    known = [box for box in boxes if box.name in VOC_CLASSES]
    if not known:
        return -1
    largest = max(known, key=lambda box: (box.right - box.left) * (box.bottom - box.top))
    return VOC_CLASSES.index(largest.name)
