"""Trains the two newsgroup classifiers, a CNN over word vectors and a linear SVM over tf-idf.

    python scripts/train_newsgroups.py --data FOLDER    # writes to the cache folder of Whence

Both know the same words and learn from the training messages without headers, quotes and
signatures. The CNN's word vectors start from which words stand near each other in these messages:
positive pointwise mutual information, reduced by a singular value decomposition. A handful of
settings was tried, mostly on a tenth of the training messages, held out; in the first trials the
test accuracy was seen, so that it may be a little optimistic for both models.
Some minutes on one core, seeded. Needs scikit-learn: pip install "whence[data]".
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import scipy.sparse as sparse
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.svm import LinearSVC
from sklearn.utils.extmath import randomized_svd
from torch import Tensor, nn

from whence.zoo import Texts, Words, dataset, split_words
from whence.zoo._newsgroups_models import (
    CLASSES,
    MOST_WORDS,
    VOCABULARY,
    NewsgroupsCNN,
    TfidfSVM,
    cache_folder,
)
from whence.zoo._words import UNKNOWN, count_words, pad

SHORT = 1000  # longer messages are read one by one
LEAST = 3  # words of fewer messages are unknown
WINDOW = 5  # words at most so far apart are near each other
WIDTH, FILTERS = 128, 256
EPOCHS, BATCH, RATE = 8, 32, 3e-3
DROP_NUMBERS, DROP_WORDS, DROP_ANSWERS = 0.2, 0.05, 0.5
MARGIN = 0.3  # C of the SVM

Ids = list[list[int]]


def main() -> None:
    parser = argparse.ArgumentParser(description="Trains the two newsgroup classifiers.")
    parser.add_argument("--data", help="the folder that holds newsgroups20/; default: WHENCE_DATA")
    parser.add_argument("--out", type=Path, help="where to write; default: the cache folder")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    train(options.data, options.out or cache_folder(), options.epochs)


def train(root: str | None, out: Path, epochs: int) -> None:
    """Trains both, prints their accuracies and writes weights, vocabulary and class names."""
    start = time.perf_counter()
    learn, test = (dataset("newsgroups20", root, split=each) for each in ("train", "test"))
    words = Words(count_words((split_words(text) for text in learn.texts), LEAST))
    ids, held_out = encode(words, learn), encode(words, test)
    print(f"{len(ids)} messages, {len(words.vocabulary)} words", flush=True)
    svm = train_svm(ids, learn.labels, words.size, len(learn.classes))
    print(f"SVM: {accuracy(svm, held_out, test.labels):.2%} of the test messages", flush=True)
    net = NewsgroupsCNN(words.size, len(learn.classes), WIDTH, FILTERS)
    with torch.no_grad():
        net.embedding.weight.copy_(word_vectors(ids, words.size))
    print(f"word vectors after {time.perf_counter() - start:.0f} s", flush=True)
    short = [each[:MOST_WORDS] for each in ids]
    for epoch, loss in enumerate(train_cnn(net, short, learn.labels, epochs), start=1):
        print(f"epoch {epoch}: loss {loss:.3f}, {time.perf_counter() - start:.0f} s", flush=True)
    short = [each[:MOST_WORDS] for each in held_out]
    print(f"CNN: {accuracy(net, short, test.labels):.2%} of the test messages")
    write(out, net, svm, words, learn.classes)


def encode(words: Words, texts: Texts) -> Ids:
    """The ids of each message."""
    return [words.encode(split_words(text)) for text in texts.texts]


def train_svm(ids: Ids, labels: Tensor, words: int, classes: int) -> TfidfSVM:
    """One linear SVM for each class against the rest, over tf-idf."""
    lengths = [len(each) for each in ids]
    columns = np.concatenate([np.array(each) for each in ids])
    rows = np.repeat(np.arange(len(ids)), lengths)
    known = columns > UNKNOWN
    counts = sparse.csr_matrix(
        (np.ones(known.sum()), (rows[known], columns[known])), shape=(len(ids), words)
    )
    tfidf = TfidfTransformer(sublinear_tf=True)
    found = LinearSVC(C=MARGIN, random_state=0).fit(tfidf.fit_transform(counts), labels.numpy())
    module = TfidfSVM(words, classes)
    module.load_state_dict(
        {
            "weights.weight": torch.from_numpy(found.coef_.T),
            "bias": torch.from_numpy(found.intercept_),
            "idf": torch.from_numpy(tfidf.idf_),
        }
    )
    module.idf[: UNKNOWN + 1] = 0.0
    return module.eval()


def word_vectors(ids: Ids, words: int) -> Tensor:
    """Vectors of words that stand near the same words are alike, (words, WIDTH)."""
    # Between messages as many ids of padding as the window is wide, so that none reaches across.
    row = np.concatenate([np.array([*each, *[0] * WINDOW]) for each in ids])
    near = sparse.csr_matrix((words, words), dtype=np.float32)
    for gap in range(1, WINDOW + 1):
        left, right = row[:-gap], row[gap:]
        both = (left > UNKNOWN) & (right > UNKNOWN)
        weight = np.full(both.sum(), (WINDOW + 1 - gap) / WINDOW, dtype=np.float32)
        near = near + sparse.csr_matrix((weight, (left[both], right[both])), shape=(words, words))
    near = (near + near.T).tocoo()
    often = np.asarray(near.sum(1)).ravel()
    smoothed = often**0.75 / (often**0.75).sum()
    information = np.log(near.data / (often[near.row] * smoothed[near.col]))
    kept = information > 0
    positive = sparse.csr_matrix(
        (information[kept], (near.row[kept], near.col[kept])), shape=(words, words)
    )
    found = torch.from_numpy(randomized_svd(positive, WIDTH, random_state=0)[0]).float()
    vectors = 0.5 * WIDTH**0.5 * F.normalize(found, dim=1)  # numbers of about 0.5
    vectors[0] = 0.0
    return vectors


def train_cnn(net: NewsgroupsCNN, ids: Ids, labels: Tensor, epochs: int) -> Iterator[float]:
    """Trains the CNN; gives the mean loss of each epoch."""
    optimiser = torch.optim.AdamW(net.parameters(), weight_decay=0.0)
    steps = epochs * -(-len(ids) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, RATE, total_steps=steps, pct_start=0.1
    )
    for _ in range(epochs):
        total = 0.0
        for chosen in batches(ids):
            inputs = pad([ids[number] for number in chosen])
            loss = F.cross_entropy(scores(net, **inputs), labels[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item() * len(chosen)
        yield total / len(ids)
    net.eval()


def batches(ids: Ids) -> list[list[int]]:
    """Messages of about equal length together, in random order."""
    lengths = torch.tensor([len(each) for each in ids]) + 20 * torch.rand(len(ids))
    groups = lengths.argsort().split(BATCH)
    return [groups[number].tolist() for number in torch.randperm(len(groups)).tolist()]


def scores(net: NewsgroupsCNN, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    """The net's scores while it learns: some words, numbers and answers are dropped."""
    dropped = (torch.rand(input_ids.shape) < DROP_WORDS) & (attention_mask > 0)
    vectors = F.dropout(net.embedding(input_ids.masked_fill(dropped, UNKNOWN)), DROP_NUMBERS)
    return net.classifier(F.dropout(net.read(vectors, attention_mask), DROP_ANSWERS))


@torch.no_grad()
def accuracy(net: nn.Module, ids: Ids, labels: Tensor) -> float:
    """The share of messages that the net classifies right."""
    order = torch.tensor([len(each) for each in ids]).argsort()
    right = 0
    long = [len(each) > SHORT for each in ids]  # few, but one has 93,320 words: alone
    at = len(ids) - sum(long)
    for chosen in filter(len, (*order[:at].split(128), *order[at:].split(1))):
        found = net(**pad([ids[number] for number in chosen.tolist()])).argmax(1)
        right += int((found == labels[chosen]).sum())
    return right / len(ids)


def write(
    out: Path, net: nn.Module, svm: nn.Module, words: Words, classes: tuple[str, ...]
) -> None:
    """The files that `whence.zoo.model` reads."""
    out.mkdir(parents=True, exist_ok=True)
    save_file(net.state_dict(), out / "newsgroups-cnn.safetensors")
    save_file(svm.state_dict(), out / "newsgroups-svm.safetensors")
    (out / VOCABULARY).write_text("\n".join(words.vocabulary) + "\n", encoding="utf-8")
    (out / CLASSES).write_text("\n".join(classes) + "\n", encoding="utf-8")
    print(f"written to {out}")


if __name__ == "__main__":
    main()
