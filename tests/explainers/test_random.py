"""Random relevance belongs to the content of a sample, and to nothing else."""

import pytest
import torch

import whence
from texts import Spoken, SumOfWords
from whence._text_explanation import TextExplanation
from whence.explainers import Random

SHAPES = {"pictures": (6, 3, 5, 5), "series": (6, 4, 30), "features": (6, 9)}


def last(x: torch.Tensor) -> torch.Tensor:
    return x.flatten(1)


@pytest.mark.parametrize("name", SHAPES)
def test_a_sample_keeps_its_values_in_any_batch_and_order(name: str) -> None:
    x = torch.randn(SHAPES[name])
    rows = [4, 0, 3]
    together = Random(last).explain(x, 0).relevance

    assert torch.equal(Random(last).explain(x[rows], 1).relevance, together[rows])
    assert len(together.unique()) > 0.99 * together.numel()


def test_equal_samples_get_equal_values_and_others_do_not() -> None:
    x = torch.ones(3, 8)
    x[2, 0] = 1.001
    R = Random(last).explain(x, 0).relevance

    assert torch.equal(R[0], R[1])
    assert not bool((R[0] == R[2]).any())


def test_zero_has_no_sign() -> None:
    x = torch.zeros(2, 8)
    x[1] = -0.0
    R = Random(last).explain(x, 0).relevance

    assert torch.equal(R[0], R[1])


def test_values_are_uniform() -> None:
    R = Random(last).explain(torch.randn(4, 50_000), 0).relevance.double()

    assert bool(((R >= 0) & (R < 1)).all())
    torch.testing.assert_close(R.mean(1), torch.full((4,), 0.5).double(), atol=0.006, rtol=0)
    torch.testing.assert_close(R.var(1), torch.full((4,), 1 / 12).double(), atol=0.002, rtol=0)
    assert float(torch.corrcoef(R).fill_diagonal_(0).abs().max()) < 0.02


def test_another_seed_is_another_map() -> None:
    x = torch.randn(2, 8)

    assert not bool(
        (Random(last).explain(x).relevance == Random(last, seed=1).explain(x).relevance).any()
    )


@pytest.mark.parametrize("left", [False, True])
def test_words_keep_their_values_whatever_the_padding(left: bool) -> None:
    model = SumOfWords()
    alone = whence.explain(model, Spoken("not good"), 1, "random")
    beside = whence.explain(
        model, Spoken("not good", "un ##like ##ly bad film .", left=left), 0, "random"
    )

    assert isinstance(alone, TextExplanation)
    assert isinstance(beside, TextExplanation)
    assert torch.equal(beside.token_relevance[0], alone.token_relevance[0])
    assert int((beside.relevance["input_ids"][0] == 0).sum()) == 4  # padding


def test_the_score_is_the_model_s() -> None:
    model, inputs = SumOfWords(), Spoken("not good")

    torch.testing.assert_close(
        whence.explain(model, inputs, 1, "random").score, model(**inputs)[:, 1].detach()
    )
