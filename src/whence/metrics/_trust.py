"""Can I rely on this map? One line, with its evidence."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from whence.errors import InvalidInput
from whence.explainers import LRP, Explainer, GradientTimesInput, IntegratedGradients
from whence.metrics._batch import Batch
from whence.metrics._case import Case
from whence.metrics._evidence import (
    AGAINST,
    FOR,
    NEITHER,
    SAME,
    Evidence,
    from_flipping,
    from_ledger,
    from_others,
    from_redrawing,
)
from whence.metrics._pooled import kept

VERDICTS = ("rely", "do not rely", "abstain")
_POINTS = 32  # of a flipping curve


@dataclass(frozen=True)
class Judgement:
    """The verdict on one map: "rely", "do not rely" or "abstain", and the evidence."""

    verdict: str
    evidence: tuple[Evidence, ...]

    @property
    def line(self) -> str:
        """The verdict and who speaks for and against it."""
        sides = []
        for vote, words in ((FOR, "for it"), (AGAINST, "against it"), (NEITHER, "undecided")):
            names = [each.check for each in self.evidence if each.vote == vote]
            if names:
                sides.append(f"{words}: {', '.join(names)}")
        reason = " (the evidence disagrees)" if self._divided else ""
        return f"{self.verdict}{reason}; {'; '.join(sides)}"

    def __str__(self) -> str:
        rows = [f"  {each.check:<14} {each.vote:<8} {each.says}" for each in self.evidence]
        return "\n".join([self.line, *rows])

    @property
    def _divided(self) -> bool:
        votes = {each.vote for each in self.evidence}
        return self.verdict == "abstain" and {FOR, AGAINST} <= votes


@dataclass(frozen=True)
class Trust:
    """One judgement for each sample, in order; printed, the lines and their evidence."""

    method: str
    judgements: tuple[Judgement, ...]

    @property
    def verdict(self) -> str:
        """The verdict on a single map."""
        if len(self.judgements) != 1:
            raise InvalidInput(
                f"There are {len(self.judgements)} maps, each with its verdict: see .verdicts."
            )
        return self.judgements[0].verdict

    @property
    def verdicts(self) -> list[str]:
        """The verdict for each sample."""
        return [each.verdict for each in self.judgements]

    def __len__(self) -> int:
        return len(self.judgements)

    def __iter__(self) -> Iterator[Judgement]:
        return iter(self.judgements)

    def __getitem__(self, sample: int) -> Judgement:
        return self.judgements[sample]

    def __str__(self) -> str:
        single = len(self.judgements) == 1
        heads = [
            f"{self.method}: " if single else f"{self.method}, sample {number}: "
            for number in range(len(self.judgements))
        ]
        return "\n".join(h + str(each) for h, each in zip(heads, self.judgements, strict=True))


def trust(
    explainer: Explainer,
    inputs: Any,
    target: Any = None,
    *,
    others: Sequence[Explainer] | None = None,
    orders: int = 20,
    redraws: int = 5,
    seed: int = 0,
    ids: Sequence[Any] | None = None,
    output: Any = None,
) -> Trust:
    """Can I rely on this map? A verdict for each sample, with its evidence.

    Four checks, each "for", "against" or "neither":

    - *ledger*: for, if every row closes and relevance accounts for the score up to half of it;
      against, if a row does not close; neither, if much went to biases or no book is kept.
    - *flipping*: pixels are replaced by their channel's mean, most relevant first, and in `orders`
      random orders. For, if the chance to do so well in a random order is at most 5 % (of 20 random
      orders none is as good); against, if a quarter of the random orders are better.
    - *randomisation*: the map must change with the model. All parameters are drawn anew, `redraws`
      times; the rank correlation of old and new map, as the root of its mean square beyond chance:
      for, up to 0.3; against, from 0.5 on. From 0.95 on it is one map for all models.
    - *agreement*: the median of the rank correlations with `others`: for, from 0.3 on; against,
      below 0.1. By default gradient times input, integrated gradients and LRP, but not the kind of
      `explainer` itself. The first two are relatives of LRP-epsilon and agree with it easily.

    **rely**: flipping and randomisation are for it and none is against. **do not rely**: flipping
    or the ledger is against it, or it is one map for all models, or none is for it and one against.
    **abstain** otherwise: the checks disagree or say too little. The thresholds are ours, set with
    the two shipped nets for digits in view. The verdict is about a map of this model on this
    sample. It does not say that the model is right, nor that a method is good: for that, measure
    many samples.

    The inputs are one float tensor with the batch first (others go along as they are). `seed` and
    `ids`, one for each sample, fix all draws: a sample is judged alike in any batch. It costs up to
    31 (orders + 1) + 2 forward passes and 1 + redraws + 3 explanations.

    ```python
    print(trust(LRP(model), image, target=3))
    ```

    References: [whence], after [bach2015], [adebayo2018], [krishna2022].
    """
    if orders < 19:
        raise InvalidInput(f"orders must be at least 19, or chance cannot fall to 5 %; {orders}.")
    if redraws < 1:
        raise InvalidInput(f"redraws must be at least 1, got {redraws}.")
    batch = Batch(explainer.model, inputs, target, seed=seed, ids=ids, output=output)
    if kept(batch) is not None or not batch.x.is_floating_point():
        raise InvalidInput(
            "trust replaces pixels or other numbers, and these inputs are texts. Measure them with "
            "WordDeleting and ParameterRandomisation."
        )
    explanation = explainer.explain(inputs, batch.target)
    case = Case(batch, explanation.relevance, explainer, explanation)
    checks = [
        from_ledger(case),
        from_flipping(case, orders, _POINTS),
        from_redrawing(case, redraws, seed),
        from_others(case, _others(explainer) if others is None else others),
    ]
    judgements = [_judged(evidence) for evidence in zip(*checks, strict=True)]
    return Trust(explanation.method, tuple(judgements))


def _judged(evidence: tuple[Evidence, ...]) -> Judgement:
    votes = {each.check: each.vote for each in evidence}
    speak_for = [name for name, vote in votes.items() if vote == FOR]
    speak_against = [name for name, vote in votes.items() if vote == AGAINST]
    same = any(each.check == "randomisation" and each.value >= SAME for each in evidence)
    decisive = same or AGAINST in (votes["flipping"], votes["ledger"])
    if decisive or (speak_against and not speak_for):
        return Judgement("do not rely", evidence)
    if votes["flipping"] == votes["randomisation"] == FOR and not speak_against:
        return Judgement("rely", evidence)
    return Judgement("abstain", evidence)


def _others(explainer: Explainer) -> list[Explainer]:
    made = (kind(explainer.model) for kind in (GradientTimesInput, IntegratedGradients, LRP))
    return [each for each in made if type(each) is not type(explainer)]
