"""Word deleting where words have several tokens, and texts special ones and padding."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import whence
from deleting import SENTENCES, TRUE, Reads, classify, curve, worth
from texts import VOCABULARY, Spoken, SumOfWords, Tokenizer
from whence.explainers._inputs import Inputs
from whence.metrics import WordDeleting
from whence.zoo._words import pad


@pytest.fixture
def inputs() -> dict[str, Tensor]:
    return pad([[1, 3, 2, 4], [5, 1, 2, 5, 5]])  # worth 2, and 6.5


@pytest.fixture
def texts() -> list[list[int]]:
    return [torch.randint(1, 20, (n,)).tolist() for n in (9, 3, 1, 6, 12, 5, 9)]


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
