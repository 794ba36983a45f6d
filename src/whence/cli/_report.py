"""`whence report`, and the report that every run leaves in its folder."""

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from whence import reports
from whence.cli._console import results, told_plainly
from whence.cli._options import Debug

REPORTING = """\
Examples:

whence explain digits:51 --model digits-cnn --out run/explained

whence evaluate -m digits-cnn --data digits --limit 100 --out run/measured

whence report run
"""


def report(
    folder: Annotated[
        Path, typer.Argument(metavar="RUNDIR", help="Folder that other commands wrote to (--out).")
    ],
    *,
    debug: Debug = False,
) -> None:
    """Put all results in a folder, or in folders below it, on one page to hand on.

    Writes report.html, which needs no server and no network and prints well, and report.json, a
    record for audits: hashes, rules, relevance, ledger, scores.
    """
    with told_plainly(debug):
        for path in reports.write_run(folder):
            results().print(Text(str(path)))


def leave_report(folder: Path, failures: Mapping[str, str] | None = None) -> list[Path]:
    """The report of a run that just ended, with its command; nothing where nothing was written."""
    if not folder.is_dir():
        return []
    return reports.write_run(folder, reproduce=command_line(), failures=failures)


def command_line() -> str:
    """The command as it was typed."""
    return shlex.join(["whence", *sys.argv[1:]])
