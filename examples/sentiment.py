"""Why does an LSTM call a film review negative? Words, negation, and a measure of both.

    python examples/sentiment.py                       # the tutorial's sentences, at once
    python examples/sentiment.py --data FOLDER         # and word deleting on the treebank
    python examples/sentiment.py --data FOLDER --quick # on 300 of its sentences

The net ships with Whence. Pictures, a page and tables go to out/sentiment (`--out`). Word deleting
follows [arras2017]: sentences of at least ten words lose up to five, and are read again without
them. From sentences that were classified right the words that speak most for the true class go
first, and accuracy should fall; from those that were classified wrong the words that speak most
against it, and accuracy should rise. Sensitivity has no sign: its largest values go first in both.
"""

import argparse
import os
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track

import whence
from whence import viz, zoo
from whence.runs import (
    WordsDeleted,
    compare_areas,
    delete_words,
    random_orders,
    remove_words,
)

# The tutorial's sentences with their true class: 0 very negative, 4 very positive.
SENTENCES = (
    ("do n't waste your money .", 0),
    ("neither funny nor suspenseful nor particularly well-drawn .", 0),
    ("it 's not horrible , just horribly mediocre .", 0),
    ("... too slow , too boring , and occasionally annoying .", 0),
    ("it 's neither as romantic nor as thrilling as it should be .", 0),
    ("a worthy entry into a very difficult genre .", 4),
    ("it 's a good film -- not a classic , but odd , entertaining and authentic .", 4),
    ("it never fails to engage us .", 4),
)
METHODS = ("lrp", "gradient-times-input", "sensitivity")
SHORTEST, MOST, RUNS = 10, 5, 10


def main() -> None:
    parser = argparse.ArgumentParser(description="Explains an LSTM that reads film reviews.")
    parser.add_argument(
        "--data",
        default=os.environ.get("WHENCE_DATA"),
        help="the folder that holds sst/, for word deleting; default: WHENCE_DATA",
    )
    parser.add_argument("--out", type=Path, default=Path("out/sentiment"))
    parser.add_argument("--quick", action="store_true", help="delete words from fewer sentences")
    options = parser.parse_args()
    console = Console(highlight=False)
    net = zoo.model("sst-lstm")
    options.out.mkdir(parents=True, exist_ok=True)
    show_sentences(net, options.out, console)
    if options.data:
        measure(net, options.data, options.out, 300 if options.quick else None, console)
    else:
        console.print("Word deleting needs the treebank: pass --data FOLDER.")
    console.print(f"Pictures and pages are in {options.out}.")


def show_sentences(net: zoo.Model, out: Path, console: Console) -> None:
    """The tutorial's sentences in the colours of what speaks for and against their true class."""
    inputs = net.preprocess([text for text, _ in SENTENCES])
    found = whence.explain(net.module, inputs, target=[label for _, label in SENTENCES])
    chances = net.module(**inputs).softmax(1)
    rows = []
    for i, (_, label) in enumerate(SENTENCES):
        predicted = int(chances[i].argmax())
        title = (
            f"{i + 1}. True class: {net.classes[label]} (score {found.score[i]:+.1f}). "
            f"Predicted: {net.classes[predicted]} ({chances[i, predicted]:.0%})"
        )
        words = [
            word
            for word, k in zip(inputs.tokens(i), inputs.word_ids(i), strict=True)
            if k is not None
        ]
        values = found.relevance["input_ids"][i, : len(words)].tolist()
        rows.append((title, words, values, [False] * len(words)))
    console.print(viz.text_block(rows), soft_wrap=True)
    console.print(found.ledger.verdict)
    key = ["speaks against the sentence's true class", "no effect", "speaks for it"]
    legend = ("The strongest word of each sentence has full colour", key, [-1.0, 0.0, 1.0])
    viz.save(viz.draw_texts([(*legend, [False] * 3), *rows], width=660), out / "sentences.png")
    remarks = [
        "Red speaks for the true class, blue against it; each sentence has a scale of its own.",
        found.ledger.verdict,
    ]
    page = viz.text_page("What makes a review negative or positive?", rows, remarks)
    (out / "sentences.html").write_text(page, encoding="utf-8")


def measure(net: zoo.Model, data: str, out: Path, most: int | None, console: Console) -> None:
    """Word deleting on the test sentences, from those judged right and those judged wrong."""
    test = zoo.dataset("sst", data)
    long = [i for i, text in enumerate(test.texts) if len(zoo.split_words(text)) >= SHORTEST]
    long = long[:most]
    inputs = net.preprocess([test.texts[i] for i in long])
    labels = test.labels[long]
    with torch.no_grad():
        right = net.module(**inputs).argmax(1) == labels
    console.print(
        f"\n{len(long)} sentences of ten words or more; {int(right.sum())} classified right"
    )
    values = {}
    for method in track(METHODS, "explaining"):
        found = whence.explain(net.module, dict(inputs), labels, method=method, batch_size=128)
        values[method] = found.relevance["input_ids"]
    for name, chosen in (("right", right), ("wrong", ~right)):
        part = {key: value[chosen] for key, value in inputs.items()}
        orders = {"random": random_orders(part["attention_mask"], RUNS)}
        for method in METHODS:
            signed = name == "wrong" and method != "sensitivity"
            orders[method] = (-1 if signed else 1) * values[method][chosen]
        curves = [
            curve
            for method in track([*METHODS, "random"], f"deleting words, judged {name}")
            for curve in delete_words(
                net.module,
                part,
                labels[chosen],
                {method: orders[method]},
                most=MOST,
                delete=remove_words,
            )
        ]
        report(name, curves, out, console)


def report(name: str, curves: list[WordsDeleted], out: Path, console: Console) -> None:
    """A table of accuracies and areas, and the curves as a picture."""
    lrp, falls = curves[0], name == "right"
    lines = [
        [each.method, *(f"{value:.0%}" for value in each.accuracies.tolist()),
         f"{each.areas.mean():.3f}"]
        for each in curves
    ]  # fmt: skip
    console.print(f"\nAccuracy as 0 to {MOST} words go, {len(lrp.curve)} sentences judged {name}:")
    console.print(viz.table(["order", *(f"{int(k)}" for k in lrp.deleted), "area"], lines))
    better = "smaller" if falls else "larger"
    console.print(f"Area under the curve, {better} is better; LRP's less the others', 95 %:")
    for each in curves[1:]:
        console.print(f"  {each.method}: {compare_areas(lrp, each)}")
    figure = viz.curves(
        {each.method: each.curve.numpy() for each in curves},
        x=lrp.deleted.numpy(),
        xlabel="words deleted",
        ylabel="accuracy (band: standard error)",
        title=f"Sentences judged {name}: accuracy should {'fall' if falls else 'rise'}",
    )
    viz.save(figure, out / f"deleting-{name}.png")


if __name__ == "__main__":
    main()
