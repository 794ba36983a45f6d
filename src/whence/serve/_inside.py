"""The inside of an explanation: every operation with its rule and its line in the ledger."""

import inspect
import re
import time
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from whence import rules, runs, viz
from whence._explanation import Explanation
from whence._flow import Flow, Station
from whence.errors import WhenceError
from whence.explainers import Explainer, method_class, methods
from whence.explainers._tape import TapeExplainer
from whence.reports._methods import equation
from whence.serve._desk import _GRIDS, Desk
from whence.serve._explaining import _check_finite, _explained, _prepared
from whence.serve._inside_schemas import (
    AskInside,
    InsideAnswer,
    Operation,
    RuleAbout,
    StreamAbout,
)
from whence.serve._inside_schemas import Station as StationAbout
from whence.serve._pictures import as_coarse, read_drawing
from whence.serve._problem import Problem
from whence.serve._question import Asked, book_of, scores_of, target_of
from whence.serve._schemas import Numbers
from whence.serve._text_reading import read
from whence.viz._flow import in_words
from whence.zoo import Model

KINDS = ("digits", "image", "text")
_FINE = 56  # rows and columns of a map at most: larger ones are averaged
_MAPS = 40


def keeps_ledger(kind: type[Explainer]) -> bool:
    """Whether a method books where its relevance goes."""
    return issubclass(kind, TapeExplainer) and kind.default_ledger is not None


def with_ledgers() -> list[str]:
    """The names of the methods that keep a ledger."""
    return [name for name in methods() if keeps_ledger(method_class(name))]


def explain_inside(desk: Desk, asked: AskInside) -> InsideAnswer:
    """The operations of one explanation, and the flow between them."""
    began = time.perf_counter()
    net = desk.shelf.model(asked.model, *KINDS)
    question = desk.question(net, asked)
    if not keeps_ledger(question.kind):
        known = ", ".join(with_ledgers())
        raise Problem("not_explained", f"{question.kind.name} keeps no ledger; {known} do.")
    inputs = _inputs(desk, net, asked)
    found = _explained(net, inputs, question, {"ledger": "flow"})
    if isinstance(found.relevance, Tensor):
        _check_finite(found.relevance)
    scores = scores_of(found.output)
    target, against = target_of(net, scores, question)
    whole = found.ledger.flow()
    flow = whole.grouped(asked.stations)
    maps = _maps(net, inputs, question, flow)
    return InsideAnswer(
        model=net.name,
        **question.facts,
        target=target,
        against=against,
        score=float(found.score[0]),
        arrived=float(found.ledger.explained.double().sum()),
        operations=_operations(whole, flow),
        stations=[_station(each, maps.get(k)) for k, each in enumerate(flow.stations)],
        streams=[StreamAbout(**vars(each)) for each in flow.streams],
        rules=_rules(whole),
        svg=viz.flow_svg(whole, width=asked.width, most=asked.stations, name="flow-figure"),
        words=in_words(whole),
        **book_of(found.ledger),
        notes=list(found.notes),
        seconds=time.perf_counter() - began,
    )


def _inputs(desk: Desk, net: Model, asked: AskInside) -> Any:
    """The one input that is asked about, as the model takes it."""
    entry, limits = desk.shelf.entry(asked.model), desk.settings.limits
    given = [name for name in ("sample", "pixels", "text") if getattr(asked, name) is not None]
    if len(given) != 1:
        raise Problem("bad_field", "Send one of `sample`, `pixels` and `text`.")
    if given == ["pixels"]:
        if entry.kind != "digits":
            raise Problem("wrong_kind", f"{net.name} is a model of kind {entry.kind}, not digits.")
        drawing = read_drawing(asked.pixels or "", asked.height, limits)
        side = _GRIDS.get(net.name)
        return _prepared(net, drawing if side is None else as_coarse(drawing, side))
    if entry.kind == "text":
        text = asked.text
        if text is None:
            text = desk.samples.content(entry, asked.sample or "")[0].decode()
        if len(text) > limits.text:
            raise Problem("text_too_long", f"A text may have {limits.text:,} characters.")
        return read(net, text).inputs
    if asked.text is not None:
        raise Problem("wrong_kind", f"{net.name} is a model of kind {entry.kind}, not text.")
    return _prepared(net, desk.samples.picture(entry, asked.sample or ""))


def _operations(whole: Flow, flow: Flow) -> list[Operation]:
    place = {row: k for k, each in enumerate(flow.stations) for row in each.rows}
    return [
        Operation(
            name=each.name,
            path=each.path,
            source=_short(each.source),
            rule=each.rule,
            received=each.received,
            passed=each.passed,
            lost=dict(each.lost),
            station=place[each.rows[0]],
        )
        for each in whole.stations
        if each.rows
    ]


def _station(station: Station, image: Numbers | None) -> StationAbout:
    return StationAbout(
        name=station.name,
        path=station.path,
        received=station.received,
        passed=station.passed,
        lost=dict(station.lost),
        operations=list(station.rows),
        map=image,
    )


def _short(source: str) -> str:
    """A line of code without the folders of this machine.

    >>> _short("/home/me/nets/small.py:12")
    'small.py:12'
    """
    return re.split(r"[/\\]", source)[-1]


def _rules(flow: Flow) -> list[RuleAbout]:
    """The rules that were used, each once, with their equations and papers."""
    used = {each.rule.split("(")[0] for each in flow.stations}
    return [
        RuleAbout(
            name=line.name,
            summary=line.summary,
            equation=equation(inspect.getdoc(getattr(rules, line.name)) or ""),
            papers=line.papers,
        )
        for line in runs.catalogue()["rules"]
        if line.name in used
    ]


def _maps(net: Model, inputs: Any, asked: Asked, flow: Flow) -> dict[int, Numbers]:
    """Relevance summed over channels at the stations that are modules' outputs, and at the input.

    A station stands for the output of a module if it is the first of that module on the way down,
    and the module has no other in it, or is in the station as a whole.
    """
    if not isinstance(inputs, Tensor) or inputs.dim() != 4:
        return {}
    simple = {name for name, each in net.module.named_modules() if not list(each.children())}
    known = dict(net.module.named_modules())
    places: dict[str, int] = {}
    for k, each in enumerate(flow.stations):
        path = each.path.split(" + ")[-1]  # of what was joined, the last made the output
        if path in (simple if len(each.rows) == 1 else known) and len(places) < _MAPS:
            places.setdefault(path, k)
    places.pop("", None)
    found = _explained(net, inputs, asked, {"ledger": None, "taps": list(places)})
    maps = {k: _map(_tapped(found, path)) for path, k in places.items()}
    maps[len(flow.stations) - 1] = _map(found.relevance)
    return {k: each for k, each in maps.items() if each is not None}


def _tapped(found: Explanation, path: str) -> Any:
    try:
        return found.at(path)
    except WhenceError as error:
        raise Problem("not_explained", " ".join(str(error).split())[:300]) from error


def _map(R: Any) -> Numbers | None:
    if not isinstance(R, Tensor) or R.dim() != 4 or min(R.shape[2:]) < 2:
        return None
    shown = R[0].detach().double().sum(0)
    factor = -(-max(shown.shape) // _FINE)
    if factor > 1:
        shown = F.avg_pool2d(shown[None, None], factor, ceil_mode=True)[0, 0]
    return Numbers.of(shown.float().cpu().numpy())
