"""What an operation's output is to the products that read it: a normaliser, a pattern."""

from collections.abc import Iterator

from whence.engine import Op

_MATRIX_PRODUCTS = {"matmul", "mm", "bmm", "mv", "einsum"}
_LOGARITHMS = {"log", "log2", "log10", "logit", "lgamma", "digamma", "acosh", "atanh", "erfinv"}


def is_normaliser(op: Op) -> bool:
    """Whether it makes one over something, which only scales other values.

    As rsqrt in `x * rsqrt(mean(x²))`, `1 / s` in `x * (1 / s)`, and powers below zero.
    """
    if op.nature != "inverse" or op.name in _LOGARITHMS:
        return False
    readers = list(_readers(op))
    return bool(readers) and all(reader.nature == "product" for reader in readers)


def is_pattern(op: Op) -> bool:
    """Whether it is a softmax that a matrix product reads: who attends to whom."""
    if op.name != "softmax":
        return False
    return any(
        reader.nature in ("product", "linear") and reader.name in _MATRIX_PRODUCTS
        for reader in _readers(op)
    )


def _readers(op: Op) -> Iterator[Op]:
    """The operations that read what it made, seen through reshaping and constant scales."""
    for value in op.outputs:
        for reader in value.readers:
            if reader.nature in ("index", "scale") and len(reader.inputs) == 1:
                yield from _readers(reader)
            else:
                yield reader
