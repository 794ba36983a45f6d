"""Options and targets as plain values, and back, without ever running what a file says.

Rules, composites and targets print as the code that builds them. `spell` keeps that text, and
`unspell` reads it with a grammar of its own: names of rules, composites, selectors and targets,
and literals. Anything else is refused.
"""

import ast
import inspect
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from whence import composites, rules, targets
from whence.composites import Composite, where
from whence.composites._where import Selector
from whence.errors import InvalidInput
from whence.reports._arrays import to_array
from whence.rules import Rule
from whence.targets import Each, Target

_PLAIN = (str, int, float, bool, type(None))
_LONGEST = 100_000
_BUILT = (Rule, Composite, Target, Each)


def spell(value: Any, arrays: dict[str, np.ndarray], name: str) -> Any:
    """A value in JSON; tensors go to `arrays` under `name`. What cannot be read back is kept as
    its text, under "opaque"."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"number": repr(value)}
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, Tensor):
        arrays[name] = to_array(value)
        return {"array": name}
    if isinstance(value, (list, tuple)):
        items = [spell(each, arrays, f"{name}.{i}") for i, each in enumerate(value)]
        return {"list" if isinstance(value, list) else "tuple": items}
    if isinstance(value, Mapping):
        found = {str(key): spell(each, arrays, f"{name}.{key}") for key, each in value.items()}
        return {"dict": found}
    text = repr(value)
    if isinstance(value, _BUILT):
        try:
            if repr(read_python(text)) == text:
                return {"python": text}
        except InvalidInput:
            pass
    return {"opaque": text}


def unspell(spelled: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """The value that was spelled; `InvalidInput` where only its text is known."""
    if not isinstance(spelled, Mapping):
        return spelled
    ((form, held),) = spelled.items()
    match form:
        case "number":
            return float(held)
        case "array":
            return torch.from_numpy(arrays[held].copy())
        case "list":
            return [unspell(each, arrays) for each in held]
        case "tuple":
            return tuple(unspell(each, arrays) for each in held)
        case "dict":
            return {key: unspell(each, arrays) for key, each in held.items()}
        case "python":
            return read_python(held)
    raise InvalidInput(
        f"The record knows only what this printed as, {str(held)[:200]!r}, and cannot build it. "
        "Give it again: verify(record, model, inputs, options={...}, target=...)."
    )


def read_python(text: str) -> Any:
    """A rule, composite or target from its printed form.

    >>> read_python("Gamma(gamma=0.5)").gamma
    0.5
    """
    if len(text) > _LONGEST:
        raise InvalidInput(f"A rule, composite or target has at most {_LONGEST:,} letters.")
    try:
        tree = ast.parse(text.strip(), mode="eval")
        return _value(tree.body)
    except (SyntaxError, TypeError, ValueError, RecursionError, MemoryError) as error:
        raise InvalidInput(f"{text[:200]!r} is no rule, composite or target ({error}).") from error


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Constant) and isinstance(node.value, _PLAIN):
        return node.value
    if isinstance(node, ast.Name) and node.id in ("inf", "nan"):
        return float(node.id)
    if isinstance(node, ast.List):
        return [_value(each) for each in node.elts]
    if isinstance(node, ast.Tuple):
        return tuple(_value(each) for each in node.elts)
    if isinstance(node, ast.UnaryOp):
        return _signed(node)
    if isinstance(node, ast.BinOp):
        return _joined(node)
    if isinstance(node, ast.Attribute):
        return _selector(node)
    if isinstance(node, ast.Call):
        return _called(node)
    raise ValueError(f"{ast.unparse(node)[:60]} is not allowed here")


def _signed(node: ast.UnaryOp) -> Any:
    held = _value(node.operand)
    if isinstance(node.op, ast.Invert) and isinstance(held, Selector):
        return ~held
    if isinstance(node.op, ast.USub) and isinstance(held, (int, float)):
        return -held
    raise ValueError("only numbers have a sign, and only selectors a negation")


def _joined(node: ast.BinOp) -> Any:
    left, right = _value(node.left), _value(node.right)
    if isinstance(left, Selector) and isinstance(right, Selector):
        if isinstance(node.op, ast.BitAnd):
            return left & right
        if isinstance(node.op, ast.BitOr):
            return left | right
    raise ValueError("only selectors are joined, with & and |")


def _selector(node: ast.Attribute) -> Any:
    if isinstance(node.value, ast.Name) and node.value.id == "where" and node.attr[0] != "_":
        found = getattr(where, node.attr, None)
        if isinstance(found, Selector):
            return found
    raise ValueError(f"{ast.unparse(node)[:60]} is no selector")


def _called(node: ast.Call) -> Any:
    arguments = [_value(each) for each in node.args]
    options = {str(each.arg): _value(each.value) for each in node.keywords}
    if isinstance(node.func, ast.Name) and node.func.id == "tensor":
        return _whole(arguments, options)
    return _maker(node.func)(*arguments, **options)


def _whole(arguments: list[Any], options: dict[str, Any]) -> Tensor:
    """Tensors print four digits only: whole numbers are exact, others are not read."""
    flat = str(arguments)
    if len(arguments) != 1 or options or any(each in flat for each in ".'Nne"):
        raise ValueError("only tensors of whole numbers are read from text")
    return torch.tensor(arguments[0])


def _maker(function: ast.expr) -> Any:
    if isinstance(function, ast.Attribute):
        named = isinstance(function.value, ast.Name) and function.value.id == "where"
        found = getattr(where, function.attr, None) if function.attr[0] != "_" else None
        makes = inspect.isfunction(found) and found.__module__ == where.__name__
        if named and makes:
            return found
    if isinstance(function, ast.Name):
        for house, kinds in (
            (rules, (Rule,)),
            (targets, (Target, Each)),
            (composites, (Composite,)),
        ):
            found = getattr(house, function.id, None) if function.id in house.__all__ else None
            if isinstance(found, type) and issubclass(found, kinds):
                return found
    raise ValueError(f"{ast.unparse(function)[:60]} is no rule, composite, selector or target")
