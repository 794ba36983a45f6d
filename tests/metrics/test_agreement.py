"""Agreement: by hand, its diagonal, what it prints and what it refuses."""

import pytest
import torch
from torch import Tensor, nn

from whence.errors import InvalidInput
from whence.explainers import LRP, GradientTimesInput
from whence.metrics import Patches, agreement

FIRST = torch.tensor([[4.0, 3.0, -2.0, 1.0]])
SECOND = torch.tensor([[-4.0, 1.0, -2.0, 3.0]])


def test_by_hand() -> None:
    found = agreement({"a": FIRST, "b": SECOND}, top=2)

    # Ranks 3 2 0 1 and 0 2 1 3: 1 - 6 (9 + 0 + 1 + 4) / 60 = -2/5.
    assert float(found.rank[0, 1]) == pytest.approx(-2 / 5, abs=1e-12)
    # By magnitude {0, 1} and {0, 3}: one of two in common, of another sign.
    assert float(found.top[0, 1]) == 1 / 2
    assert float(found.sign[0, 1]) == 0
    assert found.count == 2


def test_signs_in_common() -> None:
    found = agreement({"a": FIRST, "b": SECOND}, top=3)

    # {0, 1, 2} and {0, 2, 3}: two of three in common, one of the same sign.
    assert float(found.top[0, 1]) == pytest.approx(2 / 3)
    assert float(found.sign[0, 1]) == pytest.approx(1 / 3)


def test_a_map_agrees_with_itself_and_the_table_is_symmetric() -> None:
    maps = {name: torch.randint(-2, 3, (5, 20)).double() for name in "abc"}
    found = agreement(maps, top=0.25)
    stacked = torch.stack([found.rank, found.top, found.sign])

    assert torch.allclose(stacked, stacked.transpose(1, 2))
    assert torch.allclose(stacked.diagonal(dim1=1, dim2=2), torch.ones(()).double())


def test_random_maps_have_their_chance_in_common() -> None:
    maps = {name: torch.rand(400, 50) for name in "ab"}
    found = agreement(maps, top=0.2)

    # 10 of 50: hypergeometric, mean 2, variance 10 0.2 0.8 40/49 = 1.31, so 0.114 of 10 per sample.
    assert float(found.mean("top")[0, 1]) == pytest.approx(0.2, abs=4 * 0.114 / 20)
    assert float(found.mean("rank")[0, 1]) == pytest.approx(0, abs=4 / (49**0.5 * 20))


def test_equal_values_are_not_taken_in_reading_order() -> None:
    constant = torch.ones(200, 10)
    first = torch.arange(10, 0, -1.0).expand(200, 10)
    found = agreement({"constant": constant, "first": first}, top=5)

    assert float(found.mean("top")[0, 1]) == pytest.approx(0.5, abs=0.05)


def test_relevance_is_pooled_to_features() -> None:
    first = torch.rand(2, 3, 4, 4)
    pooled = first.view(2, 3, 2, 2, 2, 2).mean((1, 3, 5)).repeat_interleave(2, 1)
    pooled = pooled.repeat_interleave(2, 2)[:, None]
    found = agreement({"a": first, "b": pooled}, features=Patches(2))

    assert found.rank[0, 1].tolist() == pytest.approx([1, 1])


def test_explanations_are_named_after_their_methods() -> None:
    net = nn.Sequential(nn.Linear(4, 3, bias=False), nn.ReLU(), nn.Linear(3, 2, bias=False))
    net, x = net.double().eval(), torch.randn(3, 4, dtype=torch.float64)
    lrp, gradient = LRP(net), GradientTimesInput(net)
    found = agreement([lrp.explain(x, 0), gradient.explain(x, 0), lrp.explain(x, 1)])

    assert found.names == ("lrp", "gradient-times-input", "lrp #2")
    # Without biases, epsilon is gradient times input.
    assert found.rank[0, 1].tolist() == pytest.approx([1, 1, 1])
    assert found.mean("rank").shape == (3, 3)


def test_texts_agree_by_tokens_and_not_by_their_padding() -> None:
    def model(inputs_embeds: Tensor, attention_mask: Tensor) -> Tensor:
        return (inputs_embeds * attention_mask[..., None]).sum(1)

    vectors = torch.randn(2, 5, 3, dtype=torch.float64)
    inputs = {"inputs_embeds": vectors, "attention_mask": torch.ones(2, 5)}
    lrp = LRP(model).explain(inputs, 1)
    found = agreement({"lrp": lrp, "tokens": vectors[:, :, 1]}, top=2)
    padded = inputs | {"attention_mask": torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])}

    assert found.rank[0, 1].tolist() == pytest.approx([1, 1])
    with pytest.raises(InvalidInput, match="would count as agreement"):
        agreement([LRP(model).explain(padded, 1), lrp])


def test_it_prints_a_table_for_each_measure() -> None:
    text = str(agreement({"a": FIRST, "second": SECOND}, top=2))

    assert text.startswith("1 samples, top 2 features")
    assert text.count("second") == 6
    assert "-0.400" in text
    assert "share of the top features in common and of the same sign" in text


@pytest.mark.parametrize(
    ("maps", "words"),
    [
        ({"a": FIRST}, "two explanations at least, got 1"),
        ({"a": FIRST, "b": torch.ones(1, 5)}, "of one shape but for channels"),
        ({"a": FIRST, "b": torch.ones(2, 4)}, "of one shape but for channels"),
        ({"a": FIRST, "b": torch.ones(1, 2, 4)}, "of one shape but for channels"),
        ({"a": FIRST, "b": FIRST / 0}, "NaN or infinity: b"),
    ],
)
def test_maps_that_cannot_be_compared_are_refused(maps: dict, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        agreement(maps)


@pytest.mark.parametrize("top", [0, 5, 0.0, 1.5])
def test_top_must_fit(top: float) -> None:
    with pytest.raises(InvalidInput, match="top must be a number of the 4 features"):
        agreement({"a": FIRST, "b": SECOND}, top=top)


def test_tensors_need_names() -> None:
    with pytest.raises(InvalidInput, match="Give tensors by name"):
        agreement([FIRST, SECOND])


def test_an_unknown_measure_is_refused() -> None:
    with pytest.raises(InvalidInput, match="measure must be one of rank, top, sign"):
        agreement({"a": FIRST, "b": SECOND}).mean("kendall")
