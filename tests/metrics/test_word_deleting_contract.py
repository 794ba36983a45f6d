"""Word deleting: the contract of metrics, what it costs, and what it refuses."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import whence
from deleting import METRICS, SENTENCES, TRUE, Reads, classify, curve, worth
from texts import Spoken, SumOfWords, Tokenizer
from whence.errors import InvalidInput
from whence.metrics import Batch, Case, WordDeleting
from whence.testing import check_metric
from whence.zoo._words import pad


@pytest.fixture
def inputs() -> dict[str, Tensor]:
    return pad([[1, 3, 2, 4], [5, 1, 2, 5, 5]])  # worth 2, and 6.5


@pytest.fixture
def texts() -> list[list[int]]:
    return [torch.randint(1, 20, (n,)).tolist() for n in (9, 3, 1, 6, 12, 5, 9)]


# The contract.


class Known(Tokenizer):
    """A tokenizer that can be named in a protocol."""

    def __repr__(self) -> str:
        return "Known()"


CONTRACT = {
    "by its own order": {},
    "removed": {"how": "remove"},
    "near zero": {"order": "near-zero"},
    "at random": {"order": "random", "runs": 2},
    "in reverse": {"order": "lerf", "read": "logit"},
}


@pytest.mark.parametrize("name", CONTRACT)
def test_the_contract_of_metrics_is_kept(name: str) -> None:
    inputs = Spoken(
        "not bad film un ##like ##ly .",
        "un ##like ##ly good bad . film",
        "good un ##like bad .",
        ". not un ##ly film bad",
    )
    net = SumOfWords().eval()
    nn.init.normal_(net.embedding.weight, std=0.3)
    options = {"texts": "all", "read": "probability", "most": 3, "blank": 0} | CONTRACT[name]

    check_metric(
        lambda: WordDeleting(tokenizer=Known(), **options),
        model=net,
        inputs=dict(inputs),
        target=[0, 1, 2, 1],
        masks=torch.zeros(4, 1, dtype=torch.bool),
    )


def test_the_contract_is_kept_where_texts_are_chosen_and_short() -> None:
    net = SumOfWords().eval()
    texts = ["not bad film", "un ##like ##ly good", "good", "film bad . good", "bad not"]

    check_metric(
        lambda: WordDeleting(tokenizer=Known(), most=3, how="remove", read="probability"),
        model=net,
        inputs=dict(Spoken(*texts)),
        target=[0, 1, 2, 1, 0],
        masks=torch.zeros(5, 1, dtype=torch.bool),
        exact=False,
    )


# How many texts are read.


def test_steps_end_at_the_last_count(inputs: dict[str, Tensor]) -> None:
    found = WordDeleting(most=3, step=2, blank=0)(classify, inputs, worth(inputs), TRUE)

    assert found.curves["word-deleting"].x.tolist() == [0, 2, 3]


def test_short_texts_keep_their_last_value(inputs: dict[str, Tensor]) -> None:
    blank = WordDeleting(most=7, step=3, blank=0, read="logit")
    removed = WordDeleting(most=7, step=3, how="remove", read="logit")

    # Worth 3, 2, -1, -2: three of four, then none or the one that is left.
    assert curve(blank(classify, inputs, worth(inputs), TRUE))[0] == [2, -2, 0, 0]
    assert curve(removed(classify, inputs, worth(inputs), TRUE))[0] == [2, -2, -2, -2]


def test_no_text_is_read_twice(inputs: dict[str, Tensor]) -> None:
    batch = Batch(classify, inputs, TRUE)
    metric = WordDeleting(most=7, blank=0)
    metric.measure(Case(batch, worth(inputs)))
    once = batch.forwarded
    metric.measure(Case(batch, -worth(inputs)))

    # Two untouched, 3 and 4 with some words gone, two without any; the second time only those
    # with some.
    assert once == 2 + 7 + 2
    assert batch.forwarded == once + 7


def test_the_random_order_is_shared_by_all_explanations(inputs: dict[str, Tensor]) -> None:
    batch = Batch(classify, inputs, TRUE)
    metric = WordDeleting(most=3, blank=0, order="random", runs=5)
    first = metric.measure(Case(batch, worth(inputs)))
    second = metric.measure(Case(batch, -worth(inputs)))

    assert torch.equal(first.values, second.values)
    assert batch.forwarded == 2 + 2 * 3 * 5


def test_short_memory_costs_no_result(texts: list[list[int]]) -> None:
    model, inputs, metric = Reads(), pad(texts), METRICS["removed"]
    R, sizes = torch.randn(inputs["input_ids"].shape), []

    def small(input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        sizes.append(len(input_ids))
        if len(input_ids) > 5:
            raise MemoryError
        return model(input_ids, attention_mask)

    found = metric(small, inputs, R)

    assert max(sizes) > 5
    torch.testing.assert_close(found.values, metric(model, inputs, R).values, rtol=1e-12, atol=0)


def test_a_budget_is_told_that_is_enough(inputs: dict[str, Tensor]) -> None:
    batch = Batch(classify, inputs, TRUE)
    own = WordDeleting(most=3, blank=0).cost(batch)
    random = WordDeleting(most=3, blank=0, order="random", runs=5).cost(batch)

    assert (own.forwards, sum(own.shared.values())) == (3, 1)
    assert (random.forwards, sum(random.shared.values())) == (0, 1 + 15)


# What is said.


def refused(inputs: Any, match: str, metric: WordDeleting | None = None, **about: Any) -> None:
    ids = inputs["input_ids"] if isinstance(inputs, dict) else inputs
    with pytest.raises(InvalidInput, match=match):
        (metric or WordDeleting(blank=0))(classify, inputs, torch.ones(ids.shape), 1, **about)


def test_short_texts_are_refused_where_asked_for(inputs: dict[str, Tensor]) -> None:
    metric = WordDeleting(most=5, blank=0, short="refuse")

    refused(inputs, r"must have 5 words .* 1 have fewer, down to 4 \(samples \[0\]\)", metric)


def test_a_padding_id_is_needed_to_blank_words(inputs: dict[str, Tensor]) -> None:
    refused(inputs, "needs blank=, the id that stands in", WordDeleting())


def test_a_mask_is_needed_to_remove_words(inputs: dict[str, Tensor]) -> None:
    with pytest.raises(InvalidInput, match="needs to tell the model where they end"):
        WordDeleting(how="remove")(
            lambda ids: classify(ids, torch.ones_like(ids)), inputs["input_ids"], worth(inputs)
        )


def test_pictures_have_no_words() -> None:
    with pytest.raises(InvalidInput, match=r"token ids .* got torch.float32 of shape \(2, 3, 4, 4"):
        WordDeleting()(lambda x: x.flatten(1), torch.rand(2, 3, 4, 4), torch.rand(2, 3, 4, 4))


def test_labels_are_needed_to_watch_them(inputs: dict[str, Tensor]) -> None:
    refused(inputs, "needs the true class", WordDeleting(blank=0, watched="label"))


def test_the_explanation_must_be_of_these_texts() -> None:
    model = SumOfWords().eval()
    ex = whence.explain(model, Spoken(*SENTENCES))
    with pytest.raises(InvalidInput, match="of 2 texts, the batch of 1"):
        WordDeleting(how="remove")(model, dict(Spoken("not bad")), torch.ones(1, 4), explanation=ex)


def test_relevance_must_be_one_for_each_token(inputs: dict[str, Tensor]) -> None:
    with pytest.raises(InvalidInput, match=r"shape of the samples, \(2, 5\)"):
        WordDeleting(blank=0)(classify, inputs, torch.ones(2, 4), 1)


def test_relevance_must_be_a_tensor(inputs: dict[str, Tensor]) -> None:
    with pytest.raises(InvalidInput, match="Relevance must be a tensor"):
        WordDeleting(blank=0)(classify, inputs, {}, 1)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"texts": "good"}, "texts= must be one of right, wrong, all, got 'good'"),
        ({"how": "drop"}, "how= must be one of blank, remove"),
        ({"order": "up"}, "order must be one of"),
        ({"read": "loss"}, "read= must be"),
        ({"watched": "me"}, "watched= must be one of"),
        ({"short": "skip"}, "short= must be one of"),
        ({"most": 0}, "at least 1, got 0, 1 and 10"),
    ],
)
def test_knobs_are_checked(options: dict[str, Any], match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        WordDeleting(**options)
