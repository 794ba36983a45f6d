"""What an explanation of a model rests on: the operations on the way back, and their rules."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from whence.composites import Composite, default_composite
from whence.engine import (
    Context,
    Op,
    Tapped,
    WeightCache,
    clear,
    paused_collection,
    record,
    require_rules,
    sweep,
    unruled,
)
from whence.explainers._inputs import Inputs
from whence.explainers._start import pick_output, start_at
from whence.rules import Gradient, Rule
from whence.targets import as_target


@dataclass(frozen=True)
class Audited:
    """One operation that relevance passed: what it is, by which rule, and where."""

    op: str
    path: str
    rule: str
    plain: bool  # by the plain gradient, since no rule is known or since the composite says so
    source: str


@dataclass(frozen=True)
class Audit:
    """The operations that relevance passes on its way from the score to the inputs."""

    lines: tuple[Audited, ...]

    @property
    def share(self) -> float:
        """The share of operations that relevance passes by a published rule."""
        published = sum(not line.plain for line in self.lines)
        return published / max(1, len(self.lines))

    @property
    def plain(self) -> tuple[str, ...]:
        """The names of operations that relevance passes by the plain gradient, sorted."""
        return tuple(sorted({line.op for line in self.lines if line.plain}))

    def __str__(self) -> str:
        counts = Counter((line.op, line.rule) for line in self.lines)
        width = max([len("operation"), *(len(op) for op, _ in counts)])
        rows = [f"{'operation':<{width}}  times  rule"]
        rows += [f"{op:<{width}}  {n:>5}  {rule}" for (op, rule), n in sorted(counts.items())]
        found = f"{self.share:.1%} of {len(self.lines)} operations have a published rule"
        if not self.plain:
            return "\n".join([*rows, f"{found}."])
        places = dict.fromkeys(
            f"  {line.op} in '{line.path}' ({line.source})" for line in self.lines if line.plain
        )
        return "\n".join([*rows, f"{found}; by the plain gradient pass:", *places])

    __repr__ = __str__


def audit(
    model: Callable[..., Any],
    inputs: Any,
    target: Any = None,
    *,
    composite: Composite | None = None,
    output: Any = None,
) -> Audit:
    """Which operations relevance passes in this model, and which of them by no published rule.

    Use it before trusting explanations of a new architecture. Operations for which `explain` would
    ask for a rule are passed by the plain gradient here, and named. What a rule holds constant
    (normalisers, gates, attention patterns) is not on the way and is not counted.

    ```python
    print(whence.audit(model, tokens))
    ```
    """
    given = Inputs.of(inputs)
    with torch.no_grad(), paused_collection():
        tape = record(
            model,
            given.args,
            given.kwargs,
            given.leaves,
            select=lambda found: pick_output(found, output),
        )
        tape.batch = given.batch
        start = start_at(tape, tape.output, as_target(target))
        ops = tape.reaching([start.value])
        rules = (composite or default_composite(ops)).rules_for(ops)
        missing = {id(op) for op in unruled(ops, rules, [start.value])}
        rules |= {each: Gradient() for each in missing}
        require_rules(ops, rules, [start.value])  # some operations no rule can explain
        passed: dict[int, Tapped | None] = {id(v): None for op in ops for v in op.outputs}
        context = Context(WeightCache(), rules, retain=True, batch=tape.batch)
        sweep(tape, [(start.value, start.message)], context, taps=passed)
        lines = [_line(op, rules) for op in ops if any(passed[id(v)] for v in op.outputs)]
        clear(tape)
    return Audit(tuple(lines[::-1]))


def _line(op: Op, rules: dict[int, Rule]) -> Audited:
    rule = rules.get(id(op))
    text = f"({op.nature})" if rule is None else repr(rule)
    plain = isinstance(rule, Gradient)
    return Audited(op.name, op.paths[-1], text, plain, str(op.source or ""))
