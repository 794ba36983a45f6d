"""Bad input is said in words, before the model runs into it."""

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

import whence
from texts import Spoken, SumOfWords, SumSoFar
from whence.errors import InvalidInput


class Placed(SumOfWords):
    """A reader with learned positions, and the names that transformers gives them."""

    def __init__(self, places: int = 5, padding_idx: int | None = None) -> None:
        super().__init__()
        self.position_embeddings = nn.Embedding(places, 4, padding_idx=padding_idx).double()

    def get_input_embeddings(self) -> nn.Module:
        return self.embedding

    def forward(self, input_ids: Tensor, attention_mask: Tensor, **others: Tensor) -> Tensor:
        places = self.position_embeddings(torch.arange(input_ids.shape[1]))
        return self.classifier((self.embedding(input_ids) + places).sum(1))


def ids(*numbers: int) -> dict[str, Tensor]:
    given = torch.tensor([numbers])
    return {"input_ids": given, "attention_mask": torch.ones_like(given)}


@pytest.mark.parametrize(
    "model", [Placed(), SumOfWords(), SumSoFar()], ids=lambda m: type(m).__name__
)
@pytest.mark.parametrize("wrong", [11, -1])
def test_ids_outside_of_the_vocabulary_are_named(model: nn.Module, wrong: int) -> None:
    with pytest.raises(
        InvalidInput,
        match=f"input_ids must lie between 0 and 10, the rows of embedding, got {wrong}",
    ):
        whence.explain(model, ids(3, wrong), 0)


@pytest.mark.parametrize(("places", "padding", "most"), [(5, None, 5), (5, 1, 3)])
def test_a_text_longer_than_the_positions_is_refused(
    places: int, padding: int | None, most: int
) -> None:
    with pytest.raises(InvalidInput, match=f"may have {most} tokens.* got 6.*max_length={most}"):
        whence.explain(Placed(places, padding), ids(1, 2, 3, 4, 5, 6), 0)


def test_a_text_of_all_positions_is_explained() -> None:
    assert whence.explain(Placed(), ids(1, 2, 3, 4, 5), 0).relevance["input_ids"].shape == (1, 5)


def test_other_index_errors_are_the_models_own() -> None:
    def model(input_ids: Tensor) -> Tensor:
        raise IndexError("my own")

    with pytest.raises(IndexError, match="my own"):
        whence.explain(model, {"input_ids": torch.tensor([[1]])}, 0)


def test_a_mask_that_keeps_nothing_is_refused() -> None:
    inputs = dict(Spoken("good film", "bad film"))
    inputs["attention_mask"][1] = 0

    with pytest.raises(InvalidInput, match="one token of each sample, but that of sample 1"):
        whence.explain(SumOfWords(), inputs, 0)


def test_no_tokens_at_all_are_refused() -> None:
    with pytest.raises(InvalidInput, match="A text needs at least one token"):
        whence.explain(SumOfWords(), {"input_ids": torch.zeros(1, 0)}, 0)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_named(value: float) -> None:
    model = SumOfWords()
    with torch.no_grad():
        model.classifier.weight[0, 0] = value

    with pytest.raises(InvalidInput, match=r"these hold NaN or infinity: classifier\.weight\."):
        whence.explain(model, Spoken("good"), 0)


class Attending(nn.Module):
    """Fused attention gives zeros where all keys are NaN, so that the score is a number."""

    def __init__(self) -> None:
        super().__init__()
        self.keys = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        keys = self.keys(x)[:, None]
        return nn.functional.scaled_dot_product_attention(x[:, None], keys, x[:, None]).sum((1, 2))


@pytest.mark.parametrize("method", ["attnlrp", "gradient-times-input"])
def test_weights_that_only_spoil_the_way_back_are_named(method: str) -> None:
    model = Attending()
    with torch.no_grad():
        model.keys.weight.fill_(float("nan"))
    x = torch.randn(1, 3, 4)

    assert model(x).isfinite().all()
    with pytest.raises(InvalidInput, match=r"these hold NaN or infinity: keys\.weight\."):
        whence.explain(model, x, 0, method)


def test_token_ids_with_a_fraction_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"input_ids must be whole numbers, got torch\.float32"):
        whence.explain(SumOfWords(), {"input_ids": torch.ones(1, 2)}, 0)


class Pair(nn.Module):
    """An encoder-decoder as those of transformers behave without decoder_input_ids."""

    def __init__(self, complaint: str) -> None:
        super().__init__()
        self.config = SimpleNamespace(is_encoder_decoder=True)
        self.complaint = complaint

    def forward(self, input_ids: Tensor, decoder_input_ids: Tensor | None = None) -> Tensor:
        raise ValueError(self.complaint)


@pytest.mark.parametrize("hint", ["decoder_input_ids", "input_ids or inputs_embeds"])
def test_an_encoder_decoder_without_anything_to_decode_is_told_so(hint: str) -> None:
    with pytest.raises(InvalidInput, match=r"Add decoder_input_ids, .*explain_continuation"):
        whence.explain(Pair(f"You must give {hint}"), {"input_ids": torch.ones(1, 2).long()}, 0)


def test_other_value_errors_are_the_models_own() -> None:
    with pytest.raises(ValueError, match=r"^my own$"):
        whence.explain(Pair("my own"), {"input_ids": torch.ones(1, 2).long()}, 0)


def test_a_score_that_is_no_number_is_refused() -> None:
    def model(x: Tensor) -> Tensor:
        return x / 0

    with pytest.raises(InvalidInput, match=r"must be a finite number, got inf \(sample 1\)"):
        whence.explain(model, torch.tensor([[0.0], [1.0]]), lambda z: z[:, 0].nan_to_num(0, 9e999))


def test_inputs_on_another_device_than_the_model_are_refused() -> None:
    inputs = {key: each.to("meta") for key, each in ids(1, 2).items()}

    with pytest.raises(InvalidInput, match=r"an input on meta and a model on cpu. Try .*'cpu'"):
        whence.explain(SumOfWords(), inputs, 0)
