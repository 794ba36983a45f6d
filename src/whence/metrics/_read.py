"""The number that is read from the model's output while its input is perturbed."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from whence.errors import InvalidInput
from whence.explainers._samples import for_samples
from whence.targets import Given, Logit, Target

Read = Callable[[Tensor, slice | Tensor, int], Tensor]

READINGS = {
    "probability": "softmax of the scores, at the target class",
    "log-probability": "its logarithm",
    "logit": "the score of the target class",
    "log-odds": "log p / (1 - p) of the target class",
    "right": "1 where the target class has the highest score, else 0",
    "score": "the target's own score, for targets that are no class",
}


def reading(how: str, untouched: Tensor, target: Target) -> str:
    """The reading by name: "auto" is the probability for one of several classes, and the target's
    own score otherwise."""
    classes = isinstance(target, Logit) and untouched.dim() == 2 and untouched.shape[1] > 1
    if how == "auto":
        return "probability" if classes else "score"
    if how not in READINGS:
        raise InvalidInput(f"read= must be auto or one of {', '.join(READINGS)}, got {how!r}.")
    if how != "score" and not classes:
        raise InvalidInput(
            f"read={how!r} needs a class as target and scores of shape (batch, classes), two "
            f"classes at least; got {type(target).__name__} and {tuple(untouched.shape)}. Try "
            "read='score'."
        )
    return how


def read_as(how: str, untouched: Tensor, target: Target) -> Read:
    """A function: outputs for `times` copies of each of some samples -> (samples, times)."""
    how = reading(how, untouched, target)
    if how == "score":
        return _own_score(target, len(untouched))
    assert isinstance(target, Logit)  # as `reading` has checked
    logarithms = _are_probabilities(untouched)
    if logarithms and how == "logit":
        raise InvalidInput(
            "The model returns probabilities, which are no logits. Try read='probability' or "
            "'log-probability'."
        )
    classes = target.weigh(untouched).argmax(1)

    def read(output: Tensor, samples: slice | Tensor, times: int) -> Tensor:
        scores = output.double().view(-1, times, output.shape[1])
        k = classes[samples, None, None].expand(-1, times, 1)
        if logarithms:
            scores = scores.clamp_min(torch.finfo(output.dtype).tiny).log()
        return _value(how, scores, k)[..., 0]

    return read


def _value(how: str, scores: Tensor, k: Tensor) -> Tensor:
    """scores: (samples, times, classes), k: (samples, times, 1)."""
    if how == "probability":
        return scores.softmax(2).gather(2, k)
    if how == "logit":
        return scores.gather(2, k)
    if how == "right":
        return (scores.argmax(2, keepdim=True) == k).double()
    if how == "log-odds":
        return scores.gather(2, k) - scores.scatter(2, k, -torch.inf).logsumexp(2, keepdim=True)
    return scores.log_softmax(2).gather(2, k)


def _own_score(target: Target, batch: int) -> Read:
    if isinstance(target, Given) or target.at is not None:
        raise InvalidInput(
            "A metric reads one number from the model's output, which "
            f"{type(target).__name__} with at={target.at!r} is not. Measure one target of the "
            "output at a time."
        )

    def read(output: Tensor, samples: slice | Tensor, times: int) -> Tensor:
        chosen = samples.cpu() if isinstance(samples, Tensor) else samples
        numbers = torch.arange(batch)[chosen].repeat_interleave(times).tolist()
        asked: Any = for_samples(target, numbers, batch)
        return asked.score(output).double().view(-1, times)

    return read


def _are_probabilities(output: Tensor) -> bool:
    """Whether the model ends in a softmax: a second one would be wrong."""
    sums = output.double().sum(1)
    return bool((output >= 0).all() & ((sums - 1).abs() < 1e-4).all())
