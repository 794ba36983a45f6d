"""What the tests of whole models share."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from laws import rand


def small_net(*, bias: bool = True) -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 8, bias=bias), nn.ReLU(), nn.Linear(8, 4, bias=bias)).double()


class Wrapped(nn.Module):
    """A net whose output is handed through `shape`, and its input through `prepare`."""

    def __init__(
        self,
        shape: Callable[[Tensor], Any] = lambda y: y,
        prepare: Callable[..., Tensor] = lambda x: x,
    ) -> None:
        super().__init__()
        self.net, self.shape, self.prepare = small_net(), shape, prepare
        self.net.load_state_dict(small_net().state_dict() | STATE)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.shape(self.net(self.prepare(*args, **kwargs)))


STATE = {name: rand(*each.shape, seed=7) for name, each in small_net().state_dict().items()}
IDS = torch.tensor([[1, 2, 2, 5], [0, 9, 3, 1], [4, 4, 4, 7]])
