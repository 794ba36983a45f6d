"""The floating-point work of explaining transformers, in plain input gradients.

Counted, not timed. Only linear layers count here: what the ledger books of softmax needs the
attention pattern again, in blocks. (Recurrent layers: tests/engine/test_recurrent.py.)
"""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from whence.explainers import CPLRP, LRP, AttnLRP, Explainer

Make = Callable[[nn.Module], Explainer]


class _Encoder(nn.Module):
    """Two encoder layers of torch, and five classes for the mean over the tokens."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(64, 4, 256, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(64, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layers(x).mean(1))


def _in_linear_layers(run: Callable[[], object]) -> int:
    with FlopCounterMode(display=False) as counter:
        run()
    return sum(
        count for op, count in counter.get_flop_counts()["Global"].items() if "mm" in str(op)
    )


def _ratio(make: Make, model: nn.Module, x: Tensor, ledger: str | None) -> float:
    explainer = make(model)

    def gradient() -> Tensor:
        leaf = x.clone().requires_grad_()
        return torch.autograd.grad(model(leaf * 1)[:, 3].sum(), leaf)[0]

    return _in_linear_layers(lambda: explainer.explain(x, 3, ledger=ledger)) / _in_linear_layers(
        gradient
    )


@pytest.mark.parametrize("make", [AttnLRP, CPLRP, LRP], ids=["attnlrp", "cp-lrp", "default"])
def test_linear_layers_of_a_transformer_cost_one_gradient(make: Make) -> None:
    model, x = _Encoder().eval().requires_grad_(False), torch.randn(2, 32, 64)

    assert _ratio(make, model, x, ledger=None) <= 1.0
