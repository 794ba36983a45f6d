"""An evaluation as files: the table, curves, numbers, and the protocol they belong to."""

import csv
import io
import json
import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from whence.runs._evaluate import evaluate
from whence.runs._evaluate_store import written_whole
from whence.runs._evaluation import Evaluation
from whence.runs._study import Study

_KEPT = ("mean", "low", "high", "count", "missing")
_COMPARED = ("mean", "low", "high", "p", "effect", "wins")


def evaluate_study(
    study: Study,
    out: str | Path,
    *,
    limit: int | None = None,
    batch_size: int | None = None,
    shard: tuple[int, int] = (0, 1),
    seed: int = 0,
    progress: bool = True,
    say: Callable[[str], None] | None = None,
) -> tuple[Evaluation, list[Path]]:
    """Do what was asked, and write what was found below `out`; the files that were written.

    Finished batches are kept there as they come, so that the same question goes on where it was
    interrupted, and with every shard in the same folder it makes the whole. The files for people
    and programs are written from whatever is finished; there are none where nothing is.
    """
    told: list[str] = []

    def tell(line: str) -> None:
        told.append(line)
        if say is not None:
            say(line)

    found = evaluate(
        study.model,
        study.data,
        study.methods,
        study.metrics,
        target=study.target,
        limit=limit,
        batch_size=batch_size,
        out=out,
        shard=shard,
        seed=seed,
        progress=progress,
        say=tell,
    )
    if not found.ids:
        tell("There are fewer batches than shards, and none for this one.")
        return found, []
    if not told and say is not None:
        say("All of it was measured before; the files are written anew.")
    return found, write_evaluation(found, Path(out))


def table_rows(found: Evaluation) -> list[dict[str, Any]]:
    """For each metric and method the mean with its interval, and the paired difference to the first
    method; p is adjusted over all pairs of methods."""
    rows = []
    for metric in found.metrics:
        pairs = {(each.first, each.second): each for each in found.comparisons(metric)}
        for method in found.methods:
            interval = asdict(found.interval(method, metric))
            row: dict[str, Any] = {
                "metric": metric,
                "better": {1: "larger", -1: "smaller", 0: "neither"}[
                    found.metrics[metric]["direction"]
                ],
                "method": method,
                **{name: interval[name] for name in _KEPT},
            }
            pair = pairs.get((found.methods[0], method))
            # Kept as first minus second; told here as the method minus the first.
            against = None if pair is None else found.compare(method, found.methods[0], metric)
            told = {} if against is None else asdict(against) | {"p": pair.difference.p}  # type: ignore[union-attr]
            row["compared_with"] = None if against is None else found.methods[0]
            row |= {f"difference_{name}": told.get(name) for name in _COMPARED}
            rows.append(row)
    return rows


def write_evaluation(found: Evaluation, folder: Path) -> list[Path]:
    """Write table, curves, numbers and protocol; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [{key: _finite(each) for key, each in row.items()} for row in table_rows(found)]
    about = {"complete": found.complete, "confidence": found.confidence}
    texts = {
        "table.csv": _as_csv(rows),
        "table.json": _as_json({**about, "compared with": found.methods[0], "rows": rows}),
        "protocol.json": _as_json({**about, **found.protocol}),
    }
    for name, text in texts.items():
        written_whole(
            folder / name, lambda path, text=text: path.write_text(text, encoding="utf-8")
        )
    drawn = [found.save(folder / name) for name in ("evaluation.png", "evaluation.svg")]
    numbers = [found.save(folder / name) for name in ("scores.csv", "evaluation.json")]
    return [folder / "table.csv", folder / "table.json", *drawn, *numbers, folder / "protocol.json"]


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _as_json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, default=str)


def _as_csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
