"""Models for tests: nets of many habits, how to give a net weights that mean something, and what
every explanation must satisfy.

`prepared` replaces training. A net with torch's own random weights gives scores near zero, and
relevance of nothing proves nothing; a batch norm that saw no data is no batch norm.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from whence._explanation import Explanation

LEAST_SCORE = 1e-6  # below this the set-up is faulty


def images(size: int, *, batch: int = 2, seed: int = 0) -> Tensor:
    """Smooth coloured noise in [-2, 2], as pictures after normalisation are."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(batch, 3, size // 8, size // 8, generator=generator)
    fine = torch.randn(batch, 3, size, size, generator=generator)
    smooth = F.interpolate(coarse, size=(size, size), mode="bilinear", align_corners=False)
    return (smooth + 0.3 * fine).clamp(-2, 2)


def prepared(model: nn.Module, size: int, *, seed: int = 0) -> nn.Module:
    """The model in evaluation mode, with He weights, biases, and calibrated batch norms."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        _fill(module, generator)
    _calibrate(model, images(size, batch=12, seed=seed + 1))
    return model.eval().requires_grad_(False)


def _fill(module: nn.Module, generator: torch.Generator) -> None:
    weight, bias = getattr(module, "weight", None), getattr(module, "bias", None)
    with torch.no_grad():
        if isinstance(module, (nn.modules.conv._ConvNd, nn.Linear)):
            fan_in = module.weight[0].numel()
            module.weight.normal_(0, (2 / fan_in) ** 0.5, generator=generator)
        elif isinstance(weight, Tensor) and weight.dim() == 1:  # a norm's
            weight.uniform_(0.5, 1.5, generator=generator)
        if isinstance(bias, Tensor):
            bias.normal_(0, 0.1, generator=generator)


def _calibrate(model: nn.Module, batch: Tensor) -> None:
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    model.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain average over all batches
        norm.train()
    with torch.no_grad():
        for part in batch.split(6) if norms else ():
            model(part)


class UNet(nn.Module):
    """Down, up, and across: transposed convolution, interpolation, concatenation, sums."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.enter = _double(3, 8)
        self.lower = _double(8, 16)
        self.bottom = _double(16, 32)
        self.up = nn.ConvTranspose2d(32, 16, 2, stride=2)
        self.upper = _double(32, 16)
        self.leave = _double(24, 8)
        self.classify = nn.Conv2d(8, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        first = self.enter(x)
        second = self.lower(F.max_pool2d(first, 2))
        third = self.bottom(F.avg_pool2d(second, 2))
        up = self.upper(torch.cat([second, self.up(third)], 1))
        large = F.interpolate(up, scale_factor=2.0, mode="bilinear", align_corners=False)
        return self.classify(self.leave(torch.cat((first, large), dim=1)))


def _double(channels: int, out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, out, 3, padding=1, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(inplace=True),
        nn.Conv2d(out, out, 3, padding=1),
        nn.BatchNorm2d(out),
        nn.ReLU(inplace=True),
    )


class Mixer(nn.Module):
    """An MLP-mixer: patches, then dense layers across tokens and across channels."""

    def __init__(self, size: int = 32, patch: int = 8, width: int = 24, depth: int = 2) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, width, patch, stride=patch)
        tokens = (size // patch) ** 2
        self.blocks = nn.ModuleList([_MixerBlock(tokens, width) for _ in range(depth)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x).flatten(2).transpose(1, 2)  # (batch, tokens, width)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x).mean(dim=1))


class _MixerBlock(nn.Module):
    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.across = nn.Sequential(nn.Linear(tokens, 32), nn.GELU(), nn.Linear(32, tokens))
        self.along = nn.Sequential(nn.Linear(width, 48), nn.GELU(), nn.Linear(48, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.across(self.norms[0](x).mT).mT
        return x + self.along(self.norms[1](x))


class Adversary(nn.Module):
    """Everything that patches of modules and symbolic traces trip over, in one forward.

    Piecewise linear all through, so that LRP-0 of it is its gradient times its input.
    """

    def __init__(self) -> None:
        super().__init__()
        self.relu = nn.ReLU(inplace=True)  # one object for every place
        self.enter = nn.Conv2d(3, 8, 3, padding=1)
        self.again = nn.Conv2d(8, 8, 3, padding=1)  # called three times
        self.norm = nn.BatchNorm2d(8)
        self.part = nn.Conv2d(4, 4, 1)
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        h = self.relu(self.enter(x))
        skip = h
        h = self.relu(self.norm(self.again(h)))
        h = torch.add(h, skip)
        h = self.again(h)
        h += skip
        self.relu(h)  # in place, the result thrown away
        h = self.again(h) if h.mean() > -1e3 else -h  # a branch on data
        h = F.max_pool2d(h, 2) + F.avg_pool2d(h, 2)
        first, second = h.chunk(2, dim=1)
        h = torch.cat((self.part(first), second * 2 - 0.1), 1)
        view = h[:, :2].view(h.shape[0], 2, -1)
        view.mul_(0.5)  # writes through a view of a view
        h[:, 3] = 0.3 * h[:, 4]
        h = torch.where(h > 0, h, 0.1 * h)
        return self.head(h.mean((2, 3)))


class Squeeze(nn.Module):
    """Squeeze and excitation by hard swish and hard sigmoid, as MobileNet v3 has it."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(8), nn.Hardswish()
        )
        self.down, self.up = nn.Conv2d(8, 4, 1), nn.Conv2d(4, 8, 1)
        self.gate = nn.Hardsigmoid()
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        h = self.enter(x)
        gate = self.gate(self.up(F.silu(self.down(F.adaptive_avg_pool2d(h, 1)))))
        return self.head((gate * h).mean((2, 3)))


class Shuffle(nn.Module):
    """Grouped and depthwise convolutions with shuffled channels, as ShuffleNet has them."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.deep = nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.grouped = nn.Conv2d(8, 8, 1, groups=2)
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        kept, changed = F.relu6(self.enter(x)).chunk(2, dim=1)
        h = torch.cat((kept, self.norm(self.deep(changed))), dim=1)
        batch, channels, height, width = h.size()
        h = h.view(batch, 2, channels // 2, height, width)
        h = torch.transpose(h, 1, 2).contiguous().view(batch, -1, height, width)
        return self.head(F.relu(self.grouped(h)).mean([2, 3]))


class Next(nn.Module):
    """A ConvNeXt block: layer norm over channels, GELU, layer scale, stochastic depth."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv2d(3, 8, 4, stride=4)
        self.deep = nn.Conv2d(8, 8, 7, padding=3, groups=8)
        self.norms = nn.ModuleList([nn.LayerNorm(8), nn.LayerNorm(8)])
        self.dense = nn.Sequential(nn.Linear(8, 32), nn.GELU(), nn.Linear(32, 8))
        self.layer_scale = nn.Parameter(torch.full((8, 1, 1), 0.7))
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        h = self._over_channels(self.enter(x), self.norms[0])
        branch = self.dense(self.deep(h).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        h = h + F.dropout(self.layer_scale * branch, 0.5, self.training)
        return self.head(
            torch.flatten(self._over_channels(h.mean([-1, -2], True), self.norms[1]), 1)
        )

    def _over_channels(self, x: Tensor, norm: nn.Module) -> Tensor:
        return norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Sequence(nn.Module):
    """An LSTM over the rows of a picture."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3 * width, 12, batch_first=True)
        self.head = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        rows = x.movedim(2, 1).flatten(2)  # (batch, height, channels * width)
        return self.head(self.lstm(rows)[0][:, -1])


def plain() -> nn.Module:
    """What every library of explanations knows."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3),
        nn.AvgPool2d(2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(144, 20),
        nn.ReLU(),
        nn.Linear(20, 5),
    )


def normed() -> nn.Module:
    """Batch norms behind convolutions and dense layers, and pooling of both signs."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8, eps=1e-30),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, stride=2, padding=1),
        nn.BatchNorm2d(8, eps=1e-30),
        nn.MaxPool2d(3, 2, 1),
        nn.AdaptiveAvgPool2d(2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32, 20),
        nn.BatchNorm1d(20, eps=1e-30),
        nn.ReLU(),
        nn.Linear(20, 5),
    )


def odd() -> nn.Module:
    """Signed activations, groups, dilation, a transposed convolution."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=2, dilation=2),
        nn.LeakyReLU(0.2),
        nn.Conv2d(8, 8, 3, stride=2, groups=4),
        nn.SiLU(),
        nn.ConvTranspose2d(8, 6, 2, stride=2, bias=False),
        nn.ReLU6(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 5),
    )


SMALL: dict[str, Callable[[], nn.Module]] = {
    "adversary": Adversary,
    "mixer": Mixer,
    "next": Next,
    "shuffle": Shuffle,
    "squeeze": Squeeze,
    "unet": UNet,
}
PIECEWISE_LINEAR = ("adversary", "unet")
SEQUENTIAL = {"normed": normed, "odd": odd, "plain": plain}  # three channels, 16 pixels


# -- what the explanations of all of them must satisfy --------------------------------------------


def highest(output: Tensor) -> Tensor:
    """The highest score of each sample, also of a map of scores."""
    return output.flatten(1).amax(1)


def gradient_of(model: nn.Module, x: Tensor) -> Tensor:
    """Autograd's gradient of the highest score."""
    with torch.enable_grad():
        leaf = x.clone().requires_grad_()
        return torch.autograd.grad(highest(model(leaf.clone())).sum(), leaf)[0]


def assert_same(found: Tensor, expected: Tensor, tolerance: float) -> None:
    """Element by element, within a share of the largest element."""
    largest = float(expected.abs().max())

    assert largest > 0
    torch.testing.assert_close(found, expected, rtol=0, atol=tolerance * largest)


def assert_adds_up(ex: Explanation) -> None:
    """Every row of the ledger closes, and the score is what arrived and what was booked."""
    ledger = ex.ledger
    lost = sum(row.lost for row in ledger)
    missing = (ledger.score.double() - ledger.explained - lost).abs()
    handled = torch.stack([row.absolute.double() for row in ledger if row.balanced]).amax(0)

    assert float(ex.score.min()) > LEAST_SCORE, "a faulty set-up"
    assert all(row.per_sample for row in ledger)
    assert ex.relevance.isfinite().all()
    assert ex.relevance.shape == ex.inputs.shape
    ledger.check()
    assert (missing <= ledger.tolerance * handled).all(), ledger.verdict
