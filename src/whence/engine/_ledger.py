"""The book of an explanation: what each operation received, gave, and lost, and to what.

Every column is computed from its own definition (bias: b_j s_j; epsilon: eps_j s_j; dropped:
messages not sent; softmax: the zero-order term of its Taylor expansion), never as a difference.
What the columns do not explain is the residual, and it is shown.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from whence._flow import Flow
from whence._html import fragment, paragraph, table
from whence.engine._streams import Streams
from whence.errors import InvalidInput, NotAvailable, NotConserved

COLUMNS = ("bias", "epsilon", "dropped", "softmax")
DETAILS = ("summary", "full", "flow")
_SHOWN = 60  # rows in a notebook


def tolerance_in(dtype: torch.dtype) -> float:
    """The one tolerance, of the absolute relevance that an operation handled.

    What a model in half precision made is rounded to it, so nothing closes better than its eps.
    """
    half = dtype in (torch.float16, torch.bfloat16)
    return torch.finfo(dtype).eps if half else 1e-11 if dtype == torch.float64 else 1e-5


class Row:
    """One operation's entry; numbers are sums for each sample, or over all samples if the batch
    axis was lost inside the model (`per_sample` says which)."""

    def __init__(self, op: str, path: str, source: str, batch: int, tolerance: float) -> None:
        self.op, self.path, self.source = op, path, source
        self.tolerance = tolerance
        self.per_sample = True
        self.balanced = False
        self.key: int | None = None  # whose row it is, among the streams
        self._batch = batch
        self._sums: dict[str, Tensor] = {}

    def book(self, **columns: Tensor) -> None:
        """Add relevance tensors to the named columns."""
        for name, tensor in columns.items():
            total = self._total(tensor)
            self._sums[name] = self._sums[name] + total if name in self._sums else total

    def as_whole(self) -> None:
        """Book sums over all samples from here on: the first axis is not, or not only, theirs."""
        if self.per_sample:
            self.per_sample = False
            self._sums = {name: total.sum().view(1) for name, total in self._sums.items()}

    def settle(self) -> None:
        """Book as a whole what closes as a whole and not by rows: its first axis, as long as the
        batch by chance, is of layers, directions or steps on one side."""
        if not self.per_sample or self.closes():
            return
        rows, self._sums = (
            self._sums,
            {name: each.sum().view(1) for name, each in self._sums.items()},
        )
        self.per_sample = not self.closes()
        if self.per_sample:
            self._sums = rows

    def arrive(self, r_out: Tensor) -> None:
        """Enter what came from above."""
        self.balanced = True
        self.book(r_out=r_out)

    def send(self, r_in: Tensor) -> None:
        """Enter what went to one input."""
        self.book(r_in=r_in)

    def handle(self, name: str, sizes: "list[Tensor]") -> None:
        """Enter sums of |R|, in place of earlier ones under this name."""
        self._sums.pop(name, None)
        for size in sizes:
            self.book(**{name: size})

    def closes(self) -> bool:
        """Whether the residual is within the tolerance by the sums of |R| entered so far."""
        sums = {name: total.tolist() for name, total in self._sums.items()}
        empty = [0.0] * max(map(len, sums.values()))
        out, given = sums.get("r_out", empty), sums.get("r_in", empty)
        lost = [sums[name] for name in COLUMNS if name in sums]
        sizes = [sums.get(name, empty) for name in ("absolute_out", "absolute_in")]
        for i, arrived in enumerate(out):
            residual = arrived - given[i] - sum(each[i] for each in lost)
            handled = max(abs(arrived), abs(given[i]), *(each[i] for each in sizes))
            if not abs(residual) <= self.tolerance * handled:
                return False
        return True

    def __getattr__(self, name: str) -> Tensor:
        if name.startswith("_"):
            raise AttributeError(name)
        zero = torch.zeros(self._batch if self.per_sample else 1)
        if name == "absolute":  # of the larger side: where addends cancel, more came in than out
            names = ("absolute_out", "absolute_in", "r_out", "r_in")
            sides = [self._sums.get(each, zero).double().cpu().abs() for each in names]
            return torch.stack(sides).amax(0)
        if name in ("r_out", "r_in", *COLUMNS):
            return self._sums.get(name, zero)
        raise AttributeError(name)

    @property
    def lost(self) -> Tensor:
        """The sum of the columns."""
        zero = torch.zeros(self._batch if self.per_sample else 1, dtype=torch.float64)
        booked = (self._sums[name] for name in COLUMNS if name in self._sums)
        return sum((each.double().cpu() for each in booked), zero)

    @property
    def residual(self) -> Tensor:
        """r_out - r_in - the columns; zero for rows that only book a loss."""
        if not self.balanced:
            return torch.zeros_like(self.lost)
        return self.r_out.double().cpu() - self.r_in.double().cpu() - self.lost

    def _total(self, tensor: Tensor) -> Tensor:
        tensor = tensor.detach()
        if self.per_sample and tensor.dim() and tensor.shape[0] == self._batch:
            return tensor.flatten(1).sum(1) if tensor.dim() > 1 else tensor
        self.as_whole()
        return tensor.sum().view(1)


class Ledger:
    """All rows of one explanation, from the target down to the inputs."""

    def __init__(self, batch: int, dtype: torch.dtype, detail: str = "summary") -> None:
        if detail not in DETAILS:
            raise InvalidInput(
                f"ledger= must be 'summary', 'full', 'flow' or None, got {detail!r}."
            )
        self.rows: list[Row] = []
        self.batch, self.detail = batch, detail
        self.streams = Streams() if detail == "flow" else None
        self.tolerance = tolerance_in(dtype)
        self.score: Tensor = torch.zeros(batch)
        self.explained: Tensor = torch.zeros(batch)

    def open(self, op: str, path: str, source: str, dtype: torch.dtype | None = None) -> Row:
        """A new row, kept if anything is entered; `dtype` is the precision the operation had."""
        tolerance = self.tolerance if dtype is None else max(self.tolerance, tolerance_in(dtype))
        row = Row(op, path, source, self.batch, tolerance)
        self.rows.append(row)
        return row

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def total(self, column: str) -> float:
        """The sum of a column over operations and samples."""
        return float(sum(float(getattr(row, column).double().sum()) for row in self.rows))

    def worst(self) -> tuple[Row | None, float]:
        """The row with the largest |residual| relative to the relevance it handled, and that.

        Largest in units of the row's tolerance: where a model casts to a lower precision on its
        way, the operations there are held to the tolerance of that precision.
        """
        found: tuple[Row | None, float] = (None, 0.0)
        largest = 0.0
        for row in self.rows:
            if not row.balanced:
                continue
            absolute = row.absolute.double().cpu().clamp(min=torch.finfo(torch.float64).tiny)
            ratio = float((row.residual.abs() / absolute).max())
            if not ratio / row.tolerance <= largest:
                found, largest = (row, ratio), ratio / row.tolerance
        return found

    def check(self, tolerance: float | None = None) -> "Ledger":
        """Raise `NotConserved` if a residual is beyond the tolerance (1e-5, or 1e-11 in float64)
        of the absolute relevance that its operation handled; else return the ledger."""
        row, ratio = self.worst()
        limit = self._limit(row) if tolerance is None else tolerance
        if row is not None and not ratio <= limit:
            raise NotConserved(
                f"{row.op} in '{row.path}' ({row.source}) lost {ratio:.1e} of its relevance "
                f"without a reason; the tolerance is {limit:.0e}. Its rule, or the operation's "
                "place in the table, is wrong: please report it with this model."
            )
        whole = abs(self.missing) / max(self._handled, torch.finfo(torch.float64).tiny)
        if not whole <= (self.coarsest if tolerance is None else tolerance):
            raise NotConserved(
                f"Of the score, {self.missing:.4g} arrived nowhere and no row booked it: relevance "
                "was lost or doubled between operations, or an operation that conserves nothing is "
                'in the way (ledger="full" shows each). If neither is meant, please report it with '
                "this model."
            )
        return self

    @property
    def coarsest(self) -> float:
        """The largest tolerance of all rows."""
        return max([self.tolerance, *(row.tolerance for row in self.rows)])

    def _limit(self, row: Row | None) -> float:
        return self.tolerance if row is None else row.tolerance

    @property
    def missing(self) -> float:
        """score - inputs - all that was booked: zero up to rounding where relevance adds up."""
        if not (self.score.any() or self.explained.any()):
            return 0.0  # nothing was explained yet
        arrived = float(self.explained.double().sum())
        return float(self.score.double().sum()) - arrived - sum(map(self.total, COLUMNS))

    @property
    def _handled(self) -> float:
        rows = (float(row.absolute.double().sum()) for row in self.rows if row.balanced)
        return float(self.score.double().abs().sum()) + sum(rows)

    def flow(self) -> Flow:
        """Where relevance went, operation by operation, as stations and streams: for
        `whence.viz.draw_flow`. It is there after `explain(..., ledger="flow")`."""
        if self.streams is None:
            raise InvalidInput(
                'This ledger has no streams. Explain with ledger="flow", and all samples at once.'
            )
        return self.streams.flow(self.rows, float(self.score.double().sum()), COLUMNS)

    @property
    def verdict(self) -> str:
        """One line: what arrived, what was lost to what, and whether every row closes."""
        row, ratio = self.worst()
        lost = {name: self.total(name) for name in COLUMNS}
        parts = ", ".join(f"{name} {value:.4g}" for name, value in lost.items() if value)
        if not ratio <= self._limit(row):
            closes = f"{row and row.op} does NOT close"
        elif not abs(self.missing) <= self.coarsest * self._handled:
            closes = f"{self.missing:.4g} is MISSING"
        else:
            closes = "every row closes"
        score, arrived = float(self.score.double().sum()), float(self.explained.double().sum())
        return (
            f"score {score:.6g} = inputs {arrived:.6g} + lost ({parts or 'nothing'}); "
            f"{closes} (worst residual {ratio:.1e} of its relevance)"
        )

    def to_frame(self) -> Any:
        """A pandas DataFrame, one line for each row, sums over the samples."""
        try:
            import pandas
        except ImportError as error:
            raise NotAvailable("to_frame needs pandas: pip install pandas") from error
        return pandas.DataFrame(self.to_rows())

    def to_rows(self) -> list[dict[str, Any]]:
        """One plain dictionary for each row, sums over the samples."""
        names = ("r_out", "r_in", *COLUMNS, "residual", "absolute")
        return [
            {"op": row.op, "path": row.path}
            | {name: float(getattr(row, name).double().sum()) for name in names}
            for row in self.rows
        ]

    def __str__(self) -> str:
        names = ("r_out", "r_in", *COLUMNS, "residual")
        head = f"{'operation':<22} {'module':<24}" + "".join(f"{name:>12}" for name in names)
        lines = [head]
        for row in self.to_rows():
            numbers = "".join(f"{row[name]:>12.4g}" for name in names)
            lines.append(f"{row['op']:<22} {row['path'][-24:]:<24}{numbers}")
        return "\n".join([*lines, self.verdict])

    def __repr__(self) -> str:
        return f"Ledger({len(self)} rows: {self.verdict})"

    def _repr_html_(self) -> str:
        """How a notebook shows it: the verdict, and a line for each operation."""
        names = ("op", "path", "r_out", "r_in", *COLUMNS, "residual")
        rows = [[row[name] for name in names] for row in self.to_rows()[:_SHOWN]]
        cut = f"the first {_SHOWN} of {len(self)} rows" if len(self) > _SHOWN else ""
        lines = [paragraph(cut)] if cut else []
        return fragment("Ledger", paragraph(self.verdict), table(names, rows), *lines)

    def join(self, other: "Ledger") -> "Ledger":
        """The ledger of two parts of one batch, the rows of both."""
        joined = Ledger(self.batch + other.batch, torch.float32, self.detail)
        joined.tolerance, joined.streams = self.tolerance, None
        joined.rows = [*self.rows, *other.rows]
        joined.score = torch.cat([self.score, other.score])
        joined.explained = torch.cat([self.explained, other.explained])
        return joined
