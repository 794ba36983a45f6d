"""Arrays in JSON: base64 of little-endian bytes with shape, type and hash, or a file beside it."""

import base64
import binascii
import hashlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from whence.errors import InvalidInput

TYPES = ("<f2", "<f4", "<f8", "<i4", "<i8", "|u1", "|b1")


def to_array(tensor: Tensor) -> np.ndarray:
    """A tensor as an array; bfloat16, which numpy lacks, as float32, which holds all its values."""
    plain = tensor.detach().cpu()
    if str(plain.dtype) == "torch.bfloat16":
        plain = plain.float()
    return np.ascontiguousarray(plain.resolve_conj().resolve_neg().numpy())


def written(array: np.ndarray) -> dict[str, Any]:
    """An array as plain values, its bytes with it."""
    plain = _little(array)
    return _about(plain) | {"data": base64.b64encode(plain.tobytes()).decode("ascii")}


def beside(array: np.ndarray, file: str, name: str) -> dict[str, Any]:
    """An array as a reference to the one called `name` in a .npz file; `file` is a path relative
    to the record's folder."""
    return _about(_little(array)) | {"file": file, "array": name}


def read_array(entry: Any, folder: Path | None) -> np.ndarray:
    """The array of an entry that `written` or `beside` made; its hash must agree."""
    kind, shape = _checked(entry)
    if "file" in entry:
        raw = _from_file(entry, folder, kind)
    else:
        try:
            raw = base64.b64decode(entry["data"], validate=True)
        except (binascii.Error, ValueError, TypeError) as error:
            raise InvalidInput(f"An array of the record is no base64 ({error}).") from error
    size = math.prod(shape) * np.dtype(kind).itemsize
    if len(raw) != size:
        raise InvalidInput(
            f"An array of shape {shape} and type {kind} has {size} bytes, got {len(raw)}: the "
            "record is cut or altered."
        )
    if hashlib.sha256(raw).hexdigest() != entry["sha256"]:
        raise InvalidInput("An array's bytes do not have the hash of the record: it was altered.")
    return np.frombuffer(raw, dtype=kind).reshape(shape).copy()


def _from_file(entry: Mapping[str, Any], folder: Path | None, kind: str) -> bytes:
    if folder is None:
        raise InvalidInput("This record keeps arrays in files beside it; read it from its folder.")
    path = (folder / str(entry["file"])).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise InvalidInput(f"A record's files lie in its own folder, got {entry['file']!r}.")
    try:
        with np.load(path, allow_pickle=False) as held:
            return _little(held[entry["array"]]).astype(kind, copy=False).tobytes()
    except (OSError, ValueError, KeyError) as error:
        raise InvalidInput(f"{path} does not hold the record's array ({error}).") from error


def _checked(entry: Any) -> tuple[str, tuple[int, ...]]:
    wanted = {"dtype", "shape", "sha256"}
    if (
        not isinstance(entry, Mapping)
        or not wanted <= set(entry)
        or not {"data", "file"} & {*entry}
    ):
        raise InvalidInput("An array of a record needs dtype, shape, sha256, and data or a file.")
    kind, shape = entry["dtype"], entry["shape"]
    if kind not in TYPES:
        raise InvalidInput(f"An array's type is one of {', '.join(TYPES)}, got {kind!r}.")
    if not isinstance(shape, list) or not all(isinstance(n, int) and n >= 0 for n in shape):
        raise InvalidInput(f"An array's shape is a list of whole numbers, got {shape!r}.")
    return kind, tuple(shape)


def _about(array: np.ndarray) -> dict[str, Any]:
    digest = hashlib.sha256(array.tobytes()).hexdigest()
    return {"dtype": array.dtype.str, "shape": list(array.shape), "sha256": digest}


def _little(array: np.ndarray) -> np.ndarray:
    plain = np.ascontiguousarray(array).reshape(array.shape)
    plain = plain.astype(plain.dtype.newbyteorder("<"), copy=False)
    if plain.dtype.str not in TYPES:
        raise InvalidInput(f"A record holds arrays of {', '.join(TYPES)}, got {plain.dtype}.")
    return plain
