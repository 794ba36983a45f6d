"""Trains the sentiment LSTM that ships with Whence on the Stanford Sentiment Treebank.

    python scripts/train_sentiment.py --data FOLDER    # writes src/whence/zoo/weights/sst-lstm.*

It learns from every judged phrase of the training sentences, and keeps the epoch that is best on
the development sentences; the test sentences are counted at the end and nothing was tuned on them.
Some minutes on one core. Seeded and on one thread; another version of torch or another processor
may round otherwise and give slightly different weights.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from whence.zoo._sentiment import WEIGHTS, SentimentLSTM
from whence.zoo._sst import sst, sst_phrases
from whence.zoo._words import UNKNOWN, Words, count_words, pad, split_words

LEAST = 3  # words of fewer training sentences are unknown; so the file stays below 1 MB
EPOCHS = 6
BATCH = 64
RATE = 2e-3  # Adam's, falling in a straight line to zero
DECAY = 1e-5
DROP_NUMBERS, DROP_WORDS, DROP_STATES = 0.25, 0.05, 0.5

Pairs = list[tuple[list[int], int]]  # ids of the words, label


def main() -> None:
    parser = argparse.ArgumentParser(description="Trains the sentiment LSTM.")
    parser.add_argument("--data", help="the folder that holds sst/; default: WHENCE_DATA")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    train(options.data, options.epochs)


def train(root: str | None, epochs: int) -> None:
    """Trains, prints the accuracies and writes the weights and the vocabulary."""
    start = time.perf_counter()
    words = Words(count_words((split_words(text) for text in sst(root, "train").texts), LEAST))
    learn = encode(words, sst_phrases(root, "train"))
    held_out = {split: sentences(words, root, split) for split in ("dev", "test")}
    print(f"{len(learn)} different phrases, {len(words.vocabulary)} words", flush=True)
    net = SentimentLSTM(words.size)
    optimiser = torch.optim.Adam(net.parameters(), RATE, weight_decay=DECAY)
    steps = epochs * sum(1 for _ in batches(learn))
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, total_iters=steps)
    best, kept = 0.0, {}
    for epoch in range(epochs):
        net.train()
        for ids, labels in batches(learn):
            loss = F.cross_entropy(scores(net, ids), labels)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            optimiser.step()
            schedule.step()
        five, two = accuracies(net, held_out["dev"])
        seconds = time.perf_counter() - start
        print(
            f"epoch {epoch + 1}: dev {five:.2%}, two classes {two:.2%}, {seconds:.0f} s", flush=True
        )
        if five > best:
            best, kept = five, {name: value.half() for name, value in net.state_dict().items()}
    net.load_state_dict({name: value.float() for name, value in kept.items()})
    save_file(kept, WEIGHTS / "sst-lstm.safetensors")
    (WEIGHTS / "sst-lstm.txt").write_text("\n".join(words.vocabulary) + "\n", encoding="utf-8")
    for split, pairs in held_out.items():
        five, two = accuracies(net, pairs)
        print(f"{split}: {five:.2%} of five classes, {two:.2%} of two (neutral left out)")


def encode(words: Words, phrases: list[tuple[str, int]]) -> Pairs:
    """The ids of different phrases, and their labels."""
    different = {tuple(words.encode(split_words(text))): label for text, label in phrases}
    return [(list(ids), label) for ids, label in different.items() if ids]


def sentences(words: Words, root: str | None, split: str) -> Pairs:
    """The ids of whole sentences, and their labels."""
    return [(words.encode(split_words(item.text)), item.label) for item in sst(root, split)]


def batches(pairs: Pairs) -> Iterator[tuple[Tensor, Tensor]]:
    """Phrases of equal length together, in random order; long ones in smaller batches."""
    by_length: dict[int, Pairs] = defaultdict(list)
    for number in torch.randperm(len(pairs)).tolist():
        by_length[len(pairs[number][0])].append(pairs[number])
    groups = [
        group[first : first + BATCH]
        for group in by_length.values()
        for first in range(0, len(group), BATCH)
    ]
    for number in torch.randperm(len(groups)).tolist():
        ids, labels = zip(*groups[number], strict=True)
        yield torch.tensor(ids), torch.tensor(labels)


def scores(net: SentimentLSTM, ids: Tensor) -> Tensor:
    """The net's scores while it learns: some words, numbers and states are dropped."""
    ids = ids.masked_fill(torch.rand(ids.shape) < DROP_WORDS, UNKNOWN)
    vectors = F.dropout(net.embedding(ids), DROP_NUMBERS)
    states = net.read(vectors, torch.ones_like(ids))
    return net.classifier(F.dropout(states, DROP_STATES))


@torch.no_grad()
def accuracies(net: SentimentLSTM, pairs: Pairs) -> tuple[float, float]:
    """The share of right answers among five classes, and among negative and positive.

    For two classes sentences judged neutral are left out, and the scores of both negative classes
    are compared with those of both positive ones.
    """
    net.eval()
    inputs = pad([ids for ids, _ in pairs])
    labels = torch.tensor([label for _, label in pairs])
    found = net(**inputs).softmax(1)
    five = (found.argmax(1) == labels).double().mean().item()
    clear = labels != 2
    positive = found[:, 3:].sum(1) > found[:, :2].sum(1)
    two = (positive == (labels > 2))[clear].double().mean().item()
    return five, two


if __name__ == "__main__":
    main()
