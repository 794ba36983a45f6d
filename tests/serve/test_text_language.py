"""Language models over the API: how a text goes on and why, against a model done by hand."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from language import NAME, WORDS, language_server, tiny
from serving import Client, decoded
from whence.serve._text_continuing import continue_text, explain_tokens, written
from whence.serve._text_schemas import AskContinuation

CONTINUE, EXPLAIN = "api/continue", "api/explain/continuation"
NET = tiny()
WEIGHTS = NET.module.state_dict()
LAST, ALL = WEIGHTS["last.weight"].T.numpy(), WEIGHTS["all.weight"].T.numpy()


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with language_server(tmp_path_factory.mktemp("data")) as address:
        made = Client(address)
        yield made
        made.close()


def logits(ids: list[int]) -> np.ndarray:
    """The scores of what follows: A[x_t] + sum_i B[x_i]."""
    return LAST[ids[-1]] + sum(ALL[each] for each in ids)


def shares(ids: list[int], token: int) -> np.ndarray:
    """What each word before it adds to the score of a token."""
    found = np.array([ALL[each, token] for each in ids])
    found[-1] += LAST[ids[-1], token]
    return found


def asked(client: Client, path: str, **more: Any) -> Any:
    found = client.post(path, {"model": NAME, "text": "the cat"} | more)
    assert found.status == 200, found.body
    return found.json


def test_the_likeliest_word_follows_each_time(client: Client) -> None:
    found = asked(client, CONTINUE, tokens=4)

    assert found["prompt"] == ["the", " cat"]
    assert [each["text"] for each in found["generated"]] == [" sat", " on", " a", " mat"]
    assert found["ended"] is False


def test_a_model_may_end_by_itself(client: Client) -> None:
    found = asked(client, CONTINUE, tokens=60)

    assert [each["id"] for each in found["generated"]] == [3, 4, 5, 6, 7]
    assert found["ended"] is True


def test_probabilities_are_the_softmax_of_the_scores(client: Client) -> None:
    step = asked(client, CONTINUE, tokens=2)["generated"][1]
    powers = np.exp(logits([1, 2, 3]))
    best = np.argsort(-powers)[:4]

    assert step["probability"] == pytest.approx(powers[4] / powers.sum(), rel=1e-12)
    assert [each["id"] for each in step["likeliest"]] == best.tolist()


def test_each_token_gets_the_shares_that_make_its_score(client: Client) -> None:
    found = asked(client, EXPLAIN, tokens=3)
    R = decoded(found["relevance"])
    ids = [1, 2, 3, 4, 5]

    assert found["ids"] == ids[2:]
    assert found["scores"] == pytest.approx(
        [logits(ids[: 2 + k])[ids[2 + k]] for k in range(3)], rel=1e-12
    )
    # The rule's own stabiliser, a millionth, is all that may be missing.
    for_each = [np.pad(shares(ids[: 2 + k], ids[2 + k]), (0, 3 - k)) for k in range(3)]
    np.testing.assert_allclose(R, np.array(for_each), atol=2e-5)
    assert found["conserves"] == [True] * 3


def test_a_contrast_is_against_the_second_likeliest(client: Client) -> None:
    found = asked(client, EXPLAIN, tokens=1, of="contrast")
    second = int(np.argsort(-logits([1, 2]))[1])
    wanted = shares([1, 2], 3) - shares([1, 2], second)

    np.testing.assert_allclose(decoded(found["relevance"])[0, :2], wanted, atol=2e-5)


def test_what_api_continue_gave_is_explained_as_it_is(client: Client) -> None:
    ids = [each["id"] for each in asked(client, CONTINUE, tokens=3)["generated"]]
    given = asked(client, EXPLAIN, continuation=ids)
    made = asked(client, EXPLAIN, tokens=3)

    assert given["relevance"] == made["relevance"]
    assert given["tokens"] == ["the", " cat", " sat", " on", " a"]


def test_another_continuation_may_be_asked_about(client: Client) -> None:
    found = asked(client, EXPLAIN, continuation=[1])

    assert found["scores"] == pytest.approx([logits([1, 2])[1]])


@pytest.mark.parametrize(
    ("path", "more", "code"),
    [
        (CONTINUE, {"text": " \n"}, "empty_text"),
        (CONTINUE, {"text": "the " * 600}, "text_too_long"),
        (CONTINUE, {"text": "x" * 20_001}, "text_too_long"),
        (CONTINUE, {"tokens": 0}, "bad_field"),
        (CONTINUE, {"tokens": 65}, "bad_field"),
        (CONTINUE, {"tokens": 2.0}, "bad_field"),
        (CONTINUE, {"model": "sst-lstm"}, "wrong_kind"),
        (CONTINUE, {"text": WORDS[-1]}, "not_explained"),
        (EXPLAIN, {"continuation": []}, "bad_field"),
        (EXPLAIN, {"continuation": [8]}, "bad_field"),
        (EXPLAIN, {"continuation": [-1]}, "bad_field"),
        (EXPLAIN, {"continuation": [10**30]}, "bad_field"),
        (EXPLAIN, {"continuation": [1] * 65}, "bad_field"),
        (EXPLAIN, {"of": "magic"}, "bad_field"),
        (EXPLAIN, {"method": "magic"}, "unknown_method"),
        (EXPLAIN, {"method": "grad-cam"}, "not_explained"),
        (EXPLAIN, {"method": "patternnet"}, "not_explained"),
        (EXPLAIN, {"composite": "magic"}, "unknown_composite"),
        ("api/explain/text", {}, "wrong_kind"),
    ],
)
def test_wrong_questions_get_their_documented_error(
    client: Client, path: str, more: dict[str, Any], code: str
) -> None:
    found = client.post(path, {"model": NAME, "text": "the cat"} | more)

    assert found.code == code


def test_the_page_without_scripts_has_a_row_for_each_token(client: Client) -> None:
    fields = {"model": NAME, "text": "the cat", "tokens": "9", "of": "logit"}
    page = client.upload("text", fields).body.decode()

    assert page.count("<h2>Why “") == 5
    assert "Why “sat”?" in page
    assert "Its score (logit) is 8.259." in page
    assert "&lt;b&gt;&amp;amp;&lt;/b&gt;" in page
    assert "<b>&amp;" not in page
    assert "whence serve --model FOLDER" not in page


def test_samples_of_a_language_model_are_beginnings(client: Client) -> None:
    found = client.get(f"api/samples?model={NAME}").json

    assert client.get(found[0]["url"]).body == b"The capital of France is"


@pytest.mark.parametrize(
    ("tokens", "pieces"),
    [
        (["Ġthe", "Ġsat", "urn"], ["the", " sat", "urn"]),
        (["▁the", "▁sat", "urn"], ["the", " sat", "urn"]),
        (["the", "sat", "##urn"], ["the", " sat", "urn"]),
        (["ĠthÃ©", "Ċ", "Ġa"], ["thé", "\n", " a"]),
    ],
)
def test_tokens_stand_as_in_a_text(tokens: list[str], pieces: list[str]) -> None:
    class Marked:
        def convert_ids_to_tokens(self, ids: list[int]) -> list[str]:
            return [tokens[each] for each in ids]

    assert written(Marked(), range(len(tokens))) == pieces


def test_the_model_is_as_it_was() -> None:
    net = tiny()
    before = {name: value.clone() for name, value in net.module.state_dict().items()}
    explain_tokens(net, AskContinuation(model=NAME, text="the cat", tokens=2))
    continue_text(net, "the", 2)

    assert all(torch.equal(before[name], each) for name, each in net.module.state_dict().items())
    assert all(each.grad is None and each.requires_grad for each in net.module.parameters())
    assert not net.module.training
