"""Metrics that remove features, beside the bare forward passes of the same number of copies.

    python benchmarks/metrics.py
    python benchmarks/metrics.py --models lenet --samples 1000 --pairs 7

Times are CPU times of the process, medians of interleaved pairs (passes, metric, passes, ...); A/A
is the passes against themselves. The passes send the very copies that the metric sends, made
beforehand and kept, through the model under no_grad in the same chunks: what is in a picture
matters, since max-pooling is faster where it is black. Relevance is at hand: explaining is not
measured.

Quantus, if it is installed, measures the same protocol (order, patches, steps, replacement by
black) in the same run, from the same relevance, in batches of as many samples as a chunk holds: it
sends a batch once for each step. It is LGPL and used installed only; add it to the environment of
the peers with

    pip install -c constraints.txt quantus

The allocator and the threads are set as in run.py, for all alike.
"""

import argparse
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import nets
import torch
from run import _KEEP, _SLEEP
from torch import Tensor, nn

from whence.metrics import Batch, Case, Constant, Metric, Patches, PixelFlipping, RegionPerturbation
from whence.metrics._cost import foretold

Run = Callable[[], object]


@dataclass(frozen=True)
class Setting:
    """A model, samples, and how much is removed at a time."""

    model: str
    shape: tuple[int, int, int]
    samples: int
    pixels: int  # at a step of pixel flipping
    patch: int


SETTINGS = {
    "lenet": Setting("lenet", (1, 28, 28), 1000, 28, 4),
    "resnet50": Setting("resnet50", (3, 96, 96), 8, 1024, 24),
}


def main() -> None:
    """Print one table for each model."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", nargs="+", default=list(SETTINGS), choices=list(SETTINGS))
    parser.add_argument("--samples", type=int, help="instead of each setting's own number")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    if (_SLEEP | _KEEP).keys() - os.environ.keys():
        os.execve(sys.executable, [sys.executable, *sys.argv], {**_SLEEP, **_KEEP, **os.environ})
    torch.set_num_threads(options.threads)
    for name in options.models:
        _table(SETTINGS[name], options)


def _table(setting: Setting, options: argparse.Namespace) -> None:
    torch.manual_seed(0)
    model = getattr(nets, setting.model)().requires_grad_(False)
    count = options.samples or setting.samples
    x, relevance = torch.rand(count, *setting.shape), torch.randn(count, *setting.shape)
    black = Constant(0.0)
    steps = (setting.shape[1] // setting.patch) ** 2
    metrics = {
        "flipping": PixelFlipping(step=setting.pixels, replacement=black),
        "region": RegionPerturbation(
            features=Patches(setting.patch), steps=steps, replacement=black
        ),
    }
    print(f"\n{setting.model}, {count} samples of {setting.shape}, {options.threads} threads")
    print(f"{'metric':<28}{'forwards':>10}{'passes':>10}{'ratio':>8}{'(min, max)':>16}{'A/A':>8}")
    for name, metric in metrics.items():
        forwards = foretold([metric.cost(Batch(model, x, 0))])
        passes = _passes(model, x, metric, relevance)
        again = _ratios(passes, passes, options.pairs)
        ours = _ours(metric, model, x, relevance)
        base = statistics.median(_cpu(passes) for _ in range(3))
        _line(name, forwards, base, _ratios(passes, ours, options.pairs), again)
        peer = _quantus(name, setting, model, x, relevance)
        if peer is not None:
            _line(f"  quantus {name}", forwards, base, _ratios(passes, peer, options.pairs), again)


def _ours(metric: Metric, model: nn.Module, x: Tensor, relevance: Tensor) -> Run:
    def run() -> object:
        batch = Batch(model, x, 0)
        with torch.no_grad():
            return metric.measure(Case(batch, relevance))

    return run


def _passes(model: nn.Module, x: Tensor, metric: Metric, relevance: Tensor) -> Run:
    """The very copies that the metric sends, made beforehand, in the same chunks."""
    sent: list[Tensor] = []

    def listening(copies: Tensor) -> Tensor:
        sent.append(copies.clone())
        return model(copies)

    with torch.no_grad():
        metric.measure(Case(Batch(listening, x, 0), relevance))

    def run() -> None:
        with torch.no_grad():
            for copies in sent:
                model(copies)

    return run


def _quantus(name: str, setting: Setting, model: nn.Module, x: Tensor, R: Tensor) -> Run | None:
    """The same protocol by Quantus: the constant black, the same order and steps."""
    try:
        import quantus  # it brings torchvision, for which nets.py has the shim
    except ImportError as error:
        print(f"  quantus: not measured ({error})")
        return None
    about = {"perturb_baseline": "black", "disable_warnings": True, "display_progressbar": False}
    about |= {"normalise": False, "abs": False}
    channels = setting.shape[0]
    made = {
        "flipping": lambda: quantus.PixelFlipping(
            features_in_step=setting.pixels * channels, **about
        ),
        "region": lambda: quantus.RegionPerturbation(
            patch_size=setting.patch,
            regions_evaluation=(setting.shape[1] // setting.patch) ** 2,
            order="morf",
            **about,
        ),
    }[name]
    arrays = x.numpy(), torch.zeros(len(x), dtype=torch.long).numpy(), R.numpy()
    size = Batch(model, x, 0).chunk

    def run() -> object:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            inputs, labels, relevance = arrays
            return made()(
                model=model,
                x_batch=inputs,
                y_batch=labels,
                a_batch=relevance,
                device="cpu",
                softmax=True,
                batch_size=size,
            )

    return run


def _ratios(unit: Run, run: Run, pairs: int) -> list[float]:
    unit()
    run()
    found = []
    for _ in range(pairs):
        first = _cpu(unit)
        found.append(_cpu(run) / first)
    return found


def _cpu(run: Run) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def _line(label: str, forwards: int, base: float, ratios: list[float], again: list[float]) -> None:
    spread = f"({min(ratios):.2f}, {max(ratios):.2f})"
    print(
        f"{label:<28}{forwards:>10}{base:>8.2f} s{statistics.median(ratios):>8.2f}{spread:>16}"
        f"{statistics.median(again):>8.2f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
