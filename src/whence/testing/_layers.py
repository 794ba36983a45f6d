"""The layers that `check_rule` runs a rule through, with the dense matrix of each."""

import copy
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class Layer:
    """One affine map, its inputs, and what stands around it.

    core: one layer, or a layer and a batch norm that joins it. behind: the input first passes a
    ReLU. ahead: only a ReLU reads the output. rows: how many axes of one sample count rows that
    the map treats alike, such as tokens.
    """

    name: str
    core: nn.Module
    inputs: Tensor
    behind: bool = False
    ahead: bool = False
    rows: int = 0

    @cached_property
    def signed(self) -> bool:
        """Whether inputs of both signs reach the core, and nothing stands around it."""
        return not self.behind and bool((self.inputs < 0).any())

    @cached_property
    def model(self) -> nn.Module:
        """The core between its ReLUs."""
        before = [nn.ReLU()] if self.behind else []
        return nn.Sequential(*before, self.core, *([nn.ReLU()] if self.ahead else [])).eval()

    @cached_property
    def a(self) -> Tensor:
        """What the core reads, one line for each row of the map."""
        a = self.inputs.clamp(min=0) if self.behind else self.inputs
        return a.flatten(0, self.rows).flatten(1)

    @cached_property
    def z(self) -> Tensor:
        """What the core gives, one line for each row of the map."""
        with torch.no_grad():
            z = self.core(self.inputs.clamp(min=0) if self.behind else self.inputs)
        return z.flatten(0, self.rows).flatten(1)

    @cached_property
    def W(self) -> Tensor:
        """The Jacobian of one row, (outputs, inputs)."""
        return _jacobian(self.core, self._row)

    @cached_property
    def b(self) -> Tensor:
        """The bias of each output, a joined norm's shift included."""
        with torch.no_grad():
            return self.core(torch.zeros_like(self._row)).flatten()

    @cached_property
    def connected(self) -> Tensor:
        """Which inputs each output reads, also at weight zero, (outputs, inputs)."""
        ones = copy.deepcopy(self.core)
        for module in ones.modules():
            if isinstance(getattr(module, "weight", None), Tensor):
                nn.init.ones_(module.weight)  # type: ignore[arg-type]
        return _jacobian(ones, self._row) != 0

    @property
    def _row(self) -> Tensor:
        return self.inputs.flatten(0, self.rows)[:1]


@functools.cache
def layers(span: tuple[float, float], dtype: torch.dtype, device: torch.device) -> list[Layer]:
    """All layers, made once; inputs lie in `span`. Torch's own seed stays as it is."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return list(_layers(span, dtype, device))


def _layers(span: tuple[float, float], dtype: torch.dtype, device: torch.device) -> Iterator[Layer]:
    low, high = span
    for name, core, shape, rows in _cores():
        core = core.to(dtype).to(device)
        signed = (torch.rand(2, *shape) * (high - low) + low).to(dtype).to(device)
        signed.flatten()[::7] = min(max(0.0, low), high)
        positive = signed.clamp(min=0)
        yield Layer(f"{name}, signed inputs", core, signed, rows=rows)
        if high > 0:
            yield Layer(f"{name}, inputs >= 0", core, positive, rows=rows)
            yield Layer(f"{name}, between ReLUs", core, signed, True, True, rows)


def _cores() -> Iterator[tuple[str, nn.Module, tuple[int, ...], int]]:
    """(name, module, shape of one sample, axes of rows)."""
    yield "linear", nn.Linear(6, 5), (6,), 0
    yield "linear without bias", nn.Linear(6, 5, bias=False), (6,), 0
    yield "linear over tokens", nn.Linear(4, 3), (3, 4), 1
    yield "linear with one-sided neurons", _one_sided(nn.Linear(6, 7)), (6,), 0
    yield "one-sided without bias", _one_sided(nn.Linear(6, 7, bias=False)), (6,), 0
    yield "linear with a large bias", _large_bias(nn.Linear(6, 5)), (6,), 0
    yield "conv1d", nn.Conv1d(2, 3, 3, stride=2, padding=1), (2, 6), 0
    yield "conv2d", nn.Conv2d(2, 3, 3, padding=1), (2, 4, 3), 0
    yield "conv2d without bias", nn.Conv2d(2, 3, 2, bias=False), (2, 3, 4), 0
    yield "conv2d with stride and dilation", nn.Conv2d(2, 2, 2, (2, 1), 1, (1, 2)), (2, 5, 4), 0
    yield "grouped conv2d", nn.Conv2d(4, 6, 2, groups=2), (4, 3, 3), 0
    yield "depthwise conv2d", nn.Conv2d(3, 6, 3, padding=1, groups=3), (3, 3, 3), 0
    yield "one-sided conv2d", _one_sided(nn.Conv2d(2, 7, 2)), (2, 3, 3), 0
    yield "conv3d", nn.Conv3d(2, 2, 2, stride=(1, 2, 1), padding=(0, 1, 0)), (2, 2, 3, 3), 0
    yield "transposed conv1d", nn.ConvTranspose1d(2, 3, 3, stride=2, output_padding=1), (2, 4), 0
    yield "transposed conv1d with gaps", nn.ConvTranspose1d(2, 2, 2, stride=3), (2, 3), 0
    yield (
        "grouped transposed conv2d",
        nn.ConvTranspose2d(4, 6, 2, 2, 1, 1, groups=2, dilation=2),
        (4, 2, 3),
        0,
    )
    yield "transposed conv3d", nn.ConvTranspose3d(2, 2, 2, bias=False), (2, 2, 2, 1), 0
    yield "linear, then norm", _normed(nn.Linear(5, 4), nn.BatchNorm1d(4)), (5,), 0
    yield (
        "conv2d, then norm",
        _normed(nn.Conv2d(2, 3, 2, bias=False), nn.BatchNorm2d(3)),
        (2, 3, 3),
        0,
    )
    yield (
        "grouped transposed conv2d, then norm",
        _normed(nn.ConvTranspose2d(4, 6, 2, groups=2), nn.BatchNorm2d(6)),
        (4, 2, 2),
        0,
    )
    yield "norm, then linear", _normed(nn.BatchNorm1d(5), nn.Linear(5, 4)), (5,), 0
    yield "norm, then conv2d", _normed(nn.BatchNorm2d(2), nn.Conv2d(2, 3, 2)), (2, 3, 3), 0


def _one_sided(layer: nn.Module) -> nn.Module:
    """Neurons whose contributions are nearly all of one sign, rows of zeros, weights of zero."""
    weight, bias = layer.weight, layer.bias
    with torch.no_grad():
        weight[0] = weight[0].abs()  # type: ignore[index]
        weight[1] = -weight[1].abs()  # type: ignore[index]
        weight[2] = weight[2].abs()  # type: ignore[index]
        weight[2, 0] = -1e-4  # type: ignore[index]
        weight[3] = -weight[3].abs()  # type: ignore[index]
        weight[3, 0] = 1e-4  # type: ignore[index]
        weight[4] = 0  # type: ignore[index]
        weight[5, 1] = 0  # type: ignore[index]
        if isinstance(bias, Tensor):
            bias[:4] = torch.tensor([0.5, -0.5, -1e-4, 0.0])
    return layer


def _large_bias(layer: nn.Linear) -> nn.Module:
    """Small contributions beside a large bias: z - b has few digits left."""
    with torch.no_grad():
        layer.weight.mul_(1e-5)
        layer.bias.mul_(1e3)
    return layer


def _normed(*parts: nn.Module) -> nn.Module:
    for norm in parts:
        if isinstance(norm, (nn.BatchNorm1d, nn.BatchNorm2d)):
            for tensor in (norm.weight, norm.bias, norm.running_mean):
                nn.init.normal_(tensor)  # type: ignore[arg-type]
            nn.init.uniform_(norm.running_var, 0.5, 2.0)  # type: ignore[arg-type]
    return nn.Sequential(*parts).eval()


def _jacobian(function: Callable[[Tensor], Tensor], row: Tensor) -> Tensor:
    """The matrix of an affine function that treats the items of a batch alike."""
    with torch.enable_grad():
        outputs = function(row).numel()
        copies = torch.zeros(outputs, *row.shape[1:], dtype=row.dtype, device=row.device)
        copies.requires_grad_()
        own = function(copies).flatten(1).diagonal().sum()
        return torch.autograd.grad(own, copies)[0].flatten(1)
