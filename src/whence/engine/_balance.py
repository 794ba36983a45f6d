"""The row of one operation in the ledger: opened before its rule runs, balanced after it."""

import torch
from torch import Tensor

from whence._numerics import dot
from whence.engine._adjoints import known
from whence.engine._ledger import Ledger, Row
from whence.engine._message import Message
from whence.engine._tape import Op, Value

_ALWAYS_BALANCED = ("linear", "product", "attention", "recurrent")
# may put the samples in another order
_SHUFFLES = set("index_select gather take_along_dim flip flipud roll rot90".split())
_CUTS = {"getitem", "select", "unbind"}
_TURNS = set("t T mT H mH adjoint transpose swapaxes swapdims permute movedim moveaxis".split())
_PART = (1 << 15) - 1  # elements measured first, or an eighth: just what one thread does alone


def row_for(op: Op, ledger: Ledger) -> Row:
    """A new row; one for all samples together where the operation may put them elsewhere."""
    row = ledger.open(op.name, op.paths[-1], str(op.source or ""), _precision(op))
    row.key = id(op)
    turned = (op.name in _TURNS or op.name in _CUTS) and _turns_batch(op)
    if turned or op.name in _SHUFFLES or _picks_rows(op):
        row.as_whole()
    return row


def relevance_of(value: Value, message: Message) -> Tensor:
    """R = a c + R at a value."""
    if message.c is None:
        assert message.R is not None
        return message.R
    a = known(value).to(message.c.dtype)
    R = torch.where(message.c == 0, 0, a * message.c)  # a is -inf where scores are masked
    return R if message.R is None else R + message.R


def enter_known(op: Op, arrived: list[Message | None], row: Row, ledger: Ledger) -> None:
    """Enter what arrived before the rule runs, where the operation above has summed it."""
    totals = [message.total for message in arrived if message is not None]
    if _balances(op, ledger) and len(totals) == 1 and totals[0] is not None:
        row.arrive(totals[0])


def enter(
    op: Op, arrived: list[Message | None], sent: list[Message | None], row: Row, ledger: Ledger
) -> None:
    """Enter what arrived and what was sent, at operations that are to balance; drop empty rows."""
    if _balances(op, ledger):
        _balance(op, arrived, sent, row, ledger)
    elif not row._sums:
        ledger.rows.pop()


def _balances(op: Op, ledger: Ledger) -> bool:
    return ledger.detail != "summary" or op.nature in _ALWAYS_BALANCED


def _balance(
    op: Op, arrived: list[Message | None], sent: list[Message | None], row: Row, ledger: Ledger
) -> None:
    """Enter both sides of the row, unless the rule has entered its own sum on the way.

    The yardstick, the sum of |R|, costs as much as a rule on large tensors. A part of the sum is a
    lower bound: a row that closes by the part closes, and only another one needs the whole.
    """
    above = [(v, m) for v, m in zip(op.outputs, arrived, strict=True) if m is not None]
    below = [(v, m) for v, m in zip(op.inputs, sent, strict=True) if m is not None and not m.empty]
    if not row.balanced:
        for value, message in above:
            row.arrive(_total(value, message))
    for value, message in below:
        total = _total(value, message)
        message.total = total if total.dim() == 1 else None
        row.send(total)
    row.handle("absolute_in", [_size(value, message, part=True) for value, message in below])
    if row.closes():
        return
    row.handle("absolute_in", [_size(value, message) for value, message in below])
    row.handle("absolute_out", [_size(value, message) for value, message in above])
    row.settle()


def _factors(value: Value, message: Message) -> tuple[Tensor, Tensor | None]:
    """Two tensors whose product is R, or R alone."""
    c = message.loose
    if c is None or message.R is not None:
        return relevance_of(value, message), None
    return c, message.gate if message.gate is not None else known(value).to(c.dtype)


def _total(value: Value, message: Message) -> Tensor:
    """The sum of R, for each sample."""
    c, a = _factors(value, message)
    return c if a is None else _summed(c, a)


def _size(value: Value, message: Message, *, part: bool = False) -> Tensor:
    """The sum of |R|, for each sample; of a large tensor's first elements only, if asked for."""
    c, a = _factors(value, message)
    if a is None:
        return c.abs()
    if part and c.dim() and c.numel() > 4 * _PART and c.device.type == "cpu":
        c, a = (each.reshape(len(each), -1) for each in (c, a))
        some = min(c.shape[1] // 8, max(1, _PART // len(c)))
        c, a = c[:, :some], a[:, :some]
    return _summed(c.abs(), a.abs())


def _summed(c: Tensor, a: Tensor) -> Tensor:
    """The sum of c a for each sample; where c = 0 there is no relevance, even of a = -inf."""
    c, a = (each.reshape(len(each) if each.dim() else 1, -1) for each in (c, a))
    total = dot(c, a)
    return total if total.isfinite().all() else dot(c, torch.where(c == 0, 0, a))


def _precision(op: Op) -> torch.dtype:
    """The lowest precision among the values: a model may cast on its way, as norms often do."""
    dtypes = {value.dtype for value in (*op.inputs, *op.outputs) if value.dtype.is_floating_point}
    return max(dtypes, key=lambda dtype: torch.finfo(dtype).eps, default=torch.float64)


def _turns_batch(op: Op) -> bool:
    """Whether an operation that turns axes, or cuts out one slice, puts another axis first."""
    before, after = known(op.inputs[0]), known(op.outputs[0])
    if not (before.dim() and after.dim()):
        return False
    if op.name in _CUTS and before.untyped_storage()._cdata != after.untyped_storage()._cdata:
        return False  # gathered elements lie as they like
    return before.shape[0] == after.shape[0] and before.stride(0) != after.stride(0)


def _picks_rows(op: Op) -> bool:
    """Whether `x[rows]` takes rows by a tensor or list, in any order."""
    index = op.args[1] if op.name == "getitem" else None
    first = index[0] if isinstance(index, tuple) and index else index
    return isinstance(first, (Tensor, list))
