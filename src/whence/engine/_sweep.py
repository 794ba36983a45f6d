"""The way back: one loop over the tape, from the target to the inputs.

messages at an operation's outputs -> its rule, or its nature -> messages at its inputs
"""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from whence.engine._adjoints import known
from whence.engine._balance import enter, enter_known, relevance_of, row_for
from whence.engine._context import Context
from whence.engine._ledger import Ledger
from whence.engine._linear import Linear
from whence.engine._live import carrying, held_values, is_held
from whence.engine._message import Message
from whence.engine._natures import NEEDS_RULE, SENDERS
from whence.engine._node import Node
from whence.engine._tape import Op, Tape, Value
from whence.errors import UnsupportedOperations


@dataclass(slots=True, eq=False)
class Tapped:
    """What passed at a tensor on the way back: its values, coefficient and relevance."""

    data: Tensor
    c: Tensor | None
    R: Tensor


def sweep(
    tape: Tape,
    starts: list[tuple[Value, Message]],
    context: Context,
    ledger: Ledger | None = None,
    masks: dict[int, list[tuple[str, Tensor]]] | None = None,
    taps: dict[int, Tapped | None] | None = None,
) -> dict[int, Message]:
    """Send messages back from `starts`; returns the message at each leaf, by id of its value.

    `masks` weigh the message at a value, `taps` collect it; both by id of the value. Unless the
    context retains the tape, values are freed as they are consumed.
    """
    targets = [value for value, _ in starts]
    ops = tape.reaching(targets)
    require_rules(ops, context.rules, targets)
    messages: dict[int, Message] = {}
    context.held = held_values(ops, context.rules)
    context.starts = {id(value) for value, _ in starts} | set(masks or ())
    streams = None if ledger is None else ledger.streams
    for value, message in starts:
        if streams is not None:
            streams.enter(None, value, relevance_of(value, message))
        _add(messages, value, message)
    for op in reversed(ops):
        arrived = [_arrive(value, messages, ledger, masks, taps) for value in op.outputs]
        held, reached = is_held(op, context.held), any(each is not None for each in arrived)
        if streams is not None and reached:
            streams.visit(op, context.rules.get(id(op)), held=held)
        if held:
            _drop(op, arrived, ledger)
        elif reached:
            for value, message in zip(op.inputs, _send(op, arrived, context, ledger), strict=True):
                if message is not None and not message.empty:
                    if streams is not None:  # before the messages of other readers are added
                        streams.enter(op, value, relevance_of(value, message))
                    _add(messages, value, message)
        if not context.retain:
            _free(op)
    return {
        id(leaf): message
        for leaf in tape.leaves
        if (message := _arrive(leaf, messages, ledger, masks, taps)) is not None
    }


def _free(op: Op) -> None:
    """Let go of what nothing further down can need; a stand-in lives as long as its value."""
    standing_in = {id(value.stand_in) for value in op.inputs if value.data is None}
    for value in op.outputs:
        if id(value) not in standing_in:
            value.drop()
        if value.stand_in is not None:
            value.stand_in.drop()
    op.cache.clear()


def unruled(ops: list[Op], rules: dict[int, Any], targets: list[Value]) -> list[Op]:
    """The operations that need a rule and have none, or that no rule can explain."""
    refused = [op for op in ops if op.nature == "unknown" and isinstance(op.extra, str)]
    without = [op for op in ops if op.nature in NEEDS_RULE and id(op) not in rules]
    missing = [op for op in ops if op in refused or op in without]
    if missing:  # behind a held value no relevance passes, so no rule is needed
        reached = {id(op) for op in carrying(ops, targets, held_values(ops, rules))}
        missing = [op for op in missing if id(op) in reached]
    return missing


def require_rules(ops: list[Op], rules: dict[int, Any], targets: list[Value]) -> None:
    """Raise one error that lists every operation that needs a rule and has none."""
    missing = unruled(ops, rules, targets)
    if not missing:
        return
    lines = []
    for op in missing:
        if isinstance(op.extra, str):
            lines.append(f"  {op.where()}: {op.extra}")
        else:
            lines.append(f"  {op.where()}: add (where.kind({op.name!r}), {_advice(op)})")
    many = "1 operation has" if len(missing) == 1 else f"{len(missing)} operations have"
    advice = (
        "\nAdd the lines to the composite, e.g. composite + [(...), (...)]. "
        "rules.Gradient() passes relevance by the plain gradient, which conserves nothing."
    )
    raise UnsupportedOperations(
        f"Every operation between the input and the target needs a rule; {many} none:\n"
        + "\n".join(dict.fromkeys(lines))
        + (advice if any(not isinstance(op.extra, str) for op in missing) else "")
    )


def _advice(op: Op) -> str:
    if op.nature == "linear":
        return "rules.Epsilon()"
    if op.nature == "product":
        return "rules.HalfEach()"
    if op.nature == "attention":
        return "rules.Attention()"
    if op.nature == "recurrent":
        return "rules.RecurrentCell()"
    return "rules.Gradient()"


def _add(messages: dict[int, Message], value: Value, message: Message) -> None:
    found = messages.get(id(value))
    messages[id(value)] = message if found is None else found.plus(message)


def _arrive(
    value: Value,
    messages: dict[int, Message],
    ledger: Ledger | None,
    masks: dict[int, list[tuple[str, Tensor]]] | None,
    taps: dict[int, Tapped | None] | None,
) -> Message | None:
    message = messages.pop(id(value), None)
    if message is None:
        return None
    if masks and id(value) in masks:
        for name, mask in masks[id(value)]:
            masked = message.times(mask.to(known(value).device))
            if ledger is not None:
                lost = relevance_of(value, message) - relevance_of(value, masked)
                row = ledger.open("condition", name, "")
                row.key = None if value.op is None else id(value.op)
                row.book(dropped=lost)
            message = masked
    if taps is not None and id(value) in taps:
        taps[id(value)] = Tapped(known(value), message.c, relevance_of(value, message))
        message.fresh = False
    return message


def _send(
    op: Op, arrived: list[Message | None], context: Context, ledger: Ledger | None
) -> list[Message | None]:
    rule = context.rules.get(id(op))
    row = None
    if ledger is not None:
        row = row_for(op, ledger)
        enter_known(op, arrived, row, ledger)
    node = (Linear if op.nature == "linear" else Node)(op, arrived, context, row)
    sent = SENDERS[op.nature](node) if rule is None else rule.send(node)
    if context.held:
        sent = _keep_from_held(node, sent)
    if ledger is not None and row is not None:
        enter(op, arrived, sent, row, ledger)
    return sent


def _keep_from_held(node: Node, sent: list[Message | None]) -> list[Message | None]:
    """Messages to the inputs that may carry relevance; what was meant for the others is booked."""
    kept: list[Message | None] = []
    for number, message in enumerate(sent):
        if message is None or message.empty or node.live(number):
            kept.append(message)
            continue
        if node.booking:
            node.book(bias=relevance_of(node.op.inputs[number], message))
        kept.append(None)
    return kept


def _drop(op: Op, arrived: list[Message | None], ledger: Ledger | None) -> None:
    """Relevance that starts at a held value ends there."""
    for value, message in zip(op.outputs, arrived, strict=True):
        if message is not None and ledger is not None:
            row = ledger.open(op.name, op.paths[-1], str(op.source or ""))
            row.key = id(op)
            row.book(dropped=relevance_of(value, message))
