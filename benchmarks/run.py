"""Time, work and memory of explanations, as multiples of a plain input gradient in the same run.

    python benchmarks/run.py                       all models, all installed peers
    python benchmarks/run.py --models lenet --pairs 51

Times are CPU times of the process, medians of interleaved pairs (gradient, method, gradient, ...);
the A/A line shows what the same thing against itself gives. Work is counted in FLOPs. Memory is the
growth of the peak resident size above the loaded model, each in a fresh process.

The C library may give freed memory back to the system and fetch it again page by page, which costs
up to a seventh of a gradient, by the luck of the heap's layout. So the runs here tell it to keep
what it has, as a server would (MALLOC_TRIM_THRESHOLD_); `--allocator default` leaves it alone.

A thread that waits for the next parallel part spins by default, which counts as CPU time though it
is no work, and punishes whatever does small things in between. The threads here sleep
(OMP_WAIT_POLICY), for all methods alike.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import methods
import nets
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

# Read by the C and OpenMP libraries when the process starts.
_KEEP = {"MALLOC_TRIM_THRESHOLD_": "4000000000", "MALLOC_MMAP_THRESHOLD_": "4000000000"}
_SLEEP = {"OMP_WAIT_POLICY": "PASSIVE"}
SHAPES = {
    "vgg16": (3, 224, 224),
    "resnet50": (3, 224, 224),
    "lenet": (1, 28, 28),
    "vit": (3, 224, 224),
    "bert": (128, 768),
    "llama": (256, 768),
    "lstm": (40, 60),
    "gru": (40, 60),
}
BATCHES = {"vgg16": (4,), "resnet50": (4,), "bert": (4,), "lstm": (1, 32), "gru": (1, 32)}
SEQUENCES = ("vit", "bert", "llama", "lstm", "gru")
SMALL = ("lenet", "lstm", "gru")  # too small to see in the resident size


def main() -> None:
    """Print one table for each model."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", nargs="+", default=list(SHAPES), choices=list(SHAPES))
    parser.add_argument("--batch", type=int, help="samples, instead of each model's own numbers")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--only", default="", help="methods whose name contains this")
    parser.add_argument("--no-memory", action="store_true")
    parser.add_argument("--allocator", choices=["keep", "default"], default="keep")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    options = parser.parse_args()
    wanted = _SLEEP | (_KEEP if options.allocator == "keep" else {})
    if not options.memory_of and wanted.keys() - os.environ.keys():
        os.execve(sys.executable, [sys.executable, *sys.argv], {**wanted, **os.environ})
    torch.set_num_threads(2)
    torch.manual_seed(0)
    if options.memory_of:
        print(json.dumps(_growth(options.models[0], options.batch, options.memory_of)))
        return
    for name in options.models:
        for batch in (options.batch,) if options.batch else BATCHES.get(name, (1,)):
            _table(name, batch, options)


def _table(name: str, batch: int, options: argparse.Namespace) -> None:
    model, x = _loaded(name, batch)
    unit = methods.gradient(model, x)
    work = _flops(unit)
    unmeasured = options.no_memory or name in SMALL
    memory = None if unmeasured else _memory(name, batch, "gradient")
    allocator = "keeps" if _KEEP.keys() <= os.environ.keys() else "may return"
    print(
        f"\n{name}, batch {batch}, {torch.get_num_threads()} threads, "
        f"the allocator {allocator} freed memory"
    )
    print(f"{'method':<36}{'time':>8}{'(min, max)':>16}{'FLOPs':>8}{'memory':>8}")
    again = _ratios(unit, methods.gradient(model, x), options.pairs)
    _line("A/A: gradient / gradient", again, 1.0, None if memory is None else 1.0)
    for label, make in _methods(name).items():
        if options.only not in label:
            continue
        try:
            run = make(model, x)
            run()
            done, ratios = _flops(run) / work, _ratios(unit, run, options.pairs)
        except Exception as error:
            print(f"{label:<36} fails: {type(error).__name__}: {str(error)[:60]}")
            continue
        growth = None if memory is None else _memory(name, batch, label) / memory
        _line(label, ratios, done, growth)


def _methods(name: str) -> dict[str, methods.Make]:
    ours = methods.ours_on_sequences() if name in SEQUENCES else methods.ours()
    return {**ours, **methods.peers()}


def _line(label: str, ratios: list[float], work: float, memory: float | None) -> None:
    spread = f"({min(ratios):.2f}, {max(ratios):.2f})"
    shown = "" if memory is None else f"{memory:.2f}"
    print(
        f"{label:<36}{statistics.median(ratios):>8.2f}{spread:>16}{work:>8.2f}{shown:>8}",
        flush=True,
    )


def _ratios(unit: Callable[[], object], run: Callable[[], object], pairs: int) -> list[float]:
    unit()
    run()
    found = []
    for _ in range(pairs):
        first = time.process_time()
        unit()
        second = time.process_time()
        run()
        found.append((time.process_time() - second) / (second - first))
    return found


class _NoModules:
    """Stands in for the counter's module tracker, whose hooks refuse leaves that need gradients."""

    parents = frozenset({"Global"})

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def _flops(run: Callable[[], object]) -> int:
    counter = FlopCounterMode(display=False)
    counter.mod_tracker = _NoModules()  # type: ignore[assignment]
    with counter:
        run()
    return counter.get_total_flops()


def _memory(name: str, batch: int, label: str) -> float:
    command = [sys.executable, __file__, "--models", name, "--batch", str(batch)]
    plain = {key: value for key, value in os.environ.items() if key not in _KEEP}
    done = subprocess.run(
        [*command, "--memory-of", label], capture_output=True, check=True, env=plain
    )
    return float(json.loads(done.stdout.splitlines()[-1]))


def _growth(name: str, batch: int, label: str) -> float:
    """How many MB the peak resident size grows over one explanation."""
    model, x = _loaded(name, batch)
    everything = {"gradient": methods.gradient, **_methods(name)}
    everything[label](nets.lenet(), torch.rand(1, 1, 28, 28))()  # imports and warms up
    run = everything[label](model, x)
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # forget earlier peaks
    before = _status("VmRSS")
    run()
    return max(_status("VmHWM") - before, 0.1)


def _status(name: str) -> float:
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith(name))
    return int(line.split()[1]) / 1024  # MB


def _loaded(name: str, batch: int) -> tuple[nn.Module, Tensor]:
    model = getattr(nets, name)().requires_grad_(False)
    return model, torch.randn(batch, *SHAPES[name])


if __name__ == "__main__":
    main()
