"""The names of the 1,000 ImageNet classes."""

import json
from pathlib import Path

from whence.errors import InvalidInput


def imagenet_classes(folder: Path) -> tuple[str, ...]:
    """Names from imagenet_samples/imagenet_class_index.json below `folder`.

    Without that file the names are the synset numbers' stand-ins "class 0" to "class 999".
    """
    path = folder / "imagenet_samples" / "imagenet_class_index.json"
    if not path.is_file():
        return unnamed(1000)
    index = json.loads(path.read_text())
    if len(index) != 1000:
        raise InvalidInput(f"{path} must name 1000 classes, got {len(index)}.")
    return tuple(index[str(number)][1].replace("_", " ") for number in range(1000))


def unnamed(count: int) -> tuple[str, ...]:
    """Class names for when none are known: "class 0", "class 1", ..."""
    return tuple(f"class {number}" for number in range(count))
