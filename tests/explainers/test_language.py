"""Targets on scores of each token, and words as targets."""

import pytest
import torch
from torch import Tensor, nn

import whence
from texts import VOCABULARY, Spoken, SumOfWords, SumSoFar, Tokenizer
from whence.errors import InvalidInput
from whence.explainers import Occlusion
from whence.targets import Contrast, Each, Highest, Logit, LogProbability, Relative, Span, Token

TEXTS = ("not un ##like ##ly good .", "good film")


@pytest.fixture
def model() -> SumSoFar:
    return SumSoFar()


@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("position", [None, -1])
def test_the_last_token_is_the_last_before_the_padding(
    model: SumSoFar, left: bool, position: int | None
) -> None:
    inputs = Spoken(*TEXTS, left=left)
    ex = whence.explain(model, inputs, Logit(5, position))
    last = [7, 7] if left else [7, 3]

    torch.testing.assert_close(ex.score, model(**inputs)[[0, 1], last, 5].detach())


def test_negative_positions_count_back_from_the_end_of_each_text(model: SumSoFar) -> None:
    inputs = Spoken(*TEXTS)
    ex = whence.explain(model, inputs, Token(5, -3))

    torch.testing.assert_close(ex.score, model(**inputs)[[0, 1], [5, 1], 5].detach())
    assert not ex.relevance["input_ids"][1, 2:].any()
    assert ex.target.position.tolist() == [5, 1]


def test_the_highest_score_is_that_of_the_last_token(model: SumSoFar) -> None:
    inputs = Spoken(*TEXTS)
    ex = whence.explain(model, inputs)

    torch.testing.assert_close(ex.score, model(**inputs)[[0, 1], [7, 3]].amax(1).detach())


def test_other_methods_mean_the_same_position(model: SumSoFar) -> None:
    inputs = Spoken(*TEXTS)

    torch.testing.assert_close(
        Occlusion(model, value=0).explain(inputs).score, whence.explain(model, inputs).score
    )


def test_a_text_alone_has_the_positions_it_has_in_a_batch(model: SumSoFar) -> None:
    together = whence.explain(model, Spoken(*TEXTS), Token([4, 6], [-1, 2]))
    alone = [
        whence.explain(model, Spoken(text), Token(k, place))
        for text, k, place in zip(TEXTS, (4, 6), (-1, 2), strict=True)
    ]
    parts = whence.explain(model, Spoken(*TEXTS), Token([4, 6], [-1, 2]), batch_size=1)

    for number in (0, 1):
        torch.testing.assert_close(
            together.token_relevance[number], alone[number].token_relevance[0]
        )
    torch.testing.assert_close(parts.relevance["input_ids"], together.relevance["input_ids"])


def test_several_targets_equal_a_loop(model: SumSoFar) -> None:
    inputs = Spoken(*TEXTS)
    targets = [Token(4), Contrast(4, 5), LogProbability(6, 2), Highest(position=1)]
    together = whence.explain(model, inputs, Each(targets))
    alone = [whence.explain(model, inputs, target) for target in targets]

    torch.testing.assert_close(
        together.relevance["input_ids"], torch.stack([e.relevance["input_ids"] for e in alone])
    )
    torch.testing.assert_close(together.features, torch.stack([e.features for e in alone]))
    torch.testing.assert_close(together.score, torch.stack([e.score for e in alone]))


def test_what_a_log_probability_does_not_carry_is_booked_as_bias(model: SumSoFar) -> None:
    inputs = Spoken("not good")
    ex = whence.explain(model, inputs, LogProbability(4))
    z = model(**inputs)[:, -1].detach()
    entropy = -(z.softmax(1) * z.log_softmax(1)).sum(1)
    rows = {row["op"]: row for row in ex.ledger.to_rows()}

    torch.testing.assert_close(ex.score, z.log_softmax(1)[:, 4])
    assert rows["target"]["bias"] == pytest.approx(-float(entropy), rel=1e-12)
    ex.ledger.check()


def test_a_reference_value_works_at_a_position(model: SumSoFar) -> None:
    inputs = Spoken("not good")
    ex = whence.explain(model, inputs, Relative(1.0, Token(4)))

    torch.testing.assert_close(ex.score, model(**inputs)[:, -1, 4].detach() - 1)


@pytest.mark.parametrize("target", ["good", Token("good"), Token(["good"])], ids=str)
def test_a_word_is_a_target_where_the_tokenizer_is_known(model: SumSoFar, target: object) -> None:
    ex = whence.explain(model, Spoken("not"), target, tokenizer=Tokenizer())

    torch.testing.assert_close(ex.score, model(**Spoken("not"))[:, -1, 4].detach())


def test_two_words_are_a_contrast(model: SumSoFar) -> None:
    inputs = Spoken("not")
    target = Each([Contrast("good", "bad")])
    ex = whence.explain(model, inputs, target, tokenizer=Tokenizer())
    z = model(**inputs)[:, -1].detach()

    torch.testing.assert_close(ex.score[0], z[:, 4] - z[:, 5])


def test_a_word_of_several_tokens_is_refused(model: SumSoFar) -> None:
    with pytest.raises(InvalidInput, match=r"one token, but 'un ##like' is 2: \['un', '##like'\]"):
        whence.explain(model, Spoken("not"), "un ##like", tokenizer=Tokenizer())


def test_a_word_without_a_tokenizer_is_refused(model: SumSoFar) -> None:
    with pytest.raises(InvalidInput, match="Strings need the tokenizer"):
        whence.explain(model, Spoken("not"), Token("good"))


@pytest.mark.parametrize(
    ("position", "match"),
    [
        (8, r"below 8, or counted back from its end; got \[8, 8\]"),
        (-5, r"counted back from its end; got \[-5, -5\]"),
        ([1, 2, 3], r"One position for each of the 2 samples is needed, got shape \(3,\)"),
    ],
    ids=str,
)
def test_a_position_outside_of_a_text_is_refused(
    model: SumSoFar, position: object, match: str
) -> None:
    with pytest.raises(InvalidInput, match=match):
        whence.explain(model, Spoken(*TEXTS), Token(4, position))


def test_scores_of_places_that_are_no_tokens_have_no_default() -> None:
    model = nn.Conv1d(2, 3, 1)

    with pytest.raises(InvalidInput, match="For scores of each token give position="):
        whence.explain(model, torch.ones(1, 2, 5))


class Answers(nn.Module):
    """A start and an end score for each token."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(VOCABULARY), 4)
        self.scores = nn.Linear(4, 2, bias=False)
        self.double()

    def forward(self, input_ids: Tensor, **others: Tensor) -> dict[str, Tensor]:
        start, end = self.scores(self.embedding(input_ids)).unbind(2)
        return {"start_logits": start, "end_logits": end}


def test_a_span_is_explained_by_its_ends() -> None:
    model, inputs = Answers(), Spoken("not good film")
    ex = whence.explain(model, inputs, Span(1, 3))
    out = model(**inputs)
    expected = torch.zeros(1, 5, dtype=torch.float64)
    expected[0, 1], expected[0, 3] = out["start_logits"][0, 1], out["end_logits"][0, 3]

    torch.testing.assert_close(ex.relevance["input_ids"], expected.detach(), rtol=1e-6, atol=1e-8)


def test_the_best_span_is_in_the_text_and_after_the_question() -> None:
    inputs = Spoken("not good film", "good")
    inputs.tensors["token_type_ids"] = torch.tensor([[0, 0, 1, 1, 0], [0, 0, 0, 0, 0]])
    ex = whence.explain(Answers(), inputs)

    assert set(ex.target.start.tolist()[:1]) <= {2, 3}
    assert set(ex.target.end.tolist()[:1]) <= {2, 3}
    assert ex.target.end.tolist()[1] <= 2
    assert not ex.relevance["input_ids"][1, 3:].any()


def test_an_answer_has_no_classes() -> None:
    with pytest.raises(InvalidInput, match=r"which have no classes. Use targets.Span"):
        whence.explain(Answers(), Spoken("not good film"), 1)


def test_a_classifier_has_no_positions() -> None:
    with pytest.raises(InvalidInput, match="Leave it out"):
        whence.explain(SumOfWords(), Spoken("not good"), Token(1))
