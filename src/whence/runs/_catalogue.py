"""All methods, composites, rules and metrics by name, each with a line about it and its papers."""

import inspect
import re
from dataclasses import dataclass

from whence import rules
from whence._references import REFERENCES
from whence.explainers import describe_preset, method_class, methods, presets
from whence.metrics import describe_metric, metric_class
from whence.metrics import names as metric_names
from whence.rules import Rule


@dataclass(frozen=True)
class Line:
    """One entry: name, spelling in Python, what it is, what it sums to (of a metric: which values
    are better), keys of its papers."""

    name: str
    spelling: str
    summary: str
    decomposes: str
    keys: tuple[str, ...]

    @property
    def papers(self) -> str:
        """The papers in short, such as "Bach et al. 2015"."""
        return "; ".join(dict.fromkeys(short_reference(key) for key in self.keys))


def catalogue() -> dict[str, tuple[Line, ...]]:
    """All methods, composites, rules and metrics, by these four words."""
    return {
        "methods": tuple(_method(name) for name in methods()),
        "composites": tuple(_composite(name) for name in presets()),
        "rules": tuple(_rule(name) for name in rules.__all__ if _is_rule(name)),
        "metrics": tuple(_metric(name) for name in metric_names()),
    }


def short_reference(key: str) -> str:
    """A paper as it is cited in running text."""
    authors, year = re.split(r" \((\d{4})\)", REFERENCES[key], maxsplit=2)[:2]
    surnames = re.findall(r"([^,]+?), (?:\w\.[- ]?)+", authors)
    first = authors.split(",")[0].removesuffix(" et al.")
    if "et al." in authors or len(surnames) > 2:
        return f"{first} et al. {year}"
    return " & ".join([first, *(each.strip(" ,") for each in surnames[1:])]) + f" {year}"


def _method(name: str) -> Line:
    kind = method_class(name)
    text = inspect.getdoc(kind) or ""
    return Line(name, kind.__name__, _first(text), kind.decomposes, kind.sources)


def _composite(name: str) -> Line:
    about = describe_preset(name)
    return Line(name, about["function"], _first(about["text"]), "", _keys(about["text"]))


def _rule(name: str) -> Line:
    kind = getattr(rules, name)
    text = inspect.getdoc(kind) or ""
    return Line(name, name, _first(text), kind.conserves, _keys(f"{text} [{kind.source}]"))


def _metric(name: str) -> Line:
    about = describe_metric(name)
    keys = metric_class(name).sources
    return Line(name, about["class"], _first(about["text"]), about["better"], keys)


def _is_rule(name: str) -> bool:
    kind = getattr(rules, name)
    return isinstance(kind, type) and issubclass(kind, Rule) and not inspect.isabstract(kind)


def _first(text: str) -> str:
    """The first sentence of a docstring, on one line, without references."""
    paragraph = " ".join(text.split("\n\n")[0].split())
    sentence = re.split(r"(?<=\.) (?=[A-Z])", paragraph.split(" References:")[0])[0]
    return sentence.rstrip(".:")


def _keys(text: str) -> tuple[str, ...]:
    found = re.findall(r"\[(\w+)(?:,[^]]*)?\]", text)
    return tuple(dict.fromkeys(key for key in found if key in REFERENCES))
