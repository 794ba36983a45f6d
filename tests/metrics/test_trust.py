"""Trust: cases where the answer is known, and what is said about them."""

from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

import whence.zoo
from whence._explanation import Explanation
from whence.composites import Composite, where
from whence.errors import InvalidInput
from whence.explainers import LRP, Explainer, GradientTimesInput, Random, Sensitivity
from whence.explainers._score import answer
from whence.metrics import Batch, Case, Trust, trust
from whence.metrics._evidence import AGAINST, FOR, NEITHER, from_ledger
from whence.rules import Zero
from whence.targets import Logit

LRP0 = Composite([(where.nature("linear"), Zero())])
CHECKS = ["ledger", "flipping", "randomisation", "agreement"]


def net() -> nn.Module:
    """A ReLU net without biases: LRP-0 is gradient times input, and sums to the score."""
    layers = nn.Linear(64, 32, bias=False), nn.ReLU(), nn.Linear(32, 3, bias=False)
    made = nn.Sequential(*layers).double().eval()
    with torch.no_grad():
        made[0].weight.normal_(0, (2 / 64) ** 0.5)
        made[2].weight.normal_(0, 1)
    return made


def inputs() -> Tensor:
    return torch.randn(4, 64, dtype=torch.float64)


class Given(Explainer):
    """What a function of the inputs gives, whatever the model."""

    name: ClassVar[str] = "given"

    def __init__(self, model: Any, of: Any) -> None:
        super().__init__(model)
        self.of = of

    def explain(self, inputs: Any, target: Any = None) -> Explanation:
        output = answer(self.model, inputs)
        score = target.score(output)
        return Explanation(self.of(inputs), inputs, output, target, score, self.name)


def votes(found: Trust, sample: int = 0) -> dict[str, str]:
    return {each.check: each.vote for each in found[sample].evidence}


# Where the answer is known.


def test_lrp_on_a_relu_net_can_be_relied_on() -> None:
    found = trust(LRP(net(), LRP0), inputs())

    assert found.verdicts == ["rely"] * 4
    assert votes(found) == dict.fromkeys(CHECKS, FOR)


def test_lrp_on_a_linear_model_can_be_relied_on() -> None:
    found = trust(LRP(nn.Linear(64, 3, bias=False).double().eval(), LRP0), inputs())

    assert found.verdicts == ["rely"] * 4


def test_random_relevance_can_not() -> None:
    found = trust(Random(net()), inputs())

    assert found.verdicts == ["do not rely"] * 4
    assert votes(found)["randomisation"] == AGAINST


def test_a_constant_map_can_not() -> None:
    found = trust(Given(net(), torch.ones_like), inputs())

    assert set(found.verdicts) == {"do not rely"}


def test_the_opposite_of_a_good_map_can_not() -> None:
    model, x = net(), inputs()
    good = GradientTimesInput(model).explain(x).relevance
    found = trust(Given(model, lambda inputs: -good), x)

    assert found.verdicts == ["do not rely"] * 4
    assert votes(found)["flipping"] == AGAINST


def test_a_good_looking_map_that_ignores_the_parameters_can_not() -> None:
    # The map of the trained model, whatever the model is: it flips well, and agrees with others.
    model, x = net(), inputs()
    good = GradientTimesInput(model).explain(x).relevance
    found = trust(Given(model, lambda inputs: good), x)

    assert found.verdicts == ["do not rely"] * 4
    assert votes(found)["flipping"] == votes(found)["agreement"] == FOR
    assert votes(found)["randomisation"] == AGAINST


def test_a_map_that_hardly_depends_on_the_parameters_is_not_judged() -> None:
    # Half of it is the map of the trained model, whatever the model is.
    model, x = net(), inputs()
    good = nn.functional.normalize(GradientTimesInput(model).explain(x).relevance)

    class Half(GradientTimesInput):
        def explain(self, inputs: Any, target: Any = None, **options: Any) -> Explanation:
            found = super().explain(inputs, target, **options)
            found.relevance = nn.functional.normalize(found.relevance) + good
            return found

    found = trust(Half(model), x)

    assert found.verdicts == ["abstain"] * 4
    assert votes(found) == {
        "ledger": NEITHER,
        "flipping": FOR,
        "randomisation": AGAINST,
        "agreement": FOR,
    }
    assert "the evidence disagrees" in found[0].line


def test_a_book_that_does_not_close_decides() -> None:
    model, x = net(), inputs()
    batch, explainer = Batch(model, x), LRP(model, LRP0)
    found = explainer.explain(x, batch.target)
    found.ledger.explained = 2 * found.ledger.explained
    evidence = from_ledger(Case(batch, found.relevance, explainer, found))

    assert [each.vote for each in evidence] == [AGAINST] * 4
    assert "arrived nowhere" in evidence[0].says


def test_relevance_that_mostly_went_to_biases_says_little() -> None:
    model = nn.Linear(2, 1).double().eval()
    with torch.no_grad():
        model.weight.fill_(1)
        model.bias.fill_(8)
    x = torch.ones(1, 2, dtype=torch.float64)
    batch, explainer = Batch(model, x), LRP(model, LRP0)
    found = explainer.explain(x, batch.target)
    evidence = from_ledger(Case(batch, found.relevance, explainer, found))[0]

    assert evidence.vote == NEITHER
    assert evidence.value == pytest.approx(0.8)


def test_a_model_that_does_not_care_gives_no_evidence_from_flipping() -> None:
    def model(x: Tensor) -> Tensor:
        return 0 * x[:, :2] + torch.tensor([1.0, 0.0])

    found = trust(Random(model), inputs().float(), 0)

    assert votes(found)["flipping"] == NEITHER
    assert votes(found)["randomisation"] == NEITHER


def test_two_features_are_too_few_to_beat_chance() -> None:
    model = nn.Linear(2, 2, bias=False).double().eval()
    found = trust(LRP(model, LRP0), torch.tensor([[3.0, -1.0]]).double())

    assert votes(found)["flipping"] == NEITHER
    assert found.verdict == "abstain"


# On the net that ships, without a network.


@pytest.fixture(scope="module")
def digits() -> tuple[nn.Module, Tensor]:
    shipped, data = whence.zoo.model("digits-cnn"), whence.zoo.dataset("digits")
    pictures = [shipped.preprocess(data[number].image) for number in range(4)]
    return shipped.module, torch.stack([each.view(shipped.input_shape) for each in pictures])


def test_lrp_on_shipped_digits(digits: tuple[nn.Module, Tensor]) -> None:
    assert trust(LRP(digits[0], LRP0), digits[1]).verdicts == ["rely"] * 4


def test_random_on_shipped_digits(digits: tuple[nn.Module, Tensor]) -> None:
    assert trust(Random(digits[0]), digits[1]).verdicts == ["do not rely"] * 4


def test_methods_that_disagree_on_shipped_digits(digits: tuple[nn.Module, Tensor]) -> None:
    assert "rely" not in trust(Sensitivity(digits[0]), digits[1]).verdicts


# What it says, and how it is asked.


def test_it_prints_the_line_and_the_evidence() -> None:
    x = inputs()[:1]
    found = trust(LRP(net(), LRP0), x, 2)
    lines = str(found).splitlines()

    assert lines[0] == f"lrp: rely; for it: {', '.join(CHECKS)}"
    assert [line.split()[:2] for line in lines[1:]] == [[each, FOR] for each in CHECKS]
    assert "random orders are better" in lines[2]
    assert found.verdict == "rely"


def test_samples_are_told_apart() -> None:
    found = trust(LRP(net(), LRP0), inputs())

    assert "lrp, sample 3: rely" in str(found)
    assert len(found) == len(list(found)) == 4
    with pytest.raises(InvalidInput, match="There are 4 maps"):
        _ = found.verdict


def test_the_same_question_has_the_same_answer() -> None:
    model, x = net(), inputs()

    assert str(trust(Random(model), x)) == str(trust(Random(model), x))


def test_a_sample_is_judged_alike_in_any_batch() -> None:
    model, x = net(), inputs()
    whole = trust(Random(model), x, ids=["a", "b", "c", "d"])
    alone = trust(Random(model), x[2:3], ids=["c"])

    assert str(alone[0]) == str(whole[2])


def test_it_asks_as_often_as_it_says() -> None:
    asked: list[int] = []
    model = net()

    def counting(x: Tensor) -> Tensor:
        asked.append(len(x))
        return model(x)

    trust(Given(counting, torch.ones_like), inputs(), others=[])

    # The explainer asks for the score itself, once; 64 features in steps of 2 have 31 inner points.
    assert sum(asked) == 4 * (31 * 21 + 2 + 1)


def test_other_methods_can_be_chosen_and_those_that_fail_are_named() -> None:
    class Failing(Random):
        def explain(self, inputs: Any, target: Any = None) -> Explanation:
            raise InvalidInput("no")

    model, x = net(), inputs()
    some = trust(LRP(model), x, others=[Sensitivity(model), Failing(model)])
    none = trust(LRP(model), x, others=[Failing(model)])

    assert "rank correlation with sensitivity" in some[0].evidence[3].says
    assert "random could not explain this (InvalidInput)" in some[0].evidence[3].says
    assert votes(none)["agreement"] == NEITHER


def test_the_target_may_be_any_class() -> None:
    model, x = net(), inputs()
    found = trust(Given(model, lambda inputs: torch.ones_like(inputs)), x, Logit(0))

    assert len(found) == 4


@pytest.mark.parametrize(
    ("knobs", "words"),
    [
        ({"orders": 10}, "orders must be at least 19"),
        ({"redraws": 0}, "redraws must be at least 1"),
    ],
)
def test_too_little_evidence_is_refused(knobs: dict[str, int], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        trust(Random(net()), inputs(), **knobs)


def test_texts_are_refused() -> None:
    def model(inputs_embeds: Tensor) -> Tensor:
        return inputs_embeds.sum(1)

    with pytest.raises(InvalidInput, match="these inputs are texts"):
        trust(LRP(nn.Embedding(5, 3).eval()), torch.tensor([[1, 2, 3, 4]]))
    with pytest.raises(InvalidInput, match="these inputs are texts"):
        trust(LRP(model), {"inputs_embeds": torch.rand(2, 4, 3)})
