"""Arrays in JSON come back to the last bit, or not at all."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from whence.errors import InvalidInput
from whence.reports._arrays import TYPES, beside, read_array, to_array, written

ARRAY = np.array([[1.5, -2.0]], dtype="<f4")


@pytest.mark.parametrize("kind", TYPES)
def test_each_type_comes_back(kind: str) -> None:
    array = np.array([[0, 1, 1]], dtype=kind)
    back = read_array(json.loads(json.dumps(written(array))), None)

    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)


def test_bits_that_no_number_has_come_back() -> None:
    array = np.array([np.nan, -0.0, np.inf, 5e-324])

    assert read_array(written(array), None).tobytes() == array.tobytes()


def test_the_bytes_are_little_endian_base64() -> None:
    assert written(np.array([1.0], dtype=">f4")) | {"sha256": ""} == {
        "dtype": "<f4", "shape": [1], "sha256": "", "data": "AACAPw==",
    }  # fmt: skip


def test_scalars_and_empty_arrays_keep_their_shape() -> None:
    assert read_array(written(np.array(2.0)), None).shape == ()
    assert read_array(written(np.zeros((0, 3))), None).shape == (0, 3)


def test_bfloat16_becomes_the_float32_that_holds_it() -> None:
    x = torch.tensor([0.1, 3.0], dtype=torch.bfloat16)

    assert to_array(x).dtype == np.float32
    assert to_array(x).tolist() == x.float().tolist()


def test_an_array_in_a_file_beside_comes_back(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", map=ARRAY[0])  # flat: the entry knows the shape
    entry = beside(ARRAY, "a.npz", "map")

    np.testing.assert_array_equal(read_array(entry, tmp_path), ARRAY)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"data": "AAAA"}, "has 8 bytes, got 3"),
        ({"data": "!!!!"}, "no base64"),
        ({"data": 3}, "no base64"),
        ({"data": written(ARRAY + 1)["data"]}, "altered"),
        ({"dtype": "|O"}, "An array's type is one of"),
        ({"shape": [-1]}, "list of whole numbers"),
        ({"shape": "2"}, "list of whole numbers"),
        ({"shape": [2**40, 2**40], "data": ""}, "bytes, got 0"),
        ({"file": "../a.npz", "array": "map"}, "lie in its own folder"),
        ({"file": "/etc/passwd", "array": "map"}, "lie in its own folder"),
        ({"file": "none.npz", "array": "map"}, "does not hold"),
    ],
)
def test_what_is_not_right_is_refused(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        read_array(written(ARRAY) | change, tmp_path)


def test_pickles_are_refused(tmp_path: Path) -> None:
    held = np.array([{"a": 1}], dtype=object)
    np.savez(tmp_path / "a.npz", map=held, allow_pickle=True)
    entry = beside(ARRAY, "a.npz", "map")

    with pytest.raises(InvalidInput, match="does not hold the record's array"):
        read_array(entry, tmp_path)


def test_an_array_needs_all_of_its_parts() -> None:
    with pytest.raises(InvalidInput, match="needs dtype, shape, sha256, and data or a file"):
        read_array({"dtype": "<f4", "shape": [1]}, None)


def test_types_without_a_place_are_refused() -> None:
    with pytest.raises(InvalidInput, match="got complex64"):
        written(np.zeros(1, dtype=np.complex64))
