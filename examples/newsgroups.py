"""Two classifiers, equally good: do they look at the same words?

    python examples/newsgroups.py --data FOLDER            # trains both the first time, minutes
    python examples/newsgroups.py --data FOLDER --quick    # fewer messages

A CNN over word vectors and a linear SVM over tf-idf read 20 Newsgroups without headers, quotes and
signatures. Whence says what each word is worth to them: for the CNN by LRP, for the SVM exactly, as
R_i = w_i x_i + b/D. Words with the largest relevance, one message seen by both, and word deleting
go to out/newsgroups (`--out`).

Word deleting follows [arras2016]: messages of a hundred to a thousand words that a model classifies
right lose up to fifty, the words that speak most for the true class first, and accuracy should
fall. A deleted word's vector becomes zero, and to the SVM it is not there.
"""

import argparse
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

import whence
from whence import viz, zoo
from whence.errors import NotAvailable
from whence.metrics import Batch, Case, WordDeleting, paired_difference
from whence.viz import Drawing

NAMES = {"newsgroups-cnn": "CNN", "newsgroups-svm": "SVM"}
LISTED = 30  # words in a list
SHOWN = ("sci.med", "sci.space", "rec.autos", "talk.politics.guns")  # in the picture and terminal
TUTORIAL = "weightlessness does feel like falling"  # the message in the tutorial
SHORTEST, LONGEST = 100, 1000  # words of the messages that lose some
MOST, STEP, RUNS = 50, 5, 5
TOGETHER = 64, 2**16  # messages at a time, and words with padding: one message has 93,320
TRAIN = Path(__file__).parents[1] / "scripts" / "train_newsgroups.py"


@dataclass(frozen=True, eq=False)
class Reader:
    """A model with the test messages as it reads them.

    `rows`: the words of each message.
    """

    name: str
    net: zoo.Model
    rows: list[list[str]]
    predicted: Tensor

    @property
    def words(self) -> zoo.Words:
        """The words that the model knows."""
        words: Any = self.net.preprocess
        return words

    def inputs(self, chosen: Tensor) -> dict[str, Tensor]:
        """Ids and mask of the messages with these numbers, padded to the longest of them."""
        ids = [torch.tensor(self.words.encode(self.rows[number])) for number in chosen.tolist()]
        mask = [torch.ones_like(each) for each in ids]
        named = {"input_ids": ids, "attention_mask": mask}
        return {name: pad_sequence(each, batch_first=True) for name, each in named.items()}

    def groups(self, chosen: Tensor) -> list[Tensor]:
        """Numbers of messages of about equal length together, so many that memory stays small."""
        most, words = TOGETHER
        found: list[list[int]] = [[]]
        for number in sorted(chosen.tolist(), key=lambda each: len(self.rows[each])):
            if len(found[-1]) == most or (len(found[-1]) + 1) * len(self.rows[number]) > words:
                found.append([])
            found[-1].append(number)
        return [torch.tensor(each) for each in found if each]


def main() -> None:
    parser = argparse.ArgumentParser(description="Compares two classifiers of newsgroup messages.")
    parser.add_argument(
        "--data",
        default=os.environ.get("WHENCE_DATA"),
        help="the folder that holds newsgroups20/; default: WHENCE_DATA",
    )
    parser.add_argument("--out", type=Path, default=Path("out/newsgroups"))
    parser.add_argument("--quick", action="store_true", help="use fewer messages")
    options = parser.parse_args()
    console = Console(highlight=False)
    options.out.mkdir(parents=True, exist_ok=True)
    test = zoo.dataset("newsgroups20", options.data)
    nets = [trained(name, options.data, console) for name in NAMES]
    readers = [read(net, test, console) for net in nets]
    show_message(readers, test, options.out, console)
    compare_words(readers, test, options.out, console, 1000 if options.quick else len(test))
    for reader in readers:
        measure(reader, test, options.out, console, 150 if options.quick else 600)
    console.print(f"Pictures and pages are in {options.out}.")


def trained(name: str, data: str | None, console: Console) -> zoo.Model:
    """The model, trained now if that was not done before."""
    try:
        return zoo.model(name)
    except NotAvailable:
        console.print("Training both models; this takes some minutes, once.")
        command = [sys.executable, str(TRAIN), *(["--data", data] if data else [])]
        subprocess.run(command, check=True)
        return zoo.model(name)


def read(net: zoo.Model, test: zoo.Texts, console: Console) -> Reader:
    """The test messages in the model's words, and what it says about each."""
    words: Any = net.preprocess
    with console.status(f"{net.name} reads {len(test)} messages"):
        rows = [zoo.split_words(text)[: words.most] for text in test.texts]
        reader = Reader(NAMES[net.name], net, rows, torch.zeros(len(test), dtype=torch.int64))
        for chosen in reader.groups(torch.arange(len(test))):
            with torch.no_grad():
                reader.predicted[chosen] = net.module(**reader.inputs(chosen)).argmax(1)
    right = (reader.predicted == test.labels).double().mean()
    console.print(f"{reader.name}: {right:.2%} of {len(test)} test messages right")
    return reader


def relevance(reader: Reader, chosen: Tensor, target: Tensor, method: str = "lrp") -> Tensor:
    """What the words of messages are worth for one class each, (messages, tokens).

    For the SVM "lrp" is its exact decomposition, and "sensitivity" the squared weight of a word.
    """
    inputs = reader.inputs(chosen)
    module: Any = reader.net.module
    if reader.name == "CNN":
        return whence.explain(module, inputs, target, method=method).relevance["input_ids"]
    if method == "lrp":
        with torch.no_grad():
            return module.decompose(**inputs, target=target)
    weights = module.weights(inputs["input_ids"]).detach()
    picked = target.view(-1, 1, 1).expand(*weights.shape[:2], 1)
    return weights.gather(2, picked).squeeze(2).square()


def show_message(readers: list[Reader], test: zoo.Texts, out: Path, console: Console) -> None:
    """The tutorial's message, for the group sci.med, as both models see it."""
    found = [i for i, text in enumerate(test.texts) if TUTORIAL in " ".join(text.split())]
    number = found[0] if found else 0
    target = test.classes.index("sci.med")
    rows = []
    for reader in readers:
        chosen = torch.tensor([number])
        R = relevance(reader, chosen, torch.tensor([target]))[0].tolist()
        with torch.no_grad():
            score = reader.net.module(**reader.inputs(chosen))[0, target]
        says = test.classes[int(reader.predicted[number])]
        title = f"{reader.name}: score for sci.med {score:+.1f}; its own choice is {says}"
        words = reader.rows[number]
        rows.append((title, words, R[: len(words)], [False] * len(words)))
    truth = test.classes[int(test.labels[number])]
    console.print(f"\nA message from {truth}, explained for sci.med:")
    console.print(viz.text_block(rows), soft_wrap=True)
    key = ["against sci.med", "no effect", "for sci.med"]
    legend = (f"A message from {truth}: what speaks for sci.med?", key, [-1.0, 0.0, 1.0])
    viz.save(viz.draw_texts([(*legend, [False] * 3), *rows], width=760), out / "message.png")
    page = viz.text_page(f"A message from {truth}: what speaks for sci.med?", rows)
    (out / "message.html").write_text(page, encoding="utf-8")


def compare_words(
    readers: list[Reader], test: zoo.Texts, out: Path, console: Console, most: int
) -> None:
    """For each group the words with the largest relevance in any message, in both models."""
    lists = [word_lists(reader, len(test.classes), most) for reader in readers]
    rows = []
    for number, group in enumerate(test.classes):
        for reader, found in zip(readers, lists, strict=True):
            words = [f"{word} ({value:.2g})" for word, value in found[number]]
            values = [value for _, value in found[number]]
            rows.append((f"{group}, {reader.name}", words, values, [False] * len(words)))
    shown = [test.classes.index(group) for group in SHOWN]
    for number in shown:
        names = [", ".join(word for word, _ in found[number][:12]) for found in lists]
        lines = [[reader.name, words] for reader, words in zip(readers, names, strict=True)]
        console.print(viz.table(["", test.classes[number]], lines))
    pairs = [rows[2 * number : 2 * number + 2] for number in shown]
    drawn = [[viz.draw_texts([row], width=560) for row in pair] for pair in pairs]
    viz.save(side_by_side(drawn), out / "words.png")
    shared = [
        len({word for word, _ in a} & {word for word, _ in b}) for a, b in zip(*lists, strict=True)
    ]
    mean = sum(shared) / len(shared)
    remark = (
        f"Of the {LISTED} words with the largest relevance in a group, both models share "
        f"{mean:.1f} on average ({min(shared)} to {max(shared)})."
    )
    console.print(remark)
    page = viz.text_page("The words with the largest relevance in each group", rows, [remark])
    (out / "words.html").write_text(page, encoding="utf-8")


def word_lists(reader: Reader, classes: int, most: int) -> list[list[tuple[str, float]]]:
    """For each class the words with the largest relevance in the messages given to that class.

    Each message is explained for the class that the model chose; a word counts with its largest
    relevance in any of them, all its occurrences in a message taken together. Numbers and marks
    are left out.
    """
    best: list[dict[str, float]] = [{} for _ in range(classes)]
    known = {word for word in reader.words.vocabulary if any(map(str.isalpha, word))}
    groups = reader.groups(some(torch.arange(len(reader.rows)), most))
    for chosen in track(groups, f"words of the {reader.name}"):
        R = relevance(reader, chosen, reader.predicted[chosen]).tolist()
        for row, number in enumerate(chosen.tolist()):
            sums: Counter[str] = Counter()
            for word, value in zip(reader.rows[number], R[row], strict=False):
                sums[word.lower()] += value
            table = best[int(reader.predicted[number])]
            for word, value in sums.items():
                if word in known and value > table.get(word, 0.0):
                    table[word] = value
    return [sorted(each.items(), key=lambda pair: -pair[1])[:LISTED] for each in best]


def measure(reader: Reader, test: zoo.Texts, out: Path, console: Console, most: int) -> None:
    """Word deleting on messages that the model classifies right."""
    fits = torch.tensor([SHORTEST <= len(row) <= LONGEST for row in reader.rows])
    chosen = (fits & (reader.predicted == test.labels)).nonzero().squeeze(1)
    chosen = some(chosen, most)
    batch = Batch(
        reader.net.module,
        reader.inputs(chosen),
        test.labels[chosen],
        ids=[test.names[number] for number in chosen.tolist()],
    )
    place = {number: row for row, number in enumerate(chosen.tolist())}
    deleting = WordDeleting(how="blank", most=MOST, step=STEP, runs=RUNS, short="refuse")
    scores = {}
    for method in ("lrp", "sensitivity"):
        values = torch.zeros(batch.x.shape)
        for group in track(reader.groups(chosen), f"explaining, {method}"):
            found = relevance(reader, group, test.labels[group], method)
            values[[place[number] for number in group.tolist()], : found.shape[1]] = found
        with console.status(f"deleting words, {method}"):
            scores[method] = deleting.measure(Case(batch, values))
    with console.status("deleting words, random"):
        random = replace(deleting, order="random")
        scores["random"] = random.measure(Case(batch, torch.zeros(batch.x.shape)))
    curves = {name: each.curves["word-deleting"] for name, each in scores.items()}
    deleted = curves["lrp"].x
    areas = {name: 1 - each.values for name, each in scores.items()}
    lines = [
        [name, *(f"{value:.0%}" for value in each.y.mean(0)[::2].tolist()),
         f"{areas[name].mean():.3f}"]
        for name, each in curves.items()
    ]  # fmt: skip
    console.print(f"\n{reader.name}: accuracy as words go, {len(chosen)} messages judged right")
    console.print(viz.table(["order", *(f"{int(k)}" for k in deleted[::2]), "area"], lines))
    console.print("Area under the curve, smaller is better; LRP's less the others', 95 %:")
    for name in ("sensitivity", "random"):
        console.print(f"  {name}: {paired_difference(areas['lrp'], areas[name])}")
    figure = viz.curves(
        {name: each.y.numpy() for name, each in curves.items()},
        x=deleted.numpy(),
        xlabel="words deleted",
        ylabel="accuracy (band: standard error)",
        title=f"{reader.name}: how fast accuracy falls as words are deleted",
    )
    viz.save(figure, out / f"deleting-{reader.name.lower()}.png")


def some(numbers: Tensor, most: int) -> Tensor:
    """At most so many of the numbers, at random but always the same ones."""
    return numbers[torch.randperm(len(numbers), generator=torch.Generator().manual_seed(0))[:most]]


def side_by_side(rows: list[list[Drawing]]) -> Drawing:
    """Drawings of equal width as the cells of a table."""
    items, top = [], 0
    for cells in rows:
        for column, cell in enumerate(cells):
            items += [
                replace(item, x=item.x + column * cell.width, y=item.y + top) for item in cell.items
            ]
        top += max(cell.height for cell in cells)
    return Drawing(sum(cell.width for cell in rows[0]), top, tuple(items))


if __name__ == "__main__":
    main()
