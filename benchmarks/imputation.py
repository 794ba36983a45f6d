"""Noisy linear imputation beside one direct sparse solve for each picture, in the same run.

    python benchmarks/imputation.py
    python benchmarks/imputation.py --sizes 224 --shares 0.5 0.9 --pairs 15

The direct solve builds the matrix of each picture with vectorised numpy, factorises it once
(SuperLU) and solves for the three channels. Both sides leave out the noise, which is the same; its
own time is a column. Where Quantus is installed, its imputer, which follows the code of the
paper (a matrix built row by row, `spsolve`), is timed once for each picture as well, under "field".
Times are medians of interleaved pairs, for a batch of 32 pictures; A/A is what the iterative solve
against itself gives. The error is the largest difference between the two, for pictures in [0, 1].

Masks are random pixels, or blobs as wide as an object, for which the direct solve costs little more
and the iterative one needs coarser grids.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import torch
from run import _KEEP, _SLEEP
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import splu
from torch import Tensor
from torch.nn import functional as F

from whence.metrics import Batch, Inpaint


def main() -> None:
    """Print one line for each size, kind of mask and share of removed pixels."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", nargs="+", type=int, default=[32, 224])
    parser.add_argument("--shares", nargs="+", type=float, default=[0.5])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    if (_SLEEP | _KEEP).keys() - os.environ.keys():
        os.execve(sys.executable, [sys.executable, *sys.argv], {**_SLEEP, **_KEEP, **os.environ})
    torch.set_num_threads(options.threads)
    head = f"batch {options.batch}, {options.threads} threads, medians of {options.pairs} pairs"
    print(f"{head}\n{'size':>5} {'mask':<7}{'gone':>5}{'direct':>10}{'ours':>9}", end="")
    print(f"{'CPU ratio':>11}{'wall ratio':>12}{'field':>8}{'error':>10}{'noise':>9}   A/A")
    for size in options.sizes:
        for name, make in {"random": random_masks, "blobs": blob_masks}.items():
            for share in options.shares:
                _line(size, name, make(options.batch, size, share), share, options)


def _line(size: int, name: str, gone: Tensor, share: float, options: argparse.Namespace) -> None:
    torch.manual_seed(0)
    x = torch.rand(options.batch, 3, size, size)
    fill = Inpaint(noise=0.0).fill(Batch(torch.nn.Identity().eval(), x, 0), 0)
    pictures, masks = x.double().numpy(), gone[:, 0].numpy()

    def ours() -> Tensor:
        return fill(slice(0, len(x)), gone[:, None])[:, 0]

    def peer() -> list[np.ndarray]:
        return [direct(*each) for each in zip(pictures, masks, strict=True)]

    error = np.abs(np.stack(peer()) - ours().double().numpy()).max()
    times = [(_timed(peer), _timed(ours), _timed(ours)) for _ in range(options.pairs)]
    cpu = statistics.median(a[0] / b[0] for a, b, _ in times)
    wall = statistics.median(a[1] / b[1] for a, b, _ in times)
    same = [b[0] / c[0] for _, b, c in times]
    one, other = (statistics.median(triple[i][0] for triple in times) for i in (0, 1))
    start = time.process_time()
    Inpaint().fill(Batch(torch.nn.Identity().eval(), x, 0), 0)
    noise = time.process_time() - start
    field = _fields(pictures, masks)
    shown = "-" if field is None else f"{field / other:.0f}x"
    print(
        f"{size:>5} {name:<7}{share:>5.2f}{one * 1e3:>7.0f} ms{other * 1e3:>6.1f} ms"
        f"{cpu:>10.1f}x{wall:>11.1f}x{shown:>8}{error:>10.1e}{noise * 1e3:>6.0f} ms"
        f"   {min(same):.2f} to {max(same):.2f}",
        flush=True,
    )


def _timed(run: Callable[[], object]) -> tuple[float, float]:
    """CPU and wall seconds of the second of two runs: what the other side left in the processor's
    caches costs neither."""
    run()
    cpu, wall = time.process_time(), time.perf_counter()
    run()
    return time.process_time() - cpu, time.perf_counter() - wall


def _fields(pictures: np.ndarray, masks: np.ndarray) -> float | None:
    """CPU seconds of the imputer in Quantus for all pictures; None where it is not installed."""
    if find_spec("quantus") is None:
        return None
    import nets  # noqa: F401  lets torchvision import beside a CPU build
    from quantus.functions.perturb_func import noisy_linear_imputation

    start = time.process_time()
    for picture, mask in zip(pictures, masks, strict=True):
        noisy_linear_imputation(picture, np.flatnonzero(mask), noise=0.0)
    return time.process_time() - start


def direct(x: np.ndarray, gone: np.ndarray) -> np.ndarray:
    """One picture (channels, height, width) by a direct solve; gone: (height, width)."""
    height, width = gone.shape
    rows, columns = np.nonzero(gone)
    count = len(rows)
    number = np.full((height, width), -1)
    number[rows, columns] = np.arange(count)
    weights, right = np.zeros(count), np.zeros((count, len(x)))
    entries: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for down in (-1, 0, 1):
        for across in (-1, 0, 1):
            if down == across == 0:
                continue
            weight = 1 / 6 if 0 in (down, across) else 1 / 12
            y, x_ = rows + down, columns + across
            inside = np.nonzero((y >= 0) & (y < height) & (x_ >= 0) & (x_ < width))[0]
            weights[inside] += weight
            near = number[y[inside], x_[inside]]
            free, known = inside[near >= 0], inside[near < 0]
            entries.append((free, near[near >= 0], np.full(len(free), -weight)))
            right[known] += weight * x[:, y[known], x_[known]].T
    entries.append((np.arange(count), np.arange(count), weights))
    i, j, values = (np.concatenate(parts) for parts in zip(*entries, strict=True))
    found = x.copy()
    found[:, rows, columns] = splu(csc_matrix((values, (i, j)), (count, count))).solve(right).T
    return found


def random_masks(count: int, size: int, share: float) -> Tensor:
    """Each pixel with the probability `share`; (count, 1, size, size)."""
    generator = torch.Generator().manual_seed(1)
    return torch.rand(count, 1, size, size, generator=generator) < share


def blob_masks(count: int, size: int, share: float) -> Tensor:
    """The largest values of a smooth random field."""
    generator = torch.Generator().manual_seed(1)
    cells = max(size // 16, 4)
    field = torch.randn(count, 1, cells, cells, generator=generator)
    field = F.interpolate(field, size=size, mode="bicubic")
    return field > field.flatten(1).quantile(1 - share, 1).view(-1, 1, 1, 1)


if __name__ == "__main__":
    main()
