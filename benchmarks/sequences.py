"""Time of explaining nets over sequences, as multiples of a plain input gradient in the same run.

    python benchmarks/sequences.py              all cases
    python benchmarks/sequences.py --pairs 51

CPU times of the process, medians of interleaved pairs (gradient, explanation, gradient, ...); the
A/A column shows what the gradient against itself gives. Budgets are those of the design.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from whence.explainers import LRP


@dataclass(frozen=True)
class Case:
    """A model with an input, and what its explanation may cost in gradients."""

    name: str
    make: Callable[[], nn.Module]
    shape: tuple[int, ...]
    budget: float


class Classifier(nn.Module):
    """A bidirectional recurrent layer, read at its last states."""

    def __init__(self, layer: nn.RNNBase, classes: int = 5) -> None:
        super().__init__()
        self.layer = layer
        self.head = nn.Linear(2 * layer.hidden_size, classes)

    def forward(self, x: Tensor) -> Tensor:
        states = self.layer(x)[1]
        last = states[0] if isinstance(states, tuple) else states
        return self.head(torch.cat([last[0], last[1]], -1))


def lstm() -> nn.Module:
    """The net of Arras et al. 2017: 60 features, 60 hidden, both directions."""
    return Classifier(nn.LSTM(60, 60, batch_first=True, bidirectional=True))


def gru() -> nn.Module:
    """The same with a GRU."""
    return Classifier(nn.GRU(60, 60, batch_first=True, bidirectional=True))


CASES = [
    Case("bi-LSTM, 60 hidden, 40 tokens, batch 1", lstm, (1, 40, 60), 3.0),
    Case("bi-LSTM, 60 hidden, 40 tokens, batch 32", lstm, (32, 40, 60), 2.0),
    Case("bi-GRU, 60 hidden, 40 tokens, batch 1", gru, (1, 40, 60), 3.0),
    Case("bi-GRU, 60 hidden, 40 tokens, batch 32", gru, (32, 40, 60), 2.0),
]


def main() -> None:
    """Print one line for each case."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pairs", type=int, default=31)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    print(f"{'case':<44}{'A/A':>6}{'time':>7}{'(min, max)':>16}{'budget':>8}")
    for case in CASES:
        if options.only in case.name:
            _line(case, options.pairs)


def _line(case: Case, pairs: int) -> None:
    model = case.make().eval().requires_grad_(False)
    x = torch.randn(case.shape)
    explainer = LRP(model)

    def gradient() -> Tensor:
        leaf = x.clone().requires_grad_()
        return torch.autograd.grad(model(leaf)[:, 0].sum(), leaf)[0]

    again = statistics.median(_ratios(gradient, gradient, pairs))
    ratios = _ratios(gradient, lambda: explainer.explain(x, 0).relevance, pairs)
    spread = f"({min(ratios):.2f}, {max(ratios):.2f})"
    print(
        f"{case.name:<44}{again:>6.2f}{statistics.median(ratios):>7.2f}{spread:>16}"
        f"{case.budget:>8.1f}",
        flush=True,
    )


def _ratios(unit: Callable[[], Tensor], run: Callable[[], Tensor], pairs: int) -> list[float]:
    for _ in range(3):
        unit()
        run()
    found = []
    for _ in range(pairs):
        first = time.process_time()
        unit()
        second = time.process_time()
        run()
        found.append((time.process_time() - second) / (second - first))
    return found


if __name__ == "__main__":
    main()
