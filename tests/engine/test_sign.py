"""Signs known from the data flow: where they are wrong, z+ would silently take the wrong half."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from laws import rand
from whence.composites import Composite, where
from whence.explainers import LRP
from whence.rules import ZPlus

W = rand(3, 8, seed=1)
NEGATIVE = -rand(2, 4, seed=2).abs() - 0.1
Function = Callable[[Tensor], Tensor]


def _write(h: Tensor) -> Tensor:
    h = h * 1
    h[:, 1] = NEGATIVE[:, 0]
    return h


def _buffer(h: Tensor) -> Tensor:
    out = torch.full((2, 8), -0.5, dtype=h.dtype)
    out[:, 2:6] = h
    return out


ALL = torch.tensor([0, 1, 2, 3])

# each turns h >= 0 of shape (2, 4) into (2, 4), most with negative elements
MIXED: dict[str, Function] = {
    "nothing else": lambda h: 2 * h,
    "minimum": lambda h: torch.minimum(h, NEGATIVE),
    "fmin": lambda h: torch.fmin(h, NEGATIVE),
    "add a constant": lambda h: h + NEGATIVE,
    "subtract": lambda h: h - h.flip(1),
    "negate": lambda h: -h,
    "where": lambda h: torch.where(h > 0.5, h, NEGATIVE),
    "masked_fill": lambda h: h.masked_fill(h < 0.5, -2.0),
    "write": _write,
    "sub_": lambda h: (h * 1).sub_(1),
    "add with alpha": lambda h: torch.add(h, h.flip(1), alpha=-2),
    "add_ with alpha": lambda h: (h * 1).add_(h.flip(1), alpha=-2),
    "index_add with alpha": lambda h: h.index_add(1, ALL[:2], h[:, :2], alpha=-3),
    "index_add of a constant": lambda h: h.index_add(1, ALL, NEGATIVE),
    "scatter_add of a constant": lambda h: h.scatter_add(1, ALL.expand(2, 4), NEGATIVE),
    "diff": lambda h: h.diff(dim=1, append=h[:, :1]),
    "clamp": lambda h: h.clamp(max=0.5) - 0.2,
    "scale": lambda h: h * NEGATIVE,
    "leaky": lambda h: F.leaky_relu(h - 1, 0.5),
    "index_fill_": lambda h: (h * 1).index_fill_(1, ALL[:1], -1),
    "addcmul": lambda h: torch.addcmul(h, h, NEGATIVE),
    "lerp": lambda h: torch.lerp(h, h.flip(1), 3.0),
}
WIDENING: dict[str, Function] = {
    "cat with a constant": lambda h: torch.cat([h, NEGATIVE], 1),
    "stack with a constant": lambda h: torch.stack([NEGATIVE, h], 1).flatten(1),
    "pad": lambda h: F.pad(h, (2, 2), value=-1.0),
    "buffer": _buffer,
    "bicubic": lambda h: F.interpolate(h.view(2, 1, 2, 2), (4, 2), mode="bicubic").flatten(1),
}


class _Mix(nn.Module):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(x)
        if self.name in WIDENING:
            return WIDENING[self.name](h)
        return torch.cat([h, MIXED[self.name](h)], 1)


class _Net(nn.Module):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.mix = _Mix(name)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(self.mix(x), W)


@pytest.mark.parametrize("name", [*MIXED, *WIDENING])
def test_z_plus_sees_the_signs_that_are_there(name: str) -> None:
    """R_i = sum_j max(a_i w_ij, 0) / sum_i' max(a_i' w_i'j, 0) z_j, by the dense matrix."""
    x, net = rand(2, 4, seed=3), _Net(name)
    composite = Composite([(where.nature("linear"), ZPlus())])
    found = LRP(net, composite).explain(x, lambda y: y.sum(1)).at("mix")

    a = net.mix(x)
    raising = (a[:, None] * W).clamp(min=0)  # (batch, outputs, inputs)
    total = raising.sum(2, keepdim=True)
    share = raising / torch.where(total == 0, 1, total)
    torch.testing.assert_close(found, (share * net(x)[:, :, None]).sum(1))
