"""Measuring again and again needs no more memory than measuring once."""

import gc
import weakref

import torch
from torch import Tensor, nn

from whence.metrics import Batch, Case, PixelFlipping


def _resident() -> float:
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024  # MB


def test_memory_stays_flat_over_two_hundred_batches() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10)).eval()
    x, relevance = torch.rand(64, 1, 28, 28), torch.randn(64, 1, 28, 28)
    metric = PixelFlipping(step=196)
    for _ in range(20):
        metric(net, x, relevance, 0)
    before = _resident()
    for _ in range(200):
        metric(net, x, relevance, 0)

    assert _resident() - before < 8  # a leak of one batch each time would be 40 MB and more


def test_a_measured_batch_is_let_go_without_the_collector() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10)).eval()
    batch = Batch(net, torch.rand(4, 1, 28, 28), 0)
    seen: weakref.ref[Tensor] = weakref.ref(batch.untouched)
    gc.disable()
    try:
        PixelFlipping(step=196).measure(Case(batch, torch.rand(4, 1, 28, 28)))
        del batch

        assert seen() is None
    finally:
        gc.enable()
