"""Word deleting, on a classifier that counts: what goes first, what is left, and what is said."""

import pytest
import torch
from torch import Tensor

from whence._errors import InvalidInput
from whence.runs import (
    Difference,
    WordsDeleted,
    blank_words,
    compare_areas,
    delete_words,
    random_orders,
    remove_words,
)
from whence.zoo._words import pad

# The worth of each id for the second of two classes; the first one always has the score 0.
WORTH = torch.tensor([0.0, 3.0, 2.0, -1.0, -2.0, 0.5], dtype=torch.float64)


def classify(input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    score = (WORTH[input_ids] * attention_mask).sum(1)
    return torch.stack([torch.zeros_like(score), score], dim=1)


@pytest.fixture
def inputs() -> dict[str, Tensor]:
    return pad([[1, 3, 2, 4], [5, 1, 2, 5, 5]])  # worth 2, and 6.5


def test_the_most_relevant_words_go_first(inputs: dict[str, Tensor]) -> None:
    orders = {"worth": WORTH[inputs["input_ids"]]}
    found = delete_words(
        classify, inputs, torch.tensor([1, 1]), orders, most=3, delete=blank_words
    )[0]

    # The first text is worth 2, 2-3, 2-3-2, 2-3-2+1; the second 6.5, 3.5, 1.5, 1.
    assert found.curve.tolist() == [[1, 0, 0, 0], [1, 1, 1, 1]]
    assert found.accuracies.tolist() == [1, 0.5, 0.5, 0.5]
    assert found.areas.tolist() == [0.5 / 3, 1]


def test_words_against_the_class_bring_it_back(inputs: dict[str, Tensor]) -> None:
    orders = {"against": -WORTH[inputs["input_ids"]]}
    inputs["input_ids"][0, 0] = 5  # worth -0.5 now, so that the first class is chosen
    found = delete_words(
        classify, inputs, torch.tensor([1, 1]), orders, most=2, delete=remove_words
    )[0]

    assert found.curve[0].tolist() == [0, 1, 1]


def test_padding_is_never_deleted(inputs: dict[str, Tensor]) -> None:
    # Padding would be the most relevant of all; three deletions must hit three words.
    values = torch.where(inputs["attention_mask"] == 0, 100.0, WORTH[inputs["input_ids"]])
    found = delete_words(
        classify, inputs, torch.tensor([1, 1]), {"x": values}, most=3, delete=remove_words
    )[0]

    assert found.curve.tolist() == [[1, 0, 0, 0], [1, 1, 1, 1]]


def test_steps_end_at_the_last_count(inputs: dict[str, Tensor]) -> None:
    found = delete_words(
        classify,
        inputs,
        torch.tensor([1, 1]),
        {"x": WORTH[inputs["input_ids"]]},
        most=3,
        delete=blank_words,
        step=2,
    )[0]

    assert found.deleted.tolist() == [0, 2, 3]
    assert found.curve.shape == (2, 3)


def test_several_runs_are_averaged(inputs: dict[str, Tensor]) -> None:
    worth = WORTH[inputs["input_ids"]]
    found = delete_words(
        classify,
        inputs,
        torch.tensor([1, 1]),
        {"both": torch.stack([worth, -worth])},
        most=1,
        delete=blank_words,
    )[0]

    assert found.curve.tolist() == [[1, 0.5], [1, 1]]


def test_removed_words_leave_no_gap() -> None:
    inputs = pad([[1, 3, 2, 4], [5, 1]])
    gone = torch.tensor([[False, True, False, False], [True, False, False, False]])
    ids, mask = remove_words(inputs["input_ids"], inputs["attention_mask"], gone)

    assert ids.tolist() == [[1, 2, 4, 0], [1, 0, 0, 0]]
    assert mask.tolist() == [[1, 1, 1, 0], [1, 0, 0, 0]]


def test_blanked_words_keep_their_place() -> None:
    inputs = pad([[1, 3, 2]])
    gone = torch.tensor([[False, True, False]])
    ids, mask = blank_words(inputs["input_ids"], inputs["attention_mask"], gone)

    assert ids.tolist() == [[1, 0, 2]]
    assert mask.tolist() == [[1, 1, 1]]


def test_random_orders_are_the_same_for_the_same_seed(inputs: dict[str, Tensor]) -> None:
    first, second = (random_orders(inputs["attention_mask"], 3, seed=7) for _ in range(2))

    assert first.shape == (3, 2, 5)
    assert torch.equal(first, second)


def test_a_text_must_be_longer_than_what_is_deleted(inputs: dict[str, Tensor]) -> None:
    with pytest.raises(InvalidInput, match=r"which are 4, got one of 4\. Leave out"):
        delete_words(classify, inputs, torch.tensor([1, 1]), {}, most=4, delete=blank_words)


def deleted(curve: Tensor) -> WordsDeleted:
    return WordsDeleted("x", curve.double(), torch.arange(curve.shape[1]).double())


def test_the_interval_of_equal_differences_is_a_point() -> None:
    curve = torch.rand(40, 3)
    found = compare_areas(deleted(curve + 0.25), deleted(curve))

    assert found.mean == pytest.approx(0.25)
    assert (found.low, found.high) == pytest.approx((0.25, 0.25))


def test_the_interval_is_about_two_standard_errors_wide() -> None:
    first, second = torch.rand(400, 1).expand(-1, 3), torch.rand(400, 1).expand(-1, 3)
    found = compare_areas(deleted(first), deleted(second))
    differences = (first - second)[:, 0].double()
    error = float(differences.std() / 400**0.5)

    assert found.low == pytest.approx(float(differences.mean()) - 1.96 * error, abs=0.1 * error)
    assert found.high == pytest.approx(float(differences.mean()) + 1.96 * error, abs=0.1 * error)


def test_pairs_narrow_the_interval() -> None:
    # Texts differ much more than methods do: what is the same in both must cancel.
    texts, noise = 10 * torch.rand(200, 1).expand(-1, 3), 0.01 * torch.randn(200, 1).expand(-1, 3)
    found = compare_areas(deleted(texts + 0.1 + noise), deleted(texts))

    assert found.low > 0.09
    assert found.high < 0.11


def test_a_difference_prints_its_interval() -> None:
    assert str(Difference(0.1, -0.05, 0.25)) == "+0.100 [-0.050, +0.250]"
