"""Word deleting, on classifiers that count: what goes first, what is left, and what is said."""

from collections.abc import Callable
from math import sqrt
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import whence
from texts import VOCABULARY, Spoken, SumOfWords, Tokenizer
from whence.errors import InvalidInput
from whence.explainers._inputs import Inputs
from whence.metrics import Batch, Case, WordDeleting
from whence.testing import check_metric
from whence.zoo._words import pad

# The worth of each id for the second of two classes; the first one always has the score 0.
WORTH = torch.tensor([0.0, 3.0, 2.0, -1.0, -2.0, 0.5], dtype=torch.float64)
TRUE = [1, 1]


def classify(input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    score = (WORTH[input_ids] * attention_mask).sum(1)
    return torch.stack([torch.zeros_like(score), score], dim=1)


@pytest.fixture
def inputs() -> dict[str, Tensor]:
    return pad([[1, 3, 2, 4], [5, 1, 2, 5, 5]])  # worth 2, and 6.5


def worth(inputs: dict[str, Tensor]) -> Tensor:
    return WORTH[inputs["input_ids"]]


def curve(scores: Any) -> list[list[float]]:
    return scores.curves["word-deleting"].y.tolist()


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


# A slow rewrite of the protocol, on a model that knows the order of the words.


class Reads(nn.Module):
    """Later words count less, and the answer is not linear; padding makes no difference."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 5, padding_idx=0)
        self.head = nn.Linear(5, 3)
        self.double().eval()

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, position_ids: Tensor | None = None
    ) -> Tensor:
        place = attention_mask.cumsum(1) - 1 if position_ids is None else position_ids
        weight = (attention_mask * 0.8**place).unsqueeze(2)
        return self.head((self.embedding(input_ids) * weight).sum(1).tanh())


@pytest.fixture
def texts() -> list[list[int]]:
    return [torch.randint(1, 20, (n,)).tolist() for n in (9, 3, 1, 6, 12, 5, 9)]


def slowly(model: nn.Module, text: list[int], R: list[float], k: int, how: str) -> list[float]:
    """P(k) of one text alone, one word after the other: the paper's protocol as it stands."""
    order = sorted(range(len(text)), key=lambda i: -R[i])
    found = []
    for count in range(5):
        gone = set(order[:count])
        if how == "remove":
            left = [word for i, word in enumerate(text) if i not in gone] or [text[order[-1]]]
        else:
            left = [0 if i in gone else word for i, word in enumerate(text)]
        mask = torch.ones(1, len(left), dtype=torch.int64)
        found.append(float(model(torch.tensor([left]), mask).softmax(1)[0, k].detach()))
    return found


@pytest.mark.parametrize("positions", [False, True])
@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("how", ["blank", "remove"])
def test_the_metric_is_the_protocol_step_by_step(
    texts: list[list[int]], how: str, side: str, positions: bool
) -> None:
    model, inputs = Reads(), pad(texts)
    R = torch.randn(inputs["input_ids"].shape, dtype=torch.float64)
    if side == "left":
        rows = [torch.tensor([0] * (12 - len(text)) + text) for text in texts]
        ids = torch.stack(rows)
        inputs = {"input_ids": ids, "attention_mask": (ids > 0).long()}
        R = torch.stack([r.roll(12 - len(text)) for r, text in zip(R, texts, strict=True)])
    if positions:
        inputs["position_ids"] = (inputs["attention_mask"].cumsum(1) - 1).clamp_min(0)
    kept = [r[row > 0] for r, row in zip(R, inputs["attention_mask"], strict=True)]
    k = model(**inputs).argmax(1).tolist()
    found = WordDeleting(most=4, read="probability", how=how)(model, inputs, R)
    expected = [
        slowly(model, text, r.tolist(), each, how)
        for text, r, each in zip(texts, kept, k, strict=True)
    ]

    torch.testing.assert_close(
        found.curves["word-deleting"].y,
        torch.tensor(expected, dtype=torch.float64),
        rtol=1e-12,
        atol=0,
    )


METRICS = {
    "right": WordDeleting(most=4, read="probability"),
    "removed": WordDeleting(most=4, read="log-odds", how="remove"),
    "in steps": WordDeleting(most=4, step=3, read="probability"),
    "random": WordDeleting(most=4, read="probability", order="random", runs=3),
    "near zero": WordDeleting(most=4, read="probability", order="near-zero"),
    "wrong": WordDeleting(most=4, read="probability", texts="wrong", how="remove"),
}


def part(inputs: dict[str, Tensor], rows: list[int], longest: int) -> dict[str, Tensor]:
    return {name: each[rows, :longest] for name, each in inputs.items()}


@pytest.mark.parametrize("name", METRICS)
def test_a_batch_equals_its_texts_in_any_order_and_padding(
    texts: list[list[int]], name: str
) -> None:
    model, inputs, metric = Reads(), pad(texts), METRICS[name]
    R = torch.randn(inputs["input_ids"].shape).round()  # with ties
    labels = [0, 0, 1, 1, 2, 2, 0]
    rows = [5, 2, 0, 6, 1, 3, 4]
    together = metric(model, inputs, R, labels, seed=7).values
    chunked = metric(model, inputs, R, labels, seed=7, chunk=3).values
    turned = metric(
        model, part(inputs, rows, 12), R[rows], [labels[i] for i in rows], ids=rows, seed=7
    ).values
    alone = [
        metric(model, part(inputs, [i], len(texts[i])), R[[i], : len(texts[i])], labels[i],
               ids=[i], seed=7).values
        for i in range(7)
    ]  # fmt: skip

    torch.testing.assert_close(chunked, together, rtol=1e-12, atol=0, equal_nan=True)
    torch.testing.assert_close(turned, together[rows], rtol=1e-12, atol=0, equal_nan=True)
    torch.testing.assert_close(torch.cat(alone), together, rtol=1e-12, atol=0, equal_nan=True)


def test_each_run_of_the_random_order_is_another_one() -> None:
    weights, x = torch.stack([torch.arange(30.0), torch.zeros(30)]), torch.ones(1, 30)
    one, eight = (
        WordDeleting(most=1, read="logit", order="random", runs=runs)(
            lambda x: x @ weights.T, x, x, 0
        )
        for runs in (1, 8)
    )

    assert one.values.item() != eight.values.item()


@pytest.mark.gpu
@pytest.mark.parametrize("name", METRICS)
def test_a_device_gives_the_same(texts: list[list[int]], name: str) -> None:
    model, inputs, metric = Reads(), pad(texts), METRICS[name]
    R, labels = torch.randn(inputs["input_ids"].shape).round(), [0, 0, 1, 1, 2, 2, 0]
    here = metric(model, inputs, R, labels).values
    on_device = {key: each.cuda() for key, each in inputs.items()}
    there = metric(model.cuda(), on_device, R.cuda(), torch.tensor(labels).cuda()).values

    torch.testing.assert_close(there.cpu(), here, rtol=1e-9, atol=0, equal_nan=True)


def test_a_constant_map_is_a_random_order(texts: list[list[int]]) -> None:
    model, inputs = Reads(), pad(texts)
    constant = torch.ones(inputs["input_ids"].shape)
    found = WordDeleting(most=4, read="probability")(model, inputs, constant)
    random = WordDeleting(most=4, read="probability", order="random", runs=1)(
        model, inputs, constant
    )

    assert curve(found) == curve(random)


# Words of several tokens, special tokens, padding.

SENTENCES = ("un ##like ##ly good film", "not bad")
R_SPOKEN = torch.tensor([[9.0, 0, 2, 0, 1, 1.5, 9], [9, 1, 2, 9, 8, 8, 8]], dtype=torch.float64)


class Recorded(nn.Module):
    """Notes the ids and masks it was asked about."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model, self.seen = model, []
        self.eval()

    def forward(self, input_ids: Tensor, attention_mask: Tensor, **others: Tensor) -> Tensor:
        rows = zip(input_ids.tolist(), attention_mask.tolist(), strict=True)
        self.seen += [[i for i, kept in zip(*row, strict=True) if kept] for row in rows]
        return self.model(input_ids, attention_mask, **others)


def told_by_inputs(model: nn.Module) -> tuple[Any, dict[str, Any], WordDeleting]:
    return Spoken(*SENTENCES), {}, WordDeleting(most=2, how="remove")


def told_by_the_explanation(model: nn.Module) -> tuple[Any, dict[str, Any], WordDeleting]:
    inputs = Spoken(*SENTENCES)
    ex = whence.explain(model, inputs)
    return dict(inputs), {"explanation": ex}, WordDeleting(most=2, how="remove")


def told_by_a_tokenizer(model: nn.Module) -> tuple[Any, dict[str, Any], WordDeleting]:
    metric = WordDeleting(most=2, how="remove", tokenizer=Tokenizer())
    return dict(Spoken(*SENTENCES)), {}, metric


TOLD = [told_by_inputs, told_by_the_explanation, told_by_a_tokenizer]


@pytest.mark.parametrize("told", TOLD)
def test_the_tokens_of_a_word_go_together_and_special_ones_stay(
    told: Callable[[nn.Module], tuple[Any, dict[str, Any], WordDeleting]],
) -> None:
    model = Recorded(SumOfWords().eval())
    inputs, others, metric = told(model)
    model.seen.clear()
    metric(model, inputs, R_SPOKEN, **others)
    un, like, ly, good, film, bad = (
        VOCABULARY.index(each) for each in ("un", "##like", "##ly", "good", "film", "bad")
    )
    untouched = [[1, un, like, ly, good, film, 2], [1, VOCABULARY.index("not"), bad, 2]]
    # "unlikely" is worth 0 + 2 + 0, more than "film" with 1.5.
    first = [[1, good, film, 2], [1, good, 2]]
    second = [[1, VOCABULARY.index("not"), 2], [1, 2]]

    assert sorted(model.seen) == sorted(untouched + first + second)


def test_some_samples_of_a_data_set_still_know_their_words() -> None:
    model = Recorded(SumOfWords().eval())
    part = Inputs.of(Spoken("good", *SENTENCES)).chunk(1, 3)
    found = WordDeleting(most=2, how="remove")(model, part, R_SPOKEN)

    assert found.details["words"].tolist() == [3, 2]
    assert all(each[0] == 1 and each[-1] == 2 for each in model.seen)


def test_special_ids_can_be_named() -> None:
    model = Recorded(SumOfWords().eval())
    WordDeleting(most=9, how="remove", special=(1, 2))(
        model, dict(Spoken("not bad")), R_SPOKEN[:1, :4]
    )

    assert [1, 2] in model.seen
    assert all(each[0] == 1 and each[-1] == 2 for each in model.seen)


def test_padding_is_never_deleted(inputs: dict[str, Tensor]) -> None:
    # Padding would be the most relevant of all; three deletions must hit three words.
    values = torch.where(inputs["attention_mask"] == 0, 100.0, worth(inputs))
    found = WordDeleting(most=3, how="remove")(classify, inputs, values, TRUE)

    assert curve(found) == [[1, 0, 0, 0], [1, 1, 1, 1]]


def test_padding_is_known_by_its_id_where_there_is_no_mask() -> None:
    model = nn.Sequential(nn.Embedding(6, 2, padding_idx=0), nn.Flatten(), nn.Linear(8, 2))
    ids = torch.tensor([[1, 2, 0, 0], [3, 4, 5, 1]])
    found = WordDeleting(most=4)(model.eval(), ids, torch.rand(2, 4))

    assert found.details["words"].tolist() == [2, 4]


def test_what_belongs_to_tokens_moves_with_them_and_positions_stay() -> None:
    seen: list[dict[str, Tensor]] = []

    def look(**named: Tensor) -> Tensor:
        seen.append(named)
        return classify(named["input_ids"], named["attention_mask"])

    inputs = pad([[1, 3, 2, 4]]) | {
        "token_type_ids": torch.tensor([[0, 1, 2, 3]]),
        "position_ids": torch.tensor([[5, 6, 7, 8]]),
    }
    WordDeleting(most=1, how="remove", texts="all")(look, inputs, worth(inputs), 1)

    assert {name: each.tolist() for name, each in seen[1].items()} == {
        "input_ids": [[3, 2, 4]],
        "attention_mask": [[1, 1, 1]],
        "token_type_ids": [[1, 2, 3]],
        "position_ids": [[5, 6, 7]],
    }


@pytest.mark.parametrize("how", ["blank", "remove"])
@pytest.mark.parametrize("pooled", [False, True])
def test_vectors_are_deleted_as_their_ids_are(
    texts: list[list[int]], how: str, pooled: bool
) -> None:
    model, inputs = Reads(), pad(texts)
    R = torch.randn(*inputs["input_ids"].shape, 5)
    metric = WordDeleting(most=4, read="probability", how=how)
    vectors = {
        "inputs_embeds": model.embedding(inputs["input_ids"]).detach(),
        "attention_mask": inputs["attention_mask"],
    }

    def from_vectors(inputs_embeds: Tensor, attention_mask: Tensor) -> Tensor:
        weight = (attention_mask * 0.8 ** (attention_mask.cumsum(1) - 1)).unsqueeze(2)
        return model.head((inputs_embeds * weight).sum(1).tanh())

    by_vectors = metric(from_vectors, vectors, R.sum(2) if pooled else R)
    by_ids = metric(model, inputs, R.sum(2))

    torch.testing.assert_close(by_vectors.values, by_ids.values)


def test_relevance_comes_as_an_explanation_has_it(texts: list[list[int]]) -> None:
    model, inputs = Reads(), pad(texts)
    ex = whence.explain(model, inputs)
    metric = WordDeleting(most=4, read="probability")

    assert torch.equal(
        metric(model, inputs, ex.relevance).values,
        metric(model, inputs, ex.relevance["input_ids"]).values,
    )


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
