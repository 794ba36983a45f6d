"""Class objectives see the same model whatever it ends in."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import whence
from whence import targets
from whence.errors import InvalidInput
from whence.prototypes import Logit, LogProbability, Noise, Objective, Prototypes, Target, Zeros


class Ending(nn.Module):
    """A small net with something behind its scores."""

    def __init__(self, end: object, width: int = 4) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.body = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, width))
        self.end = end
        self.double().eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.body(x))  # type: ignore[operator]


def nothing(z: Tensor) -> Tensor:
    return z


SOFTMAXES = {
    "softmax": lambda z: functional.softmax(z, 1),
    "the softmax method": lambda z: z.softmax(-1),
    "torch.softmax": lambda z: torch.softmax(z, dim=1),
    "the softmax module": nn.Softmax(1),
    "log_softmax": lambda z: functional.log_softmax(z, 1),
    "special.softmax": lambda z: torch.special.softmax(z, 1),
}
PROBABILITIES = {
    "exponentials over their sum": lambda z: z.exp() / z.exp().sum(1, keepdim=True),
    "a softmax that is viewed": lambda z: z.softmax(1)[:, None].squeeze(1),
}


def climb(net: nn.Module, goal: object, **options: object) -> Prototypes:
    return whence.maximize(
        net,
        goal,
        start=Noise((5,)),
        optimiser="sgd",
        rate=0.3,
        steps=6,
        **options,  # type: ignore
    )


@pytest.mark.parametrize("end", SOFTMAXES.values(), ids=SOFTMAXES)
@pytest.mark.parametrize(
    "goal", [LogProbability(2), Logit(1), Target(targets.LogOdds(3)), LogProbability(range(4))]
)
def test_a_softmax_head_changes_nothing(end: object, goal: Objective) -> None:
    plain, headed = climb(Ending(nothing), goal), climb(Ending(end), goal)

    assert torch.equal(plain.inputs, headed.inputs)
    assert torch.equal(plain.history, headed.history)
    assert "class objectives look at the scores before it" in headed.notes[0]
    assert plain.notes == []


@pytest.mark.parametrize("end", PROBABILITIES.values(), ids=PROBABILITIES)
def test_probabilities_give_the_same_ascent_to_rounding(end: object) -> None:
    plain, headed = climb(Ending(nothing), [0, 2]), climb(Ending(end), [0, 2])

    torch.testing.assert_close(headed.inputs, plain.inputs, rtol=1e-10, atol=1e-12)
    assert "the rows of its output sum to 1" in headed.notes[0]


def test_a_softmax_that_rounds_to_zero_has_a_slope_all_the_same() -> None:
    # p_1 = exp(-2000) is 0 in float64, and its logarithm -inf; the scores before it know better.
    net = nn.Sequential(nn.Linear(1, 2, bias=False), nn.Softmax(1)).double().eval()
    net[0].weight.data = torch.tensor([[1.0], [-1.0]]).double()

    found = whence.maximize(
        net, 1, start=torch.full((1, 1), 1000.0).double(), optimiser="sgd", rate=1.0, steps=1
    )

    # log p_1 = -2x - log(1 + exp(-2x)) has slope -2 there.
    assert found.history[0].item() == -2000.0
    assert found.inputs.item() == 998.0


@pytest.mark.parametrize(
    "end", [torch.sigmoid, nn.Sigmoid(), lambda z: z.sigmoid(), torch.special.expit]
)
def test_a_sigmoid_head_has_independent_classes(end: object) -> None:
    net = Ending(end)
    found = climb(net, LogProbability([0, 3]), keep="last")

    p = net(found.inputs).detach()
    expected = torch.stack([p[0, 0], p[1, 3]]).log()
    torch.testing.assert_close(found.objective, expected)
    torch.testing.assert_close(
        found.inputs, climb(Ending(nothing), LogProbability([0, 3], head="sigmoid")).inputs
    )


def test_a_sigmoid_in_place_is_undone() -> None:
    plain = climb(Ending(torch.sigmoid), LogProbability(2))
    in_place = climb(Ending(lambda z: (z * 1).sigmoid_()), LogProbability(2))

    torch.testing.assert_close(in_place.inputs, plain.inputs)


@pytest.mark.parametrize("shape", [(1,), ()])
def test_one_logit_has_two_classes(shape: tuple[int, ...]) -> None:
    net = Ending(lambda z: z.reshape(len(z), *shape), width=1)

    yes = whence.maximize(net, LogProbability(1, head="sigmoid"), start=Zeros((5,)), steps=1)
    no = whence.maximize(net, LogProbability(0, head="sigmoid"), start=Zeros((5,)), steps=1)

    assert yes.history[0].exp().item() + no.history[0].exp().item() == pytest.approx(1.0)
    z = net(torch.zeros(1, 5).double()).item()
    assert yes.history[0].item() == pytest.approx(-math.log1p(math.exp(-z)))


def test_a_single_output_without_a_head_has_no_classes() -> None:
    with pytest.raises(InvalidInput, match='LogProbability\\(1, head="sigmoid"\\)'):
        climb(Ending(nothing, width=1), 0)


def test_the_head_can_be_said_by_hand() -> None:
    with pytest.raises(InvalidInput, match="head= must be one of auto, scores, softmax"):
        LogProbability(1, head="sofmax")


def test_said_by_hand_scores_stay_scores() -> None:
    # Rows that sum to 1, taken for scores all the same.
    net = Ending(PROBABILITIES["exponentials over their sum"])
    found = climb(net, LogProbability(0, head="scores"), keep="last")

    torch.testing.assert_close(found.objective, net(found.inputs).detach().log_softmax(1)[:, 0])


def test_hidden_softmaxes_are_not_the_head() -> None:
    net = Ending(lambda z: 3 * z.softmax(1) @ torch.ones(4, 4).double().triu())
    found = climb(net, 2, keep="last")

    torch.testing.assert_close(found.objective, net(found.inputs).detach().log_softmax(1)[:, 2])
    assert found.notes == []
