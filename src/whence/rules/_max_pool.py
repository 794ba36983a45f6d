"""Max pooling other than torch's winner: ties that share, and shares in proportion."""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from whence._numerics import divide
from whence.engine import Message, Node
from whence.errors import InvalidInput
from whence.rules._rule import Rule

_TIES = ("first", "split")


@dataclass(frozen=True)
class MaxPool(Rule):
    """Max pooling with a choice for ties: torch's winner ("first"), or equal parts ("split").

        R_i = sum_j 1[x_i = z_j] / (number of winners of j) R_j

    The LRP toolbox splits. Without this rule the winner that torch reports takes all.

    References: [lapuschkin2016].
    """

    ties: str = "split"
    natures: ClassVar[tuple[str, ...]] = ("max",)
    source: ClassVar[str] = "lapuschkin2016"

    def __post_init__(self) -> None:
        if self.ties not in _TIES:
            raise InvalidInput(f"MaxPool needs ties= one of {_TIES}, got {self.ties!r}.")

    def send(self, node: Node) -> list[Message | None]:
        if node.op.name not in ("max_pool1d", "max_pool2d"):
            raise InvalidInput(
                f"MaxPool is for max_pool1d and max_pool2d, but was given {node.op.where()}."
            )
        message = node.message
        if self.ties == "first":
            c = None if message.c is None else node.vjp([message.c])[0]
            R = None if message.R is None else node.vjp([message.R])[0]
            return [Message(c, R)]
        c = None if message.c is None else _split(node, message.c)
        return [Message(c, None if message.R is None else _split(node, message.R))]


def _split(node: Node, sent: Tensor) -> Tensor:
    """Give each output's message to all of its winners in equal parts, by unfolding windows."""
    op, x = node.op, node.input()
    flat = op.name == "max_pool1d"
    kernel = op.argument(1, "kernel_size")
    stride = op.argument(2, "stride") or kernel
    padding, dilation = op.argument(3, "padding", 0), op.argument(4, "dilation", 1)
    numbers = [_pair(each, flat, fill) for each, fill in
               ((kernel, 1), (stride, 1), (padding, 0), (dilation, 1))]  # fmt: skip
    image = x[:, :, None] if flat else x
    out = sent[:, :, None] if flat else sent
    size, step, pad, gap = numbers
    extra = _overhang(image.shape[2:], out.shape[2:], size, step, pad, gap)
    bounds = (pad[1], pad[1] + extra[1], pad[0], pad[0] + extra[0])
    padded = F.pad(image, bounds, value=float("-inf"))
    n, channels, height, width = padded.shape
    windows = F.unfold(padded.reshape(n * channels, 1, height, width), size, gap, 0, step)
    top = windows.amax(1, keepdim=True)
    winners = (windows == top).to(sent.dtype)
    shares = divide(winners, winners.sum(1, keepdim=True)) * out.reshape(n * channels, 1, -1)
    given = F.fold(shares, (height, width), size, gap, 0, step).view(n, channels, height, width)
    given = given[..., pad[0] : pad[0] + image.shape[2], pad[1] : pad[1] + image.shape[3]]
    return given[:, :, 0] if flat else torch.clone(given)


def _pair(value: int | tuple[int, ...], flat: bool, fill: int) -> tuple[int, int]:
    numbers = (value,) if isinstance(value, int) else tuple(value)
    if flat:
        return (fill, numbers[0])
    return (numbers[0], numbers[-1])


def _overhang(
    size: torch.Size,
    out: torch.Size,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    pad: tuple[int, int],
    gap: tuple[int, int],
) -> list[int]:
    """How far the windows of `ceil_mode` reach over the end."""
    reach = [(out[i] - 1) * stride[i] + gap[i] * (kernel[i] - 1) + 1 for i in (0, 1)]
    return [max(0, reach[i] - size[i] - 2 * pad[i]) for i in (0, 1)]
