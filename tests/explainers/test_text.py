"""Explanations of text: tokens, words and sentences of any model that reads token ids."""

import pytest
import torch
from torch import Tensor, nn

import whence
from texts import Spoken, SumOfWords, SumSoFar, Tokenizer
from whence._explanation import Explanation
from whence._text_explanation import TextExplanation
from whence.composites import Composite, where
from whence.errors import InvalidInput
from whence.explainers import LRP, Occlusion
from whence.rules import Zero
from whence.targets import Contrast, Each

ZERO = Composite([(where.nature("linear"), Zero())])
TEXTS = ("not un ##like ##ly good .", "good film")


def explained(*texts: str, target: object = 0, **options: object) -> TextExplanation:
    found = LRP(SumOfWords(), ZERO).explain(Spoken(*texts, **options), target)
    assert isinstance(found, TextExplanation)
    return found


def test_tokens_words_and_sentences_by_hand() -> None:
    model, inputs = SumOfWords(), Spoken("not un ##like ##ly good . film")
    ex = whence.explain(model, inputs, 1, composite=ZERO)
    R = model.shares(inputs["input_ids"], 1)[0].sum(1).detach()

    assert ex.tokens == [inputs.tokens(0)]
    assert ex.words == [["not", "unlikely", "good", ".", "film"]]
    assert ex.specials == [["[CLS]", "[SEP]"]]
    assert ex.sentences == [["not unlikely good.", "film"]]
    torch.testing.assert_close(ex.token_relevance[0], R)
    torch.testing.assert_close(
        ex.word_relevance[0], torch.stack([R[1], R[2] + R[3] + R[4], R[5], R[6], R[7]])
    )
    torch.testing.assert_close(ex.special_relevance[0], R[[0, 8]])
    torch.testing.assert_close(ex.sentence_relevance[0], torch.stack([R[1:7].sum(), R[7]]))


def test_words_and_special_tokens_sum_to_the_score() -> None:
    ex = explained(*TEXTS)
    sums = [
        words.sum() + specials.sum()
        for words, specials in zip(ex.word_relevance, ex.special_relevance, strict=True)
    ]

    torch.testing.assert_close(torch.stack(sums), ex.score)


@pytest.mark.parametrize("left", [False, True])
def test_padding_is_no_token_and_gets_nothing(left: bool) -> None:
    inputs = Spoken(*TEXTS, left=left)
    ex = LRP(SumOfWords(), ZERO).explain(inputs, 0)

    assert ex.tokens[1] == ["[CLS]", "good", "film", "[SEP]"]
    assert not ex.relevance["input_ids"][inputs["attention_mask"] == 0].any()


def test_features_are_the_relevance_before_the_sum_over_the_embedding() -> None:
    model, inputs = SumOfWords(), Spoken(*TEXTS)
    ex = LRP(model, ZERO).explain(inputs, 2)
    shares = model.shares(inputs["input_ids"], 2) * inputs["attention_mask"].unsqueeze(2)

    assert ex.features.shape == (2, 8, 4)
    torch.testing.assert_close(ex.features, shares.detach())
    torch.testing.assert_close(ex.features.sum(2), ex.relevance["input_ids"])


class Moved(SumOfWords):
    """Embeds the ids after moving them about."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor, **others: Tensor) -> Tensor:
        flat = input_ids.flip(1).transpose(0, 1).reshape(-1)
        vectors = self.embedding(flat).view(input_ids.shape[1], len(input_ids), -1)
        back = vectors.transpose(0, 1).flip(1)
        return self.classifier((back * attention_mask.unsqueeze(2).double()).sum(1))


def test_features_follow_ids_that_were_moved_before_they_were_embedded() -> None:
    model, inputs = Moved(), Spoken(*TEXTS)
    ex = LRP(model, ZERO).explain(inputs, 2)
    shares = model.shares(inputs["input_ids"], 2) * inputs["attention_mask"].unsqueeze(2)

    torch.testing.assert_close(ex.features, shares.detach())


class Twice(SumOfWords):
    """Reads the ids once whole, and once without the first token."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor, **others: Tensor) -> Tensor:
        again = self.embedding(input_ids[:, 1:]).sum(1)
        return self.classifier(self.embedding(input_ids).sum(1) + again)


def test_features_of_ids_that_are_embedded_twice_add() -> None:
    model, inputs = Twice(), Spoken("good film")
    ex = LRP(model, ZERO).explain(inputs, 0)
    times = torch.tensor([1.0, 2, 2, 2]).view(1, 4, 1)

    torch.testing.assert_close(ex.features, model.shares(inputs["input_ids"], 0).detach() * times)


class Pair(SumOfWords):
    """Reads two texts with one table."""

    def forward(self, input_ids: Tensor, decoder_input_ids: Tensor) -> Tensor:
        first, second = self.embedding(input_ids), self.embedding(decoder_input_ids)
        return self.classifier(first.sum(1) + 2 * second.sum(1))


def test_two_texts_that_share_a_table_keep_their_own_features() -> None:
    model = Pair()
    inputs = {"input_ids": torch.tensor([[3, 4]]), "decoder_input_ids": torch.tensor([[5, 6, 3]])}
    ex = whence.explain(model, inputs, 1, composite=ZERO, tokenizer=Tokenizer())
    part = ex.part("decoder_input_ids")

    torch.testing.assert_close(ex.features, model.shares(inputs["input_ids"], 1).detach())
    torch.testing.assert_close(
        part.features, 2 * model.shares(inputs["decoder_input_ids"], 1).detach()
    )
    assert (ex.words, part.words) == ([["not", "good"]], [["bad", "film", "not"]])


class Shifted(SumOfWords):
    """Puts a start token before the ids, as some decoders do."""

    def forward(self, input_ids: Tensor) -> Tensor:
        shifted = input_ids.new_zeros(input_ids.shape)
        shifted[:, 1:] = input_ids[:, :-1]
        return self.classifier(self.embedding(shifted).sum(1))


def test_ids_that_are_mixed_with_constants_have_relevance_but_no_features() -> None:
    model, ids = Shifted(), torch.tensor([[3, 4, 5]])
    ex = LRP(model, ZERO).explain({"input_ids": ids}, 0)
    expected = model.shares(ids, 0).sum(2).detach() * torch.tensor([1, 1, 0])

    torch.testing.assert_close(ex.relevance["input_ids"], expected)
    assert ex.features == {}


@pytest.mark.parametrize("method", ["lrp", "gradient-times-input"])
def test_ids_that_are_mixed_with_constants_keep_their_relevance_also_id_0(method: str) -> None:
    model, ids = Shifted(), torch.tensor([[0, 4, 0]])
    ex = whence.explain(model, {"input_ids": ids}, 0, method, ledger="full")
    expected = model.shares(ids, 0).sum(2).detach() * torch.tensor([1, 1, 0])

    torch.testing.assert_close(ex.relevance["input_ids"], expected, rtol=1e-5, atol=1e-6)


def test_a_gradient_of_ids_that_are_mixed_with_constants_is_refused() -> None:
    with pytest.raises(InvalidInput, match="token ids are counted or changed before"):
        whence.explain(Shifted(), {"input_ids": torch.tensor([[3, 4]])}, 0, "sensitivity")


def test_sensitivity_sums_the_squared_gradient_over_the_embedding() -> None:
    model, inputs = SumOfWords(), Spoken("good film")
    ex = whence.explain(model, inputs, 1, "sensitivity")
    squares = model.classifier.weight[1].square().detach()

    torch.testing.assert_close(ex.features, squares.expand(1, 4, 4))
    torch.testing.assert_close(ex.relevance["input_ids"], squares.sum().expand(1, 4))


def test_an_embedding_bag_has_features_too() -> None:
    bag = nn.EmbeddingBag(11, 4, mode="mean").double()
    model = nn.Sequential(bag, nn.Linear(4, 3, bias=False).double())
    ids = torch.tensor([[3, 4], [5, 5]])
    ex = LRP(model, ZERO).explain(ids, 0)
    expected = bag.weight[ids] * model[1].weight[0] / 2

    torch.testing.assert_close(ex.features, expected.detach())
    torch.testing.assert_close(ex.relevance, expected.sum(2).detach())


def test_the_share_of_the_first_token() -> None:
    ex = explained(*TEXTS)
    expected = [float(each[0].abs() / each.abs().sum()) for each in ex.token_relevance]

    assert ex.first_token_share.tolist() == pytest.approx(expected)


def test_where_nothing_arrived_the_first_token_has_no_share() -> None:
    model = SumOfWords()
    nn.init.zeros_(model.classifier.weight)

    assert whence.explain(model, Spoken("good"), 0).first_token_share.tolist() == [0]


def test_several_targets_make_a_leading_axis() -> None:
    ex = explained(*TEXTS, target=Each([0, 1, Contrast(0, 1)]))

    assert ex.features.shape == (3, 2, 8, 4)
    assert [each.shape for each in ex.word_relevance] == [(3, 4), (3, 2)]
    assert ex.first_token_share.shape == (3, 2)
    torch.testing.assert_close(
        ex.word_relevance[0][2], ex.word_relevance[0][0] - ex.word_relevance[0][1]
    )


def test_a_batch_is_what_its_texts_are() -> None:
    model = SumOfWords()
    together = LRP(model, ZERO).explain(Spoken(*TEXTS), 0)
    alone = [LRP(model, ZERO).explain(Spoken(text), 0) for text in TEXTS]

    torch.testing.assert_close(together.word_relevance[0], alone[0].word_relevance[0])
    torch.testing.assert_close(together.word_relevance[1], alone[1].word_relevance[0])
    assert together.words == [alone[0].words[0], alone[1].words[0]]


def test_parts_of_a_batch_keep_their_text() -> None:
    model = SumOfWords()
    whole = LRP(model, ZERO).explain(Spoken(*TEXTS), 0)
    parts = LRP(model, ZERO).explain(Spoken(*TEXTS), 0, batch_size=1)

    assert parts.words == whole.words
    torch.testing.assert_close(parts.features, whole.features)


def test_a_tokenizer_tells_the_tokens_of_a_plain_dict() -> None:
    inputs = dict(Spoken(*TEXTS))
    ex = whence.explain(SumOfWords(), inputs, 0, tokenizer=Tokenizer())

    assert ex.words == [["not", "unlikely", "good", "."], ["good", "film"]]
    assert ex.specials == [["[CLS]", "[SEP]"]] * 2


@pytest.mark.parametrize(
    "tokens",
    [
        [["a", "b", "c", "d", "e", "f", "g", "h"], ["i", "j", "k", "l"]],
        [["a", "b", "c", "d", "e", "f", "g", "h"], ["i", "j", "k", "l", *["-"] * 4]],
        {"input_ids": [["a", "b", "c", "d", "e", "f", "g", "h"], ["i", "j", "k", "l"]]},
    ],
    ids=["kept", "padded", "by name"],
)
def test_tokens_may_be_given_with_or_without_padding(tokens: object) -> None:
    ex = whence.explain(SumOfWords(), dict(Spoken(*TEXTS)), 0, tokens=tokens)

    assert ex.words[1] == ["i", "j", "k", "l"]


@pytest.mark.parametrize(
    ("tokens", "match"),
    [
        ([["a"], ["b"]], r"must hold 8 tokens for each sample of input_ids \(8 with padding\)"),
        ([["a"] * 8], "a list of tokens for each of the 2 samples of input_ids, got 1"),
        (["a"] * 8, "a list of tokens for each of the 2 samples of input_ids, got 8"),
    ],
    ids=["short", "one", "flat"],
)
def test_tokens_of_another_number_are_refused(tokens: object, match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        whence.explain(SumOfWords(), dict(Spoken(*TEXTS)), 0, tokens=tokens)


def test_ids_that_tell_no_tokens_give_a_plain_explanation() -> None:
    ex = whence.explain(SumOfWords(), dict(Spoken(*TEXTS)), 0)

    assert type(ex) is Explanation
    assert ex.features["input_ids"].shape == (2, 8, 4)


def test_a_tokenizer_needs_token_ids() -> None:
    with pytest.raises(InvalidInput, match="are for inputs of token ids; there is none"):
        whence.explain(nn.Linear(2, 2), torch.ones(1, 2), 0, tokenizer=Tokenizer())


def test_embeddings_are_text_if_their_tokens_are_given() -> None:
    model = SumOfWords()

    def read(inputs_embeds: Tensor) -> Tensor:
        return model.classifier(inputs_embeds.sum(1))

    inputs = {"inputs_embeds": model.embedding(torch.tensor([[3, 4]])).detach()}
    ex = whence.explain(read, inputs, 0, tokens=["not", "good"])

    torch.testing.assert_close(ex.word_relevance[0], ex.relevance["inputs_embeds"][0].sum(1))


@pytest.mark.parametrize("name", ["token_type_ids", "position_ids", "labels", "bbox"])
def test_what_is_no_text_is_not_explained(name: str) -> None:
    ids = torch.ones(2, 8, dtype=torch.int64)
    ex = explained(*TEXTS, **{name: ids})

    assert list(ex.relevance) == ["input_ids"]


def test_occlusion_needs_an_id_where_the_model_names_no_padding() -> None:
    with pytest.raises(InvalidInput, match=r"Occlusion of token ids needs value=, .*names no padd"):
        Occlusion(SumOfWords()).explain(Spoken("good film"), 1)


@pytest.mark.parametrize("method", ["smoothgrad", "integrated-gradients"])
def test_methods_that_need_numbers_say_how_to_give_embeddings(method: str) -> None:
    with pytest.raises(InvalidInput, match=r"token ids\. Explain the embeddings: .*inputs_embeds"):
        whence.explain(SumOfWords(), Spoken("good film"), 1, method)


def test_integrated_gradients_of_embeddings_are_words_that_sum_to_the_score() -> None:
    model, inputs = SumOfWords(), Spoken("un ##like ##ly good")
    vectors = {"inputs_embeds": model.embedding(inputs["input_ids"]).detach()}
    ex = whence.explain(
        lambda inputs_embeds: model.classifier(inputs_embeds.sum(1)),
        vectors, 1, "integrated-gradients", tokens=[inputs.tokens(0)],
    )  # fmt: skip
    shares = model.shares(inputs["input_ids"], 1).sum(-1)[0].detach()

    assert isinstance(ex, TextExplanation)
    assert ex.words == [["unlikely", "good"]]
    torch.testing.assert_close(
        ex.word_relevance[0], torch.stack([shares[1:4].sum(), shares[4]]), rtol=1e-9, atol=0
    )


@pytest.mark.parametrize("options", [{"value": 0}, {}], ids=["given", "the embedding's padding"])
def test_occlusion_replaces_one_token_at_a_time(options: dict[str, int]) -> None:
    model, inputs = SumOfWords(), Spoken("good film")
    model.embedding.padding_idx = None if options else 0
    ex = Occlusion(model, **options).explain(inputs, 1)
    vectors, w = model.embedding.weight, model.classifier.weight[1]
    expected = ((vectors[inputs["input_ids"]] - vectors[0]) @ w).detach()

    torch.testing.assert_close(ex.token_relevance[0], expected[0])
    assert ex.words == [["good", "film"]]


def test_a_text_of_special_tokens_only_is_refused() -> None:
    with pytest.raises(InvalidInput, match="at least one word, but text 1 is empty"):
        whence.explain(SumOfWords(), Spoken("good", ""), 0)


def test_tokens_that_are_not_those_of_the_ids_are_refused() -> None:
    inputs = Spoken("good film")
    inputs.tensors = {key: each[:, :2] for key, each in inputs.tensors.items()}
    inputs.tokens = lambda i: ["a"]  # type: ignore[method-assign]

    with pytest.raises(InvalidInput, match="one entry for each of 2 tokens"):
        whence.explain(SumOfWords(), inputs, 0)


def test_a_language_model_is_explained_at_the_last_token() -> None:
    model, inputs = SumSoFar(), Spoken("not good", "film")
    ex = whence.explain(model, inputs, 4, composite=ZERO)
    shares = model.shares(inputs["input_ids"], 4) * inputs["attention_mask"]

    torch.testing.assert_close(ex.relevance["input_ids"], shares.detach())
    assert "last token are explained" in ex.notes[0]
