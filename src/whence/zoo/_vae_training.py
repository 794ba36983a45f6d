"""Training a small variational autoencoder on one core."""

import math
from collections.abc import Sequence

import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor, nn

from whence.errors import InvalidInput
from whence.zoo._vae import VAE


def train_vae(
    inputs: Tensor,
    code: int = 16,
    *,
    widths: Sequence[int] = (64, 128),
    sigma: float | None = None,
    epochs: int = 40,
    batch: int = 64,
    rate: float = 3e-3,
    seed: int = 0,
    progress: bool = False,
) -> VAE:
    """A `VAE` of inputs (samples, ...), in eval mode: a generator for activation maximisation.

    Adam on the bound of the log-likelihood, the rate in one cycle up to `rate` and down. The range
    of the decoder is that of the inputs. The same seed gives the same net; torch's own random
    state is left as it is.

    References: [kingma2014].
    """
    if inputs.ndim < 2 or len(inputs) < 2 or not inputs.is_floating_point():
        raise InvalidInput(
            "training needs two inputs or more, floats of shape (samples, ...), got "
            f"{inputs.dtype} of {tuple(inputs.shape)}."
        )
    low, high = (float(each) for each in inputs.aminmax())
    if not low < high:
        raise InvalidInput(f"the inputs must differ from each other, got {low:g} everywhere.")
    inputs = inputs.detach()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = VAE(inputs.shape[1:], code, widths=widths, low=low, high=high, sigma=sigma)
    net.to(inputs)
    _start_at_mean(net, (inputs.mean(0) - low) / (high - low))
    generator = torch.Generator(inputs.device).manual_seed(seed)
    steps = _Steps(net, rate, epochs * math.ceil(len(inputs) / batch))
    bar = {"disable": not progress, "console": Console(stderr=True)}
    with torch.enable_grad():
        for _ in track(range(epochs), "training the autoencoder", **bar):
            order = torch.randperm(len(inputs), generator=generator, device=inputs.device)
            for part in order.split(batch):
                noise = inputs.new_empty(len(part), code).normal_(generator=generator)
                steps.take(-net.bound(inputs[part], noise).mean())
    return net.eval()


class _Steps:
    """Adam, its rate in one cycle."""

    def __init__(self, net: VAE, rate: float, count: int) -> None:
        parameters = [each for each in net.parameters() if each.requires_grad]
        self.optimiser = torch.optim.Adam(parameters)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimiser, rate, count)

    def take(self, loss: Tensor) -> None:
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        self.schedule.step()


@torch.no_grad()
def _start_at_mean(net: VAE, share: Tensor) -> None:
    """Let the decoder begin at the mean input, as a share of the range, whatever the code."""
    last = [layer for layer in net.decoder if isinstance(layer, nn.Linear)][-1]
    last.bias.copy_(share.flatten().clamp(1e-3, 1 - 1e-3).logit())
