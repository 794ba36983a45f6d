"""Data sets by name."""

from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, overload

from whence.errors import InvalidInput
from whence.zoo._cifar import cifar10
from whence.zoo._dataset import Dataset
from whence.zoo._digits_data import digits
from whence.zoo._folder import folder, imagenet_samples
from whence.zoo._ilsvrc import ilsvrc2012
from whence.zoo._mnist import fashion_mnist, mnist
from whence.zoo._newsgroups import newsgroups20
from whence.zoo._scenes import places205, sun397
from whence.zoo._sst import sst
from whence.zoo._texts import Texts
from whence.zoo._torchvision import torchvision_dataset
from whence.zoo._voc import voc2007

Root = str | Path | None

# Name -> what it is, and how it is read.
DATASETS: dict[str, tuple[str, Callable[[Root, str], Dataset]]] = {
    "digits": (
        "scikit-learn's 1,797 handwritten digits, 8 x 8; ships with Whence",
        lambda root, split: digits(split),
    ),
    "mnist": ("handwritten digits, 28 x 28; mnist.npz or idx files", mnist),
    "fashion-mnist": ("clothes, 28 x 28; fashion_val.npz or idx files", fashion_mnist),
    "cifar10": ("ten kinds of things, 32 x 32 colour; torchvision's files or JPEG", cifar10),
    "imagenet-samples": (
        "ImageNet pictures listed in imagenet_samples/labels.csv; test only",
        lambda root, split: imagenet_samples(root),
    ),
    "ilsvrc2012": ("ImageNet's 1,000 classes, from your copy; test means val", ilsvrc2012),
    "sun397": ("397 kinds of scenes, from your copy", sun397),
    "places205": ("MIT Places, 205 kinds of scenes, from your copy; test means val", places205),
    "voc2007": ("photographs with boxes around 20 kinds of things; PASCAL VOC's files", voc2007),
}

# The same for texts.
TEXTS: dict[str, tuple[str, Callable[[Root, str], Texts]]] = {
    "sst": ("sentences of film reviews, very negative to very positive; sst/test.txt.gz", sst),
    "newsgroups20": (
        "messages to twenty groups without headers, quotes and signatures",
        newsgroups20,
    ),
}

# Prefix -> what follows it, what it is, and how it is read.
DATASET_PREFIXES: dict[str, tuple[str, str, Callable[[str, Root, str], Dataset]]] = {
    "folder": (
        "PATH",
        "your own pictures, one sub-folder per class or flat",
        lambda rest, root, split: folder(rest),
    ),
    "torchvision": (
        "NAME",
        "a class of torchvision.datasets, downloaded to the data folder by torchvision",
        torchvision_dataset,
    ),
}


# Pyright sees that a string variable may hold one of the two names; it is typed as pictures then.
@overload
def dataset(  # pyright: ignore[reportOverlappingOverload]
    name: Literal["sst", "newsgroups20"], root: str | Path | None = None, split: str = "test"
) -> Texts: ...


@overload
def dataset(name: str, root: str | Path | None = None, split: str = "test") -> Dataset: ...


def dataset(name: str, root: str | Path | None = None, split: str = "test") -> Dataset | Texts:
    """A data set by its name; `whence.zoo.names()` lists them.

    Pictures come as a `Dataset`, sentences and messages as `Texts`.

    `root` is the folder that holds it, by default the environment variable WHENCE_DATA; digits need
    none. `split` is "train" or "test"; folders have no splits and ignore it. A path to a folder of
    pictures is a name, too. Files with a known checksum are verified.

    Raises `NotAvailable` with what was looked for where, and `InvalidInput` for an unknown name, a
    damaged file or an empty folder.

    >>> import whence.zoo
    >>> whence.zoo.dataset("digits")
    Dataset('digits/test', 355 items, 10 classes)
    """
    if split not in ("train", "test"):
        raise InvalidInput(f'split must be "train" or "test", got {split!r}.')
    if name in DATASETS:
        return DATASETS[name][1](root, split)
    if name in TEXTS:
        return TEXTS[name][1](root, split)
    prefix, colon, rest = name.partition(":")
    if colon and prefix in DATASET_PREFIXES:
        return DATASET_PREFIXES[prefix][2](rest, root, split)
    if Path(name).expanduser().is_dir():
        return folder(name)
    known = [
        *DATASETS,
        *TEXTS,
        *(f"{prefix}:{rest[0]}" for prefix, rest in DATASET_PREFIXES.items()),
    ]
    raise InvalidInput(unknown("data set", name, known))


def unknown(kind: str, name: str, known: list[str]) -> str:
    """The message for a name that is not known, with the closest one that is."""
    close = get_close_matches(name, known, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"there is no {kind} {name!r}.{hint} Known: {', '.join(known)}."
