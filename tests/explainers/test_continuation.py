"""Why a language model went on as it did."""

import pytest
import torch
from torch import Tensor

import whence
from texts import Spoken, SumSoFar, Tokenizer
from whence.errors import InvalidInput

PROMPT, MADE = [1, 3, 4], [6, 5, 10]


def read(ids: list[int]) -> dict[str, Tensor]:
    return {"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids)).long()}


@pytest.fixture
def model() -> SumSoFar:
    return SumSoFar()


def test_the_matrix_by_hand(model: SumSoFar) -> None:
    ex = whence.explain_continuation(model, PROMPT, MADE)
    expected = torch.stack([model.shares(torch.tensor(PROMPT), k) for k in MADE])
    among = torch.stack([model.shares(torch.tensor(MADE), k) for k in MADE]).tril(-1)

    torch.testing.assert_close(ex.matrix, expected.detach(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(ex.onto_generated, among.detach(), rtol=1e-5, atol=1e-6)
    assert ex.score.shape == (3, 1)


def test_one_pass_is_what_one_after_the_other_gives(model: SumSoFar) -> None:
    together = whence.explain_continuation(model, PROMPT, MADE)
    alone = [
        whence.explain(
            model,
            {
                "input_ids": (ids := torch.tensor([PROMPT + MADE[:number]])),
                "attention_mask": ids > 0,
            },
            whence.targets.Token(token),
        )
        for number, token in enumerate(MADE)
    ]

    torch.testing.assert_close(
        together.matrix, torch.cat([each.relevance["input_ids"][:, :3] for each in alone])
    )
    torch.testing.assert_close(together.score[:, 0], torch.cat([each.score for each in alone]))


def test_the_model_runs_once(model: SumSoFar) -> None:
    calls = []
    model.register_forward_hook(lambda *_: calls.append(1))
    whence.explain_continuation(model, PROMPT, MADE)

    assert len(calls) == 1


def test_scores_may_be_log_probabilities(model: SumSoFar) -> None:
    ex = whence.explain_continuation(model, PROMPT, MADE, of="log-probability")
    ids = torch.tensor([PROMPT + MADE[:-1]])
    logs = model(ids, torch.ones_like(ids))[0, 2:].log_softmax(1)

    torch.testing.assert_close(ex.score[:, 0], logs[[0, 1, 2], MADE].detach())


def test_scores_may_be_contrasts_with_another_token(model: SumSoFar) -> None:
    of = {"of": "contrast"}
    token = whence.explain_continuation(model, PROMPT, MADE, instead=7, **of)
    each = whence.explain_continuation(model, PROMPT, MADE, instead=[7, 8, 9], **of)
    words = whence.explain_continuation(
        model, PROMPT, MADE, instead="un", tokenizer=Tokenizer(), **of
    )
    expected = model.shares(torch.tensor(PROMPT), 10) - model.shares(torch.tensor(PROMPT), 9)

    torch.testing.assert_close(each.matrix[2], expected.detach(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(each.matrix[0], token.matrix[0])
    torch.testing.assert_close(words.matrix, token.matrix)


def test_without_another_token_the_best_other_is_meant(model: SumSoFar) -> None:
    ex = whence.explain_continuation(model, PROMPT, MADE[:1], of="contrast")
    ids = torch.tensor([PROMPT])
    z = model(ids, torch.ones_like(ids))[0, -1].detach()
    others = z.clone()
    others[6] = float("-inf")

    torch.testing.assert_close(ex.score, (z[6] - others.max()).view(1, 1))


def test_words_are_prompts_where_the_tokenizer_is_known(model: SumSoFar) -> None:
    ex = whence.explain_continuation(model, "not good", "film .", tokenizer=Tokenizer())

    assert ex.generated == ["film", "."]
    assert ex.tokens == [["[CLS]", "not", "good", "[SEP]", "film"]]
    assert ex.matrix.shape == (2, 4)


def test_a_prompt_may_be_what_a_tokenizer_returns(model: SumSoFar) -> None:
    ex = whence.explain_continuation(model, Spoken("not good"), torch.tensor([6]))

    assert ex.matrix.shape == (1, 4)
    assert ex.generated == ["#6"]


class Writer(SumSoFar):
    def generate(self, input_ids: Tensor, max_new_tokens: int, **others: object) -> Tensor:
        return torch.cat([input_ids, input_ids.new_full((1, max_new_tokens), 6)], 1)


def test_without_a_continuation_the_model_writes_one() -> None:
    ex = whence.explain_continuation(Writer(), PROMPT, length=2)

    assert ex.ids == (6, 6)


def test_the_page_has_a_row_for_each_generated_token(model: SumSoFar) -> None:
    ex = whence.explain_continuation(model, "not good", "film .", tokenizer=Tokenizer())
    titles = [row[0] for row in ex.rows()]

    assert [title.split(",")[0] for title in titles] == ["film", "."]


@pytest.mark.parametrize(
    ("arguments", "options", "match"),
    [
        (("not", [3]), {}, "A prompt in words needs tokenizer="),
        ((PROMPT, "film"), {}, "A continuation in words needs tokenizer="),
        ((PROMPT, []), {}, r"the ids of one text, at least one; got shape \(0,\)"),
        (([[1], [2]], [3]), {}, r"ids of one text.*got shape \(2, 1\)"),
        ((PROMPT,), {}, "cannot generate; give the continuation"),
        ((PROMPT, MADE), {"of": "odds"}, "of= must be one of logit, log-probability, contrast"),
        ((PROMPT, MADE), {"of": "contrast", "instead": "a"}, "instead= in words needs tokenizer="),
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_refused(
    model: SumSoFar, arguments: tuple[object, ...], options: dict[str, object], match: str
) -> None:
    with pytest.raises(InvalidInput, match=match):
        whence.explain_continuation(model, *arguments, **options)
