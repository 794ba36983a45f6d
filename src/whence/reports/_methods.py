"""A method in words for readers of a report: its equation, its papers, its limits."""

import inspect
import re
from dataclasses import dataclass

from whence._references import REFERENCES
from whence.errors import InvalidInput
from whence.explainers import method_class, methods

# What a map of this method cannot say, in plain language. What it sums to is said beside.
LIMITS = {
    "lrp": (
        "The map depends on which rules were used where; the table of rules is part of the answer.",
        "What biases, epsilon or dropped paths took is not in the map; the ledger says how much.",
    ),
    "deep-taylor": (
        "Only evidence in favour is shown: nothing in this map speaks against the score.",
        "It assumes biases that are zero or negative, which trained models seldom have.",
    ),
    "attnlrp": (
        "What softmax and biases took is not in the map; the ledger says how much.",
        "The first token often takes much relevance that says little about the text.",
    ),
    "cp-lrp": (
        "Where attention looked counts as given: what made it look there gets no relevance.",
        "What biases took is not in the map; the ledger says how much.",
    ),
    "sensitivity": (
        "It shows where a small change would change the score most, not what made the score.",
        "It has no sign, and often marks pixels outside of the object.",
    ),
    "gradient": (
        "It is a slope at this very input; a step away it can differ much.",
        "It does not add up to the score, nor to a known part of it.",
    ),
    "gradient-times-input": (
        "Values of zero get zero, also where their being zero is what matters.",
        "Except in nets without biases made of piecewise linear parts it adds up to nothing known.",
    ),
    "taylor": (
        "It is of first order: what the straight line misses is the residual, which is told.",
        "Another root gives another map.",
    ),
    "deconvnet": (
        "The map may look like the object and yet hardly depend on the class.",
        "Its values add up to nothing.",
    ),
    "guided-backprop": (
        "Its sharp edges are largely those of the picture and hardly depend on the class.",
        "Its values add up to nothing.",
    ),
    "excitation-backprop": (
        "It shares out a probability of 1, whatever the score is.",
        "Only excitatory links count: nothing in it speaks against the class.",
    ),
    "smoothgrad": (
        "It averages over noisy inputs, which the model may never have seen the like of.",
        "More or other noise gives another map.",
    ),
    "integrated-gradients": (
        "It explains the difference to the baseline, and another baseline gives another map.",
        "Where input and baseline are equal, nothing can be marked.",
    ),
    "grad-cam": (
        "The map is coarse: it says about where, not what, and its edges mean nothing.",
        "Only evidence in favour is kept, and its size is not a share of the score.",
    ),
    "patternnet": (
        "It shows an estimate of the signal, learned from data; other data give another one.",
        "Its size means nothing in deep convolutional nets.",
    ),
    "pattern-attribution": (
        "It rests on patterns learned from data; other data give others.",
        "What arrives at closed ReLUs is dropped, often half of the score; the ledger says it.",
    ),
    "occlusion": (
        "Each value is the effect of one tile alone: what several tiles do together is not seen.",
        "Inputs with a tile replaced may be unlike all that the model was trained on.",
    ),
    "random": (
        "It says nothing about the model: it is the yardstick that other methods must beat.",
    ),
}
ALWAYS = (
    "An explanation says what this model used for this score. It does not say that the model is "
    "right, nor what causes what in the world.",
    "Other methods answer other questions, and may rightly mark other parts of the same input.",
    "Colours are scaled to each picture: equal colours in two pictures need not be equal amounts.",
)


@dataclass(frozen=True)
class About:
    """A method for readers: summary, equations, what it sums to, papers, limits."""

    name: str
    summary: str
    equation: str
    decomposes: str
    papers: tuple[str, ...]
    limits: tuple[str, ...]


def about(name: str) -> About:
    """What is known of a method by its name; a foreign one has only its name.

    >>> about("sensitivity").papers[0][:8]
    'Simonyan'
    """
    if name not in methods():
        told = ("This method is not one of Whence's; what its values mean is for its authors.",)
        return About(name, "", "", "unknown", (), told)
    kind = method_class(name)
    text = inspect.getdoc(kind) or ""
    papers = tuple(REFERENCES[key] for key in kind.sources)
    summary = " ".join(text.split("\n\n")[0].split())
    return About(name, summary, equation(text), kind.decomposes, papers, LIMITS[name])


def equation(text: str) -> str:
    """The indented block of a docstring, which holds the equation, or an equation in its first
    line; empty where there is none."""
    blocks = re.findall(r"(?:^|\n\n)((?: {4}\S[^\n]*\n?)+)", text.split("```")[0] + "\n")
    if blocks:
        return inspect.cleandoc(blocks[0])
    first = text.split("\n")[0]
    found = re.search(r"[A-Za-z_]\w* = .*", first)
    return "" if found is None else found.group().rstrip(".")


def check_known(name: str) -> None:
    """Raise `InvalidInput` for a method that has no limits written down."""
    if name not in LIMITS:
        raise InvalidInput(f"The method {name!r} has no limits in words; add them to LIMITS.")
