"""LRP, sensitivity and random on MNIST: the tutorial's order, by the rules of the example.

The rules are those of `examples/compare_methods.py`, fixed beforehand: LeNet-5 of the LRP toolbox,
the first 1,000 test digits (by default the first 100, in seconds), the class that the net gives
them, its probability while 16 of 1,024 pixels are replaced at a time, most relevant first; LRP is
the epsilon rule everywhere.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import whence
from whence import zoo

EXAMPLES = Path(__file__).parents[2] / "examples"
TIMES = 10_000


@pytest.fixture(scope="module", params=[100, pytest.param(1000, marks=pytest.mark.slow)])
def areas(request: pytest.FixtureRequest, data: Path) -> dict[tuple[str, str], NDArray[np.float64]]:
    """(method, replacement) -> the area over the curve of each digit."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXAMPLES))
        from comparing import digits, methods  # pyright: ignore[reportMissingImports] beside it

        net = zoo.model("lenet5-mnist", data)
        chosen = digits.first_digits(net, data, request.param)
        by = {name: digits.metrics()[name] for name in ("sign flip", "uniform")}
        asked = methods.explainers(net, ("LRP", "sensitivity", "random"))
    found = whence.evaluate(net.module, chosen.inputs, asked, by, progress=False)
    return {(method, name): found.scores(method, name).numpy() for method in asked for name in by}


def interval(differences: NDArray[np.float64]) -> tuple[float, float]:
    """The bootstrap interval of 95 % of the mean, apart from the library's own."""
    drawn = np.random.default_rng(0).integers(0, len(differences), (TIMES, len(differences)))
    low, high = np.quantile(differences[drawn].mean(1), [0.025, 0.975])
    return float(low), float(high)


@pytest.mark.parametrize("replacement", ["sign flip", "uniform"])
@pytest.mark.parametrize(("better", "worse"), [("LRP", "sensitivity"), ("sensitivity", "random")])
def test_lrp_is_better_than_sensitivity_and_sensitivity_than_random(
    areas: dict[tuple[str, str], NDArray[np.float64]], better: str, worse: str, replacement: str
) -> None:
    differences = areas[better, replacement] - areas[worse, replacement]
    low, _ = interval(differences)

    assert low > 0


@pytest.mark.parametrize("replacement", ["sign flip", "uniform"])
def test_the_areas_are_shares(
    areas: dict[tuple[str, str], NDArray[np.float64]], replacement: str
) -> None:
    values = np.stack([areas[method, replacement] for method in ("LRP", "sensitivity", "random")])

    assert torch.from_numpy(values).isfinite().all()
    assert 0 <= values.min() <= values.max() <= 1
