"""What an explanation is written to."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from whence._explanation import Explanation, named

X, H, C = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0]]), torch.tensor([[4.0, 5.0]])


@pytest.fixture
def nested() -> Explanation:
    """Of inputs as a recurrent layer takes them: (x, (h0, c0))."""
    relevance = (X, (H, C))
    return Explanation(relevance, relevance, X, None, torch.tensor([15.0]), "by hand")


def test_tensors_in_nested_tuples_have_names_with_a_stop() -> None:
    assert list(named((X, (H, [C])))) == ["0", "1.0", "1.1.0"]
    assert list(named({"x": X, "state": (H, None)})) == ["x", "state.0"]


def test_numbers_of_nested_inputs_are_all_saved(nested: Explanation, tmp_path: Path) -> None:
    told = json.loads(nested.save(tmp_path / "x.json").read_text(encoding="utf-8"))
    with np.load(nested.save(tmp_path / "x.npz")) as arrays:
        stored = {name: arrays[name].tolist() for name in arrays.files}

    assert told["relevance"] == {"0": [[1, 2]], "1.0": [[3]], "1.1": [[4, 5]]}
    assert stored["relevance.1.1"] == [[4, 5]]
