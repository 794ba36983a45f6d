"""Two classifiers of newsgroup messages that are about equally good and see text differently."""

import os
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from whence.errors import NotAvailable
from whence.zoo._model import Model
from whence.zoo._words import PADDING, Words

CACHE = "WHENCE_CACHE"  # the environment variable
VOCABULARY = "newsgroups.txt"
CLASSES = "newsgroups-classes.txt"
MOST_WORDS = 400  # the CNN reads no further


class NewsgroupsCNN(nn.Module):
    """Word vectors, filters over each word and its successor, the largest answer of each filter.

    From `input_ids` and `attention_mask` of shape (batch, tokens) to one score for each class, as
    the nets of [arras2016]. Filters that start on padding are not asked, and behind the last word
    they see zeros, so that a text's scores do not depend on the texts beside it.
    """

    def __init__(self, words: int, classes: int, width: int = 128, filters: int = 256) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, width, padding_idx=PADDING)
        self.convolution = nn.Conv1d(width, filters, kernel_size=2)
        self.classifier = nn.Linear(filters, classes)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.classifier(self.read(self.embedding(input_ids), attention_mask))

    def read(self, vectors: Tensor, attention_mask: Tensor) -> Tensor:
        """The largest answer of each filter, (batch, filters), from word vectors."""
        answers = self.convolution(F.pad(vectors.transpose(1, 2), (0, 1)))
        padding = (attention_mask == 0).unsqueeze(1)
        return F.relu(answers).masked_fill(padding, 0.0).amax(dim=2)


class TfidfSVM(nn.Module):
    """A linear classifier of word counts: tf-idf features and a weight for each word and class.

    From `input_ids` and `attention_mask` of shape (batch, tokens) to one score for each class:
    f = sum_i w_i x_i + b, where x_i = (1 + log n_i) idf_i / norm for a word that occurs n_i times.
    Unknown words and padding have idf 0.
    """

    idf: Tensor

    def __init__(self, words: int, classes: int) -> None:
        super().__init__()
        self.weights = nn.Embedding(words, classes, padding_idx=PADDING)
        self.bias = nn.Parameter(torch.zeros(classes))
        self.register_buffer("idf", torch.zeros(words))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        share, _ = self.features(input_ids, attention_mask)
        # A word's share says how often it is there: a constant, as the values of features are.
        return (self.weights(input_ids) * share.detach().unsqueeze(2)).sum(1) + self.bias

    def features(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """x_i and 1 for each word, both in equal parts on its occurrences, (batch, tokens)."""
        ids = input_ids.masked_fill(attention_mask == 0, PADDING)
        idf = self.idf[ids]
        # In sorted order equal ids lie side by side: from the first of them to behind the last.
        ordered = ids.sort(dim=1).values
        ends = (torch.searchsorted(ordered, ids, right=behind) for behind in (True, False))
        occurs = (next(ends) - next(ends)).to(idf.dtype)
        part = (idf > 0) / occurs
        values = (1 + occurs.log()) * idf
        norm = (part * values**2).sum(1, keepdim=True).sqrt()
        return part * values / norm.clamp(min=1e-12), part

    def decompose(self, input_ids: Tensor, attention_mask: Tensor, target: Tensor) -> Tensor:
        """The score of a class as a sum over words, without any approximation.

        R_i = w_i x_i + b / D, where D is how many different known words the text has; a word that
        occurs several times has its R_i in equal parts on its occurrences. `target`: one class for
        each text, (batch,). Gives (batch, tokens), zero for padding and unknown words.

        References: [arras2017b].
        """
        share, part = self.features(input_ids, attention_mask)
        chosen = target.view(-1, 1, 1).expand(*input_ids.shape, 1)
        weights = self.weights(input_ids).gather(2, chosen).squeeze(2)
        words = part.sum(1, keepdim=True).clamp(min=1)
        return weights * share + self.bias[target].unsqueeze(1) * part / words


def newsgroups_cnn(root: str | Path | None = None) -> Model:
    """The CNN, once scripts/train_newsgroups.py has trained it.

    It is looked for in `root`, then in the cache folder.

    References: [arras2016].
    """
    weights, words, classes = _trained("newsgroups-cnn", root)
    filters, width, _ = weights["convolution.weight"].shape
    module = NewsgroupsCNN(words.size, len(classes), width, filters)
    return _ready("newsgroups-cnn", module, weights, Words(words.vocabulary, MOST_WORDS), classes)


def newsgroups_svm(root: str | Path | None = None) -> Model:
    """The linear SVM, once scripts/train_newsgroups.py has trained it; `root` as for the CNN.

    References: [arras2017b].
    """
    weights, words, classes = _trained("newsgroups-svm", root)
    return _ready("newsgroups-svm", TfidfSVM(words.size, len(classes)), weights, words, classes)


def cache_folder() -> Path:
    """Where models trained on this machine are kept: WHENCE_CACHE, or the system's cache folder."""
    if os.environ.get(CACHE):
        return Path(os.environ[CACHE]).expanduser()
    if sys.platform == "win32":
        place = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        place = Path.home() / "Library" / "Caches"
    else:
        place = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return place / "whence"


def _trained(
    name: str, root: str | Path | None
) -> tuple[dict[str, Tensor], Words, tuple[str, ...]]:
    # A root for data is no place for what was trained here; but it may be.
    folders = [*([Path(root).expanduser()] if root else []), cache_folder()]
    files = (f"{name}.safetensors", VOCABULARY, CLASSES)
    complete = [each for each in folders if all((each / file).is_file() for file in files)]
    if not complete:
        raise NotAvailable(
            f"{name} is trained on demand and was not yet: looked for {', '.join(files)} in "
            f"{' and '.join(map(str, folders))}. Run: python scripts/train_newsgroups.py "
            "--data FOLDER, the folder that holds 20 Newsgroups (some minutes)."
        )
    paths = [complete[0] / file for file in files]
    vocabulary, classes = (tuple(_lines(path)) for path in paths[1:])
    return load_file(paths[0]), Words(vocabulary), classes


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")


def _ready(
    name: str,
    module: nn.Module,
    weights: dict[str, Tensor],
    words: Words,
    classes: tuple[str, ...],
) -> Model:
    module.load_state_dict({key: value.float() for key, value in weights.items()})
    return Model(name, module.eval(), words, classes, (), low=None, high=None)
