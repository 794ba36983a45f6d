"""Evaluations and prototypes as what stands on a page."""

from collections.abc import Mapping, Sequence
from typing import Any

from whence.reports._content import Facts, number
from whence.reports._page import Picture, Section, Table
from whence.reports._record import Record


def evaluation_section(record: Record, pictures: Sequence[Picture] = ()) -> Section:
    """Means with intervals, paired differences, what is missing."""
    body = record.body
    protocol = body["protocol"]
    share = f"{protocol.get('confidence', 0.95):.0%}"
    done, asked = len(body.get("samples", [])), protocol.get("samples")
    whole = body.get("complete", True)
    failed = len(body.get("failures", []))
    words = (
        f"All {done:,} samples were measured."
        if whole
        else (
            f"NOT COMPLETE: {done:,} of {asked if asked else 'an unknown number of'} samples are "
            f"measured. {body.get('stopped') or 'Other shards are missing.'}"
        )
    )
    words += f" {failed:,} measurements failed." if failed else ""
    tables = [_metric_table(name, each, share, protocol) for name, each in body["metrics"].items()]
    return Section(
        title=f"Evaluation on {protocol.get('data', 'data')}",
        facts=_protocol_facts(protocol) + [("Samples, SHA-256", body.get("data_sha256", ""))],
        verdict=words,
        holds="yes" if whole and not failed else "no",
        pictures=pictures,
        tables=tables,
        notes=[
            f"Intervals ({share}) are bootstraps over samples; differences are paired, on the "
            "same samples; p is adjusted over all pairs of methods (Holm).",
            "A number belongs to its protocol: another replacement or step can reverse an order.",
            *_failures(body.get("failures", [])),
        ],
    )


def prototypes_section(record: Record, pictures: Sequence[Picture] = ()) -> Section:
    """What was looked for and how, and the numbers of each prototype."""
    body = record.body
    made = body["made"]
    hidden = ("scores", "model", "versions", "identity")
    facts = [
        (key.replace("_", " ").capitalize(), _knob(each))
        for key, each in made.items()
        if key not in hidden and each not in (None, [], {}, "")
    ]
    return Section(
        title="Prototypes",
        facts=facts,
        pictures=pictures,
        tables=[_prototype_table(body)],
        notes=[
            *body.get("notes", []),
            "A prototype is what the model answers most to under this prior and start; it is no "
            "typical example of the class, and another prior shows another picture.",
        ],
    )


def _metric_table(
    name: str, found: Mapping[str, Any], share: str, protocol: Mapping[str, Any]
) -> Table:
    direction = protocol.get("metrics", {}).get(name, {}).get("direction", 0)
    better = {1: "larger is better", -1: "smaller is better"}.get(direction, "neither is better")
    intervals = found["intervals"]
    first = next(iter(intervals))
    pairs = {(each["first"], each["second"]): each for each in found.get("comparisons", [])}
    rows = []
    for method, each in intervals.items():
        pair = pairs.get((first, method))
        cells = [method, _interval(each), str(each["count"]), str(each["missing"])]
        rows.append([*cells, *_difference(None if pair is None else pair["difference"])])
    head = ("method", f"mean [{share} interval]", "samples", "without", f"minus {first}", "p")
    return Table(head, rows, f"{name}: {better}")


def _interval(each: Mapping[str, Any]) -> str:
    if each["mean"] is None:
        return "–"
    return _told(each["mean"], each["low"], each["high"])


def _told(mean: float, low: float | None, high: float | None, sign: str = "") -> str:
    """A mean and its interval, in three decimals where these say something."""
    if low is None or high is None:
        return f"{mean:{sign}.4g}"
    size = max(abs(mean), abs(low), abs(high))
    form = sign + (".3f" if 0.01 <= size < 1000 or size == 0 else ".2e")
    return f"{mean:{form}} [{low:{form}}, {high:{form}}]"


def _difference(found: Mapping[str, Any] | None) -> tuple[str, str]:
    """Kept as the first method minus this one; told the other way round."""
    if found is None or found["mean"] is None:
        return "", ""
    low, high = found["high"], found["low"]  # what was the upper end is the lower one now
    low, high = (None if each is None else -each for each in (low, high))
    p = found["p"]
    told = "–" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"
    return _told(-found["mean"], low, high, "+"), told


def _protocol_facts(protocol: Mapping[str, Any]) -> Facts:
    metrics = "; ".join(str(each.get("knobs", "")) for each in protocol.get("metrics", {}).values())
    papers = [p for each in protocol.get("metrics", {}).values() for p in each.get("sources", [])]
    equations = "; ".join(
        f"{name}: {each['equation']}"
        for name, each in protocol.get("metrics", {}).items()
        if each.get("equation")
    )
    return [
        ("Explained score", str(protocol.get("target", ""))),
        ("Numbers", str(protocol.get("numbers", ""))),
        ("Model's hash in the protocol", str((protocol.get("model") or {}).get("hash", ""))),
        ("Seed", str(protocol.get("seed", ""))),
        ("Metrics", metrics),
        ("Equations", equations),
        ("Papers of the metrics", " ".join(dict.fromkeys(papers))),
    ]


def _failures(failures: Sequence[Mapping[str, Any]]) -> list[str]:
    kinds: dict[tuple[str, str], int] = {}
    for each in failures:
        key = (str(each["method"]), str(each["error"]))
        kinds[key] = kinds.get(key, 0) + 1
    return [f"{method} failed {count} times: {error}" for (method, error), count in kinds.items()]


def _knob(value: Any) -> str:
    """A setting in words.

    >>> _knob({"l2": {"weight": 0.1}})
    'l2 (weight 0.1)'
    """
    if isinstance(value, Mapping):
        parts = []
        for name, each in value.items():
            inner = _knob(each)
            parts.append(
                f"{name} ({inner})" if isinstance(each, Mapping) and inner else f"{name} {inner}"
            )
        return ", ".join(each.strip() for each in parts)
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_knob, value))
    return str(value)


def _prototype_table(body: Mapping[str, Any]) -> Table:
    scores = body["made"].get("scores")
    if scores:
        head = ("prototype", "objective", "prior", "read as", "with probability", "steps")
        rows = [
            (
                str(row["name"]), number(row["objective"]), number(row["prior"]),
                str(row["read_as"]), f"{row['probability']:.1%}", str(row["steps"]),
            )
            for row in scores
        ]  # fmt: skip
        return Table(head, rows)
    columns = zip(body["names"], body["objective"], body["prior"], body["steps"], strict=True)
    rows = [(str(n), number(o), number(p), str(s)) for n, o, p, s in columns]
    return Table(("prototype", "objective", "prior", "steps"), rows)
