"""Reports as files: one page that stands alone, and the record beside it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from whence import viz
from whence._explanation import Explanation, named
from whence._identity import versions
from whence._text_explanation import TextExplanation
from whence.errors import InvalidInput
from whence.prototypes import Prototypes
from whence.reports._content import MOST_ROWS, explanation_section, model_facts, version_facts
from whence.reports._folder import Found, Result, read_folder
from whence.reports._making import now, record_of
from whence.reports._measured import evaluation_section, prototypes_section
from whence.reports._methods import ALWAYS, about
from whence.reports._page import Page, Picture, Section, Table, colour_key, render
from whence.reports._record import Record, read
from whence.runs import Evaluation
from whence.runs._evaluate_store import written_whole

PAGE, RECORD = "report.html", "report.json"
_SHOWN = 24  # explanations with pictures on one page
_TITLES = {"explanation": "Explanation", "evaluation": "Evaluation", "prototypes": "Prototypes"}


def write(found: Any, path: str | Path, model: Any = None, **options: Any) -> list[Path]:
    """Write the report of a result: `path` (.html) and its record beside it (.json).

    found: an `Explanation`, an `Evaluation` or `Prototypes`. options: those of `record_of`.
    Returns both paths.

    ```python
    ex = whence.explain(model, images, 3)
    reports.write(ex, "three.html", model)
    ```
    """
    path = Path(path)
    if path.suffix != ".html":
        raise InvalidInput(f"A report is written as .html, got {path.name!r}.")
    record = record_of(found, model, **options)
    title = ": ".join(filter(None, [_TITLES[record.kind], options.get("name", "")]))
    result = Result(record, _pictures(found), "")
    code = options.get("reproduce") or in_python(record)
    page = _page(title, Found([result]), [("Command or code", code), *_checking(record, path)])
    return _written(page, record, path)


def write_run(
    folder: str | Path, *, reproduce: str = "", failures: Mapping[str, str] | None = None
) -> list[Path]:
    """Write report.html and report.json of all results in a folder: explanations, evaluations,
    prototypes.

    reproduce: the command that made it; without it the one of an earlier report there is kept.
    failures: what went wrong, by the name of the item. A folder without results is an error.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InvalidInput(f"A report is of a folder with results, got {folder}.")
    found = read_folder(folder)
    earlier = _earlier(folder)
    failed = _still_failed(found, earlier, failures or {})
    if not found.results and not found.problems and not failed:
        raise InvalidInput(
            f"{folder} holds no results. Give the folder that whence explain, evaluate or maximize "
            "wrote to (--out)."
        )
    found.problems += [f"{name} failed: {error}" for name, error in failed.items()]
    commands = _commands(folder, reproduce or str(earlier.get("reproduce", "")))
    body = {
        "created": now(),
        "versions": versions(),
        "folder": folder.name,
        "reproduce": reproduce or earlier.get("reproduce", ""),
        "failures": failed,
        "problems": found.problems,
    }
    record = Record("run", body, parts=tuple(each.record for each in found.results))
    commands += _checking(record, folder / PAGE)
    return _written(_page(_run_title(found, folder), found, commands), record, folder / PAGE)


def _written(page: Page, record: Record, path: Path) -> list[Path]:
    text = render(page)
    path.parent.mkdir(parents=True, exist_ok=True)
    written_whole(path, lambda place: place.write_text(text, encoding="utf-8"))
    return [path, record.save(path.with_suffix(".json"))]


def _page(title: str, found: Found, commands: Sequence[tuple[str, str]]) -> Page:
    records = [each.record for each in found.results]
    sections, rest = _sections(found.results)
    names = dict.fromkeys(name for record in records for name in _method_names(record))
    return Page(
        title=title,
        lead=_lead(found),
        asked=_asked(records),
        sections=[*sections, *rest],
        methods=[about(name) for name in names],
        reproduce=commands,
        limits=ALWAYS,
        problems=found.problems,
        audit=[*_versions(records), ("Report written", now())],
    )


def _sections(results: Sequence[Result]) -> tuple[list[Section], list[Section]]:
    """Each result, the first explanations in full and the others as rows of one table."""
    shown, rows = [], []
    explained = 0
    for each in results:
        kind = each.record.kind
        if kind == "explanation":
            explained += 1
            if explained > _SHOWN:
                rows.append(_row(each))
                continue
            shown.append(explanation_section(each.record, each.pictures))
        elif kind == "evaluation":
            shown.append(evaluation_section(each.record, each.pictures))
        else:
            shown.append(prototypes_section(each.record, each.pictures))
    if not rows:
        return shown, []
    caption = f"{len(rows)} more explanations, whose pictures are in their folders"
    if len(rows) > 10 * MOST_ROWS:
        caption += f"; the first {10 * MOST_ROWS} are listed, all are in the record"
    head = ("item", "method", "for", "score", "books")
    table = Table(head, rows[: 10 * MOST_ROWS], caption, numbers=5)
    return shown, [Section("All others", tables=[table])]


def _row(result: Result) -> tuple[str, ...]:
    body = result.record.body
    ledgers = body["ledger"]
    books = "no ledger" if not ledgers else "close"
    if any(not each["conserves"] for each in ledgers):
        books = "do NOT close"
    score = ", ".join(f"{each:.4g}" for each in body["score"])
    return str(body["name"]), body["method"]["name"], body["target"]["words"], score, books


def _lead(found: Found) -> str:
    counts = {kind: sum(each.record.kind == kind for each in found.results) for kind in _TITLES}
    words = {
        "explanation": "explanation",
        "evaluation": "evaluation",
        "prototypes": "search for prototypes",
    }
    parts = [
        f"{count:,} {words[kind]}" + ("s" if count > 1 and kind != "prototypes" else "")
        for kind, count in counts.items()
        if count
    ]
    told = ", ".join(parts) or "No result"
    return f"{told}." + (" Something failed or is missing; see below." if found.problems else "")


def _asked(records: Sequence[Record]) -> list[tuple[str, str]]:
    """Models and what they were asked, each said once."""
    facts: list[tuple[str, str]] = []
    for each in records:
        facts += [pair for pair in model_facts(each.body.get("model")) if pair not in facts]
    targets = dict.fromkeys(
        each.body["target"]["words"] for each in records if each.kind == "explanation"
    )
    names = dict.fromkeys(name for each in records for name in _method_names(each))
    data = dict.fromkeys(
        str(each.body["protocol"].get("data", "")) for each in records if each.kind == "evaluation"
    )
    items = dict.fromkeys(str(each.body.get("name", "")) for each in records)
    return [
        *facts,
        ("Methods", ", ".join(names)),
        ("Explained", _listed(targets)),
        ("Items", _listed(items)),
        ("Data", _listed(data)),
    ]


def _listed(names: Mapping[str, Any], most: int = 12) -> str:
    kept = [each for each in names if each]
    more = f", and {len(kept) - most} more" if len(kept) > most else ""
    return "; ".join(kept[:most]) + more


def _method_names(record: Record) -> list[str]:
    if record.kind == "explanation":
        return [record.body["method"]["name"]]
    if record.kind == "evaluation":
        return [each["method"] for each in record.body["protocol"].get("explainers", [])]
    return []


def _versions(records: Sequence[Record]) -> list[tuple[str, str]]:
    """Each version once; where parts were made with several, all of them."""
    held: dict[str, list[str]] = {}
    for record in records:
        for name, each in (record.body.get("versions") or {}).items():
            held.setdefault(name, [])
            held[name] += [] if each in held[name] else [each]
    return version_facts({name: " and ".join(each) for name, each in held.items()})


def _run_title(found: Found, folder: Path) -> str:
    kinds = {each.record.kind for each in found.results}
    word = _TITLES[kinds.pop()] if len(kinds) == 1 else "Run"
    return f"{word}: {folder.resolve().name}"


def _pictures(found: Any) -> tuple[Picture, ...]:
    """The drawing of a result; texts are written as words in colour instead."""
    if isinstance(found, TextExplanation):
        return ()
    try:
        if isinstance(found, Evaluation):
            image = viz.render(found.plot())
            return (Picture.of(image, "curves and means with their intervals"),)
        if isinstance(found, Prototypes):
            return (Picture.of(found.plot(), "the prototypes"),)
        assert isinstance(found, Explanation)
        signed = any(bool((each < 0).any()) for each in named(found.relevance).values())
        return (Picture.of(found.plot(), f"relevance by {found.method}", colour_key(signed)),)
    except InvalidInput:  # a shape without a picture: the numbers are there
        return ()


def in_python(record: Record) -> str:
    """The call that an explanation came from, where it can be written down; else where its
    settings stand."""
    if record.kind != "explanation":
        return "All settings are in the record beside this page."
    method, target = record.body["method"], record.body["target"]["spelled"]
    options = [f", {key}={_code(each)}" for key, each in method["options"].items()]
    return f"whence.explain(model, inputs, {_code(target)}, {method['name']!r}{''.join(options)})"


def _code(spelled: Any) -> str:
    """A spelled value as Python writes it; dots for what only the record or its author holds."""
    if not isinstance(spelled, Mapping):
        return repr(spelled)
    ((form, held),) = spelled.items()
    if form in ("list", "tuple"):
        inner = ", ".join(map(_code, held))
        return f"[{inner}]" if form == "list" else f"({inner},)"
    if form == "dict":
        return "{" + ", ".join(f"{key!r}: {_code(each)}" for key, each in held.items()) + "}"
    return {"python": str(held), "number": f"float({held!r})"}.get(form, "...")


def _checking(record: Record, path: Path) -> list[tuple[str, str]]:
    """How to check the record, where it is or holds an explanation."""
    kinds = [each.kind for each in record.parts] or [record.kind]
    if "explanation" not in kinds:
        return []
    part = f".parts[{kinds.index('explanation')}]" if record.parts else ""
    name = path.with_suffix(".json").name
    code = (
        "from whence import reports\n"
        f"print(reports.verify(reports.read({name!r}){part}, model, inputs))"
    )
    return [("To check the record against a model and inputs, in Python", code)]


def _earlier(folder: Path) -> Mapping[str, Any]:
    """What an earlier report of this folder knew, which the files do not."""
    try:
        return read(folder / RECORD).body
    except InvalidInput:
        return {}


def _still_failed(
    found: Found, earlier: Mapping[str, Any], failures: Mapping[str, str]
) -> dict[str, str]:
    """Failures of this run, and earlier ones of items that have no result yet."""
    done = {str(each.record.body.get("name", "")) for each in found.results}
    kept = {name: text for name, text in earlier.get("failures", {}).items() if name not in done}
    return kept | dict(failures)


def _commands(folder: Path, own: str) -> list[tuple[str, str]]:
    """The command of the folder, and those of the reports below it."""
    found = [("Command", own)] if own else []
    for path in sorted(folder.glob(f"*/{RECORD}")):
        told = str(_earlier(path.parent).get("reproduce", ""))
        found += [(f"Command for {path.parent.name}", told)] if told else []
    return found or [("Command", "not recorded")]
