"""Sizes and receptive fields of timm's nets: torch's own counter, and where a NaN comes from."""

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from whence import zoo
from whence.prototypes import receptive_field

timm = pytest.importorskip("timm", reason="takes models from timm")

NETS = {
    "resnet18": "layer2",
    "regnetx_002": "s2",
    "inception_v3": "Mixed_5b",
}


@pytest.mark.parametrize("name", NETS)
def test_the_field_is_exact_and_the_work_is_torchs(name: str) -> None:
    net = timm.create_model(name, pretrained=False).double().eval()
    x = torch.rand(1, 3, 80, 75, dtype=torch.float64)
    field = receptive_field(net, x, NETS[name])
    low, high = by_nan(net, x, NETS[name])
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(x)

    assert torch.equal(field.low[1], low)
    assert torch.equal(field.high[1], high)
    assert zoo.summary(net, x).multiply_adds == counter.get_total_flops() // 2


def by_nan(net: nn.Module, x: Tensor, module: str) -> tuple[Tensor, Tensor]:
    """First and last column whose NaN reaches each unit of a module."""
    made: list[Tensor] = []
    handle = net.get_submodule(module).register_forward_hook(
        lambda _, inputs, output: made.append(output.isnan())
    )
    with torch.no_grad():
        for column in range(x.shape[3]):
            spoiled = x.clone()
            spoiled[..., column] = float("nan")
            net(spoiled)
    handle.remove()
    places = torch.cat(made)  # (columns, *units)
    order = torch.arange(len(places)).view(-1, *[1] * (places.dim() - 1)).expand_as(places)
    return order.where(places, len(places)).amin(0), order.where(places, -1).amax(0)
