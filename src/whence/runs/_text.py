"""Explanations of texts written to files, resumable: pages for people, numbers for programs."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from whence import viz, zoo
from whence._explanation import named
from whence._text_explanation import TextExplanation
from whence.errors import InvalidInput
from whence.explainers import explain
from whence.runs._explain import Answer, _conserves, _file, _is_done, _safely, _stamp, answered
from whence.runs._identified import (
    check_same_model,
    flow_record,
    identified,
    ledger_option,
    ledger_sums,
)
from whence.runs._question import Asked, asked_methods, find_class, in_words
from whence.runs._text_subjects import TextSubject
from whence.targets import Contrast, Highest, Logit, Span, Target, Token
from whence.zoo import Model, TextInput

_TOP = 5
HIGHEST = "the highest score"
RUNNER_UP = "top"  # the contrast of the highest score with the second


@dataclass(frozen=True, eq=False)
class TextQuestion:
    """The loaded model, the methods, and what is asked of each text; made by `ask_texts`."""

    net: Model
    asked: tuple[Asked, ...]
    target: str | None
    contrast: str | None
    composite: str | None
    known: dict[str, Any] = field(default_factory=dict, repr=False)  # hashes and rules, once made

    @property
    def words(self) -> str:
        """The target in words."""
        if self.contrast is not None:
            return (
                "the highest score, not the second"
                if self.contrast == RUNNER_UP
                else ", not ".join(map(self.called, self.contrast.split(",")))
            )
        return HIGHEST if self.target is None else self.called(self.target)

    def called(self, target: str) -> str:
        """A class by its name, where its number was given."""
        name, classes = target.strip(), self.net.classes
        return classes[int(name)] if name.isdecimal() and int(name) < len(classes) else name

    @property
    def task(self) -> str:
        """What the model was made for."""
        preprocess = self.net.preprocess
        return preprocess.task if isinstance(preprocess, TextInput) else "classification"

    @property
    def tokenizer(self) -> Any:
        """The tokenizer of transformers, if there is one."""
        preprocess = self.net.preprocess
        return preprocess.tokenizer if isinstance(preprocess, TextInput) else None


def ask_texts(
    model: str,
    methods: Sequence[str] = ("lrp",),
    *,
    composite: str | None = None,
    target: str | None = None,
    contrast: str | None = None,
    root: str | Path | None = None,
) -> TextQuestion:
    """Load a model of text and check what is asked of it.

    target: a class or token by number or name, or two positions "3,5" for an answer's span.
    contrast: two of them, "3,9", or "top" for the highest score against the second. Without a
    target the default of the task is explained: the class with the highest score; the next token;
    the word at the mask; the best answer; for token classifiers, the token most surely labelled
    otherwise than with label 0.
    """
    if target is not None and contrast is not None:
        raise InvalidInput("Give a target or a contrast, not both.")
    if contrast is not None and contrast != RUNNER_UP and len(contrast.split(",")) != 2:
        raise InvalidInput(
            f"A contrast is two classes or tokens with a comma, such as good,bad; got {contrast!r}."
        )
    net = zoo.model(model, root)
    if net.input_shape != () or net.low is not None:
        raise InvalidInput(f"{model} does not take texts. `whence models` lists others.")
    suffix = f"-for-{target}" if target else ""
    suffix = f"-for-{contrast.replace(',', '-not-')}" if contrast else suffix
    asked = asked_methods(net, methods, composite, suffix)
    question = TextQuestion(net, asked, target, contrast, composite)
    if net.classes:
        _aim(question, None, {}, None)  # a wrong name is an error before any work
    return question


def explain_texts(
    subjects: Sequence[TextSubject], question: TextQuestion, out: str | Path, *, again: bool = False
) -> Iterator[Answer]:
    """Explain each text, write what was found below `out`, and yield it.

    Each text gets a folder with METHOD.html, METHOD.png and METHOD.json. What is there already,
    for the same question and text, is not done again unless `again`; if the model's weights have
    changed since, it is an error before any work. A text that fails, or a line that could not be
    read, does not stop the others.
    """
    folders = [Path(out) / subject.name for subject in subjects]
    if not again:
        check_same_model(question.net, question.known, folders)
    return (
        answered(folder, lambda one=one, folder=folder: _explain(one, question, folder, again))
        for one, folder in zip(subjects, folders, strict=True)
    )


def _explain(subject: TextSubject, question: TextQuestion, folder: Path, again: bool) -> Answer:
    if subject.error is not None:
        return Answer(subject.name, folder, error=subject.error)
    new = 0
    for asked in question.asked:
        stamp = _stamped(subject, question, asked)
        if again or not _is_done(folder, stamp, asked, (".json", ".html", ".png")):
            _write(folder, subject, question, asked, stamp)
            new += 1
    records = [
        json.loads(_file(folder, each, ".json").read_text("utf-8")) for each in question.asked
    ]
    return Answer(subject.name, folder, tuple(records), (), new)


def _write(
    folder: Path, subject: TextSubject, question: TextQuestion, asked: Asked, stamp: dict[str, str]
) -> None:
    inputs = _inputs(question, subject)
    model = question.net.module
    target, position = _aim(question, subject, inputs, model)
    options = asked.options | ledger_option(asked.kind)
    found = explain(model, inputs, target, asked.kind, tokenizer=question.tokenizer, **options)
    if not isinstance(found, TextExplanation):
        raise InvalidInput(f"{question.net.name} does not tell its tokens.")
    words = _in_words(question, subject, _top(question, found, position))
    found = replace(found, labels=(words,))
    record = _record(subject, question, asked, found, position) | {"asked": stamp}
    folder.mkdir(parents=True, exist_ok=True)
    title = f"{question.net.name}: {asked.kind.name} for {words}"
    _safely(_file(folder, asked, ".html"), lambda path: found.to_html(path, title=title))
    page = viz.draw_texts(found.rows())
    _safely(_file(folder, asked, ".png"), lambda path: viz.save(page, path))
    # Last, since it says that the others are complete.
    text = json.dumps(record, indent=1, ensure_ascii=False)
    _safely(_file(folder, asked, ".json"), lambda path: path.write_text(text, encoding="utf-8"))


def _inputs(question: TextQuestion, subject: TextSubject) -> Any:
    if question.task == "question-answering":
        if subject.question is None:
            raise InvalidInput(
                f"{question.net.name} answers questions about a text; give --question, or "
                '"question" in each line.'
            )
        return question.net.preprocess((subject.question, subject.text))
    return question.net.preprocess(subject.text)


def _aim(
    question: TextQuestion, subject: TextSubject | None, inputs: Any, model: Any
) -> tuple[Target, int | None]:
    """The target for one text, and the position it looks at where there are several."""
    target = question.target
    contrast = question.contrast
    if subject is not None and subject.target is not None:
        target, contrast = subject.target, None
    if question.task == "question-answering":
        return _span(target, contrast), None
    position = None if subject is None else _position(question, inputs, model)
    if contrast is not None:
        if contrast == RUNNER_UP:
            return Contrast(position=position), position
        a, b = (_named(question, part) for part in contrast.split(","))
        return Contrast(a, b, position), position
    if target is None:
        return Highest(position=position), position
    named = _named(question, target)
    return (Logit(named) if position is None else Token(named, position)), position


def _named(question: TextQuestion, name: str) -> int | str:
    """A class by name, or a token: a number, or a string that the tokenizer knows."""
    if question.net.classes:
        return find_class(question.net, name)
    return int(name) if name.strip().isdecimal() else name


def _position(question: TextQuestion, inputs: Any, model: Any) -> int | None:
    preprocess = question.net.preprocess
    if not isinstance(preprocess, TextInput) or question.task == "classification":
        return None
    if question.task == "masked":
        return preprocess.mask_place(inputs["input_ids"][0])
    if question.task == "token-classification":
        with torch.no_grad():
            chances = model(**inputs).logits[0].softmax(1)
        chances = chances[:, 1:].amax(1)
        special = [word is None for word in inputs.word_ids(0)]
        return int(chances.masked_fill(torch.tensor(special), -1).argmax())
    read = "decoder_input_ids" if question.task == "encoder-decoder" else "input_ids"
    return inputs[read].shape[1] - 1


def _span(target: str | None, contrast: str | None) -> Span:
    if contrast is not None:
        raise InvalidInput("Answers have no contrast. Give --target START,END or nothing.")
    if target is None:
        return Span()
    ends = target.split(",")
    if len(ends) != 2 or not all(each.strip().isdecimal() for each in ends):
        raise InvalidInput(
            f"The target of an answer is two positions, such as 3,5; got {target!r}."
        )
    return Span(int(ends[0]), int(ends[1]))


def _record(
    subject: TextSubject,
    question: TextQuestion,
    asked: Asked,
    found: TextExplanation,
    position: int | None,
) -> dict[str, Any]:
    ledger = found.ledger
    top = _top(question, found, position)
    return {
        "method": asked.kind.name,
        "composite": question.composite if "composite" in asked.options else None,
        "name": subject.name,
        "text": subject.text,
        "question": subject.question,
        "label": None,
        "target": _in_words(question, subject, top),
        "position": position,
        "score": float(found.score[0]),
        "top": top,
        "sum": sum(float(each.double().sum()) for each in found.relevance.values()),
        "first_token_share": float(found.first_token_share[0]),
        "verdict": None if ledger is None else ledger.verdict,
        "conserves": None if ledger is None else _conserves(ledger),
        "ledger": None if ledger is None else ledger.to_rows(),
        "ledger_sums": ledger_sums(ledger),
        "flow": flow_record(ledger),
        "notes": found.notes,
        "identity": identified(question.net, asked, question.composite, found, question.known),
        "rows": found.rows(),
        "relevance": {key: each.tolist() for key, each in named(found.relevance).items()},
        **found.record()["texts"][0],
        **in_words(asked.kind),
    }


def _in_words(question: TextQuestion, subject: TextSubject, top: list[dict[str, Any]]) -> str:
    """The target, with the name of the class or token that came out highest."""
    if subject.target is not None:
        return question.called(subject.target)
    if question.contrast == RUNNER_UP:
        return f"{top[0]['class']}, not {top[1]['class']}"
    return str(top[0]["class"]) if question.words == HIGHEST else question.words


def _top(
    question: TextQuestion, found: TextExplanation, position: int | None
) -> list[dict[str, Any]]:
    """The highest scores with their names; for an answer, its words."""
    output: Tensor = found.output[0]
    if question.task == "question-answering":
        start, end = (int(torch.as_tensor(each)[0]) for each in found.target.positions)
        answer = " ".join(found.tokens[0][start : end + 1])
        return [{"class": answer, "number": start, "score": float(found.score[0])}]
    scores, numbers = (output if position is None else output[position]).topk(
        min(_TOP, output.shape[-1])
    )
    names = question.net.classes or question.tokenizer.convert_ids_to_tokens(numbers.tolist())
    return [
        {"class": str(names[k] if question.net.classes else names[i]), "number": k, "score": score}
        for i, (k, score) in enumerate(zip(numbers.tolist(), scores.tolist(), strict=True))
    ]


def _stamped(subject: TextSubject, question: TextQuestion, asked: Asked) -> dict[str, str]:
    return _stamp(question.net, asked, subject.target or question.words, subject.origin)
