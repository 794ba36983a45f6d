"""Why does an LSTM call a film review negative? Words, negation, and a measure of both.

    python examples/sentiment.py                       # the tutorial's sentences, at once
    python examples/sentiment.py --data FOLDER         # and word deleting on the treebank
    python examples/sentiment.py --data FOLDER --quick # on 300 of its sentences

The net ships with Whence. Pictures, a page and tables go to out/sentiment (`--out`). Word deleting
follows [arras2017]: sentences of at least ten words lose up to five, and are read again without
them. From sentences that were classified right the words that speak most for the true class go
first, and accuracy should fall; from those that were classified wrong the words that speak most
against it, and accuracy should rise. Sensitivity has no sign: its largest values go first in both.
The random order is the mean of ten.
"""

import argparse
import os
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import track

import whence
from whence import viz, zoo
from whence.metrics import Batch, Case, Scores, WordDeleting, paired_difference

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
    inputs, labels = dict(net.preprocess([test.texts[i] for i in long])), test.labels[long]
    batch = Batch(net.module, inputs, labels, ids=[test.names[i] for i in long])
    cases = {}
    for method in track(METHODS, "explaining"):
        found = whence.explain(net.module, inputs, labels, method=method, batch_size=128)
        cases[method] = Case(batch, found.relevance, explanation=found)
    right = int((batch.untouched.argmax(1) == labels).sum())
    console.print(f"\n{len(long)} sentences of ten words or more; {right} classified right")
    for judged in ("right", "wrong"):
        deleting = WordDeleting(texts=judged, how="remove", most=MOST, runs=RUNS, short="refuse")
        strongest, random = replace(deleting, order="morf"), replace(deleting, order="random")
        scores = {}
        for method in track(METHODS, f"deleting words, judged {judged}"):
            metric = strongest if method == "sensitivity" else deleting
            scores[method] = metric.measure(cases[method])
        scores["random"] = random.measure(cases["lrp"])
        report(judged, scores, out, console)


def report(judged: str, scores: dict[str, Scores], out: Path, console: Console) -> None:
    """A table of accuracies and areas under the curve, and the curves as a picture."""
    falls = judged == "right"
    areas = {name: 1 - each.values if falls else each.values for name, each in scores.items()}
    chosen = ~areas["lrp"].isnan()
    found = {name: each.curves["word-deleting"] for name, each in scores.items()}
    curves = {name: each.y[chosen].numpy() for name, each in found.items()}
    deleted = found["lrp"].x.numpy()
    lines = [
        [name, *(f"{value:.0%}" for value in curve.mean(0)), f"{areas[name][chosen].mean():.3f}"]
        for name, curve in curves.items()
    ]
    count = int(chosen.sum())
    console.print(f"\nAccuracy as 0 to {MOST} words go, {count} sentences judged {judged}:")
    console.print(viz.table(["order", *(f"{int(k)}" for k in deleted), "area"], lines))
    better = "smaller" if falls else "larger"
    console.print(f"Area under the curve, {better} is better; LRP's less the others', 95 %:")
    for name in list(areas)[1:]:
        console.print(f"  {name}: {paired_difference(areas['lrp'], areas[name])}")
    figure = viz.curves(
        curves,
        x=deleted,
        xlabel="words deleted",
        ylabel="accuracy (band: standard error)",
        title=f"Sentences judged {judged}: accuracy should {'fall' if falls else 'rise'}",
    )
    viz.save(figure, out / f"deleting-{judged}.png")


if __name__ == "__main__":
    main()
