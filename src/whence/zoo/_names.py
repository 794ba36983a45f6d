"""What the zoo holds, as a list."""

from dataclasses import dataclass

from whence.zoo._datasets import DATASET_PREFIXES, DATASETS, TEXTS
from whence.zoo._generators import GENERATORS
from whence.zoo._models import MODEL_PREFIXES, MODELS


@dataclass(frozen=True)
class Entry:
    """One line of the list; `kind` is "model", "generator" or "data set": what takes `name`."""

    kind: str
    name: str
    description: str


def names() -> tuple[Entry, ...]:
    """All models, then generators, then data sets, each with a line about it.

    Capitals in a name are to be filled in, as in "torchvision:NAME". Being listed does not mean
    that the files are present.

    >>> import whence.zoo
    >>> whence.zoo.names()[0].name
    'digits-cnn'
    """
    return (
        *(Entry("model", name, text) for name, (text, _) in MODELS.items()),
        *(Entry("model", f"{p}:{rest}", text) for p, (rest, text, _) in MODEL_PREFIXES.items()),
        *(Entry("generator", name, text) for name, (text, _) in GENERATORS.items()),
        *(Entry("data set", name, text) for name, (text, _) in DATASETS.items()),
        *(Entry("data set", name, text) for name, (text, _) in TEXTS.items()),
        *(
            Entry("data set", f"{p}:{rest}", text)
            for p, (rest, text, _) in DATASET_PREFIXES.items()
        ),
    )
