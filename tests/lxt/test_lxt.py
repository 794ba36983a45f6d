"""AttnLRP and CP-LRP are those of lxt, the implementation of their authors, element by element.

Both sides explain the same tiny models, whence as they are and lxt with its patches, in float64 (in
which Llama, Qwen and Gemma still compute their norms in float32). One setting is made the same:
lxt's CP-LRP also holds the activated half of gated layers constant, of which the paper does not
speak. Here a rule says so.

What needs nothing: lxt divides f(x) by x + 1e-10 in pointwise functions, where Whence takes the
limit; and it gives q, k and v fixed shares of 1/4, 1/4 and 1/2, which are Whence's wherever all
three depend on the input.
"""

import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

import whence
from lxt_models import (
    ATTNLRP_CASES,
    CASES,
    CPLRP_CASES,
    attention_mask,
    build,
    inputs,
    scores,
    token_ids,
    weights,
)
from whence.composites import CPLRP, AttnLRP, Composite, where
from whence.explainers import LRP
from whence.rules import Hold
from whence.targets import Weights

pytestmark = pytest.mark.filterwarnings("ignore")  # transformers' own

TOLERANCE = 1e-5  # of the largest element
GATES_HELD = [(where.name("*.mlp.act_fn"), Hold())]

Case = tuple[str, str, str]  # model, lxt's name of the rules, how attention is computed
every_case = pytest.mark.parametrize("case", ATTNLRP_CASES, ids="-".join)


def by_lxt(folder: Path, case: Case) -> tuple[Tensor, Weights, Tensor]:
    """lxt's relevance of embedded tokens or pixels, what was explained, and the scores."""
    found = load_file(folder / f"{'-'.join(case)}.safetensors")
    return found["relevance"], Weights(weights(found["scores"])), found["scores"]


def relevance(case: Case, composite: Composite, target: Weights) -> Tensor:
    """Whence's relevance of embedded tokens or pixels."""
    model = build(case[0], case[2])
    ex = LRP(model, composite, output=scores).explain(inputs(case[0], model), target)
    return next(iter(ex.relevance.values()))


def distance(found: Tensor, expected: Tensor) -> float:
    """The largest difference, as a part of the largest element."""
    assert found.shape == expected.shape
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_patches_leave_the_scores_as_they_are(case: Case, patched: Path) -> None:
    model = build(case[0], case[2])
    found = scores(model(**inputs(case[0], model)))

    torch.testing.assert_close(found, by_lxt(patched, case)[2], rtol=1e-12, atol=1e-12)


@every_case
def test_attnlrp_is_that_of_lxt_in_each_dimension(case: Case, patched: Path) -> None:
    expected, target, _ = by_lxt(patched, case)
    model = build(case[0], case[2])
    ex = whence.explain(model, inputs(case[0], model), target, method="attnlrp", output=scores)
    R = ex.relevance["inputs_embeds"]

    assert distance(R, expected) < TOLERANCE
    assert distance(R.sum(-1), expected.sum(-1)) < TOLERANCE


@every_case
def test_attnlrp_of_token_ids_is_that_of_lxt(case: Case, patched: Path) -> None:
    expected, target, _ = by_lxt(patched, case)
    explainer = LRP(build(case[0], case[2]), AttnLRP(), output=scores)
    given = {"input_ids": token_ids(), "attention_mask": attention_mask()}
    ex = explainer.explain(given, target)

    assert distance(ex.features["input_ids"], expected) < TOLERANCE
    assert distance(ex.relevance["input_ids"], expected.sum(-1)) < TOLERANCE


@pytest.mark.parametrize("case", CPLRP_CASES, ids="-".join)
def test_cp_lrp_is_that_of_lxt(case: Case, patched: Path) -> None:
    expected, target, _ = by_lxt(patched, case)
    R = relevance(case, CPLRP() + GATES_HELD, target)

    assert distance(R, expected) < TOLERANCE


@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_a_stabiliser_moves_it_away(name: str, patched: Path) -> None:
    case = (name, "attnLRP", "sdpa")
    expected, target, _ = by_lxt(patched, case)
    much, less = (
        distance(relevance(case, AttnLRP(epsilon), target), expected) for epsilon in (1e-6, 1e-8)
    )

    assert less < much / 50


def test_no_class_is_patched_in_this_process() -> None:
    assert not [name for name in sys.modules if name.partition(".")[0] == "lxt"]
