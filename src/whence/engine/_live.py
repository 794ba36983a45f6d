"""Which values count as constants because a rule holds them, as if the model had detached them.

A value is held if the rule of its operation says so, or if all that it was made of is held. No
message goes to a held value: products share among the others, and what an addition, a
concatenation or the like would send there is booked as bias, as for any constant.
"""

from collections.abc import Iterable
from typing import Any

from whence.engine._tape import Op, Value


def held_values(ops: Iterable[Op], rules: dict[int, Any]) -> set[int]:
    """The ids of all held values; `ops` in the order they ran."""
    held: set[int] = set()
    for op in ops:
        rule = rules.get(id(op))
        if all(id(value) in held for value in op.inputs):
            held.update(id(value) for value in op.outputs)
        elif rule is not None:
            held.update(id(op.outputs[i]) for i in rule.held(op))
    return held


def is_held(op: Op, held: set[int]) -> bool:
    """Whether nothing that the operation made can carry relevance."""
    return bool(held) and all(id(value) in held for value in op.outputs)


def carrying(ops: list[Op], targets: list[Value], held: set[int]) -> list[Op]:
    """The operations that relevance can reach from the targets without passing a held value."""
    wanted = {id(value) for value in targets}
    found = []
    for op in reversed(ops):
        if any(id(value) in wanted for value in op.outputs) and not is_held(op, held):
            found.append(op)
            wanted.update(id(value) for value in op.inputs if id(value) not in held)
    return found[::-1]
