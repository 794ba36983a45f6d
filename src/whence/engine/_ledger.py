"""The book of an explanation: what each operation received, gave, and lost, and to what.

Every column is computed from its own definition (bias: b_j s_j; epsilon: eps_j s_j; dropped:
messages not sent; softmax: the zero-order term of its Taylor expansion), never as a difference.
What the columns do not explain is the residual, and it is shown.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from whence._errors import InvalidInput, NotConserved

COLUMNS = ("bias", "epsilon", "dropped", "softmax")


class Row:
    """One operation's entry; numbers are sums for each sample, or over all samples if the batch
    axis was lost inside the model (`per_sample` says which)."""

    def __init__(self, op: str, path: str, source: str, batch: int) -> None:
        self.op, self.path, self.source = op, path, source
        self.per_sample = True
        self.balanced = False
        self._batch = batch
        self._sums: dict[str, Tensor] = {}

    def book(self, **columns: Tensor) -> None:
        """Add relevance tensors to the named columns."""
        for name, tensor in columns.items():
            total = self._total(tensor)
            self._sums[name] = self._sums[name] + total if name in self._sums else total

    def arrive(self, r_out: Tensor, absolute: Tensor) -> None:
        """Enter what came from above, and its sum without signs."""
        self.balanced = True
        self.book(r_out=r_out, absolute_out=absolute)

    def send(self, r_in: Tensor, absolute: Tensor) -> None:
        """Enter what went to one input, and its sum without signs."""
        self.book(r_in=r_in, absolute_in=absolute)

    def __getattr__(self, name: str) -> Tensor:
        if name.startswith("_"):
            raise AttributeError(name)
        zero = torch.zeros(self._batch if self.per_sample else 1)
        if name == "absolute":  # of the larger side: where addends cancel, more came in than out
            sides = [self._sums.get(each, zero) for each in ("absolute_out", "absolute_in")]
            return torch.maximum(*(side.double().cpu() for side in sides))
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
        if self.per_sample:
            self.per_sample = False
            self._sums = {name: total.sum().view(1) for name, total in self._sums.items()}
        return tensor.sum().view(1)


class Ledger:
    """All rows of one explanation, from the target down to the inputs."""

    def __init__(self, batch: int, dtype: torch.dtype, detail: str = "summary") -> None:
        if detail not in ("summary", "full"):
            raise InvalidInput(f"ledger= must be 'summary', 'full' or None, got {detail!r}.")
        self.rows: list[Row] = []
        self.batch, self.detail = batch, detail
        self.tolerance = 1e-11 if dtype == torch.float64 else 1e-5
        self.score: Tensor = torch.zeros(batch)
        self.explained: Tensor = torch.zeros(batch)

    def open(self, op: str, path: str, source: str) -> Row:
        """A new row, kept if anything is entered."""
        row = Row(op, path, source, self.batch)
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
        """The row with the largest |residual| relative to the relevance it handled, and that."""
        found: tuple[Row | None, float] = (None, 0.0)
        for row in self.rows:
            if not row.balanced:
                continue
            absolute = row.absolute.double().cpu().clamp(min=torch.finfo(torch.float64).tiny)
            ratio = float((row.residual.abs() / absolute).max())
            if not ratio <= found[1]:
                found = (row, ratio)
        return found

    def check(self, tolerance: float | None = None) -> "Ledger":
        """Raise `NotConserved` if a residual is beyond the tolerance (1e-5, or 1e-11 in float64)
        of the absolute relevance that its operation handled; else return the ledger."""
        limit = self.tolerance if tolerance is None else tolerance
        row, ratio = self.worst()
        if row is not None and not ratio <= limit:
            raise NotConserved(
                f"{row.op} in '{row.path}' ({row.source}) lost {ratio:.1e} of its relevance "
                f"without a reason; the tolerance is {limit:.0e}. Its rule, or the operation's "
                "place in the table, is wrong: please report it with this model."
            )
        whole = abs(self.missing) / max(self._handled, torch.finfo(torch.float64).tiny)
        if not whole <= limit:
            raise NotConserved(
                f"Of the score, {self.missing:.4g} arrived nowhere and no row booked it: relevance "
                "was lost or doubled between operations, or an operation that conserves nothing is "
                'in the way (ledger="full" shows each). If neither is meant, please report it with '
                "this model."
            )
        return self

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

    @property
    def verdict(self) -> str:
        """One line: what arrived, what was lost to what, and whether every row closes."""
        row, ratio = self.worst()
        lost = {name: self.total(name) for name in COLUMNS}
        parts = ", ".join(f"{name} {value:.4g}" for name, value in lost.items() if value)
        if not ratio <= self.tolerance:
            closes = f"{row and row.op} does NOT close"
        elif not abs(self.missing) <= self.tolerance * self._handled:
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
            raise InvalidInput("to_frame needs pandas: pip install pandas") from error
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

    def join(self, other: "Ledger") -> "Ledger":
        """The ledger of two parts of one batch, the rows of both."""
        joined = Ledger(self.batch + other.batch, torch.float32, self.detail)
        joined.tolerance = self.tolerance
        joined.rows = [*self.rows, *other.rows]
        joined.score = torch.cat([self.score, other.score])
        joined.explained = torch.cat([self.explained, other.explained])
        return joined
