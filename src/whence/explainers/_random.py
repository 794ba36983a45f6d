"""Random relevance: what any method has to beat."""

import hashlib
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor

from whence import viz
from whence._draws import keys_of, uniform
from whence._explanation import Explanation
from whence.explainers._checks import check_inputs
from whence.explainers._explainer import Explainer
from whence.explainers._inputs import Inputs
from whence.explainers._score import answer, fix_target
from whence.explainers._text import as_text, kept_places, read_texts, text_leaves
from whence.explainers._wrapped import average
from whence.targets import Each


class Random(Explainer):
    """Random relevance: the yardstick, each value uniform between 0 and 1.

    A method that is measured no better than this has found nothing. The values belong to the
    content of a sample and to `seed`: the same sample gets the same ones in any batch, order or
    shard, whatever the model and the target. Padding of texts gets zero.

    References: [samek2017].
    """

    name: ClassVar[str] = "random"
    decomposes: ClassVar[str] = "nothing: it does not look at the model"
    sources: ClassVar[tuple[str, ...]] = ("samek2017",)

    def __init__(self, model: Callable[..., Any], *, seed: int = 0, output: Any = None) -> None:
        super().__init__(model)
        self.seed, self.output = seed, output

    def explain(self, inputs: Any, target: Any = None) -> Explanation:
        """Random relevance of each input; the model is asked for the score alone."""
        given = Inputs.of(inputs)
        if isinstance(target, Each):
            return average.each(self, inputs, target)
        check_inputs(self.model, given)
        clean = answer(self.model, inputs, self.output)
        fixed = fix_target(target, clean, given)
        score = fixed.score(clean)
        names = {id(leaf): name for name, leaf in text_leaves(given).items()}
        relevance = []
        for number, leaf in enumerate(given.leaves):
            name = names.get(id(leaf))
            places = None if name is None else kept_places(given, name, leaf)
            found = _draw(leaf.detach(), places, self.seed, number)
            relevance.append(found.to(leaf.dtype if leaf.is_floating_point() else score.dtype))
        explanation = Explanation(
            relevance=given.rebuild(lambda i: relevance[i]),
            inputs=inputs,
            output=clean,
            target=fixed,
            score=score,
            method=self.name,
            draw=viz.draw,
            write=viz.save,
        )
        return as_text(explanation, read_texts(given))


def _draw(leaf: Tensor, places: list[tuple[int, ...]] | None, seed: int, stream: int) -> Tensor:
    """Values for one input, (samples, ...); of tokens only where they are kept."""
    if places is None:
        keys = keys_of([_digest(sample) for sample in leaf], seed).to(leaf.device)
        return uniform(keys, leaf.shape[1:], stream)
    kept = [sample[list(each)] for sample, each in zip(leaf, places, strict=True)]
    keys = keys_of([_digest(each) for each in kept], seed).to(leaf.device)
    values = uniform(keys, leaf.shape[1:], stream)
    found = torch.zeros_like(values)
    for row, each in enumerate(places):
        found[row, list(each)] = values[row, : len(each)]
    return found


def _digest(sample: Tensor) -> str:
    """The content, as single precision holds it: a copy in another precision is the same sample."""
    plain = sample.float() + 0.0 if sample.is_floating_point() else sample.long()  # -0 is 0
    return hashlib.blake2b(plain.cpu().contiguous().numpy().tobytes(), digest_size=16).hexdigest()
