"""A program: lxt's relevance of all models of `lxt_models`, written to a folder.

    PYTHONPATH=tests python tests/lxt/patched.py FOLDER

lxt patches classes for the whole process. So each model is patched, built and explained in a fork
of its own, made before anything was patched; here nothing but the imports happens.
"""

import importlib
import multiprocessing
import sys
import warnings
from pathlib import Path

from safetensors.torch import save_file

import lxt_models

lxt = importlib.import_module("lxt.efficient")  # after lxt_models, which lets torchvision load


def explain(name: str, rules: str, attention: str, path: Path) -> None:
    """Gradient times input of the patched model, which is lxt's relevance, and its scores."""
    home = importlib.import_module(lxt_models.home(name))
    own = importlib.import_module(f"lxt.efficient.models.{'vit_torch' if name == 'vit' else name}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # lxt warns where a class could not be patched
        lxt.monkey_patch(home, getattr(own, rules))
    model = lxt_models.build(name, attention).requires_grad_(False)
    inputs = lxt_models.inputs(name, model)
    explained = next(iter(inputs.values())).requires_grad_()
    scores = lxt_models.scores(model(**inputs))
    (scores * lxt_models.weights(scores)).sum().backward()
    assert explained.grad is not None
    relevance = (explained * explained.grad).detach()
    save_file({"relevance": relevance, "scores": scores.detach().contiguous()}, path)


def main(folder: Path) -> None:
    fork = multiprocessing.get_context("fork")
    for case in lxt_models.CASES:
        path = folder / f"{'-'.join(case)}.safetensors"
        child = fork.Process(target=explain, args=(*case, path))
        child.start()
        child.join()
        if child.exitcode:
            sys.exit(f"lxt failed on {case}; see above.")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
