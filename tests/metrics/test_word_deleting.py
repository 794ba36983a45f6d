"""Word deleting by hand, and on linear models, where the curve has a closed form."""

from math import sqrt

import pytest
import torch
from torch import Tensor

from deleting import TRUE, classify, curve, worth
from whence.metrics import Batch, Case, WordDeleting
from whence.zoo._words import pad


@pytest.fixture
def inputs() -> dict[str, Tensor]:
    return pad([[1, 3, 2, 4], [5, 1, 2, 5, 5]])  # worth 2, and 6.5


# Both protocols, by hand.


@pytest.mark.parametrize("how", ["blank", "remove"])
def test_the_most_relevant_words_go_first(inputs: dict[str, Tensor], how: str) -> None:
    found = WordDeleting(how=how, most=3, blank=0)(classify, inputs, worth(inputs), TRUE)

    # The first text is worth 2, 2-3, 2-3-2, 2-3-2+1; the second 6.5, 3.5, 1.5, 1.
    assert curve(found) == [[1, 0, 0, 0], [1, 1, 1, 1]]
    assert found.values.tolist() == [1 - 0.5 / 3, 0]
    assert found.details["words"].tolist() == [4, 5]


def test_words_against_the_true_class_go_first_where_it_was_missed(
    inputs: dict[str, Tensor],
) -> None:
    inputs["input_ids"][0, 0] = 5  # worth -0.5 now, so that the first class is chosen
    found = WordDeleting(texts="wrong", how="remove", most=2)(classify, inputs, worth(inputs), TRUE)

    assert curve(found)[0] == [0, 1, 1]
    assert found.values[0] == 0.75
    assert found.values.isnan().tolist() == [False, True]


def test_words_for_the_predicted_class_go_first_where_that_is_what_is_explained(
    inputs: dict[str, Tensor],
) -> None:
    inputs["input_ids"][0, 0] = 5
    metric = WordDeleting(texts="wrong", watched="label", how="remove", most=2)
    against = -worth(inputs)  # what the words are worth for the first class
    found = metric(classify, inputs, against, None, labels=torch.tensor(TRUE))

    assert curve(found)[0] == [0, 1, 1]
    assert found.values.isnan().tolist() == [False, True]


def test_texts_of_the_other_kind_are_not_read_again(inputs: dict[str, Tensor]) -> None:
    batch = Batch(classify, inputs, [1, 0])  # the second text is read as the second class
    WordDeleting(most=3, blank=0).measure(Case(batch, worth(inputs)))

    assert batch.forwarded == 2 + 3


# Closed forms: a linear bag of words.


def test_the_curve_of_a_linear_model_is_a_sorted_sum() -> None:
    weights = torch.tensor([[1.0, -2.0, 0.5, 3.0, 9.0], [0, 1, 0, 0, 0]], dtype=torch.float64)
    x = torch.tensor([[2.0, 1.0, 4.0, 1.0, 0.0]], dtype=torch.float64)  # worth 2, -2, 2, 3, 0
    metric = WordDeleting(most=4, read="logit", texts="all")
    falls = metric(lambda x: x @ weights.T, x, x * weights[:1], 0)
    rises = WordDeleting(most=4, read="logit", texts="all", order="lerf")(
        lambda x: x @ weights.T, x, x * weights[:1], 0
    )

    assert curve(falls) == [[5, 2, 0, -2, 0]]
    assert curve(rises) == [[5, 7, 5, 3, 0]]
    assert falls.values.tolist() == [1 - (2.5 + 2 + 0 - 2 + 0) / 4]


def test_no_order_beats_the_exact_one_on_a_linear_model() -> None:
    weights, x = torch.randn(1, 6).double(), torch.rand(20, 6).double()
    metric = WordDeleting(most=6, read="score", texts="all")
    exact = metric(lambda x: (x @ weights.T)[:, 0], x, x * weights, lambda out: out)
    others = [
        metric(lambda x: (x @ weights.T)[:, 0], x, torch.randn(20, 6), lambda out: out)
        for _ in range(5)
    ]

    assert all(bool((exact.values >= other.values).all()) for other in others)


def test_the_random_order_falls_in_a_straight_line_on_average() -> None:
    weights = torch.tensor([[1.0, -2.0, 4.0, 3.0], [0, 0, 0, 0]], dtype=torch.float64)
    x, texts = torch.ones(500, 4).double(), 500
    metric = WordDeleting(most=4, read="logit", texts="all", order="random", runs=4)
    found = metric(lambda x: x @ weights.T, x, x, 0).curves["word-deleting"].y.mean(0)
    deviation = sqrt(7 / (texts * 4))  # of two of these words, drawn without putting back: 7

    torch.testing.assert_close(
        found,
        torch.tensor([6.0, 4.5, 3.0, 1.5, 0.0]).double(),
        atol=4 * deviation,
        rtol=0,
    )


def test_only_the_words_that_are_there_are_deleted_from_a_bag() -> None:
    x = torch.tensor([[0.0, 1.0, 0.0, 2.0]], dtype=torch.float64)
    seen: list[Tensor] = []

    def look(x: Tensor) -> Tensor:
        seen.append(x)
        return x

    metric = WordDeleting(most=3, read="logit", texts="all")
    found = metric(look, x, torch.tensor([[9.0, 1, 8, 2]]), 3)

    assert torch.cat(seen).tolist() == [[0, 1, 0, 2], [0, 0, 0, 0], [0, 1, 0, 0]]
    assert curve(found) == [[2, 0, 0, 0]]
