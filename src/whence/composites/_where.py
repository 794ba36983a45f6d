"""Selectors: which operations a rule is for. Combine them with `&`, `|` and `~`.

`where.first`, `where.kind("conv2d")`, `where.nature("linear") & ~where.name("fc*")`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import torch

from whence.composites._factors import is_normaliser, is_pattern
from whence.engine import NATURES, Op, known_names
from whence.errors import InvalidInput


@dataclass(eq=False)
class Scene:
    """The operations between input and target, and what selectors need to know about all."""

    ops: list[Op]
    first: set[int] = field(default_factory=set)
    last: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        weighted = [op for op in self.ops if op.nature == "linear"]
        above: set[int] = set()  # values that a weighted operation lies below
        for op in self.ops:
            behind = any(id(value) in above for value in op.inputs)
            if op.nature == "linear" and not behind:
                self.first.add(id(op))
            if behind or op.nature in _WEIGHTED:
                above.update(id(value) for value in op.outputs)
        below: set[int] = set()  # values that a weighted operation reads, directly or not
        for op in reversed(self.ops):
            ahead = any(id(value) in below for value in op.outputs)
            if op in weighted and not ahead:
                self.last.add(id(op))
            if ahead or op.nature in _WEIGHTED:
                below.update(id(value) for value in op.inputs)


# A recurrent layer is neither first nor last, but what it lies below or above is not so either.
_WEIGHTED = ("linear", "recurrent")


@dataclass(frozen=True, eq=False)
class Selector:
    """A test on operations that prints as the code that builds it."""

    text: str
    test: Callable[[Op, Scene], bool]

    def __call__(self, op: Op, scene: Scene) -> bool:
        return self.test(op, scene)

    def __and__(self, other: "Selector") -> "Selector":
        return Selector(
            f"{self._inner()} & {other._inner()}",
            lambda op, scene: self(op, scene) and other(op, scene),
        )

    def __or__(self, other: "Selector") -> "Selector":
        return Selector(
            f"{self._inner()} | {other._inner()}",
            lambda op, scene: self(op, scene) or other(op, scene),
        )

    def __invert__(self) -> "Selector":
        return Selector(f"~{self._inner()}", lambda op, scene: not self(op, scene))

    def __repr__(self) -> str:
        return self.text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Selector) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def _inner(self) -> str:
        return f"({self.text})" if " " in self.text else self.text


all = Selector("where.all", lambda op, scene: True)
first = Selector("where.first", lambda op, scene: id(op) in scene.first)
last = Selector("where.last", lambda op, scene: id(op) in scene.last)
normaliser = Selector("where.normaliser", lambda op, scene: is_normaliser(op))
pattern = Selector("where.pattern", lambda op, scene: is_pattern(op))


def kind(*names: str) -> Selector:
    """Operations by torch's name: `where.kind("conv2d", "linear")`."""
    unknown = [name for name in names if name not in known_names()]
    if unknown == list(names) and not names:
        raise InvalidInput("where.kind needs at least one operation name, got none.")
    text = ", ".join(repr(name) for name in names)
    return Selector(f"where.kind({text})", lambda op, scene: op.name in names)


def nature(name: str) -> Selector:
    """Operations by nature: "linear", "pointwise", "max", "norm", "product", "softmax", ..."""
    if name not in (*NATURES, "inverse", "unknown"):
        raise InvalidInput(f"There is no nature {name!r}; the natures are {sorted(NATURES)}.")
    return Selector(f"where.nature({name!r})", lambda op, scene: op.nature == name)


def module(type: type[torch.nn.Module]) -> Selector:
    """Operations called in the forward of a module of this type."""

    def test(op: Op, scene: Scene) -> bool:
        joined = op.joined.module if op.joined is not None else None
        return isinstance(op.module, type) or isinstance(joined, type)

    return Selector(f"where.module({type.__module__}.{type.__qualname__})", test)


def owner(*names: str) -> Selector:
    """Operations in the forward of a module that owns parameters or submodules of these names.

    `where.owner("A_log", "D")` finds state-space layers of any library, without importing it.
    """
    if not names:
        raise InvalidInput(
            'where.owner needs at least one name, got none. Try where.owner("A_log").'
        )
    text = ", ".join(repr(each) for each in names)
    return Selector(f"where.owner({text})", lambda op, scene: _owns(op.module, names))


def made_by(*names: str) -> Selector:
    """Operations on what a `where.kind` made, moved or changed point by point since then."""
    text = ", ".join(repr(each) for each in names)

    def test(op: Op, scene: Scene) -> bool:
        maker = op.inputs[0].op if len(op.inputs) == 1 else None
        while maker is not None and maker.nature in _PASSING and len(maker.inputs) == 1:
            maker = maker.inputs[0].op
        return maker is not None and maker.name in names

    return Selector(f"where.made_by({text})", test)


def name(glob: str) -> Selector:
    """Operations by the path of their module, e.g. `where.name("features.*")`."""

    def test(op: Op, scene: Scene) -> bool:
        return any(fnmatchcase(path, glob) for path in op.paths)

    return Selector(f"where.name({glob!r})", test)


def between(a: str, b: str) -> Selector:
    """Operations from the first one in module `a` to the last one in module `b`, as they ran."""

    def test(op: Op, scene: Scene) -> bool:
        order = scene.ops
        begin = [i for i, each in enumerate(order) if _inside(each, a)]
        end = [i for i, each in enumerate(order) if _inside(each, b)]
        if not begin or not end:
            missing = a if not begin else b
            raise InvalidInput(f"where.between found no operation in module {missing!r}.")
        here = next(i for i, each in enumerate(order) if each is op)
        return begin[0] <= here <= end[-1]

    return Selector(f"where.between({a!r}, {b!r})", test)


def before(path: str) -> Selector:
    """Operations that ran before the first one in module `path`."""

    def test(op: Op, scene: Scene) -> bool:
        inside = [i for i, each in enumerate(scene.ops) if _inside(each, path)]
        if not inside:
            raise InvalidInput(f"where.before found no operation in module {path!r}.")
        return any(each is op for each in scene.ops[: inside[0]])

    return Selector(f"where.before({path!r})", test)


def _inside(op: Op, path: str) -> bool:
    return any(each == path or each.startswith(f"{path}.") for each in op.paths)


def _owns(module: torch.nn.Module | None, names: tuple[str, ...]) -> bool:
    if module is None:
        return False
    return set(names) <= {*module._parameters, *module._modules, *module._buffers}


_PASSING = ("index", "pointwise", "scale")  # what moves values or changes them one by one
