"""A composite: an ordered list of (selector, rule); the last match wins."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from whence.composites._where import Scene, Selector, before, nature
from whence.engine import SENDERS, Op, held_values, is_held
from whence.errors import InvalidInput
from whence.rules import Rule

Entry = tuple[Selector, Rule]


@dataclass(frozen=True)
class Composite:
    """Which rule where. Immutable, comparable, printable as the code that builds it.

    ```python
    Composite([(where.nature("linear"), Epsilon()), (where.first, Flat())])
    ```
    """

    entries: Sequence[Entry]

    def __post_init__(self) -> None:
        if not isinstance(self.entries, Sequence):
            raise InvalidInput(f"A composite is a list of (selector, rule), got {self.entries!r}.")
        for entry in self.entries:
            pair = isinstance(entry, tuple) and len(entry) == 2
            if not pair or not isinstance(entry[0], Selector) or not isinstance(entry[1], Rule):
                raise InvalidInput(
                    f"A composite is a list of (selector, rule), got {entry!r}. "
                    "Try (where.first, Flat())."
                )
        object.__setattr__(self, "entries", tuple(self.entries))

    def __add__(self, entries: "Composite | Sequence[Entry]") -> "Composite":
        more = entries.entries if isinstance(entries, Composite) else entries
        return Composite((*self.entries, *more))

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __repr__(self) -> str:
        lines = "".join(f"    ({selector!r}, {rule!r}),\n" for selector, rule in self.entries)
        return f"Composite([\n{lines}])"

    def below(self, path: str, rule: Rule) -> "Composite":
        """The same with `rule` on all linear operations before module `path`: decomposition depth.

        Flat or w-squared below a layer stops the semantics there and only blurs further down.

        References: [bach2016, sec. 3].
        """
        return self + [(nature("linear") & before(path), rule)]

    def rules_for(self, ops: list[Op]) -> dict[int, Rule]:
        """The rule of each operation that has one, by id of the operation.

        A rule whose natures do not include the operation's is passed over only where the operation
        manages without; `where.all` with a linear rule means the linear operations.
        """
        scene = Scene(ops)
        chosen: dict[int, Rule] = {}
        for op in ops:
            for selector, rule in self.entries:
                if op.nature in rule.natures and selector(op, scene):
                    chosen[id(op)] = rule
        return chosen


@dataclass(frozen=True)
class Assignment:
    """The printed table operation -> rule of one model and input."""

    rows: tuple[tuple[str, str, str, str], ...]

    def __str__(self) -> str:
        head = ("operation", "module", "rule", "source")
        widths = [max(len(row[i]) for row in (head, *self.rows)) for i in range(3)]
        lines = [
            "  ".join(
                cell.ljust(width) for cell, width in zip(row, (*widths, 0), strict=True)
            ).rstrip()
            for row in (head, *self.rows)
        ]
        return "\n".join(lines)

    __repr__ = __str__

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[tuple[str, str, str, str]]:
        return iter(self.rows)


def assignment(ops: list[Op], rules: dict[int, Rule]) -> Assignment:
    """What each operation on the way back will do."""
    rows = []
    held = held_values(ops, rules)
    for op in reversed(ops):
        rule = rules.get(id(op))
        if is_held(op, held) and not (rule is not None and rule.held(op)):
            text = "(held)"
        elif rule is not None:
            text = repr(rule)
        else:
            text = f"({op.nature})" if op.nature in SENDERS else "NO RULE"
        name = f"{op.name} + {op.joined.name}" if op.joined is not None else op.name
        rows.append((name, " + ".join(dict.fromkeys(op.paths)), text, str(op.source or "")))
    return Assignment(tuple(rows))
