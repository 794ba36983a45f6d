"""Records as what stands on a page: sections, tables, facts."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from whence._flow import Flow
from whence.reports._page import Picture, Piece, Section, Table, pieces
from whence.reports._record import Record
from whence.reports._words import ledger_in_words
from whence.viz import flow_svg

Facts = list[tuple[str, str]]
MOST_ROWS = 60  # of a table
_MOST_SAMPLES = 16
_COLUMNS = ("r_out", "r_in", "bias", "epsilon", "dropped", "softmax", "residual")
_HEADS = ("received", "passed on", "bias", "epsilon", "dropped", "softmax", "unexplained")


def explanation_section(record: Record, pictures: Sequence[Picture] = ()) -> Section:
    """One explanation: what was explained, the score and its shares, the ledger in words."""
    body = record.body
    ledgers = body.get("ledger") or []
    words, holds = _verdict(body["method"], ledgers)
    name = body.get("name", "")
    return Section(
        title=f"{name}: {body['method']['name']}" if name else body["method"]["name"],
        facts=_explanation_facts(body),
        verdict=words,
        holds=holds,
        pictures=pictures,
        texts=[_coloured(row) for row in body.get("rows", [])[:_MOST_SAMPLES]],
        tables=_top_tables(body.get("top", [])),
        flows=_flows(ledgers, name),
        appendix=[*_ledger_tables(ledgers), *_rule_tables(body.get("rules"))],
        notes=body.get("notes", []),
    )


def model_facts(model: Mapping[str, Any] | None) -> Facts:
    """Who answered."""
    if not model:
        return [("Model", "not recorded")]
    count = model.get("parameters")
    return [
        ("Model", ", ".join(filter(None, [model.get("name"), model.get("class")]))),
        ("Parameters", "" if count is None else f"{count:,}"),
        ("Weights, SHA-256", model.get("weights_sha256") or "not recorded"),
        ("Structure, SHA-256", model.get("structure_sha256") or ""),
    ]


def version_facts(versions: Mapping[str, str] | None) -> Facts:
    """With what it was made."""
    told = ", ".join(f"{name} {each}" for name, each in (versions or {}).items())
    return [("Versions", told or "not recorded")]


def number(value: Any) -> str:
    """A number for a reader, or a dash for none.

    >>> number(0.123456), number(None)
    ('0.1235', '–')
    """
    return f"{value:.4g}" if isinstance(value, (int, float)) else "–"


def cut(rows: Sequence[Any], what: str) -> tuple[Sequence[Any], str]:
    """The first rows, and what to say of the rest."""
    if len(rows) <= MOST_ROWS:
        return rows, what
    return rows[:MOST_ROWS], f"{what}; the first {MOST_ROWS} of {len(rows)} rows, all in the record"


def _explanation_facts(body: Mapping[str, Any]) -> Facts:
    inputs, options = body["inputs"], body["method"].get("options", {})
    shapes = ", ".join(
        f"{key}: {'×'.join(map(str, each['shape']))} {each['dtype']}"
        for key, each in inputs.get("tensors", {}).items()
    )
    told = ", ".join(f"{key} = {_option(each)}" for key, each in options.items())
    sums = body.get("sum")
    return [
        ("Explained", body["target"]["words"]),
        ("True class", body.get("label") or ""),
        ("Score", _several(body["score"])),
        ("Sum of relevance", "" if sums is None else _several(sums)),
        ("Options", told),
        ("Input", shapes),
        ("Input, SHA-256", inputs.get("sha256") or "not recorded"),
        ("First token's share of |relevance|", _several(body.get("first_token_share", []))),
        ("Made", body.get("created") or "not recorded"),
    ]


def _option(spelled: Any) -> str:
    """A spelled option in words."""
    if isinstance(spelled, Mapping):
        ((form, held),) = spelled.items()
        return "an array, in the record" if form == "array" else " ".join(str(held).split())[:300]
    return str(spelled)


def _several(values: Any) -> str:
    flat = _flat(values)
    more = f", ... ({len(flat)} in all)" if len(flat) > 8 else ""
    return ", ".join(f"{each:.6g}" for each in flat[:8] if each is not None) + more


def _flat(values: Any) -> list[Any]:
    return (
        [each for inner in values for each in _flat(inner)]
        if isinstance(values, list)
        else [values]
    )


def _verdict(method: Mapping[str, Any], ledgers: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    if not ledgers:
        told = f"No ledger: {method['name']} decomposes {method['decomposes']}."
        return told, "none"
    several = len(ledgers) > 1
    words = [
        (f"Target {i}: " if several else "") + ledger_in_words(each)
        for i, each in enumerate(ledgers)
    ]
    return " ".join(words), "yes" if all(each["conserves"] for each in ledgers) else "no"


def _top_tables(top: Sequence[Sequence[Mapping[str, Any]]]) -> list[Table]:
    if not top:
        return []
    if len(top) == 1:
        rows = [(str(each["class"]), number(each["score"])) for each in top[0]]
        return [Table(("class", "score"), rows, "Highest scores")]
    rows = [
        (str(i), ", ".join(f"{each['class']} {number(each['score'])}" for each in row))
        for i, row in enumerate(top[:_MOST_SAMPLES])
    ]
    return [Table(("sample", "highest scores"), rows, "Highest scores", numbers=2)]


def _flows(ledgers: Sequence[Mapping[str, Any]], name: str) -> list[Markup]:
    """The diagrams of where relevance went; `flow_svg` escapes all names in them."""
    found = []
    for number, ledger in enumerate(ledgers[:_MOST_SAMPLES]):
        if ledger.get("flow"):
            unique = hashlib.sha256(f"{name} {number} {ledger['verdict']}".encode()).hexdigest()
            drawn = flow_svg(Flow.of_record(ledger["flow"]), name=f"flow-{unique[:12]}")
            found.append(Markup(drawn))
    return found


def _ledger_tables(ledgers: Sequence[Mapping[str, Any]]) -> list[Table]:
    found = []
    for ledger in ledgers:
        booked = [row for row in ledger["rows"] if any(row[column] for column in _COLUMNS)]
        empty = len(ledger["rows"]) - len(booked)
        told = f" (without {empty} that have no entry)" if empty else ""
        rows, caption = cut(booked, f"The ledger, from the output down{told}")
        shown = [
            (each["op"], each["path"], *(number(each[column]) for column in _COLUMNS))
            for each in rows
        ]
        head = ("operation", "module", *_HEADS)
        found.append(Table(head, shown, f"{caption}. {ledger['verdict']}", numbers=2))
    return found


def _rule_tables(rules: Sequence[Sequence[str]] | None) -> list[Table]:
    """The rules that were chosen; what stands in brackets passes relevance on without a choice."""
    if not rules:
        return []
    chosen = [row[:3] for row in rules if not row[2].startswith("(")]
    others = len(rules) - len(chosen)
    told = f" (without {others} operations that leave no choice)" if others else ""
    rows, caption = cut(chosen, f"Rules, from the output down{told}")
    return [Table(("operation", "module", "rule"), rows, caption, numbers=3)]


def _coloured(row: Any) -> tuple[str, list[Piece]]:
    title, texts, values, special = row
    return title, pieces(texts, values, special)
