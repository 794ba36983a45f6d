"""An evaluation's numbers as files: .json, .csv, .parquet."""

import csv
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from whence.errors import NotAvailable
from whence.runs._evaluate_store import written_whole
from whence.zoo._files import optional

SUFFIXES = (".png", ".svg", ".json", ".csv", ".parquet")


def data_frame(rows: list[dict[str, Any]]) -> Any:
    """A pandas data frame of rows."""
    return optional("pandas", "a data frame").DataFrame(rows)


def write(path: Path, numbers: Any) -> Path:
    """Write a record (.json) or rows (.csv, .parquet); whole or not at all."""
    if path.suffix == ".json":
        text = json.dumps(numbers, indent=1, ensure_ascii=False, allow_nan=False)
        written_whole(path, lambda place: place.write_text(text, encoding="utf-8"))
    elif path.suffix == ".csv":
        written_whole(path, lambda place: _write_csv(place, numbers))
    else:
        frame = data_frame(numbers)
        try:
            written_whole(path, lambda place: frame.to_parquet(place, index=False))
        except ImportError as error:
            raise NotAvailable(
                f"Writing {path.name} needs pyarrow, which cannot be imported ({error}). "
                "Run: pip install pyarrow"
            ) from error
    return path


def plain(value: Any) -> Any:
    """A value as JSON has it; what is no finite number becomes None."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, (Tensor, np.ndarray)):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, (str, int, bool, type(None))) else repr(value)


def _write_csv(place: Path, rows: list[dict[str, Any]]) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row))
    with place.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
